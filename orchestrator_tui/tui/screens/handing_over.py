"""What is on the screen while projects are handed over to the background server, before the dashboard is left."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

CALM = "Agents end the step they are at; a background server then goes on with them. This takes some seconds."
IN_A_HURRY = "No agent is waited for any more."


class HandingOverScreen(ModalScreen[None]):
    """A box that goes with the app, or when it did not work. `key` is the one that is in a hurry."""

    DEFAULT_CSS = """
    HandingOverScreen { align: center middle; background: $background 60%; }
    HandingOverScreen > Vertical {
        width: 64; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: round $accent; border-title-color: $accent; background: $surface;
    }
    HandingOverScreen #handing-over-keys { margin-top: 1; color: $muted; }
    """

    def __init__(self, key: str) -> None:
        super().__init__()
        self._words = Static(CALM, id="handing-over", markup=False)
        self._keys = Static(f"{key} again does not wait for the agents.", id="handing-over-keys", markup=False)
        self._key = key

    def compose(self) -> ComposeResult:
        box = Vertical(self._words, self._keys)
        box.border_title = "Handing over"
        yield box

    def hurry(self) -> None:
        """Say that no agent is waited for any more."""
        self._words.update(IN_A_HURRY)
        self._keys.update(f"{self._key} once more leaves at once.")
