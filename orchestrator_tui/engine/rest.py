"""How a run learns that it is to come to rest, and a waiting task that it is worth looking again."""

import asyncio
from contextlib import suppress

from orchestrator_tui.domain.statuses import PauseReason


class Rest:
    """An agent waits for a person for so long that the run is to pause; the first reason counts."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.reason = PauseReason.CLARIFICATION

    def want(self, reason: PauseReason) -> None:
        if not self.wanted.is_set():
            self.reason = reason
            self.wanted.set()

    def clear(self) -> None:
        self.wanted.clear()


class Bell:
    """Rings for whoever waits for something to be in the store. A ring after `ticket` is never missed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        rung, self._next = self._next, asyncio.Event()
        rung.set()

    def ticket(self) -> asyncio.Event:
        """Take one before looking; then wait for a ring after that."""
        return self._next

    async def after(self, ticket: asyncio.Event, seconds: float) -> None:
        """Wait for a ring, at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ticket.wait()
