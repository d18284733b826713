"""What the commander has done by the app."""

from typing import Any, Protocol

from textual.screen import Screen

from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.tui import slash
from orchestrator_tui.tui.bridge import Bridge
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.opening import Opening
from orchestrator_tui.tui.view import AgentView, ProjectView

SECONDS_SHOWN = 6.0
"""How long news stand in the corner."""


class Shell(Protocol):
    """What the app does for the commander."""

    bridge: Bridge
    values: slash.Values

    @property
    def context(self) -> Context:
        """What screens are given; raises StoreUnavailable while the engine is not there."""
        ...

    @property
    def plain_context(self) -> Context:
        """What screens are given that ask the engine nothing; there is always one."""
        ...

    async def opened(self) -> None:
        """Wait until the engine is there, or it is known why it is not."""
        ...

    @property
    def selected(self) -> ProjectView | None:
        """The project that the main screen shows."""
        ...

    def select(self, project_id: str) -> None:
        """Have the main screen show a project."""
        ...

    def open_page(self, page: Screen[Any]) -> None: ...

    def open_question(self, request: InputRequest, opening: Opening = Opening.DOCUMENT) -> None: ...

    async def open_new_project(self, idea: str) -> None: ...

    def open_settings(self, preset: tuple[str, str | None] | None) -> None: ...

    def open_themes(self) -> None: ...

    async def use_theme(self, name: str) -> None: ...

    def show_agent(self, agent: AgentView | None) -> None: ...

    def was_shown(self, request: InputRequest) -> bool:
        """Whether this very content was on the screen."""
        ...

    def leave(self) -> None: ...

    def say(self, text: str) -> None: ...
