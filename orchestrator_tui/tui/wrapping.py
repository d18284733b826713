"""Cleans text for a terminal and wraps it without losing a character."""

import re

from rich.cells import cell_len, split_graphemes

from orchestrator_tui.domain.text import clean

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # strings: titles, links
    r"|\x1b[ -/]*[0-~]"
)
_BREAKS = str.maketrans("\u2028\u2029", "\n\n")


def tidy(text: str) -> str:
    """`text` without escape sequences and control characters; line breaks stay, trailing ones go."""
    if not text.isprintable():
        text = text.translate(_BREAKS).rstrip("\n")
        if not text.replace("\n", "").isprintable():
            text = clean(_ESCAPES.sub("", text)).rstrip("\n")
    return text


def lower(text: str) -> str:
    """`text` in lower case with every character at its place, so that offsets hold for both."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def wrap(text: str, width: int) -> list[tuple[int, int]]:
    """The rows of `text` as slices: together they are the text without its line breaks.

    A row fits into `width` cells, except that the one blank it was broken after may hang over the edge, and that a
    character wider than `width` has a row for itself. There is at least one row.
    """
    rows: list[tuple[int, int]] = []
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        if line.isascii():
            _wrap_ascii(text, start, end, width, rows)
        elif cell_len(line) <= width:
            rows.append((start, end))
        else:
            _wrap_wide(line, start, width, rows)
        start = end + 1
    return rows


def _wrap_ascii(text: str, start: int, end: int, width: int, rows: list[tuple[int, int]]) -> None:
    while end - start > width:
        cut = text.rfind(" ", start, start + width + 1) + 1
        if not cut or not text[start:cut].strip():
            cut = start + width
        rows.append((start, cut))
        start = cut
        if start == end:
            return
    rows.append((start, end))


def _wrap_wide(line: str, base: int, width: int, rows: list[tuple[int, int]]) -> None:
    start = used = 0
    blank = blank_used = 0  # the end of the last blank on this row that something stands before, and the cells up to it
    for left, right, cells in split_graphemes(line)[0]:
        is_blank = line[left:right] == " "
        if used + cells > width and left > start and not (is_blank and used == width and line[start:left].strip()):
            cut, kept = (blank, used - blank_used) if blank > start else (left, 0)
            rows.append((base + start, base + cut))
            start, used = cut, kept
            if used + cells > width and left > start:
                rows.append((base + start, base + left))
                start, used = left, 0
        used += cells
        if is_blank and line[start:left].strip():
            blank, blank_used = right, used
    rows.append((base + start, base + len(line)))
