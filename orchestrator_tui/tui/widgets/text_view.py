"""Lines of text to read, exactly as they are, that scroll when there are more than fit."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from orchestrator_tui.tui.widgets.text_lines import TextLine, TextLines

SCROLLING: tuple[BindingType, ...] = (
    Binding("up,k", "scroll_up", "Up", show=False, id="text.up", tooltip="One line up"),
    Binding("down,j", "scroll_down", "Down", show=False, id="text.down", tooltip="One line down"),
    Binding("pageup", "page_up", "Page up", show=False, id="text.pageup", tooltip="One page up"),
    Binding("pagedown,space", "page_down", "Page down", show=False, id="text.pagedown", tooltip="One page down"),
    Binding("home", "scroll_home", "Start", show=False, id="text.start", tooltip="To the start"),
    Binding("end", "scroll_end", "End", show=False, id="text.end", tooltip="To the end"),
)
"""The keys of whatever is read."""


class TextView(VerticalScroll, can_focus=True):
    """Shows lines; it is as tall as its parent allows."""

    DEFAULT_CSS = """
    TextView { background: transparent; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*SCROLLING]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines = TextLines()

    def compose(self) -> ComposeResult:
        yield self._lines

    def show(self, lines: Iterable[TextLine]) -> None:
        """Replaces the lines; the view stays where it was scrolled to, as far as the new ones go."""
        self._lines.show(list(lines))
