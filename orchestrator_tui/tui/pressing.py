"""Does by mouse or palette what a key does now."""

from typing import Any

from textual.binding import ActiveBinding
from textual.screen import Screen


def binding_of(screen: Screen[Any], action_id: str) -> ActiveBinding | None:
    """The binding of an action as it works on `screen` now; None when its key would do nothing."""
    found = screen.active_bindings.values()
    return next((one for one in found if one.binding.id == action_id and one.enabled), None)


async def press(screen: Screen[Any], action_id: str) -> None:
    """Does what the action's key does on `screen`, wherever its method is: on a widget, the screen or the app."""
    if (bound := binding_of(screen, action_id)) is not None:
        await screen.app.run_action(bound.binding.action, default_namespace=bound.node)
