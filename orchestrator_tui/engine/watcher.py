"""Finds what other processes stored, once for everybody in this one."""

import asyncio
import logging
from types import TracebackType
from typing import Self

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.engine.bus import PAGE, Bus
from orchestrator_tui.engine.rest import Bell

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the store is looked at where a database cannot tell that something is new in it."""

TOLD_SECONDS = 5.0
"""How often it is looked at all the same where it does tell: a connection can be dead without anybody knowing."""

UNTOLD_SECONDS = 10.0
"""How often whoever is rung by an event looks all the same."""

GRACE_SECONDS = 0.01
"""What this process stored itself is told by then, and need not be read."""


class Watcher:
    """An async context manager; while open, the bus relays what other processes store.

    A database that tells (PostgreSQL) makes that happen at once; any other is looked at, by this one task.
    """

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._bell = Bell()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Raises StoreUnavailable when the store cannot be read."""
        self._bus.known = max(self._bus.known, await self._store.last_seq())
        self._task = asyncio.create_task(self._watch(), name="watcher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        async with self._store.listening(self._told) as hears:
            while True:
                ticket = self._bell.ticket()
                try:
                    await self._look()
                except StoreUnavailable as error:
                    self._bus.fail(error)
                except Exception:
                    # The edge of a task: all who follow events here depend on it, so it looks again.
                    logger.exception("what other processes stored could not be read")
                await self._bell.after(ticket, TOLD_SECONDS if hears() else LOOK_SECONDS)

    def _told(self, seq: int | None) -> None:
        """Somebody has stored events up to `seq`, or nobody knows."""
        if seq is None:
            self._bell.ring()
        elif seq > self._bus.known:
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._ring_unless_known, seq)

    def _ring_unless_known(self, seq: int) -> None:
        if seq > self._bus.known:
            self._bell.ring()

    async def _look(self) -> None:
        while page := await self._store.events(after_seq=self._bus.known, limit=PAGE):
            self._bus.relay(page)
            if len(page) < PAGE:
                return
