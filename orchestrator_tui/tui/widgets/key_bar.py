"""The last row of a screen: the keys that matter there, as they are set."""

from collections.abc import Container, Sequence
from typing import NamedTuple

from rich.text import Text
from textual import events
from textual.widget import Widget

from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.keymap import ACTIONS, Action, Keymap, Place
from orchestrator_tui.tui.pressing import press


class Hint(NamedTuple):
    """One more thing that a key does on one screen only; `action` is the screen's, as a binding writes it."""

    keys: str
    label: str
    action: str


class KeyBar(Widget):
    """Shows the footer's actions of some places; what does not fit is left out. A click on one carries it out."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $background; color: $muted; padding: 0 1; }
    """

    def __init__(self, keymap: Keymap, *places: Place, note: str = "", hints: Sequence[Hint] = ()) -> None:
        """`note` stands at the right end while there is room, `hints` after the first action."""
        super().__init__()
        self._keymap = keymap
        self._note = note
        self._hints = tuple(hints)
        self._actions = _footer_actions(places)
        self._way_out: Hint | None = None

    def show(self, *places: Place, hints: Sequence[Hint] | None = None, without: Container[str] = ()) -> None:
        """Shows the actions of other places, but none of those `without`, and other `hints` when they are given."""
        actions = tuple(action for action in _footer_actions(places) if action.id not in without)
        hinted = self._hints if hints is None else tuple(hints)
        if (actions, hinted) != (self._actions, self._hints):
            self._actions, self._hints = actions, hinted
            self.refresh()

    def show_typing(self, typing: bool, way_out: Hint | None = None) -> None:
        """While a person types, only keys that type nothing work: shows those, and how to get at the others."""
        if (wanted := way_out if typing else None) != self._way_out:
            self._way_out = wanted
            self.refresh()

    def render(self) -> Text:
        accent = rich_color(self.app.theme_variables["accent"])
        text = Text(no_wrap=True, overflow="crop")
        for hint in self._fitting():
            text.append(hint.keys, style=accent)
            text.append(f" {hint.label}  ")
        space = self.content_size.width - text.cell_len
        if len(self._note) <= space:
            text.append(self._note.rjust(space))
        return text

    def on_click(self, event: events.Click) -> None:
        """Carries out the action under the mouse."""
        left = event.get_content_offset_capture(self).x
        for hint in self._fitting():
            left -= _width(hint)
            if left < 0:
                self.call_later(press, self.screen, hint.action)
                return

    def _all(self) -> Sequence[Hint]:
        actions = self._actions
        if self._way_out is not None:
            actions = tuple(action for action in actions if Place.EVERYWHERE in action.places)
        told = [Hint(self._keymap.shown(action.id), action.label, action.id) for action in actions]
        if self._way_out is not None:
            return [*told[:2], self._way_out, *self._hints, *told[2:]]
        return [*told[:1], *self._hints, *told[1:]]

    def _fitting(self) -> Sequence[Hint]:
        space, fitting = self.content_size.width + 2, []
        for hint in self._all():
            space -= _width(hint)
            if space < 0:
                break
            fitting.append(hint)
        return fitting


def _width(hint: Hint) -> int:
    return len(hint.keys) + 1 + len(hint.label) + 2


def _footer_actions(places: tuple[Place, ...]) -> tuple[Action, ...]:
    """The way out first, then place by place, in the order of the table of actions, which is that of importance."""

    def rank(action: Action) -> tuple[bool, int]:
        return action.id != "close", min(at for at, place in enumerate(places) if place in action.footer)

    return tuple(sorted((action for action in ACTIONS if set(places) & set(action.footer)), key=rank))
