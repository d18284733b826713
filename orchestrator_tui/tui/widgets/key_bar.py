"""The last row of a screen: the keys that matter there, as they are set."""

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.widget import Widget

from orchestrator_tui.tui.keymap import Action, Keymap, Place, actions_of


class KeyBar(Widget):
    """Shows the footer's actions of some places; what does not fit is left out. A click on one carries it out."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $background; color: $muted; padding: 0 1; }
    """

    def __init__(self, keymap: Keymap, *places: Place, note: str = "") -> None:
        """`note` stands at the right end while there is room."""
        super().__init__()
        self._keymap = keymap
        self._note = note
        self._actions = _footer_actions(places)

    def show(self, *places: Place) -> None:
        """Shows the actions of other places."""
        self._actions = _footer_actions(places)
        self.refresh()

    def render(self) -> Text:
        accent = self.app.theme_variables["accent"]
        text = Text(no_wrap=True, overflow="crop")
        for action in self._fitting():
            text.append(self._keymap.shown(action.id), style=accent)
            text.append(f" {action.label}  ")
        space = self.content_size.width - text.cell_len
        if len(self._note) <= space:
            text.append(self._note.rjust(space))
        return text

    def on_click(self, event: events.Click) -> None:
        """Carries out the action under the mouse."""
        left = event.get_content_offset_capture(self).x
        for action in self._fitting():
            left -= self._width(action)
            if left < 0:
                self.call_later(self.screen.run_action, action.id)
                return

    def _width(self, action: Action) -> int:
        return len(self._keymap.shown(action.id)) + 1 + len(action.label) + 2

    def _fitting(self) -> Sequence[Action]:
        space, fitting = self.content_size.width + 2, []
        for action in self._actions:
            space -= self._width(action)
            if space < 0:
                break
            fitting.append(action)
        return fitting


def _footer_actions(places: tuple[Place, ...]) -> tuple[Action, ...]:
    """Those of the first place first; everywhere's palette and help are among those of every main screen."""
    found = [action for place in places for action in actions_of(place) if place in action.footer]
    return tuple(dict.fromkeys(found))
