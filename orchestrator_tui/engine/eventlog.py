"""Stores the many small events of agents in batches, in the order they came, and with them what agents have used."""

import asyncio
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import Event
from orchestrator_tui.domain.records import Usage

BATCH = 200
END_SECONDS = 10.0
"""How long events still get to be stored when nobody waits for them any more."""


class EventLog:
    """An async context manager; `add` never waits, `flush` waits until all that was added is stored.

    `trouble` is set while events cannot be stored.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[str, Event]] = []
        self._used: dict[str, Usage] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failure: StoreUnavailable | None = None
        self._broken: Exception | None = None
        self.trouble = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        task = asyncio.create_task(self._write(), name="event-log")

        async def end() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._idle.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def add(self, project_id: str, *events: Event) -> None:
        self._waiting.extend((project_id, event) for event in events)
        self._start()

    def add_usage(self, session_id: str, usage: Usage) -> None:
        """What a session at work has used so far: it is counted even if its process dies before it ends."""
        self._used[session_id] = usage
        self._start()

    async def flush(self) -> None:
        """Wait until everything added so far is stored.

        Raises:
            StoreUnavailable: events could not be stored; they are kept, and tried again with the next call.
            LeaseLost: they never will be, nor anything else.
        """
        if self._waiting or self._used:
            self._start()
        await self._idle.wait()
        if self._broken is not None:
            raise self._broken
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _start(self) -> None:
        if self._broken is not None:
            return
        self._idle.clear()
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            batch, used = self._waiting[:BATCH], self._used
            self._used = {}
            try:
                async with self._store.transaction() as unit:
                    for project_id, event in batch:
                        unit.record(project_id, event)
                    for session_id, usage in used.items():
                        await unit.save_usage(session_id, usage)
                del self._waiting[: len(batch)]
                self.trouble.clear()
            except StoreUnavailable as error:
                self._used = used | self._used
                self._failure = error
                self.trouble.set()
            except Exception as error:
                # Another process has the project, or the program is at fault: whoever waits must not do so for ever.
                self._broken = error
                self._idle.set()
                return
            if not (self._waiting or self._used) or self._failure is not None:
                self._wake.clear()
                self._idle.set()
