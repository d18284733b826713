"""A lock on the file, so that two programs with two databases never write the same one."""

import asyncio
import errno
import fcntl
import os
from pathlib import Path

from orchestrator_tui.domain import owner
from orchestrator_tui.domain.errors import TrackerUnusable

PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.1
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN})


class FileLock:
    """Held from `take` to `give_back`, or until the process ends, however it does."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    async def take(self, patience: float = PATIENCE_SECONDS) -> None:
        """Hold the lock; nothing happens when it is held already.

        Raises:
            TrackerUnusable: somebody else still holds it after `patience` seconds.
            OSError: the file cannot be made.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            await self._locked(descriptor, patience)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{owner.this_process()}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def give_back(self) -> None:
        """Let go; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def _locked(self, descriptor: int, patience: float) -> None:
        end = asyncio.get_running_loop().time() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                if asyncio.get_running_loop().time() >= end:
                    who = os.pread(descriptor, 200, 0).decode(errors="replace").partition(" since ")[0].strip()
                    raise TrackerUnusable(
                        f"{self._file.with_suffix('.json')} is being written by {who or 'another process'}.",
                        hint="Stop the project there first, or wait until it ends.",
                    ) from error
            await asyncio.sleep(LOOK_SECONDS)
