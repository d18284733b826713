"""The projects at work in this process: taken up, taken up again after trouble, stopped."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import Clock, SystemClock
from orchestrator_tui.domain.errors import (
    AlreadyOwned,
    DiskFull,
    IllegalTransition,
    LeaseLost,
    OrchestratorError,
    RemoteUnavailable,
    StoreUnavailable,
)
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine import hand_over, room
from orchestrator_tui.engine.alarms import Alarms
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.remotes import Remotes
from orchestrator_tui.engine.run import USER_REQUEST
from orchestrator_tui.engine.shutdown import StopOrder
from orchestrator_tui.engine.taking_up import OpenRun, RunOptions, TakingUp, Turn

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.5, 5.0
"""How long it takes at first, and at most, until it is tried again whether a lost database is back."""

PassOn = Callable[[str], Awaitable[object]]
"""Tells another process to go on with a project, given its id."""


@dataclass(slots=True)
class _Running:
    """A project at work here: what can stop it, over all its runs, and the task that sees to it."""

    stop: StopOrder
    task: "asyncio.Task[None] | None" = None
    tracker: WorkTracker | None = None

    async def ended(self) -> None:
        """Wait until it no longer is."""
        if self.task is not None:
            await asyncio.wait({self.task})


class Runs:
    """At most one run of each project, under this process's lease. An async context manager: leaving it stops all of
    them gracefully, and none can be started after that."""

    def __init__(
        self, store: Store, bus: Bus, open_run: OpenRun, options: RunOptions, clock: Clock | None = None
    ) -> None:
        self._store = store
        self._bus = bus
        self._options = options
        self._running: dict[str, _Running] = {}
        # Of each project one thing at a time is taken up or stopped here: to the lease this process is one owner.
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closing = asyncio.Event()
        self._being_taken_up = set[StopOrder]()
        self._cluster = options.cluster
        self._alarms = Alarms(store, clock or SystemClock(), self._go_on, options.account_of)
        self._remotes = Remotes()
        self._taking_up = TakingUp(store, open_run, options, self._remotes, self._closing)
        self._handed_over: Sequence[str] | None = None
        self._waking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.gather(self._waking, return_exceptions=True)
        self._alarms.close()
        for order in self._being_taken_up:
            order.give("shutdown")
        for lock in list(self._locks.values()):
            # What is being taken up just now is among the runs then.
            async with lock:
                pass
        running = list(self._running.values())
        for one in running:
            one.stop.give("shutdown")
        for one in running:
            await one.ended()
        await self._alarms.ended()

    async def start(self, project_id: str) -> None:
        """Take the lease and run the project in a task of its own; it is running when this returns, unless it waits
        for the API: then it goes on by itself when it is time. In a cluster it waits for a worker instead.

        Raises:
            AlreadyOwned: another process runs it, or may do so.
            StoreUnavailable: the database cannot be used, or what is done could not be kept on a full disk.
        """
        if await self._alarms.is_early(project_id):
            self._alarms.set(project_id)
        else:
            await self._go_on(project_id)

    async def _go_on(self, project_id: str) -> None:
        """As `start`, whatever the clock says."""
        if self._cluster is not None:
            await self._cluster.enqueue(self._store, project_id)
        else:
            await self._begin(project_id)

    async def queue_anew(self, project_id: str) -> None:
        """See `Cluster.queue_anew`; outside of a cluster no project waits for a worker."""
        if self._cluster is not None:
            await self._cluster.queue_anew(self._store, project_id)

    async def carry_out(self, project_id: str) -> bool:
        """Run the project here until it rests, as a worker of the cluster; False when there was nothing to do. A stop
        that was asked of a worker which is gone by now is carried out instead.

        Raises:
            AlreadyOwned, StoreUnavailable: see `start`.
            OrchestratorError: it cannot run here.
        """
        state = await self._store.pipeline_state(project_id)
        if state.stop_is_due and not self.is_here(project_id):
            # It may have come to rest by itself in that moment.
            with suppress(IllegalTransition):
                await self.stop(await self._store.find_project(project_id), state.shutdown_reason or USER_REQUEST)
            return True
        await self._begin(project_id)
        running = self._running.get(project_id)
        if running is None:
            return False
        await running.ended()
        return True

    async def _begin(self, project_id: str) -> None:
        """Take the lease and run the project in a task of its own."""
        async with self._locks[project_id]:
            project = await self._store.find_project(project_id)
            if self._closing.is_set() or self._handed_over is not None or await self.is_running(project):
                return
            order = self._stop_order()
            self._being_taken_up.add(order)
            try:
                turn = await self._taking_up.turn(project, order)
            except RemoteUnavailable as error:
                # Whoever asked for it need not be there any more.
                await self._store_trouble(project, error)
                raise
            finally:
                self._being_taken_up.discard(order)
            if turn is None:
                return
            running = _Running(order)
            task = running.task = asyncio.create_task(self._run(project, turn), name=f"pipeline-{project.slug}")
            self._running[project.id] = running
            task.add_done_callback(lambda _: self._running.pop(project.id, None))

    async def start_if_waiting(self, project_id: str) -> None:
        """Run a project that was handed over, whatever its agents ask a person meanwhile; one that waits for its time
        goes on here then. Nothing happens to any other.

        Raises:
            AlreadyOwned, StoreUnavailable: see `start`.
        """
        if await self._alarms.is_handed_over(project_id):
            await self._go_on(project_id)
        elif await self._alarms.is_waiting(project_id):
            self._alarms.set(project_id)

    async def wake_all(self) -> None:
        """Every project that waits for the API goes on here when it is time, and so does from now on what was handed
        over and nobody took."""
        for project_id in await self._store.waiting_projects():
            self._alarms.set(project_id)
        self._waking = asyncio.create_task(hand_over.watch(self._store, self._bus, self._alarms.set), name="hand-overs")

    @property
    def is_at_work(self) -> bool:
        """Whether anything runs here, or will by itself."""
        return bool(self._running or self._being_taken_up or self._alarms.asleep)

    async def hand_over(self, pass_on: PassOn, hurry: asyncio.Event) -> Sequence[str]:
        """Let go, at safe points, of all that runs here or would go on here by itself, and `pass_on` each project as
        soon as that is done, for another process to take it up; which projects that are. Once `hurry` is set no safe
        point is waited for. Nothing begins here any more until `take_back`.

        Raises:
            StoreUnavailable: what became of them cannot be read.
            OrchestratorError: what `pass_on` raised, when all have been let go of.
        """
        self._handed_over = ()
        for lock in list(self._locks.values()):
            # What is being taken up just now is among the runs then.
            async with lock:
                pass
        running = dict(self._running)
        self._handed_over = sorted({*running, *self._alarms.asleep})
        async with hand_over.ordered([one.stop for one in running.values()], hurry):
            passing = (
                self._passed_on(project_id, running.get(project_id), pass_on) for project_id in self._handed_over
            )
            passed = await asyncio.gather(*passing, return_exceptions=True)
        for failure in passed:
            if isinstance(failure, BaseException):
                raise failure
        return [project_id for project_id, was in zip(self._handed_over, passed, strict=True) if was]

    async def _passed_on(self, project_id: str, running: _Running | None, pass_on: PassOn) -> bool:
        """Pass a project on once it is let go of; False when it came to rest by itself."""
        if running is not None:
            await running.ended()
        waits = await self._alarms.is_waiting(project_id)
        if waits:
            await pass_on(project_id)
        return waits

    async def take_back(self) -> None:
        """Go on here with what was handed over and nobody took, as soon as the database can be used."""
        handed_over, self._handed_over = self._handed_over or (), None
        for project_id in handed_over:
            try:
                await self._go_on_here(project_id)
            except StoreUnavailable:
                self._alarms.ring(project_id, self._go_on_here)
            except OrchestratorError as error:
                logger.warning("%s does not go on here yet: %s", project_id, error.line())
                self._alarms.set(project_id)

    async def _go_on_here(self, project_id: str) -> None:
        """As `start_if_waiting`, also with a project whose run here lost the database before it could let go of it."""
        state = await self._store.pipeline_state(project_id)
        if state.status is PipelineStatus.RUNNING and state.owner in (self.owner, None):
            await self._begin(project_id)
        else:
            await self.start_if_waiting(project_id)

    def _stop_order(self) -> StopOrder:
        return StopOrder(self._options.stop_seconds)

    def is_here(self, project_id: str) -> bool:
        """Whether a run of the project is at work in this process, or is being taken up: that may take a while."""
        lock = self._locks.get(project_id)
        return project_id in self._running or (lock is not None and lock.locked())

    @property
    def owner(self) -> str:
        """This process as an owner of projects."""
        return self._taking_up.owner

    @property
    def store(self) -> Store:
        """The store that the runs use, without the check of a lease."""
        return self._store

    def tracker_of(self, project_id: str) -> WorkTracker | None:
        """The tracker of a project that is at work here."""
        running = self._running.get(project_id)
        return running.tracker if running is not None else None

    def trackers(self) -> list[WorkTracker]:
        """The trackers of all projects that are at work here."""
        return [running.tracker for running in self._running.values() if running.tracker is not None]

    @asynccontextmanager
    async def holding(self, project: Project) -> AsyncIterator[Store]:
        """Keeps everybody from running the project meanwhile; the store given writes only as long as that holds.

        Raises:
            IllegalTransition: it is at work here.
            AlreadyOwned: another process runs it, or may do so.
        """
        async with self._locks[project.id]:
            if await self.is_running(await self._store.find_project(project.id)):
                raise IllegalTransition(f"{project.name} is running.", hint="Stop it first; it can be resumed after.")
            async with self._taking_up.holding(project) as store:
                yield store

    async def is_running(self, project: Project) -> bool:
        """Whether a run of ours is at work; one that has come to rest is waited for, so that another can follow."""
        running = self._running.get(project.id)
        if running is None:
            return False
        if project.status is PipelineStatus.RUNNING:
            return True
        await running.ended()
        return False

    async def _run(self, project: Project, turn: Turn | None) -> None:
        """Run the project until it rests. One that lost its database, or has no room left, is taken up again once
        it is back, in the same way as after a crash."""
        while turn is not None:
            try:
                await self._go(project, turn)
                self._alarms.set(project.id)
                return
            except asyncio.CancelledError:
                raise
            except LeaseLost as lost:
                logger.warning("%s: %s", project.slug, lost.message)
                turn.is_lost = True
                return
            except StoreUnavailable as error:
                await self._tell_trouble(project, error)
            except Exception as error:
                # The edge of a task: a run that nobody planned to break ends, and other projects go on.
                logger.exception("the run of %s broke", project.slug)
                await self._tell(turn, error)
                return
            finally:
                await finish(self._closed(turn))
            turn = await self._once_the_store_is_back(project, turn.run.stop)

    async def _go(self, project: Project, turn: Turn) -> None:
        options, running = self._options, self._running[project.id]
        running.tracker = turn.run.tracker
        try:
            with room.told_apart(options.folders.of(project)):
                await turn.run.go(turn.lease, lease_seconds=options.lease_seconds, stop_seconds=options.stop_seconds)
            async with self._taking_up.beating(turn.lease):
                await turn.run.sync.leave()
        finally:
            running.tracker = None

    async def _tell_trouble(self, project: Project, error: StoreUnavailable) -> None:
        """Tell what the project waits for; a full disk need not be that of the database, which can then keep it."""
        logger.warning("%s: %s", project.slug, error.message)
        self._bus.fail(error)
        await self._store_trouble(project, error)

    async def _store_trouble(self, project: Project, error: StoreUnavailable) -> None:
        if isinstance(error, RemoteUnavailable):
            tells = self._remotes.is_news(project.id, error)
        else:
            tells = isinstance(error, DiskFull)
        if tells:
            with suppress(StoreUnavailable):
                async with self._store.transaction() as unit:
                    told = events.ErrorOccurred(title=error.title, message=error.message, hint=error.hint)
                    unit.record(project.id, told)

    async def _closed(self, turn: Turn) -> None:
        """Give the lease back; the state file then says that nobody runs the project."""
        await turn.stack.aclose()
        if not turn.is_lost:
            with suppress(StoreUnavailable):
                await turn.run.pipeline.mirror()

    async def _once_the_store_is_back(self, project: Project, order: StopOrder) -> Turn | None:
        """The project's next turn; None when it is to stop, or somebody else has it by then."""
        wait = FIRST_LOOK_SECONDS
        while not order.wanted.is_set():
            try:
                if await self._alarms.is_early(project.id):
                    self._alarms.set(project.id)
                    return None
                return await self._taking_up.turn(project, order)
            except StoreUnavailable:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await order.wanted.wait()
                wait = min(2 * wait, LONGEST_LOOK_SECONDS)
            except OrchestratorError as error:
                logger.warning("%s cannot go on: %s", project.slug, error.line())
                return None
        return None

    async def _tell(self, turn: Turn, error: Exception) -> None:
        """Store that a run broke, unless it lost its project; when it cannot be stored, tell whoever listens."""
        try:
            await turn.run.broke(error)
        except LeaseLost:
            turn.is_lost = True
        except StoreUnavailable as unavailable:
            self._bus.fail(unavailable)

    async def stop(self, project: Project, reason: str, *, force: bool = False) -> None:
        """Stop a project, whether a run of ours has it, another process, or nobody; returns once it rests, or once the
        other process is asked to stop it.

        Raises:
            IllegalTransition: there is nothing to stop.
        """
        told = self._cluster is not None and await self._cluster.withdraw(self._store, project.id)
        while True:
            async with self._locks[project.id]:
                running = self._running.get(project.id)
                if running is None:
                    project = await self._store.find_project(project.id)
                    # One that was told may have come to rest by itself in that moment.
                    if not told or project.status in (PipelineStatus.PAUSED, PipelineStatus.RUNNING):
                        await self._stop_idle(project, reason)
                    return
            running.stop.give(reason, force=force)
            await running.ended()
            told = True

    async def _stop_idle(self, project: Project, reason: str) -> None:
        """Stop a project that no run of ours has: it only waits for a person, or another process has it, or had it."""
        if project.status is PipelineStatus.STOPPED:
            return
        if project.status not in (PipelineStatus.PAUSED, PipelineStatus.RUNNING, PipelineStatus.STOPPING):
            raise IllegalTransition(f"{project.name} is {project.status}.", hint="There is nothing to stop.")
        order = self._stop_order()
        order.give(reason)
        try:
            await self._taking_up.stop(project, order, reason)
        except AlreadyOwned as error:
            await self._stop_elsewhere(project, error.owner, reason)

    async def _stop_elsewhere(self, project: Project, owner: str, reason: str) -> None:
        """Ask the process that runs the project to stop it; its events tell how that goes."""
        async with self._store.transaction() as unit:
            if await unit.request_stop(project.id, owner):
                unit.record(project.id, events.StopRequested(owner=owner, reason=reason))
