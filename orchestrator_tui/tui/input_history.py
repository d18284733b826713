"""What was typed into the input bar, newest last: bounded, without doubles and credentials, kept in a private file."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator_tui.config.files import write_atomic
from orchestrator_tui.config.secrets import mask

MOST_ENTRIES = 500
LONGEST_ENTRY = 10_000
"""Characters; a longer text is cut in the history, not where it was sent."""

LARGEST_FILE = 10_000_000
"""Bytes; a larger file is not one that was written here."""

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class InputHistory:
    """The texts, oldest first."""

    entries: tuple[str, ...] = ()

    def added(self, text: str, *, hide: Mask = mask, most: int = MOST_ENTRIES) -> "InputHistory":
        """With `text` as the newest; it stands there once, and credentials in it are masked by `hide`."""
        entry = hide(text.strip())[:LONGEST_ENTRY]
        if not entry:
            return self
        others = tuple(other for other in self.entries if other != entry)
        return InputHistory((*others, entry)[-most:])

    def search(self, start: str) -> tuple[str, ...]:
        """The entries that begin with `start`, newest first."""
        return tuple(entry for entry in reversed(self.entries) if entry.startswith(start))


def load_history(file: Path) -> InputHistory:
    """What is kept in a file; nothing when there is none, and without the lines that cannot be read.

    Blocks on the disk.

    Raises:
        OSError: the file is there but cannot be read.
    """
    try:
        if file.stat().st_size > LARGEST_FILE:
            return InputHistory()
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return InputHistory()
    return _from_lines(lines)


def save_history(file: Path, history: InputHistory) -> None:
    """Keep the history in a file that only its owner can read, as a whole: JSON text on each line. Blocks on the disk.

    Raises:
        OSError: the folder cannot be written.
    """
    content = "".join(f"{json.dumps(entry)}\n" for entry in history.entries).encode()
    write_atomic(file, content, check=lambda written: _same(written, content), private=True)


def _from_lines(lines: Iterable[str]) -> InputHistory:
    texts = [text for line in lines if (text := _text(line))]
    newest = dict.fromkeys(reversed(texts))
    return InputHistory(tuple(reversed(list(newest)[:MOST_ENTRIES])))


def _text(line: str) -> str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return value[:LONGEST_ENTRY] if isinstance(value, str) else ""


def _same(written: bytes, content: bytes) -> None:
    if written != content:
        raise OSError("what was read back is not what was written")
