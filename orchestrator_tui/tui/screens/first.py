"""What is painted first: the frame of the dashboard, by little more than Textual itself; the rest comes right after."""

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static


class FirstScreen(Screen[None]):
    """Stands until the main screen takes its place. `typed` is what a quick person has typed meanwhile."""

    DEFAULT_CSS = """
    FirstScreen { background: $background; }
    FirstScreen > #first-head {
        dock: top; height: 1; padding: 0 1; background: $panel; color: $accent; text-style: bold;
    }
    FirstScreen > #first-middle { height: 1fr; content-align: center middle; color: $muted; }
    FirstScreen > #first-foot { dock: bottom; height: 3; margin-bottom: 1; border: round $accent; color: $muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.typed = ""

    def compose(self) -> ComposeResult:
        yield Static("orchestrator", id="first-head")
        yield Static("Opening the projects …", id="first-middle")
        yield Static(" › Describe what to build, / for commands", id="first-foot")

    def on_key(self, event: events.Key) -> None:
        """Keeps what is typed for the input bar."""
        if event.character is not None and event.is_printable:
            self.typed += event.character
        elif event.key == "backspace":
            self.typed = self.typed[:-1]
