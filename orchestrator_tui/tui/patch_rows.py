"""A patch as rows on the screen: which line a row shows, and what of it, for a width."""

from bisect import bisect_right
from itertools import accumulate

from rich.cells import cell_len

from orchestrator_tui.tui.loglines import Row
from orchestrator_tui.tui.patches import Patch, PatchLine, Sort
from orchestrator_tui.tui.wrapping import lower, wrap

TWO_NUMBERS = 72
"""Columns from which on a line shows its number before and after, not only the one that counts."""
NO_NUMBERS = 36
"""Columns below which text needs all the space there is."""


class PatchRows:
    """The rows of a patch, wrapped for a width; a row is computed when it is asked for."""

    def __init__(self, patch: Patch, width: int) -> None:
        self.patch = patch
        self.width = max(1, width)
        self._digits = patch.numbers_width()
        self.text_width = max(1, self.width - self.gutter)
        self._starts = [0, *accumulate(map(self._height, patch.lines))]
        self._files = [file.line for file in patch.files]
        self._last: tuple[int, list[tuple[int, int]]] = (-1, [])

    @property
    def gutter(self) -> int:
        """Columns before the text: numbers and sign."""
        return self.numbers * (self._digits + 1) + 2

    @property
    def numbers(self) -> int:
        """How many line numbers a row shows."""
        return 2 if self.width >= TWO_NUMBERS else int(self.width >= NO_NUMBERS)

    def __len__(self) -> int:
        return self._starts[-1]

    def _height(self, line: PatchLine) -> int:
        text = line.text
        if line.sort is Sort.FILE or (text.isascii() and len(text) <= self.text_width):
            return 1
        return 1 if cell_len(text) <= self.text_width else len(wrap(text, self.text_width))

    def row(self, number: int) -> Row:
        """What stands in a row, counted from the first one.

        Raises:
            IndexError: there is no such row.
        """
        index = bisect_right(self._starts, number) - 1
        line, part = self.patch.lines[index], number - self._starts[index]
        if line.sort is Sort.FILE:
            return Row(index, 0, 0, line.text)
        start, end = self._wrapped(index)[part]
        return Row(index, part, start, line.text[start:end])

    def _wrapped(self, index: int) -> list[tuple[int, int]]:
        """The rows of a line as slices; those of the last one are kept, because rows are asked for in order."""
        if self._last[0] != index:
            self._last = index, wrap(self.patch.lines[index].text, self.text_width)
        return self._last[1]

    def row_of(self, line: int) -> int:
        """The first row of a line."""
        return self._starts[min(line, len(self._starts) - 1)]

    def gutter_text(self, row: Row) -> str:
        """Numbers and sign of a row; what is no line of a file stands further left."""
        line = self.patch.lines[row.line]
        if line.sort in (Sort.HEAD, Sort.HUNK):
            return " "
        sign = {Sort.ADDED: "+", Sort.REMOVED: "−"}.get(line.sort, " ")
        if row.part:
            return " " * self.gutter
        shown = (line.old, line.new)[: self.numbers] if self.numbers != 1 else (line.new or line.old,)
        return "".join(f"{number or '':>{self._digits}} " for number in shown) + sign + " "

    def file_at(self, line: int) -> int:
        """Which file a line belongs to; -1 before the first."""
        return bisect_right(self._files, line) - 1

    def matching(self, needle: str) -> list[int]:
        """The lines that have `needle`, upper or lower case."""
        low = lower(needle)
        return [index for index, line in enumerate(self.patch.lines) if low in line.text.lower()] if low else []
