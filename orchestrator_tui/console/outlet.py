"""Carries what is written to a thread of its own, so that a slow or stuck reader never blocks the event loop."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from orchestrator_tui.domain.first import first_of

Job = Callable[[], None]

BACKLOG = 1_000
"""Jobs that may wait before `post` makes its caller wait."""
LAST_SECONDS = 2.0
"""How long the end waits for a reader once `hurry` was called."""


class Outlet:
    """Runs jobs in order in one thread; leaving the context waits until all are done.

    A job may raise `OSError` when its reader is gone: `on_broken` is then called once in the loop,
    and every later job is dropped. `error` says what happened.
    """

    def __init__(self, on_broken: Callable[[], None], *, backlog: int = BACKLOG) -> None:
        self._on_broken = on_broken
        self._backlog = backlog
        self._jobs: deque[Job | None] = deque()
        self._wanted = threading.Semaphore(0)
        self._room = asyncio.Event()
        self._hurried = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="outlet", daemon=True)
        self.error: OSError | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()
        self._put(None)

    async def post(self, job: Job) -> None:
        """Have `job` run after all earlier ones; waits while too many are waiting."""
        while len(self._jobs) >= self._backlog and not self._hurried.is_set():
            self._room.clear()
            await first_of(room=self._room, hurry=self._hurried)
        if len(self._jobs) < self._backlog and self.error is None:
            self._put(job)

    async def drain(self) -> None:
        """Wait until everything posted so far was run; for two seconds at most once somebody is in a hurry."""
        done = asyncio.Event()
        self._put(lambda: self._tell(done.set))
        await first_of(drained=done, hurry=self._hurried)
        if not done.is_set():
            try:
                await asyncio.wait_for(done.wait(), LAST_SECONDS)
            except TimeoutError:
                self._jobs.clear()

    def hurry(self) -> None:
        """Never wait long for the reader any more; what it does not take is dropped."""
        self._hurried.set()

    def _put(self, job: Job | None) -> None:
        self._jobs.append(job)
        self._wanted.release()

    def _work(self) -> None:
        while True:
            self._wanted.acquire()
            try:
                job = self._jobs.popleft()
            except IndexError:
                continue
            if job is None:
                return
            self._run(job)
            if len(self._jobs) < self._backlog:
                self._tell(self._room.set)

    def _run(self, job: Job) -> None:
        try:
            job()
        except OSError as error:
            if self.error is None:
                self.error = error
                self._tell(self._on_broken)

    def _tell(self, callback: Callable[[], None]) -> None:
        # A reader may stay stuck for longer than the loop lives.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)
