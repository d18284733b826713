"""Has projects go on by themselves that wait until a certain time: for the API, or for the next day and its limits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.clock import Clock, wait_until
from orchestrator_tui.domain.errors import OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.records import PipelineState, Project
from orchestrator_tui.domain.statuses import PauseReason, PipelineStatus
from orchestrator_tui.engine import accounts
from orchestrator_tui.engine.recovery import AFTER_RESET_SECONDS

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0
"""How long it takes until a project is tried to be woken again when the database was away."""


class Alarms:
    """At most one for each project; `account_of` names whose account pays for its sessions. When it rings, `start` is
    called if the project still waits for it; another process that has set one for the same project may be first."""

    def __init__(
        self, store: Store, clock: Clock, start: Callable[[str], Awaitable[None]], account_of: Callable[[Project], str]
    ) -> None:
        self._store = store
        self._account_of = account_of
        self._clock = clock
        self._start = start
        self._asleep: dict[str, asyncio.Task[None]] = {}
        self._tasks = set[asyncio.Task[None]]()
        self._closed = False

    async def is_early(self, project_id: str) -> bool:
        """Whether the project waits for the API and it is not time yet. What waits for more to use, or was handed over,
        may go on sooner, and so may what waits for the usage limit of an account that is not used any more.

        Raises:
            StoreUnavailable: that cannot be read.
        """
        state = await self._store.pipeline_state(project_id)
        if state.shutdown_reason in (PauseReason.BUDGET, PauseReason.HAND_OVER):
            # Their time is for when nobody raises the limit, or takes the project up.
            return False
        if not _waits(state) or state.resumes_at is None or state.resumes_at <= self._clock.now():
            return False
        return not await self._is_of_another_account(project_id, state, state.resumes_at)

    async def _is_of_another_account(self, project_id: str, state: PipelineState, resumes_at: datetime) -> bool:
        """Whether somebody else's usage limit is waited for: the person has given other credentials meanwhile."""
        if state.shutdown_reason != PauseReason.USAGE_LIMIT:
            return False
        account = self._account_of(await self._store.find_project(project_id))
        limited = await self._store.limited_accounts(resumes_at - timedelta(seconds=AFTER_RESET_SECONDS))
        return bool(account and limited) and account not in {accounts.account_of(name) for name in limited}

    async def is_handed_over(self, project_id: str) -> bool:
        """Whether the project waits for another process to take it up.

        Raises:
            StoreUnavailable: that cannot be read.
        """
        state = await self._store.pipeline_state(project_id)
        return _waits(state) and state.shutdown_reason == PauseReason.HAND_OVER

    async def is_waiting(self, project_id: str) -> bool:
        """Whether the project goes on by itself, now or later.

        Raises:
            StoreUnavailable: that cannot be read.
        """
        return _waits(await self._store.pipeline_state(project_id))

    @property
    def asleep(self) -> Collection[str]:
        """The projects that have one."""
        return self._asleep.keys()

    def set(self, project_id: str) -> None:
        """Have the project go on when it is time, if it waits."""
        if self._closed or project_id in self._asleep:
            return
        task = asyncio.create_task(self._wake(project_id), name=f"alarm-{project_id}")
        self._asleep[project_id] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self, project_id: str) -> None:
        try:
            while (state := await self._state(project_id)) is not None and state.resumes_at is not None:
                await wait_until(state.resumes_at, self._clock)
                again = await self._state(project_id)
                if again is not None and again.resumes_at == state.resumes_at:
                    break
        finally:
            self._asleep.pop(project_id, None)
        if state is not None:
            await self._ring(project_id, self._start)

    async def _state(self, project_id: str) -> PipelineState | None:
        """How the project stands, once that can be read; None when it does not wait."""
        while True:
            try:
                state = await self._store.pipeline_state(project_id)
                return state if _waits(state) else None
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)

    def ring(self, project_id: str, start: Callable[[str], Awaitable[None]]) -> None:
        """Have `start` called now, and again until the database can be used."""
        task = asyncio.create_task(self._ring(project_id, start), name=f"alarm-{project_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ring(self, project_id: str, start: Callable[[str], Awaitable[None]]) -> None:
        while not self._closed:
            try:
                await start(project_id)
                return
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)
            except OrchestratorError as error:
                logger.warning("%s does not go on here: %s", project_id, error.line())
                return

    def close(self) -> None:
        """Let none ring any more."""
        self._closed = True
        for task in self._asleep.values():
            task.cancel()

    async def ended(self) -> None:
        """Wait until none is at work any more."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _waits(state: PipelineState) -> bool:
    return state.status is PipelineStatus.PAUSED and state.resumes_at is not None
