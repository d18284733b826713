"""The lines of one agent's log: bounded, compact, wrapped lazily, with an index from rows on the screen to lines."""

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator
from datetime import datetime

from orchestrator_tui.tui.folds import Folds
from orchestrator_tui.tui.loglines import (
    BLOCK,
    FOLD_MARK,
    LABEL_WIDTH,
    LABELS,
    TIME_WIDTH,
    Block,
    Kind,
    Line,
    Place,
    Row,
)
from orchestrator_tui.tui.wrapping import tidy, wrap


class LogBuffer:
    """An append-only log of at most `limit` lines; not thread-safe.

    Rows are numbered from the first one ever shown: `first_row` grows as old lines are dropped, and no number changes
    by appending. `layout` counts the changes that do move rows: width, filter, folds, measuring of stale blocks.
    """

    def __init__(self, width: int = 80, limit: int = 100_000, fold_over: int = 3) -> None:
        """Tool calls, their results and verify output of more than `fold_over` lines start folded."""
        self.limit = limit
        self.folds = Folds(fold_over)
        self.width = width
        self.dropped = self.end = 0
        self.layout = self.version = 0
        self.growing: int | None = None
        self._raw: list[str] = []
        self._raw_text = ""
        self._blocks: list[Block] = []
        self._starts: list[int] = [0]
        self._clean = 0
        self._base_line = self._first_row = 0
        self._hidden: frozenset[Kind] = frozenset()
        self._shown = bytes([1]) * 256
        self._wraps: dict[int, list[tuple[int, int]]] = {}

    @property
    def time_width(self) -> int:
        """Cells of the time column; a narrow view does without."""
        return TIME_WIDTH if self.width >= 40 else 0

    @property
    def label_width(self) -> int:
        """Cells of the label column, its blank included."""
        return LABEL_WIDTH if self.width >= 20 else 0

    @property
    def text_width(self) -> int:
        """Cells of the text column."""
        return max(2, self.width - self.time_width - self.label_width)

    def __len__(self) -> int:
        return self.end - self.dropped

    def append(self, kind: Kind, text: str, time: datetime, label: str = "") -> int:
        """Adds a line (its text may hold line breaks); returns its number. A long label goes before the text."""
        text, label = tidy(text), " ".join(tidy(label).split()) or LABELS.get(kind, "")
        if len(label) >= LABEL_WIDTH:
            text, label = f"{label} {text}", ""
        if not self._blocks or len(self._blocks[-1].texts) == BLOCK:
            self._blocks.append(Block())
        block, number = self._blocks[-1], self.end
        height = 1 if block.stale else self._measure(number, kind, text)
        block.add(kind, text, time, label, height)
        self.end += 1
        block.rows += height * self._shown[kind]
        self._touched(len(self._blocks) - 1)
        if len(self) > self.limit:
            self._drop()
        return number

    def grow(self, text: str, time: datetime) -> int:
        """Adds `text` to the message being written, which it starts if there is none; returns the line's number."""
        if self.growing is None or self.growing < self.dropped:
            self._raw, self._raw_text = [], ""
            self.growing = self.append(Kind.DELTA, "", time)
        self._raw.append(text)
        self.version += 1
        return self.growing

    def complete(self, text: str, time: datetime, kind: Kind = Kind.SAY) -> int:
        """Puts a whole message in the place of the one being written, or appends it; returns the line's number."""
        number, self.growing = self.growing, None
        self._raw, self._raw_text = [], ""
        if number is None or number < self.dropped:
            return self.append(kind, text, time)
        block, index = self._at(number)
        block.labels[index] = LABELS.get(kind, "")
        self._replace(number, kind, tidy(text))
        self.layout += kind is not Kind.SAY
        return number

    def _merge(self) -> None:
        """Takes over what was added to the growing line; once for many deltas."""
        if self._raw and self.growing is not None and self.growing >= self.dropped:
            self._raw_text += "".join(self._raw)
            self._raw = []
            self._replace(self.growing, Kind.DELTA, tidy(self._raw_text))

    def _replace(self, number: int, kind: Kind, text: str) -> None:
        block, index = self._at(number)
        before = block.heights[index] * self._shown[block.kinds[index]]
        block.texts[index], block.kinds[index] = text, kind
        self._wraps.pop(number, None)
        block.heights[index] = 1 if block.stale else self._measure(number, kind, text)
        block.rows += block.heights[index] * self._shown[kind] - before
        self._touched((number - self._base_line) // BLOCK)
        if number != self.end - 1:
            self.layout += 1

    def _drop(self) -> None:
        block, index = self._at(self.dropped)
        self._first_row += block.heights[index] * self._shown[block.kinds[index]]
        block.texts[index] = block.labels[index] = ""
        self.folds.forget(self.dropped)
        self._wraps.pop(self.dropped, None)
        self.dropped += 1
        if index == BLOCK - 1:
            self._row_starts()
            del self._blocks[0], self._starts[0]
            self._clean -= 1
            self._base_line += BLOCK
            self._first_row = self._starts[0]

    def set_width(self, width: int) -> None:
        """Wraps for `width` cells: at once what is looked at, the rest by `settle` or when it is looked at."""
        if width != self.width:
            self.width = width
            self._moved(stale=True)

    @property
    def is_settled(self) -> bool:
        """Whether everything is measured for the present width."""
        return not any(block.stale for block in self._blocks)

    def settle(self, blocks: int = 8) -> bool:
        """Measures up to so many blocks that still have an old width, the newest first; True if there were any."""
        stale = [i for i in range(len(self._blocks) - 1, -1, -1) if self._blocks[i].stale][:blocks]
        for index in stale:
            self._ensure(index)
        return bool(stale)

    @property
    def hidden(self) -> frozenset[Kind]:
        """The kinds that are filtered out."""
        return self._hidden

    def hide(self, kinds: Collection[Kind]) -> None:
        """Shows all kinds but these."""
        self._hidden = frozenset(kinds)
        gone = self._hidden | ({Kind.DELTA} if Kind.SAY in self._hidden else set())
        self._shown = bytes(k not in gone for k in range(256))
        for block in self._blocks:
            block.count(self._shown)
        self._moved()

    def is_foldable(self, number: int) -> bool:
        """Whether the line is long enough, and of a kind, to be folded."""
        block, index = self._at(number)
        return self.folds.can(block.kinds[index], block.texts[index])

    def is_folded(self, number: int) -> bool:
        """Whether the line shows its first line only."""
        block, index = self._at(number)
        return self.folds.is_folded(number, block.kinds[index], block.texts[index])

    def toggle(self, number: int) -> bool:
        """Folds or unfolds the line; False if there is nothing to fold."""
        if not self.is_foldable(number):
            return False
        self.folds.toggle(number)
        block, index = self._at(number)
        self._replace(number, Kind(block.kinds[index]), block.texts[index])
        self.layout += 1
        return True

    def toggle_all(self) -> None:
        """Unfolds everything if all is folded, else folds everything."""
        self.folds.toggle_all()
        self._moved(stale=True)

    def _measure(self, number: int, kind: int, text: str) -> int:
        if len(text) <= self.text_width and text.isascii() and "\n" not in text:
            return 1
        if self.folds.is_folded(number, kind, text):
            return len(wrap(text[: text.index("\n")], self.text_width)) + 1
        return len(wrap(text, self.text_width))

    def _ensure(self, index: int) -> Block:
        block = self._blocks[index]
        if block.stale:
            lines = enumerate(zip(block.kinds, block.texts, strict=True), self._base_line + index * BLOCK)
            block.heights = array("I", (self._measure(number, kind, text) for number, (kind, text) in lines))
            block.stale = False
            block.count(self._shown)
            self._clean = min(self._clean, index)
            self._set_first_row()
            self.layout += 1
        return block

    def _set_first_row(self) -> None:
        if self._blocks:
            gone = self._blocks[0].rows_before(self.dropped - self._base_line, self._shown)
            self._first_row = self._row_starts()[0] + gone

    def _moved(self, *, stale: bool = False) -> None:
        for block in self._blocks:
            block.stale |= stale
        self._wraps.clear()
        self._clean = 0
        self.layout += 1
        self.version += 1
        self._set_first_row()

    def _touched(self, index: int) -> None:
        self._clean = min(self._clean, index)
        self.version += 1

    def _at(self, number: int) -> tuple[Block, int]:
        if not self.dropped <= number < self.end:
            raise IndexError(f"line {number} is not kept: there are {self.dropped} to {self.end - 1}")
        index = number - self._base_line
        return self._blocks[index // BLOCK], index % BLOCK

    def line(self, number: int) -> Line:
        """The line of that number. Raises `IndexError` if it was dropped or never was."""
        self._merge()
        block, index = self._at(number)
        return block.line(index)

    def text(self, number: int) -> str:
        """The text of a line, without the price of the rest."""
        self._merge()
        block, index = self._at(number)
        return block.texts[index]

    def chunks(self) -> Iterator[tuple[int, list[str]]]:
        """Texts of lines that are kept together, the oldest first: the number of the first, "" for what was dropped."""
        self._merge()
        for index, block in enumerate(self._blocks):
            yield self._base_line + index * BLOCK, block.texts

    def is_shown(self, number: int) -> bool:
        """Whether the line's kind is not filtered out."""
        block, index = self._at(number)
        return bool(self._shown[block.kinds[index]])

    def _row_starts(self) -> list[int]:
        """The first row of every block and, at the end, the row after the last; repaired where blocks changed."""
        starts = self._starts
        del starts[self._clean + 1 :]
        for block in self._blocks[self._clean :]:
            starts.append(starts[-1] + block.rows)
        self._clean = max(0, len(self._blocks) - 1)
        return starts

    @property
    def first_row(self) -> int:
        """The first row that is still kept."""
        return self._first_row

    @property
    def end_row(self) -> int:
        """The row after the last; an estimate while blocks are stale."""
        self._merge()
        return self._row_starts()[-1]

    def shown_since(self, number: int) -> int:
        """How many lines from `number` on are not filtered out."""
        at, within = divmod(max(number, self.dropped) - self._base_line, BLOCK)
        blocks = self._blocks[at:]
        return sum(sum(b.kinds[within if b is blocks[0] else 0 :].translate(self._shown)) for b in blocks)

    def tail_row(self, height: int) -> int:
        """The first of the last `height` rows, exact."""
        self._merge()
        index, rows = len(self._blocks), 0
        while index and rows < height:
            index -= 1
            rows += self._ensure(index).rows
        return max(self.first_row, self.end_row - height)

    def row_of(self, place: Place) -> int:
        """The row that shows this place; of a line that is hidden or dropped, the row that comes next."""
        self._merge()
        if place.line < self.dropped or not self._blocks:
            return self.first_row
        if place.line >= self.end:
            return self.end_row
        index, within = divmod(place.line - self._base_line, BLOCK)
        block = self._ensure(index)
        row = self._row_starts()[index] + block.rows_before(within, self._shown)
        if self._shown[block.kinds[within]]:
            shown = self._rows_in(place.line)
            offsets = [r.offset for r in shown if r.offset != FOLD_MARK]
            at_mark = place.offset == FOLD_MARK and len(offsets) < len(shown)
            row += len(offsets) if at_mark else max(0, bisect_right(offsets, place.offset) - 1)
        return row

    def rows(self, row: int, count: int) -> list[Row]:
        """`count` rows from `row` on, fewer at the end; `row` is moved into what is kept."""
        self._merge()
        row = max(row, self.first_row)
        if not self._blocks or row >= self._row_starts()[-1]:
            return []
        index = bisect_right(self._starts, row, 0, len(self._blocks)) - 1
        inside = row - self._starts[index]
        block = self._ensure(index)
        inside = max(0, min(inside, block.rows - 1))
        found: list[Row] = []
        for more in self._rows_from(index, inside):
            found.append(more)
            if len(found) >= count:
                break
        return found

    def _rows_from(self, index: int, skip: int) -> Iterator[Row]:
        for at in range(index, len(self._blocks)):
            block = self._ensure(at)
            first = self._base_line + at * BLOCK
            for i, (height, kind) in enumerate(zip(block.heights, block.kinds, strict=True)):
                height *= self._shown[kind]
                if skip >= height:
                    skip -= height
                else:
                    if first + i >= self.dropped:
                        yield from self._rows_in(first + i)[skip:]
                    skip = 0

    def _rows_in(self, number: int) -> list[Row]:
        block, index = self._at(number)
        text, folded = block.texts[index], self.is_folded(number)
        slices = self._wraps.get(number)
        if slices is None:
            slices = wrap(text[: text.index("\n")] if folded else text, self.text_width)
            if len(self._wraps) > 1000:
                self._wraps.clear()
            self._wraps[number] = slices
        rows = [Row(number, part, start, text[start:end]) for part, (start, end) in enumerate(slices)]
        if folded:
            rows.append(Row(number, len(rows), FOLD_MARK, f"› {text.count(chr(10)) + 1} lines"))
        return rows
