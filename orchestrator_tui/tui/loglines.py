"""What a log is made of: kinds, lines, places, rows, and the blocks that hold them compactly."""

from array import array
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from itertools import compress
from typing import NamedTuple

BLOCK = 256
"""Lines that are measured, and thrown away, together."""
FOLD_MARK = -1
"""The `offset` of the row that stands for what is folded away."""
TIME_WIDTH = 6
LABEL_WIDTH = 7


class Kind(IntEnum):
    """What a line of the log is."""

    SAY = 0
    THOUGHT = 1
    CALL = 2
    RESULT = 3
    ERROR = 4
    VERIFY = 5
    NOTE = 6
    DELTA = 7
    """A message that is still being written."""


LABELS = {Kind.RESULT: "→", Kind.ERROR: "Error", Kind.VERIFY: "Verify", Kind.THOUGHT: "Think", Kind.NOTE: "Note"}
FOLDABLE = frozenset({Kind.CALL, Kind.RESULT, Kind.VERIFY})


class Place(NamedTuple):
    """A line by its number (counted from the first one ever appended), and a character in it."""

    line: int
    offset: int = 0


class Row(NamedTuple):
    """One row on the screen: a slice of a line's text, or the mark of a fold (`offset` is then `FOLD_MARK`)."""

    line: int
    part: int
    offset: int
    text: str


class Line(NamedTuple):
    """A line as it is kept; `time` is local."""

    kind: Kind
    time: datetime
    label: str
    text: str


@dataclass(slots=True)
class Block:
    """Lines that are measured, and thrown away, together; `rows` is an estimate while `stale`."""

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    times: "array[float]" = field(default_factory=lambda: array("d"))
    kinds: bytearray = field(default_factory=bytearray)
    heights: "array[int]" = field(default_factory=lambda: array("I"))
    rows: int = 0
    stale: bool = False

    def add(self, kind: Kind, text: str, time: datetime, label: str, height: int) -> None:
        """Adds a line."""
        self.texts.append(text)
        self.labels.append(label)
        self.times.append(time.timestamp())
        self.kinds.append(kind)
        self.heights.append(height)

    def line(self, index: int) -> Line:
        """The line of this index."""
        time = datetime.fromtimestamp(self.times[index])  # noqa: DTZ006
        return Line(Kind(self.kinds[index]), time, self.labels[index], self.texts[index])

    def rows_before(self, index: int, shown: bytes) -> int:
        """The rows of the lines before `index` whose kind is 1 in `shown`."""
        return sum(compress(self.heights[:index], self.kinds[:index].translate(shown)))

    def count(self, shown: bytes) -> None:
        """Adds up `rows` anew."""
        self.rows = self.rows_before(len(self.texts), shown)
