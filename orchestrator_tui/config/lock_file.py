"""Files that one process at a time holds locked, with its name in them; the kernel lets go for one that ends."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from orchestrator_tui.domain import owner

_LONGEST_NAME = 500
_HELD = frozenset({errno.EWOULDBLOCK, errno.EACCES})


class HeldByOther(Exception):
    """Another process holds the lock; `holder` is the name it has written there, "" when there is none."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


def hold(file: Path, name: str = "", *, mode: int = 0o600) -> int:
    """Lock `file`, made with `mode` if there is none, and write the name of who holds it (this process as it is known
    to others, without one). The lock is held until the descriptor that is returned is closed.

    Raises:
        HeldByOther: another process has it.
        OSError: the file cannot be made, is a link, or its file system knows no locks.
    """
    # Without blocking, lest somebody has put a pipe there.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = _name_in(descriptor)
        os.close(descriptor)
        if error.errno in _HELD:
            raise HeldByOther(holder) from error
        raise
    # On a full disk the lock is held without a name.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, (name or owner.this_process()).encode(), 0)
    return descriptor


def _name_in(descriptor: int) -> str:
    """Somebody else may have written anything into it."""
    with suppress(OSError):
        text = os.pread(descriptor, _LONGEST_NAME, 0).decode(errors="replace")
        return "".join(char for char in text if char.isprintable())
    return ""
