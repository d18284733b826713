"""The rows under a log: one to type what to search for, one to choose which kinds of lines show."""

from collections.abc import Collection, Iterator
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.loglines import Kind

GROUPS: tuple[tuple[str, frozenset[Kind]], ...] = (
    ("words", frozenset({Kind.SAY, Kind.THOUGHT})),
    ("tools", frozenset({Kind.CALL})),
    ("results", frozenset({Kind.RESULT})),
    ("errors", frozenset({Kind.ERROR})),
    ("checks", frozenset({Kind.VERIFY})),
    ("notes", frozenset({Kind.NOTE})),
)
"""What people call the kinds of lines."""
GAP = 2


def hidden_groups(hidden: Collection[Kind]) -> list[str]:
    """The names of the groups that are hidden."""
    return [name for name, kinds in GROUPS if kinds <= set(hidden)]


class SearchRow(Horizontal):
    """Asks for what to search. The owner answers `Typed` and `Next` by searching, and says what it found by `tell`."""

    DEFAULT_CSS = """
    SearchRow {
        height: 1;
        display: none;
        background: $panel;
        & > .search-sign { width: 5; color: $accent; }
        & > Input { width: 1fr; background: $panel; color: $foreground; }
        & > .search-found { width: auto; padding: 0 1; color: $muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", show=False, id="search.close", tooltip="Back to the log"),
        Binding("down", "step(True)", "Next", show=False, id="search.next", tooltip="The next match"),
        Binding("up", "step(False)", "Previous", show=False, id="search.previous", tooltip="The match before"),
    ]

    class Typed(Message):
        """Other words are searched for."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Next(Message):
        """The next match is wanted, or the one before."""

        def __init__(self, forward: bool) -> None:
            super().__init__()
            self.forward = forward

    class Left(Message):
        """The row was closed."""

    def __init__(self) -> None:
        super().__init__()
        self._input = Input(compact=True, select_on_focus=True)
        self._found = Static(markup=False, classes="search-found")

    def compose(self) -> ComposeResult:
        yield Static("find", classes="search-sign", markup=False)
        yield self._input
        yield self._found

    def open(self, words: str) -> None:
        """Shows the row, with what was searched for last, and takes the focus."""
        with self.prevent(Input.Changed):
            self._input.value = words
        self.display = True
        self._input.focus()

    def close(self) -> None:
        """Hides the row."""
        self.display = False

    def tell(self, found: str) -> None:
        """Says how many matches there are."""
        self._found.update(found)

    def action_leave(self) -> None:
        """Hides the row and says so."""
        self.close()
        self.post_message(self.Left())

    def action_step(self, forward: bool) -> None:
        """Asks for the next match or the one before."""
        self.post_message(self.Next(forward))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Next(True))


class FilterRow(Widget, can_focus=True):
    """A toggle for each kind of line; takes as many rows as it needs. Its key, Enter and Esc close it."""

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = """
    FilterRow { height: auto; display: none; background: $panel; color: $foreground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *[
            Binding(str(n), f"flip({n})", name, show=False, id=f"filter.{name}", tooltip=f"Show {name} or not")
            for n, (name, _) in enumerate(GROUPS, 1)
        ],
        *[binding for binding in bindings(Place.LOG) if binding.id == "filter"],
        Binding("escape,enter", "filter", "Close", show=False, id="filter.close", tooltip="Back to the log"),
    ]

    class Toggled(Message):
        """These kinds of lines are not wanted now."""

        def __init__(self, hidden: frozenset[Kind]) -> None:
            super().__init__()
            self.hidden = hidden

    class Left(Message):
        """The row was closed."""

    def __init__(self) -> None:
        super().__init__()
        self._hidden: frozenset[Kind] = frozenset()

    def open(self, hidden: frozenset[Kind]) -> None:
        """Shows the row and takes the focus."""
        self._hidden = hidden
        self.display = True
        self.refresh()
        self.focus()

    def close(self) -> None:
        """Hides the row."""
        self.display = False

    def action_filter(self) -> None:
        """Hides the row and says so."""
        self.close()
        self.post_message(self.Left())

    def action_flip(self, number: int) -> None:
        """Shows or hides the group of this number, counted from 1."""
        self._hidden ^= GROUPS[number - 1][1]
        self.refresh()
        self.post_message(self.Toggled(self._hidden))

    def on_click(self, event: events.Click) -> None:
        """Toggles what is under the mouse."""
        offset = event.get_content_offset(self)
        for number, x, y, text in self._places(self.content_size.width):
            if offset is not None and y == offset.y and x <= offset.x < x + len(text):
                self.action_flip(number)

    def notify_style_update(self) -> None:
        """Paints in the new colours."""
        super().notify_style_update()
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(y for _, _, y, _ in self._places(width)) + 1

    def render(self) -> Text:
        colors = self.app.theme_variables
        text, row = Text(no_wrap=True, overflow="crop"), 0
        for number, x, y, words in self._places(self.content_size.width):
            text.append(" " * (x and GAP) if y == row else "\n")
            row = y
            off = GROUPS[number - 1][1] <= self._hidden
            text.append(words[:1], style=rich_color(colors["accent"]))
            text.append(words[1:], style=rich_color(colors["muted" if off else "foreground"]))
        return text

    def _places(self, width: int) -> Iterator[tuple[int, int, int, str]]:
        """The number of each toggle, its column and row, and its text."""
        x = y = 0
        for number, (name, kinds) in enumerate(GROUPS, 1):
            text = f"{number} {'–' if kinds <= self._hidden else '✓'} {name}"
            if x and x + len(text) > width:
                x, y = 0, y + 1
            yield number, x, y, text
            x += len(text) + GAP
