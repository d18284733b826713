"""Which work trackers there are: those that come with the program, and those of installed packages."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from orchestrator_tui.backends.base import OpenTracker
from orchestrator_tui.domain.errors import TrackerUnusable
from orchestrator_tui.domain.text import one_line

GROUP = "orchestrator_tui.backends"
"""The entry point group in which packages name a tracker and its `OpenTracker`."""

DEFAULT = "database"

_BUILT_IN: Mapping[str, str] = {
    DEFAULT: "orchestrator_tui.backends.database:open_tracker",
    "json": "orchestrator_tui.backends.json_file.tracker:open_tracker",
    "linear": "orchestrator_tui.backends.linear.tracker:open_tracker",
}
"""Imported when a project wants it; these names cannot be taken by a package."""

_REQUIRES: Mapping[str, str] = {"linear": "orchestrator_tui.backends.linear.tracker:require_key"}
"""What looks whether the environment has what a tracker cannot do without."""


def names() -> tuple[str, ...]:
    """The trackers that could be used, those of packages last."""
    return (*_BUILT_IN, *sorted(_plugins().keys() - _BUILT_IN.keys()))


def find_tracker(kind: str) -> OpenTracker:
    """What opens the tracker of that name.

    Raises:
        TrackerUnusable: there is none, or its package cannot be loaded.
    """
    found = _named(_BUILT_IN[kind]) if kind in _BUILT_IN else _loaded(kind)
    if not callable(found):
        raise TrackerUnusable(f"The work tracker {kind} cannot be opened: it is {type(found).__name__}, no function.")
    return found  # type: ignore[no-any-return]


def require_tracker(kind: str, environ: Mapping[str, str]) -> None:
    """Refuse a tracker that a new project could not use, before anything of it is made.

    Raises:
        TrackerUnusable: there is none of that name, its package cannot be loaded, or it lacks its credentials.
    """
    find_tracker(kind)
    if kind in _REQUIRES:
        _named(_REQUIRES[kind])(environ)


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _loaded(kind: str) -> object:
    plugin = _plugins().get(kind)
    if plugin is None:
        raise TrackerUnusable(
            f"There is no work tracker {one_line(kind, 60)}.",
            hint=f"There are: {', '.join(names())}. See backend.type.",
        )
    try:
        return plugin.load()
    except Exception as error:
        # Somebody else's code: whatever it raises is told, with the package's name.
        package = plugin.dist.name if plugin.dist else "a package"
        reason = one_line(f"{type(error).__name__}: {error}", 300)
        raise TrackerUnusable(
            f"The work tracker {kind} of {package} cannot be loaded ({plugin.value}): {reason}.",
            hint="Mend or remove that package, or choose another backend.type.",
        ) from error


def _plugins() -> dict[str, EntryPoint]:
    return {plugin.name: plugin for plugin in entry_points(group=GROUP)}
