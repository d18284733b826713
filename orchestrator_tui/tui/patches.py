"""Reads what git says about changes: files, hunks, and lines with their numbers; pure, and right about any bytes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from orchestrator_tui.tui.wrapping import tidy

LONGEST = 2_000
"""Characters of a line that are kept; what is longer was hardly written by hand."""

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_STAT = re.compile(r" .* \| +(\d+ ?[+-]*|Bin .*)$|(---)?$| \d+ files? changed\b.*$| .* => .*$")
_NAMED = {"a": b"\a", "b": b"\b", "t": b"\t", "n": b"\n", "v": b"\v", "f": b"\f", "r": b"\r"}


class Sort(IntEnum):
    """What a line of a patch is."""

    FILE = 0
    HUNK = 1
    CONTEXT = 2
    ADDED = 3
    REMOVED = 4
    NOTE = 5
    GAP = 6
    HEAD = 7
    """What stands before the first file, such as a commit's message."""


class PatchLine(NamedTuple):
    """One line without its sign; `old` and `new` are its numbers in the file before and after, 0 for none."""

    sort: Sort
    text: str
    old: int = 0
    new: int = 0


@dataclass(slots=True)
class PatchFile:
    """One changed file. `line` is where its head stands in `Patch.lines`, `notes` what happened besides its lines."""

    path: str
    line: int
    added: int = 0
    removed: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Patch:
    """A whole patch; each file's head is a line of sort FILE whose text is its path."""

    lines: list[PatchLine] = field(default_factory=list)
    files: list[PatchFile] = field(default_factory=list)

    @property
    def added(self) -> int:
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.removed for file in self.files)

    def summary(self) -> str:
        """Such as `3 files +14 −2`."""
        count = len(self.files)
        return f"{count} file{'' if count == 1 else 's'} +{self.added} −{self.removed}"

    def numbers_width(self) -> int:
        """Digits of the largest line number."""
        return len(str(max((max(line.old, line.new) for line in self.lines), default=0)))


def parse(text: str) -> Patch:
    """The patch in what `git show` or `git diff` printed; what stands before the first file is kept as its head."""
    reader = _Reader()
    for line in text.split("\n"):
        reader.take(line)
    return reader.done()


class _Reader:
    """Reads a patch line by line; inside a hunk its counts say what a line is, so that no content is a head."""

    def __init__(self) -> None:
        self._patch = Patch()
        self._file: PatchFile | None = None
        self._old = self._new = 0
        self._left = (0, 0)
        self._lost = False

    def take(self, line: str) -> None:
        if self._left != (0, 0):
            self._content(line)
        elif line.startswith(("diff --git ", "diff --cc ", "diff --combined ")):
            self._start(_path_of_head(line))
        elif line.startswith("?? "):
            self._start(_unquoted(line[3:]))
            self._note_of_file("new, not committed")
        elif line.startswith("@@"):
            self._hunk(line)
        elif self._lost and line[:1] in (" ", "+", "-"):
            self._add(line)
        elif line.startswith("\\"):
            self._write(Sort.NOTE, line.lstrip("\\ "))
        elif self._file is None:
            self._preamble(line)
        else:
            self._header(line)

    def done(self) -> Patch:
        return self._patch

    def _start(self, path: str) -> None:
        self._lost = False
        if self._patch.lines:
            self._write(Sort.GAP, "")
        self._file = PatchFile(path, len(self._patch.lines))
        self._patch.files.append(self._file)
        self._write(Sort.FILE, path)

    def _rename(self, path: str) -> None:
        if self._file and path != "/dev/null":
            self._file.path = _shown(path)
            self._patch.lines[self._file.line] = PatchLine(Sort.FILE, self._file.path)

    def _hunk(self, line: str) -> None:
        if self._file is None:
            self._start("changes")
        found = _HUNK.match(line)
        self._lost = found is None
        if found:
            old, old_count, new, new_count = found.groups()
            self._old, self._new = int(old), int(new)
            self._left = (int(old_count or 1), int(new_count or 1))
        self._write(Sort.HUNK, line)

    def _content(self, line: str) -> None:
        """A line within the counts of its hunk."""
        old, new = self._left
        match line[:1]:
            case "+" if new:
                self._left = (old, new - 1)
                self._add(line)
            case "-" if old:
                self._left = (old - 1, new)
                self._add(line)
            case " " | "" if old and new:
                self._left = (old - 1, new - 1)
                self._add(line or " ")
            case "\\":
                self._write(Sort.NOTE, line.lstrip("\\ "))
            case _:
                # Something is missing here: from now on only the signs tell what a line is.
                self._left, self._lost = (0, 0), True
                if line.startswith(("diff --git ", "@@")):
                    self.take(line)
                elif line:
                    self._write(Sort.NOTE, line)

    def _add(self, line: str) -> None:
        assert self._file is not None
        old, new = (0, 0) if self._lost else (self._old, self._new)
        match line[:1]:
            case "+":
                self._file.added += 1
                self._new += 1
                self._write(Sort.ADDED, line[1:], 0, new)
            case "-":
                self._file.removed += 1
                self._old += 1
                self._write(Sort.REMOVED, line[1:], old, 0)
            case _:
                self._old, self._new = self._old + 1, self._new + 1
                self._write(Sort.CONTEXT, line[1:], old, new)

    def _preamble(self, line: str) -> None:
        if not _STAT.match(line):
            self._write(Sort.HEAD, line)

    def _header(self, line: str) -> None:
        """A line between a file's head and its first hunk, or after its last one."""
        word, _, rest = line.partition(" ")
        if word in ("---", "+++") and rest:
            self._rename(_without_prefix(_unquoted(rest.split("\t")[0])))
        elif line.startswith(("rename to ", "copy to ")):
            self._rename(_unquoted(line.split(" to ", 1)[1]))
        else:
            for note in _notes_of(line):
                self._note_of_file(note)

    def _note_of_file(self, note: str) -> None:
        assert self._file is not None
        self._file.notes.append(note)

    def _write(self, sort: Sort, text: str, old: int = 0, new: int = 0) -> None:
        self._patch.lines.append(PatchLine(sort, _shown(text), old, new))


def _shown(text: str) -> str:
    """The text as it can be painted: no control characters, at most `LONGEST` characters."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … {len(text) - LONGEST:,} more characters"
    if not text.isprintable():
        text = tidy(text.expandtabs(4)).replace("\n", " ")
    return text


def _notes_of(line: str) -> Iterator[str]:
    if line.startswith("new file mode"):
        yield "new, executable" if line.endswith("755") else "new"
    elif line.startswith("deleted file mode"):
        yield "deleted"
    elif line.startswith(("rename from ", "copy from ")):
        verb, path = line.split(" from ", 1)
        yield f"{'renamed' if verb == 'rename' else 'copied'} from {_shown(_unquoted(path))}"
    elif line.startswith("new mode"):
        yield "now executable" if line.endswith("755") else f"mode {_shown(line.split()[-1])}"
    elif line.startswith(("Binary files ", "GIT binary patch")):
        yield "binary"


def _path_of_head(line: str) -> str:
    """The path in `diff --git a/x b/x`; renames say their two paths in lines of their own."""
    rest = line.split(" ", 2)[2] if line.count(" ") >= 2 else ""
    if not line.startswith("diff --git "):
        return _shown(_unquoted(rest))
    half = rest[: len(rest) // 2]
    return _shown(_without_prefix(_unquoted(half.rstrip())))


def _without_prefix(path: str) -> str:
    return path[2:] if path.startswith(("a/", "b/")) else path


def _unquoted(path: str) -> str:
    r"""A path as git quotes it when it has unusual characters: `"a/\303\244.txt"`."""
    if len(path) < 2 or not (path.startswith('"') and path.endswith('"')):
        return path

    def byte(found: re.Match[bytes]) -> bytes:
        code = found[1].decode("latin-1")
        return bytes([int(code, 8) & 255]) if code.isdigit() and len(code) == 3 else _NAMED.get(code, found[1])

    return _ESCAPE.sub(byte, path[1:-1].encode("utf-8", "replace")).decode("utf-8", "replace")
