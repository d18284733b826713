"""Plain text of any length on the line API, as tall as its rows: what surrounds it scrolls it."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.wrapping import tidy, wrap

LONGEST = 4_000
"""Characters of a line that are shown; what is longer was hardly written to be read."""


class TextLine(NamedTuple):
    """One line. `sign` stands before it, and its further rows hang below the text; `strong` are the parts of the text
    that stand out, as start and end. Tones name colours of the theme, "" is the foreground, or the line's for its sign.
    """

    text: str
    tone: str = ""
    sign: str = ""
    strong: tuple[tuple[int, int], ...] = ()
    sign_tone: str = ""


class _Row(NamedTuple):
    line: int
    start: int
    end: int


class TextLines(Widget):
    """Shows lines, wrapped at the width it has; only rows on the screen are painted."""

    DEFAULT_CSS = """
    TextLines { height: auto; width: 1fr; }
    """

    def __init__(self, lines: Sequence[TextLine] = (), *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[TextLine] = lines
        self._rows: list[_Row] = []
        self._wrapped_at = -1

    def show(self, lines: Sequence[TextLine]) -> None:
        """Replaces what is shown. The text of a line has no line breaks; `lines_of` makes such lines."""
        self._lines = lines
        self._wrapped_at = -1
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._wrapped(width))

    def notify_style_update(self) -> None:
        """Paints again in the colours of another theme."""
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        rows = self._wrapped(width)
        base = self.rich_style
        if not 0 <= y < len(rows):
            return Strip.blank(width, base)
        row = rows[y]
        line = self._lines[row.line]
        style = base + self._style(line.tone)
        sign = line.sign if row.start == 0 else " " * cell_len(line.sign)
        segments = [Segment(sign, style + self._style(line.sign_tone)), *_segments(line, row, style)]
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, tone: str) -> Style:
        return Style(color=rich_color(self.app.theme_variables[tone])) if tone else Style()

    def _wrapped(self, width: int) -> list[_Row]:
        if width != self._wrapped_at:
            self._rows = [
                _Row(index, start, end)
                for index, line in enumerate(self._lines)
                for start, end in wrap(line.text[:LONGEST], max(1, width - cell_len(line.sign)))
            ]
            self._wrapped_at = width
        return self._rows


def lines_of(text: str, tone: str = "") -> list[TextLine]:
    """The lines of a text without anything that could move the cursor or hide."""
    return [TextLine(line, tone) for line in tidy(text).split("\n")]


def _segments(line: TextLine, row: _Row, style: Style) -> list[Segment]:
    """The row in pieces, those that stand out in bold."""
    strong = style + Style(bold=True)
    segments, at = [], row.start
    for start, end in line.strong:
        start, end = max(start, at), min(end, row.end)
        if start < end:
            segments += [Segment(line.text[at:start], style), Segment(line.text[start:end], strong)]
            at = end
    return [*segments, Segment(line.text[at : row.end], style)]
