"""Paints one row of a log: time, label, text under a hanging indent, matches, selection."""

from collections.abc import Iterator

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.widget import Widget

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import FOLD_MARK, Kind, Place, Row
from orchestrator_tui.tui.wrapping import lower

KIND_CLASSES = {
    Kind.SAY: "log--say",
    Kind.DELTA: "log--say",
    Kind.THOUGHT: "log--thought",
    Kind.CALL: "log--tool",
    Kind.RESULT: "log--result",
    Kind.ERROR: "log--error",
    Kind.VERIFY: "log--verify",
    Kind.NOTE: "log--note",
}
COMPONENT_CLASSES = {
    *KIND_CLASSES.values(),
    "log--time",
    "log--label",
    "log--fold",
    "log--match",
    "log--cursor",
    "log--new",
}
LOG_CSS = """
LogView {
    overflow-x: hidden;
    overflow-y: scroll;
    scrollbar-size-vertical: 1;
    background: $background;
    color: $foreground;
    & .log--time { color: $muted; }
    & .log--label { color: $tool; }
    & .log--say { color: $foreground; }
    & .log--thought { color: $muted; text-style: italic; }
    & .log--tool { color: $foreground; }
    & .log--result { color: $muted; }
    & .log--error { color: $error; text-style: bold; }
    & .log--verify { color: $success; }
    & .log--note { color: $accent; }
    & .log--fold { color: $accent; text-style: underline; }
    & .log--match { text-style: reverse; }
    & .log--cursor { text-style: bold; }
    & .log--new { background: $accent; color: $background; text-style: bold; }
}
"""


def row_segments(
    widget: Widget,
    buffer: LogBuffer,
    row: Row,
    selection: Selection | None,
    number: int = 0,
    needle: str = "",
    cursor: Place | None = None,
) -> list[Segment]:
    """The segments of a row, as wide as its text; `number` is its `y` in `selection`, `cursor` the marked line."""
    line = buffer.line(row.line)

    def style(name: str) -> Style:
        return widget.get_component_rich_style(name)

    marked = cursor is not None and cursor.line == row.line
    text_style = style("log--fold" if row.offset == FOLD_MARK else KIND_CLASSES[line.kind])
    label_style = text_style if line.kind in (Kind.ERROR, Kind.VERIFY) else style("log--label")
    first = row.part == 0
    columns = [
        Segment(
            (f"{line.time:%H:%M} " if first else "").ljust(buffer.time_width)[: buffer.time_width], style("log--time")
        ),
        Segment((line.label if first else "").ljust(buffer.label_width)[: buffer.label_width], label_style),
    ]
    if marked:
        text_style += widget.get_component_rich_style("log--cursor", partial=True)
        if buffer.label_width:
            columns[1] = Segment(columns[1].text[:-1] + "▌", label_style)
    segments = [*columns, Segment(row.text, text_style)]
    indent = buffer.time_width + buffer.label_width
    if needle and row.offset != FOLD_MARK:
        match_style = widget.get_component_rich_style("log--match", partial=True)
        for start, end in matches(line.text, row, needle):
            segments = restyled(segments, indent + start, indent + end, match_style)
    if selection is not None and (span := selection.get_span(number)) is not None:
        chosen = widget.screen.get_component_rich_style("screen--selection")
        segments = restyled(segments, span[0], span[1] if span[1] >= 0 else 1 << 30, chosen)
    return segments


def matches(text: str, row: Row, needle: str) -> Iterator[tuple[int, int]]:
    """Where `needle` is in the row, in characters of the row; also what is broken over rows of one line."""
    low, reach = lower(needle), len(needle) - 1
    begin = max(0, row.offset - reach)
    window = lower(text[begin : row.offset + len(row.text) + reach])
    at = window.find(low)
    while at >= 0:
        start = begin + at - row.offset
        if start < len(row.text) and start + len(low) > 0:
            yield max(0, start), min(len(row.text), start + len(low))
        at = window.find(low, at + len(low))


def restyled(segments: list[Segment], start: int, end: int, style: Style) -> list[Segment]:
    """`segments` with `style` on top of the characters from `start` to `end`."""
    result: list[Segment] = []
    at = 0
    for text, own, _ in segments:
        left, right = max(0, min(start - at, len(text))), max(0, min(end - at, len(text)))
        pieces = [(text[:left], own), (text[left:right], (own or Style.null()) + style), (text[right:], own)]
        result += [Segment(piece, how) for piece, how in pieces if piece]
        at += len(text)
    return result
