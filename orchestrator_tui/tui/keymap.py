"""Everything that a key does in the dashboard, as data: for bindings, footer, palette and the help screen."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding
from textual.keys import format_key

from orchestrator_tui.config.default_keys import DEFAULT_KEYS
from orchestrator_tui.config.key_names import split_keys


class Place(StrEnum):
    """Where a key works. What works everywhere also works while a person types."""

    EVERYWHERE = "everywhere"
    MAIN = "main screen"
    LOG = "log"
    APPROVAL = "approval"
    PERMISSION = "permission"
    DECISION = "error decision"
    WRITING = "writing an answer"
    SCREEN = "other screens"
    PROJECTS = "projects"
    REPLAY = "replay"
    SETTINGS = "settings"


_DEFAULTS = {key.action: key for key in DEFAULT_KEYS}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a key does; its default keys and its tooltip are those of the setting of the same name.

    Attributes:
        label: one or two words for the footer. footer: the places whose footer shows it.
    """

    id: str
    label: str
    places: tuple[Place, ...]
    footer: tuple[Place, ...] = ()

    @property
    def default_keys(self) -> str:
        """Keys with commas between them."""
        return _DEFAULTS[self.id].keys

    @property
    def tooltip(self) -> str:
        return _DEFAULTS[self.id].tooltip


_MODALS = (Place.APPROVAL, Place.PERMISSION, Place.DECISION)
_MAIN = (Place.MAIN,)
_LOG = (Place.LOG,)

ACTIONS: tuple[Action, ...] = (
    Action("palette", "palette", (Place.EVERYWHERE,), _MAIN),
    Action("help", "help", (Place.EVERYWHERE,), _MAIN),
    Action("settings", "settings", (Place.EVERYWHERE,)),
    Action("theme", "theme", (Place.EVERYWHERE,)),
    Action("new_project", "new", (Place.EVERYWHERE,)),
    Action("rehearsal", "rehearsal", (Place.EVERYWHERE,)),
    Action("next_pane", "pane", (Place.MAIN, Place.SCREEN), _MAIN),
    Action("previous_pane", "pane before", (Place.MAIN, Place.SCREEN)),
    Action("input", "input", _MAIN),
    Action("zoom", "zoom", _MAIN, _MAIN),
    Action("waiting", "what waits", _MAIN),
    Action("approve", "approve", (Place.MAIN, Place.APPROVAL), (Place.MAIN, Place.APPROVAL)),
    Action("request_changes", "changes", (Place.MAIN, Place.APPROVAL), (Place.APPROVAL,)),
    Action("edit", "edit", (Place.MAIN, Place.APPROVAL), (Place.APPROVAL,)),
    Action("editor", "$EDITOR", (Place.MAIN, Place.APPROVAL)),
    Action("view", "view", (Place.MAIN, Place.APPROVAL), (Place.APPROVAL,)),
    Action("diff", "diff", (Place.MAIN, Place.APPROVAL), (Place.MAIN, Place.APPROVAL)),
    Action("items", "items", _MAIN, _MAIN),
    Action("logs", "logs", _MAIN),
    Action("interrupt", "interrupt", _MAIN),
    Action("cost", "cost", _MAIN),
    Action("history", "history", _MAIN),
    Action("resume", "resume", (Place.MAIN, Place.PROJECTS), (Place.PROJECTS,)),
    Action("allow_once", "allow once", (Place.PERMISSION,), (Place.PERMISSION,)),
    Action("allow_project", "allow in project", (Place.PERMISSION,), (Place.PERMISSION,)),
    Action("deny", "deny", (Place.PERMISSION,), (Place.PERMISSION,)),
    Action("deny_with_words", "deny, with words", (Place.PERMISSION,), (Place.PERMISSION,)),
    Action("retry", "retry", (Place.MAIN, Place.DECISION), (Place.DECISION,)),
    Action("retry_with_hint", "retry with hint", (Place.DECISION,), (Place.DECISION,)),
    Action("skip", "skip", (Place.MAIN, Place.DECISION), (Place.DECISION,)),
    Action("stop", "stop", (Place.MAIN, *_MODALS, Place.PROJECTS), (*_MODALS, Place.PROJECTS)),
    Action("play", "play/pause", (Place.REPLAY,), (Place.REPLAY,)),
    Action("slower", "slower", (Place.REPLAY,), (Place.REPLAY,)),
    Action("faster", "faster", (Place.REPLAY,), (Place.REPLAY,)),
    Action("phase_before", "phase before", (Place.REPLAY,), (Place.REPLAY,)),
    Action("phase_after", "next phase", (Place.REPLAY,), (Place.REPLAY,)),
    Action("set_default", "back to default", (Place.SETTINGS,), (Place.SETTINGS,)),
    Action("other_file", "other file", (Place.SETTINGS,), (Place.SETTINGS,)),
    Action("send", "send", (Place.WRITING,), (Place.WRITING,)),
    Action("close", "close", (*_MODALS, Place.WRITING, Place.SCREEN), (*_MODALS, Place.SCREEN)),
    Action("search", "search", (*_LOG, Place.SCREEN), _LOG),
    Action("next_match", "next match", (*_LOG, Place.SCREEN)),
    Action("previous_match", "match before", (*_LOG, Place.SCREEN)),
    Action("filter", "filter", (*_LOG, Place.SCREEN), _LOG),
    Action("fold", "fold", _LOG, _LOG),
    Action("fold_all", "fold all", _LOG),
    Action("follow", "follow", _LOG, _LOG),
    Action("copy_text", "copy", (*_LOG, Place.SCREEN)),
    Action("quit", "quit", (Place.EVERYWHERE,), _MAIN),
)
"""All actions, in the order of footer and help."""

Where = Callable[[str], str]
"""Says for a dotted setting where it was written; `Settings.origin` is one."""


@dataclass(slots=True)
class Keymap:
    """The keys of this run: the defaults, or what the `[keymap]` settings say; all screens share one."""

    settings: object = None

    def use(self, settings: object) -> None:
        """Other keys from now on."""
        self.settings = settings

    def keys(self, action: str) -> tuple[str, ...]:
        """The keys of an action, by the names a terminal reports.

        Raises:
            AttributeError: there is no such action.
        """
        return split_keys(str(getattr(self.settings, action, _DEFAULTS[action].keys)))

    def shown(self, action: str) -> str:
        """The first key of an action as footer and help show it, such as `^p` or `/`."""
        return show_key(self.keys(action)[0])

    def as_textual(self) -> dict[str, str]:
        """Binding id -> keys, for `App.set_keymap`: of all actions, so that swapped keys both work, and `by_id`."""
        return {action.id: ",".join(self.keys(action.id)) for action in ACTIONS} | dict(self.by_id)

    @property
    def by_id(self) -> Mapping[str, str]:
        """Keys that are set for a binding by its id, which is that of no action."""
        found: Mapping[str, str] = getattr(self.settings, "by_id", {})
        return found

    def conflicts(self, where: Where = lambda key: "default") -> tuple[str, ...]:
        """One line for each key that two actions of one place want."""
        lines = (self._conflict(first, second, where) for first, second in _pairs() if _meet(first, second))
        return tuple(line for line in lines if line)

    def _conflict(self, first: Action, second: Action, where: Where) -> str:
        both = [key for key in self.keys(first.id) if key in self.keys(second.id)]
        if not both:
            return ""
        first_key, second_key = f"keymap.{first.id}", f"keymap.{second.id}"
        blamed = second_key if where(second_key) != "default" else first_key
        return (
            f"{where(blamed)}: {show_key(both[0])} is the key of both {first_key} and {second_key}; "
            f"give {blamed} another one."
        )


def bindings(*places: Place) -> list[Binding]:
    """The bindings of these places with their default keys, for `BINDINGS`; the binding's id is the action's."""
    return [_binding(action, places) for action in ACTIONS if set(places) & set(action.places)]


def actions_of(place: Place) -> tuple[Action, ...]:
    """The actions that work in a place, for the help screen."""
    return tuple(action for action in ACTIONS if place in action.places)


def show_key(key: str) -> str:
    """A key in the short form people know: `^p`, `F1`, `shift+tab`, `/`."""
    *modifiers, last = key.split("+")
    name = last.upper() if last[:1] == "f" and last[1:].isdigit() else format_key(last)
    if modifiers == ["ctrl"] and len(name) == 1:
        return f"^{name}"
    return "+".join([*modifiers, name])


def _binding(action: Action, places: tuple[Place, ...]) -> Binding:
    return Binding(
        action.default_keys,
        action.id,
        action.label,
        show=bool(set(places) & set(action.footer)) or (Place.EVERYWHERE in places and bool(action.footer)),
        priority=Place.EVERYWHERE in action.places,
        tooltip=action.tooltip,
        id=action.id,
    )


def _pairs() -> Iterator[tuple[Action, Action]]:
    for index, first in enumerate(ACTIONS):
        for second in ACTIONS[index + 1 :]:
            yield first, second


_WITHIN = {
    Place.LOG: Place.MAIN,
    Place.PROJECTS: Place.SCREEN,
    Place.REPLAY: Place.SCREEN,
    Place.SETTINGS: Place.SCREEN,
}
"""Places that take keys first, with the one they are in."""


def _meet(first: Action, second: Action) -> bool:
    """Whether both can be meant by the same key press."""
    places = set(first.places), set(second.places)
    everywhere = any(Place.EVERYWHERE in of for of in places)
    inside = any(_WITHIN.get(place) in other for one, other in (places, places[::-1]) for place in one)
    return bool(everywhere or inside or places[0] & places[1])
