"""The least a Textual app can be: one line of text."""

from textual.app import App, ComposeResult
from textual.widgets import Static

TEXT = "bare Textual"


class Bare(App[None]):
    """Shows `TEXT`."""

    def compose(self) -> ComposeResult:
        yield Static(TEXT)


if __name__ == "__main__":
    Bare().run()
