"""One reader of what happens for all who follow it in this process: the store is looked at once for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.events import Live, Resync
from orchestrator_tui.engine.bus import LOOK_SECONDS, Bus, Subscription, follow


class Broadcast:
    """Follows the store while somebody listens, and hands each event to everybody at once, in order.

    What other processes store arrives here as `follow` finds it; listeners read the store only for what was before
    them, and when they were too slow.
    """

    def __init__(self, store: Store, bus: Bus, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._store = store
        self._bus = bus
        self._look_seconds = look_seconds
        self._listeners: list[Subscription] = []
        self._begun = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def subscription(self) -> AsyncIterator[Subscription]:
        """A queue of everything that is stored from now on, and of text that is being written."""
        listener = Subscription()
        self._listeners.append(listener)
        try:
            if self._task is None:
                self._begun = asyncio.Event()
                self._task = asyncio.create_task(self._read(self._begun), name="broadcast")
            # What is read of the store after this has no gap to what comes into the queue.
            await self._begun.wait()
            yield listener
        finally:
            if listener in self._listeners:
                self._listeners.remove(listener)
            if not self._listeners:
                await self._end()

    def _hand_out(self, live: Live) -> None:
        if isinstance(live, Resync):
            for listener in self._listeners:
                listener.skip()
        else:
            for listener in self._listeners:
                listener.put(live)

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _read(self, begun: asyncio.Event) -> None:
        try:
            with self._bus.subscription() as own:
                last = await self._store.last_seq()
                begun.set()
                async with aclosing(follow(self._store, own, last, look_seconds=self._look_seconds)) as stream:
                    async for live in stream:
                        self._hand_out(live)
        except Exception as error:
            # The edge of a task: those who listen raise it. Who wants to hear more subscribes again.
            if self._task is asyncio.current_task():
                self._task, listeners, self._listeners = None, self._listeners, []
                for listener in listeners:
                    listener.fail(error)
            begun.set()
