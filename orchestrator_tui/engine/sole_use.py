"""At most one process works in a project's folder, whichever database it knows the project from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator_tui.config.lock_file import HeldByOther, hold
from orchestrator_tui.domain.errors import AlreadyOwned

LOCK_FILE = "lock"
ELSEWHERE = "It works in the same folder, from another database. Stop it there first, or wait until it ends."


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
        return hold(notes / LOCK_FILE, me)
    except HeldByOther as held:
        if held.holder != over or over is None:
            raise AlreadyOwned(held.holder or "another process", hint=ELSEWHERE) from held
    except OSError:
        return None
    # A new file, with a lock of its own; the frozen owner keeps that of the old one.
    with suppress(OSError):
        (notes / LOCK_FILE).unlink()
    return _locked(notes, me, None)
