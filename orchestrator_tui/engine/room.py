"""Looks whether there is room left on a disk, and tells a full disk from other trouble."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator_tui.domain.errors import DiskFull

NEEDED = 1_000_000
"""Bytes that must be free where a project lies before anything new begins there."""

_NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT})
_TEXTS = ("No space left on device", "Disk quota exceeded", "write failure on standard output")
"""What git says; it is always run in English."""


def require_room(directory: Path) -> None:
    """Raises DiskFull when there is hardly any room left where `directory` is."""
    try:
        disk = shutil.disk_usage(directory)
    except OSError:
        # Whoever needs the folder says what is wrong with it.
        return
    # Some file systems do not tell their size.
    if disk.total and disk.free < NEEDED:
        raise DiskFull(directory)


def is_full(error: BaseException) -> bool:
    """Whether an error of the system says that there is no room left."""
    return isinstance(error, OSError) and error.errno in _NUMBERS


@contextmanager
def told_apart(directory: Path) -> Iterator[None]:
    """Raises DiskFull for what the system says inside when there is no room left."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise DiskFull(directory) from error
        raise


def tells_of_full_disk(output: str) -> bool:
    """Whether git failed because there is no room left."""
    return any(text in output for text in _TEXTS)
