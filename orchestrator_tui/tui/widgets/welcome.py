"""What stands in the middle while there are no projects: what this is, and how to begin."""

from rich.text import Text
from textual import events
from textual.widget import Widget

from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.keymap import Keymap
from orchestrator_tui.tui.pressing import press

WIDEST = 66
VARIABLES = ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY")


class Welcome(Widget):
    """The first thing a new person reads. A click on a line with a key does what the key does."""

    DEFAULT_CSS = """
    Welcome { width: 1fr; height: 1fr; background: $background; color: $foreground; align: center middle; }
    """

    def __init__(self, keymap: Keymap, has_credentials: bool) -> None:
        super().__init__()
        self._keymap = keymap
        self._has_credentials = has_credentials

    def render(self) -> Text:
        lines = [text for text, _ in self._lines(self.content_size.width)]
        return Text("\n").join([*[Text("")] * self._top(len(lines)), *lines])

    def on_click(self, event: events.Click) -> None:
        """Does what the key of the clicked line does."""
        lines = self._lines(self.content_size.width)
        row = event.y - self._top(len(lines))
        if 0 <= row < len(lines) and (action := lines[row][1]):
            self.call_later(press, self.screen, action)

    def _top(self, rows: int) -> int:
        return max(0, (self.content_size.height - rows) // 2)

    def _lines(self, width: int) -> list[tuple[Text, str]]:
        """The lines as they are shown, each with the action a click on it carries out."""
        left = max(0, (width - WIDEST) // 2) if width > WIDEST else min(2, max(0, width - 40))
        room = max(1, min(WIDEST, width - left))
        found: list[tuple[Text, str]] = []
        for text, action in self._paragraphs():
            wrapped = text.wrap(self.app.console, room) if text.plain else [Text()]
            found += [(Text(" " * left) + line, action) for line in wrapped]
        return found

    def _paragraphs(self) -> list[tuple[Text, str]]:
        accent, muted = (rich_color(self.app.theme_variables[name]) for name in ("accent", "muted"))
        return [
            (Text("From a sentence to finished, tested software.", style="bold"), ""),
            (Text("Agents do the work, you approve what matters.", style=muted), ""),
            (Text(), ""),
            (Text("Type what you want built and press Enter."), "input"),
            (Text(), ""),
            (
                _key(self._keymap.shown("rehearsal"), "a rehearsal: no credentials, no cost", accent),
                "rehearsal",
            ),
            (_key(self._keymap.shown("help"), "all keys and commands", accent), "help"),
            (_key(self._keymap.shown("palette"), "find any command by its name", accent), "palette"),
            (Text(), ""),
            *self._credentials(),
        ]

    def _credentials(self) -> list[tuple[Text, str]]:
        colors = self.app.theme_variables
        if self._has_credentials:
            return [(Text("✓ Credentials for Claude were found.", style=rich_color(colors["success"])), "")]
        names = " or ".join(VARIABLES)
        return [
            (Text("● No credentials for Claude were found.", style=rich_color(colors["warning"])), ""),
            (Text(f"Set {names} and start again.", style=rich_color(colors["muted"])), ""),
        ]


def _key(key: str, words: str, accent: str) -> Text:
    return Text.assemble((key.ljust(7), accent), words)
