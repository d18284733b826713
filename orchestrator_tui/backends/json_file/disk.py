"""The file on the disk: read without following links, recognised when somebody else wrote it, replaced as a whole."""

import errno
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator_tui.config.files import write_atomic

LARGEST = 100_000_000
"""Bytes; some thousand work items with all that was said about them are a tenth of that."""

Mark = tuple[int, ...]
"""What a file is recognised by: device, inode, size and the moment of its last change."""


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in the file's place. `mark` is None when nothing does; `content` when it is no plain file."""

    mark: Mark | None
    content: bytes | None


def mark_of(file: Path) -> Mark | None:
    """How the file is recognised; None when there is none."""
    try:
        found = os.lstat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def read(file: Path) -> Found:
    """What the file holds. Blocks on the disk.

    Raises:
        OSError: it cannot be read, or is larger than any such file.
    """
    mark = mark_of(file)
    if mark is None or not stat.S_ISREG(file.lstat().st_mode):
        return Found(mark, None)
    # Whatever was put there since it was looked at.
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {LARGEST:,} bytes")
    return Found(mark, content)


def replace(file: Path, content: bytes, expected: Mark | None) -> Mark | None:
    """Make `content` the file, unless it is another one than `expected` by now: then nothing, and None. Blocks.

    Raises:
        OSError: it could not be written; the old one is still whole.
    """
    if file.parent.is_symlink():
        raise OSError(errno.ELOOP, "its folder is a link")

    def check(written: bytes) -> None:
        if written != content:
            raise OSError(errno.EIO, "what was read back is not what was written")
        if mark_of(file) != expected:
            raise _Changed

    try:
        write_atomic(file, content, check=check, through_links=False)
    except _Changed:
        return None
    return mark_of(file)


def remove_drafts(file: Path) -> None:
    """Remove what a crash in the middle of a write left behind."""
    for draft in file.parent.glob(f".{file.name}.*.tmp"):
        draft.unlink(missing_ok=True)


def set_aside(file: Path, word: str, moment: datetime) -> Path:
    """Give the file another name that says why; returns its new path.

    Raises:
        OSError: it cannot be renamed.
    """
    wanted = f"{file.stem}.{word}-{moment:%Y%m%dT%H%M%SZ}"
    aside, number = file.with_name(f"{wanted}{file.suffix}"), 1
    while os.path.lexists(aside):
        number += 1
        aside = file.with_name(f"{wanted}-{number}{file.suffix}")
    return file.rename(aside)


class _Changed(Exception):
    """Somebody else has written the file meanwhile."""
