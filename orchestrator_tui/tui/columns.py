"""Rows of texts as aligned columns: numbers to the right, what is long gives way; pure."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.text import Text

GAP = 2
NARROWEST = 6


def columns(
    rows: Sequence[Sequence[Text]],
    *,
    width: int,
    right: Sequence[int] = (),
    flexible: int = 0,
    least: Sequence[int] = (),
) -> list[Text]:
    """The rows as lines, for `width` cells: columns in `right` are aligned there, `flexible` gives way when needed.

    `least` has how wide the first columns are at least, so that tables above one another agree.
    """
    if not rows:
        return []
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    widths = [max(pair) for pair in zip_longest(widths, least[: len(widths)], fillvalue=0)]
    over = sum(widths) + GAP * (len(widths) - 1) - width
    if over > 0:
        widths[flexible] = max(NARROWEST, widths[flexible] - over)
    return [_line(row, widths, right) for row in rows]


def _line(row: Sequence[Text], widths: Sequence[int], right: Sequence[int]) -> Text:
    line = Text(no_wrap=True)
    for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
        cell = cell.copy()
        cell.truncate(width, overflow="ellipsis")
        space = " " * (width - cell.cell_len)
        line.append(space if index in right else "").append_text(cell)
        if index < len(widths) - 1:
            line.append(("" if index in right else space) + " " * GAP)
    return line
