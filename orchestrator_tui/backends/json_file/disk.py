"""The file on the disk: read without following links, recognised when somebody else wrote it, replaced as a whole."""

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator_tui.config.files import write_atomic

LARGEST = 100_000_000
"""Bytes; some thousand work items with all that was said about them are a tenth of that."""

REST_SECONDS, LOOKS = 0.05, 40

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
        return _mark(os.lstat(file))
    except OSError:
        return None


def _mark(found: os.stat_result) -> Mark:
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

    with _kept_open(file) as old:
        try:
            write_atomic(file, content, check=check, through_links=False)
        except _Changed:
            return None
        written = mark_of(file)
        if old is not None and _mark(os.fstat(old)) != expected:
            # An editor had begun to write into the old file right before it was replaced: what it writes comes back.
            write_atomic(file, _once_it_rests(old), check=len, through_links=False)
            return None
    return written


@contextmanager
def _kept_open(file: Path) -> Iterator[int | None]:
    """A descriptor of the file, which stays that of the old one when it is replaced; None when there is no file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _once_it_rests(descriptor: int) -> bytes:
    """The content of an open file, once nobody has written into it for a moment."""
    for _ in range(LOOKS):
        before = _mark(os.fstat(descriptor))
        time.sleep(REST_SECONDS)
        if _mark(os.fstat(descriptor)) == before:
            break
    return os.pread(descriptor, LARGEST, 0)


def remove_drafts(file: Path) -> None:
    """Remove what a crash in the middle of a write left behind."""
    for draft in file.parent.glob(f".{file.name}.*.tmp"):
        draft.unlink(missing_ok=True)


def aside(file: Path, word: str, moment: datetime) -> Path:
    """A free name for the file under which it is kept, that says why."""
    wanted = f"{file.stem}.{word}-{moment:%Y%m%dT%H%M%SZ}"
    free, number = file.with_name(f"{wanted}{file.suffix}"), 1
    while os.path.lexists(free):
        number += 1
        free = file.with_name(f"{wanted}-{number}{file.suffix}")
    return free


class _Changed(Exception):
    """Somebody else has written the file meanwhile."""
