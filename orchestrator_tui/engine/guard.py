"""Ends a running session at a safe point once its or its account's limit is reached, or it is to make room for others;
tells what comes near."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from orchestrator_tui.agents.base import AgentSession
from orchestrator_tui.domain.errors import AnswerAwaited, LimitReached, MustWait, StoreUnavailable
from orchestrator_tui.domain.events import Event
from orchestrator_tui.engine.allowances import Allowance, Budget

LONGEST_SLEEP = 3600.0


class Guard:
    """Watches one session. `reached` is what it was ended for.

    Args:
        tell: takes the events about limits that come near.
        settle_seconds: how long a tool call that is under way may take until it is cut off.
        used_up: returns once another session has found a usage limit of the account to be used up.
    """

    def __init__(
        self,
        budget: Budget,
        allowance: Allowance,
        *,
        tell: Callable[[Event], None],
        settle_seconds: float,
        used_up: Callable[[], Awaitable[MustWait]] | None = None,
    ) -> None:
        self._budget = budget
        self._allowance = allowance
        self._tell = tell
        self._settle_seconds = settle_seconds
        self._used_up = used_up
        self._session: AgentSession | None = None
        self._looking = False
        self._leaving = asyncio.Event()
        self.reached: LimitReached | MustWait | AnswerAwaited | None = None

    @asynccontextmanager
    async def watching(self, session: AgentSession) -> AsyncIterator[None]:
        """Look at the clock and at the account as well, as long as this lasts."""
        self._session = session
        self._allowance.used = lambda: session.usage
        tasks = [
            asyncio.create_task(self._watch_clock(), name="limits-clock"),
            asyncio.create_task(self._leave_when_told(session), name="leaves-for-others"),
        ]
        if self._used_up is not None:
            tasks.append(asyncio.create_task(self._watch_account(self._used_up), name="limits-account"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._session = None

    async def look(self) -> None:
        """Between two things that an agent does: a turn that has come to a limit is ended, its conversation kept."""
        self.tell_near()
        if self.reached is not None or self._looking or self._budget.reached(self._allowance) is None:
            return
        self._looking = True
        try:
            self.reached = await self._budget.confirmed(self._allowance)
            if self.reached is not None and self._session is not None:
                await self._end(self._session)
        finally:
            self._looking = False

    def leave(self, error: AnswerAwaited) -> None:
        """Have the session ended for this, its conversation kept."""
        if self.reached is None:
            self.reached = error
            self._leaving.set()

    async def _leave_when_told(self, session: AgentSession) -> None:
        await self._leaving.wait()
        await self._end(session)

    def tell_near(self) -> None:
        """Tell of limits that have come near."""
        for warning in self._budget.warnings(self._allowance):
            self._tell(warning)

    async def before_turn(self) -> None:
        """Nothing more is asked of an agent whose limit is reached.

        Raises:
            LimitReached, MustWait: it is. AnswerAwaited: it is to make room for others.
        """
        await self.look()
        if self.reached is not None:
            raise self.reached

    async def _end(self, session: AgentSession) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settle_seconds):
                await session.settle()
        await session.interrupt()

    async def _watch_account(self, used_up: Callable[[], Awaitable[MustWait]]) -> None:
        error = await used_up()
        if self.reached is None:
            self.reached = error
            if self._session is not None:
                await self._end(self._session)

    async def _watch_clock(self) -> None:
        while self.reached is None:
            seconds = self._budget.seconds_to(self._allowance)
            # A little later, so that the mark is passed for certain.
            await asyncio.sleep(min(LONGEST_SLEEP, seconds + 0.01) if seconds < math.inf else LONGEST_SLEEP)
            # What cannot be read now is read the next time.
            with suppress(StoreUnavailable):
                await self._budget.look_at_others()
            await self.look()
