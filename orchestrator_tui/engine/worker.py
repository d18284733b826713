"""A worker of a cluster: takes projects from the queue, runs them by the engine of its process, and sees to those whose
worker has fallen silent."""

import asyncio
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from orchestrator_tui.cluster.base import QueuedJob
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import (
    AlreadyOwned,
    FolderGone,
    LeaseLost,
    OrchestratorError,
    ProjectNotFound,
    StaleState,
    StoreUnavailable,
)
from orchestrator_tui.domain.first import first_of
from orchestrator_tui.domain.records import PipelineState, Wanted, WorkerRecord
from orchestrator_tui.domain.standing import SHARE_IT
from orchestrator_tui.domain.statuses import AT_WORK, PauseReason, PipelineStatus
from orchestrator_tui.engine.cluster import Cluster
from orchestrator_tui.engine.rest import Bell
from orchestrator_tui.engine.runs import Runs
from orchestrator_tui.engine.silence import Silence, patience

STANDS_BACK = 2
"""Heartbeats for which a worker takes nothing after a project that it cannot run, so that others come first."""

PUT_AGAIN_SECONDS = 10.0
"""How long a project that waits is left in peace after it was put into the queue from here."""

WAITING_AT_ONCE = 20
"""Of the projects that wait, so many are looked at with a heartbeat, the others with the next ones: nearly all of them
are in the queue, and to find that out costs more than all the rest of a look."""

REMEMBERED = timedelta(hours=1)
"""How long a worker that fell silent is still told of."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerOptions:
    """How a worker shows that it is there, and when others count as gone: see `ClusterSettings`."""

    heartbeat_seconds: float
    stall_seconds: float


class Worker:
    """Runs at most `record.concurrency` projects at a time. The queue only says whose turn it is: a project runs where
    its lease is, and whatever becomes of its job, it is put into the queue again while nobody runs it."""

    def __init__(
        self, record: WorkerRecord, store: Store, runs: Runs, cluster: Cluster, options: WorkerOptions
    ) -> None:
        self.record = record
        self._store = store
        self._runs = runs
        self._cluster = cluster
        self._options = options
        self._silence = Silence(grace=options.heartbeat_seconds)
        self._bell = Bell()
        self._draining = asyncio.Event()
        self._jobs = set[asyncio.Task[None]]()
        self._put_at: dict[str, float] = {}
        self._seen_to = 0
        self._stands_back_until = -math.inf

    async def run(self, ended: asyncio.Event, hurry: asyncio.Event) -> None:
        """Work until `ended` is set; then hand over what runs, at safe points, and leave. Once `hurry` is set no safe
        point is waited for. A worker that is drained hands over too, and waits for its end without work."""
        async with self._cluster.queue.listening(self._bell.ring):
            tasks = [
                asyncio.create_task(self._repeat(self._show_up), name="worker-heartbeat"),
                asyncio.create_task(self._repeat(self._look_around), name="worker-look"),
                asyncio.create_task(self._take(), name="worker-take"),
            ]
            try:
                await first_of(end=ended, drain=self._draining)
                await self._hand_over(hurry)
                await ended.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._leave()

    async def _hand_over(self, hurry: asyncio.Event) -> None:
        self._draining.set()
        self._bell.ring()
        try:
            await self._runs.hand_over(self._runs.start_if_waiting, hurry)
        except OrchestratorError as error:
            # The others find what is left here by themselves.
            logger.warning("not every project could be handed over: %s", error.line())

    async def _leave(self) -> None:
        """No job is this worker's any more, so that others need not wait until it counts as gone."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._cluster.queue.leave()
            await self._store.roster.leave(self.record.id)

    # What there is to do

    async def _take(self) -> None:
        while not self._draining.is_set():
            ticket = self._bell.ticket()
            may_take = len(self._jobs) < self.record.concurrency and time.monotonic() >= self._stands_back_until
            job = await self._taken() if may_take else None
            if job is None:
                await self._bell.after(ticket, self._options.heartbeat_seconds)
                continue
            task = asyncio.create_task(self._work(job), name=f"job-{job.project_id[:8]}")
            self._jobs.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._jobs.discard(task)
        self._bell.ring()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its job is put back once this worker is gone; its project, as soon as nobody runs it.
            logger.error("%s broke", task.get_name(), exc_info=error)

    async def _taken(self) -> QueuedJob | None:
        try:
            return await self._cluster.queue.take()
        except StoreUnavailable:
            return None
        except Exception:
            logger.exception("no job could be taken")
            return None

    async def _work(self, job: QueuedJob) -> None:
        try:
            await self._carry_out(job.project_id)
        except (AlreadyOwned, LeaseLost, StaleState) as error:
            # Who has it sees to it; once they fall silent it comes into the queue again.
            logger.info("%s does not run here: %s", job.project_id, error.message)
        except StoreUnavailable as error:
            logger.warning("%s: %s", job.project_id, error.message)
        except FolderGone as error:
            await self._leave_to_others(job.project_id, error)
        except Exception as error:
            await self._give_up(job.project_id, error)
        await self._until_stored(lambda: self._cluster.queue.finish(job))

    async def _carry_out(self, project_id: str) -> None:
        state = await self._store.pipeline_state(project_id)
        at_work = state.status in AT_WORK
        if at_work and not self._may_follow(state):
            # Its job comes again when that one falls silent.
            return
        if state.queued_at is None and not at_work:
            return
        ran = not self._draining.is_set() and await self._runs.carry_out(project_id)
        if ran:
            return
        if self._draining.is_set():
            await self._put(project_id)
            return
        if state.queued_at is None:
            return
        async with self._store.transaction() as unit:
            if await unit.unqueue_project(project_id, since=state.queued_at):
                unit.record(project_id, events.QueueChanged(queued=False))

    async def _leave_to_others(self, project_id: str, error: FolderGone) -> None:
        """A project that is not on this machine waits for a worker that has it, as long as there are others."""
        # It may be deleted in this moment.
        with suppress(StoreUnavailable, StaleState):
            if not await self._has_others():
                await self._give_up(project_id, error)
                return
            self._stands_back_until = time.monotonic() + STANDS_BACK * self._options.heartbeat_seconds
            told = events.ErrorOccurred(
                title=error.title,
                message=f"The worker {self.record.name} cannot run it: {error.message}",
                hint=f"It waits for another worker. {SHARE_IT}",
                missing_on=self.record.name,
            )
            async with self._store.transaction() as unit:
                if await unit.miss_folder(project_id, self.record.id):
                    unit.record(project_id, told)
                    logger.warning("%s is left to other workers: %s", project_id, error.message)
            await self._put(project_id)

    async def _has_others(self) -> bool:
        """Whether another worker may have what this one has not. One that is silent may come back."""
        return any(one.id != self.record.id and not one.draining for one in await self._store.roster.workers())

    async def _give_up(self, project_id: str, error: Exception) -> None:
        """It cannot run here: say so, and do not try the same again for ever."""
        logger.error("%s cannot run", project_id, exc_info=error)
        told = error if isinstance(error, OrchestratorError) else OrchestratorError("The project cannot be run.")
        # Somebody else may have it by now, or it was deleted.
        with suppress(OrchestratorError, KeyError):
            project = await self._store.find_project(project_id)
            async with self._runs.holding(project) as store, store.transaction() as unit:
                state = await unit.pipeline(project_id)
                if await unit.unqueue_project(project_id):
                    unit.record(project_id, events.QueueChanged(queued=False))
                unit.record(project_id, events.ErrorOccurred(title=told.title, message=told.message, hint=told.hint))
                if state.status is PipelineStatus.RUNNING:
                    failed = PipelineStatus.FAILED
                    reason = PauseReason.ERROR.value
                    await unit.set_pipeline_status(project_id, state.status, failed, shutdown_reason=reason)
                    unit.record(
                        project_id, events.PipelineStatusChanged(old=state.status, new=failed, reason=told.message)
                    )

    async def _until_stored(self, store: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await store()
                return
            except (StoreUnavailable, StaleState):
                await asyncio.sleep(self._options.heartbeat_seconds)

    # Signs of life

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do it with every heartbeat, as far as the database is there."""
        while True:
            try:
                await step()
            except StoreUnavailable as error:
                self._silence.away()
                logger.debug("the worker waits for the database: %s", error.message)
            except Exception:
                logger.exception("what a worker does with every heartbeat failed")
            await asyncio.sleep(self._options.heartbeat_seconds)

    async def _show_up(self) -> None:
        load = _load()
        draining = await self._store.roster.beat(self.record.id, load)
        if draining is None:
            self.record = replace(self.record, load=load, heartbeat=now(), draining=self._draining.is_set())
            await self._store.roster.forget(REMEMBERED)
            # Last: until it is there, all of this is done again.
            await self._cluster.queue.join()
            await self._store.roster.join(self.record)
            self._bell.ring()
        elif draining:
            self._draining.set()
        await self._cluster.queue.beat()

    async def _look_around(self) -> None:
        """Put back what others left: the jobs of workers that are gone, and projects that nobody runs."""
        wanted = await self._store.roster.wanted(after=self._seen_to, waiting=WAITING_AT_ONCE)
        waiting = [one.number for one in wanted if one.status not in AT_WORK]
        self._seen_to = waiting[-1] if len(waiting) == WAITING_AT_ONCE else 0
        self._silence.look(wanted)
        left = [one for one in [await self._judged(one) for one in wanted] if self._is_left(one)]
        # After that: whoever gets such a job finds the lease of its project lapsed.
        revived = await self._cluster.queue.revive(self._options.stall_seconds)
        moment = time.monotonic()
        for one in left:
            if one.status in AT_WORK or moment - self._put_at.get(one.project_id, -math.inf) >= PUT_AGAIN_SECONDS:
                await self._put(one.project_id)
                self._put_at[one.project_id] = moment
        self._put_at = {one: at for one, at in self._put_at.items() if moment - at < PUT_AGAIN_SECONDS}
        if revived or left:
            self._bell.ring()

    async def _put(self, project_id: str) -> None:
        try:
            project = await self._store.find_project(project_id)
        except ProjectNotFound:
            # It was deleted meanwhile.
            return
        await self._cluster.queue.put(project_id, self._cluster.priority_of(project))

    async def _judged(self, one: Wanted) -> Wanted:
        """A lease whose owner was silent for too long is over, for everybody: who follows may be another worker."""
        if one.lapsed or one.owner == self.record.process:
            return one
        if self._silence.seconds(one) < patience(one, self._options.stall_seconds):
            return one
        await self._store.roster.lapse(one)
        return replace(one, lapsed=True)

    def _is_left(self, one: Wanted) -> bool:
        if one.status not in AT_WORK:
            # Who put it there may have ended before it was in the queue, too; how long ago, no clock of ours can tell.
            return one.queued_at is not None
        if one.owner == self.record.process:
            # Its run may have ended without a way to say so.
            return not self._runs.is_here(one.project_id)
        return self._may_follow(one)

    def _may_follow(self, one: Wanted | PipelineState) -> bool:
        """Whether the lease of a project at work can be taken here."""
        return one.owner in (None, self.record.process) or one.lapsed or owner.is_gone(one.owner)


def _load() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1)
