"""A lock on the file, so that two programs with two databases never write the same one."""

import asyncio
import os
from pathlib import Path

from orchestrator_tui.config.lock_file import HeldByOther, hold
from orchestrator_tui.domain.errors import TrackerUnusable

PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.1


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
        end = asyncio.get_running_loop().time() + patience
        while self._descriptor is None:
            try:
                self._descriptor = hold(self._file, mode=0o666)
            except HeldByOther as held:
                if asyncio.get_running_loop().time() >= end:
                    who = held.holder.partition(" since ")[0].strip()
                    raise TrackerUnusable(
                        f"{self._file.with_suffix('.json')} is being written by {who or 'another process'}.",
                        hint="Stop the project there first, or wait until it ends.",
                    ) from held
                await asyncio.sleep(LOOK_SECONDS)

    def give_back(self) -> None:
        """Let go; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
