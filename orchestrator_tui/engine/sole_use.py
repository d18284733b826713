"""At most one process works in a project's folder, whichever database it knows the project from."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator_tui.domain.errors import AlreadyOwned

LOCK_FILE = "lock"
ELSEWHERE = "It works in the same folder, from another database. Stop it there first, or wait until it ends."
_LONGEST_OWNER = 500
_HELD = frozenset({errno.EWOULDBLOCK, errno.EACCES})


@contextmanager
def sole_use(notes: Path, me: str, *, over: str | None = None) -> Iterator[None]:
    """Holds the lock file in the notes folder of a project, with the name of its owner `me` in it.

    The lease in the database keeps out whoever uses that database; this keeps out everybody else on this machine. The
    kernel takes the lock away from a process that ends. `over` is the owner that the lease was taken from: one that is
    only frozen still has the lock, but writes nothing more, so it is not waited for.

    Where the folder is gone, or its file system knows no locks, nothing is held: whoever needs the folder says so.

    Raises:
        AlreadyOwned: another process works in the folder.
    """
    file = _locked(notes, me, over)
    try:
        yield
    finally:
        if file is not None:
            os.close(file)


def _locked(notes: Path, me: str, over: str | None) -> int | None:
    try:
        if notes.is_symlink():
            notes.unlink()
        notes.mkdir(exist_ok=True)
        file = _opened(notes / LOCK_FILE)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = _name_in(file)
        os.close(file)
        if error.errno not in _HELD:
            return None
        if holder != over or over is None:
            raise AlreadyOwned(holder or "another process", hint=ELSEWHERE) from error
        # A new file, with a lock of its own; the frozen owner keeps that of the old one.
        with suppress(OSError):
            (notes / LOCK_FILE).unlink()
        return _locked(notes, me, None)
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, me.encode(), 0)
    return file


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)


def _name_in(file: int) -> str:
    """Whose name stands in a lock file; somebody else may have written anything into it."""
    with suppress(OSError):
        text = os.pread(file, _LONGEST_OWNER, 0).decode(errors="replace")
        return "".join(char for char in text if char.isprintable())
    return ""
