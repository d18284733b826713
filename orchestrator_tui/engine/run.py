"""One run of a project in this process: from taking it up, through its pipeline, to leaving it in order."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator_tui.backends.base import ATTEMPTS, DECISION, HELD, LEFT_OUT, WorkTracker
from orchestrator_tui.config.secrets import mask
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import LeaseLost, OrchestratorError, StaleState, StoreUnavailable
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import Lease, Project, SessionLog, WorkItem
from orchestrator_tui.domain.statuses import (
    ASKED_BY_AGENTS,
    AT_WORK,
    AgentStatus,
    PauseReason,
    PhaseStatus,
    PipelineStatus,
    WorkItemStatus,
)
from orchestrator_tui.engine import machine, shutdown
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.handback import hand_back
from orchestrator_tui.engine.heartbeat import Signs, heartbeat
from orchestrator_tui.engine.instructions import release
from orchestrator_tui.engine.liaison import Liaison
from orchestrator_tui.engine.pipeline import Pipeline
from orchestrator_tui.engine.repository import verified_commit
from orchestrator_tui.engine.sessions import Sessions
from orchestrator_tui.engine.shutdown import StopOrder
from orchestrator_tui.engine.sync import Sync
from orchestrator_tui.engine.tenure import Tenure
from orchestrator_tui.phases.faces import artifact_markdown

USER_REQUEST = "user_request"
CRASH = "crash"
"""Why a project stopped whose process is gone."""
_STARTABLE = (
    PipelineStatus.NOT_STARTED,
    PipelineStatus.PAUSED,
    PipelineStatus.STOPPED,
    PipelineStatus.FAILED,
    PipelineStatus.COMPLETED,
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A project with its hands, until it rests or is to stop."""

    project: Project
    store: Store
    tracker: WorkTracker
    workspace: Checkout
    sync: Sync
    log: EventLog
    sessions: Sessions
    liaison: Liaison
    pipeline: Pipeline
    stop: StopOrder
    tenure: Tenure

    async def prepare(self, last_sign_of_life: datetime) -> bool:
        """Bring the project to `running`, whatever the last run left behind; False when there is nothing to do.

        A completed project is checked again: only when its program fails its own check, or a phase that was
        skipped is enabled now, is there work. `last_sign_of_life` is of the process that ran it before.
        """
        self.pipeline.require_confinement()
        project = await self.tracker.initialize(self.project.id, self.workspace.directory)
        state = await self.store.pipeline_state(self.project.id)
        await self.workspace.check(verified_commit(state.last_successful_step))
        await self._write_missing_documents()
        if project.status is PipelineStatus.COMPLETED:
            if not await self.pipeline.recheck():
                return True
            if await self.pipeline.has_wishes():
                await self.pipeline.reopen_for_wishes()
                return True
            if not await self.pipeline.has_enabled_skipped():
                # Somebody may have deleted or damaged the state file meanwhile.
                await self.pipeline.mirror()
                return False
        # A phase at work in a project that rests: whoever gave it up had no hands for it.
        if project.status in AT_WORK or any(phase.status is PhaseStatus.RUNNING for phase in state.phases.values()):
            await self._after_crash(project.status, last_sign_of_life)
        goes_on_by_itself = state.resumes_at is not None or project.status in AT_WORK
        if not goes_on_by_itself:
            await self._give_blocked_another_try()
        await self.pipeline.take_up_skipped()
        if project.status in _STARTABLE:
            await self._set_status(project.status, PipelineStatus.RUNNING, None)
        await self._retry_failed_phase()
        return True

    async def _write_missing_documents(self) -> None:
        """Agents are told to read the documents: whichever somebody deleted is written again as it is stored, and
        whichever may have become another one elsewhere."""
        newest = {artifact.file_path: artifact for artifact in await self.store.list_artifacts(self.project.id)}
        for path, artifact in newest.items():
            if path and (self.sync.is_outdated(artifact) or not (self.workspace.directory / path).exists()):
                text = artifact_markdown(self.project, artifact)
                await asyncio.to_thread(self.workspace.write_note, Path(path).name, text)

    async def go(self, lease: Lease, *, lease_seconds: float, stop_seconds: float) -> None:
        """Run the pipeline until it rests or is to stop; when cancelled, it is stopped without waiting for anything.

        One that comes to rest by itself in the moment it is to stop stays as it rests: what waits for a person still
        waits when the program is started again.

        Raises:
            LeaseLost: another process has taken the project over; nothing more was written.
            StoreUnavailable: events cannot be stored.
        """
        signs, bell = Signs(), self.liaison.bell
        work = self._begin()
        try:
            async with (
                heartbeat(self.store, lease, lease_seconds=lease_seconds, signs=signs, bell=bell, tenure=self.tenure),
                self.liaison.at_work(self.project.id, self.sessions.at_work),
            ):
                await self._watch(work, signs)
                while not (work.done() or self.stop.wanted.is_set() or signs.stop.is_set()):
                    # An agent waits for a person.
                    if await self._rest(work, stop_seconds):
                        return
                    work = self._begin()
                    await self._watch(work, signs)
                if not work.done():
                    self.stop.give(USER_REQUEST)
                    await self._stop_in_time(work, stop_seconds)
                    return
        except asyncio.CancelledError as cancelled:
            self.stop.give(str(cancelled.args[0]) if cancelled.args else USER_REQUEST, force=True)
            await finish(self._ended(work))
            await finish(self.stopped(USER_REQUEST if self.stop.hands_over else self.stop.reason))
            raise
        finally:
            await finish(self._ended(work))

    def _begin(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self.pipeline.run(), name=f"phases-{self.project.slug}")

    async def _rest(self, work: "asyncio.Task[None]", seconds: float) -> bool:
        """Pause at a safe point, as an agent waits for a person; False when the answer came meanwhile and the pipeline
        is to go on. Everything stands then as it does for a resume: agents go on with their conversations."""
        rest = self.liaison.rest
        await self._leave_off(work, f"a person is asked: {rest.reason.value}", seconds)
        async with self.store.transaction() as unit:
            state = await unit.pipeline(self.project.id)
            asked = {request.kind for request in await unit.open_requests(self.project.id)}
            rests = state.status is not PipelineStatus.RUNNING or bool(asked & ASKED_BY_AGENTS)
            if state.status is PipelineStatus.RUNNING and rests:
                await self._change_status(unit, state.status, PipelineStatus.PAUSED, rest.reason.value)
        await self.pipeline.mirror()
        rest.clear()
        self.sessions.reopen()
        return rests

    async def _leave_off(self, work: "asyncio.Task[None]", why: str, seconds: float) -> None:
        """End the work at a safe point; what was under way is back in the queue then."""
        await shutdown.at_safe_point(self.sessions.settle, self.stop, seconds=seconds)
        await self._let_go(work)
        await self.log.flush()
        await self._hand_back(why)
        await self.pipeline.interrupted(why)
        await self.log.flush()

    async def _hand_over(self, work: "asyncio.Task[None]", seconds: float) -> None:
        """Let go at a safe point. The project waits for another process then; if none comes, it goes on by itself."""
        await self._leave_off(work, words.HANDED_OVER, seconds)
        async with self.store.transaction() as unit:
            state = await unit.pipeline(self.project.id)
            # Who asked for a stop meanwhile asked this process.
            stops = state.status is PipelineStatus.RUNNING and state.shutdown_requested
            if state.status is PipelineStatus.RUNNING and not stops:
                soon = now() + timedelta(seconds=shutdown.HAND_OVER_SECONDS)
                await self._change_status(unit, state.status, PipelineStatus.PAUSED, self.stop.reason, resumes_at=soon)
        if stops:
            await self.stopped(USER_REQUEST)
        await self.pipeline.mirror()

    async def _watch(self, work: "asyncio.Task[None]", signs: Signs) -> None:
        """Returns once the work is done or is to stop.

        Raises:
            LeaseLost, StoreUnavailable: the work was ended first.
        """
        tasks = {
            name: asyncio.create_task(event.wait(), name=f"{name}-{self.project.slug}")
            for name, event in (
                ("lost", signs.lost),
                ("stop", self.stop.wanted),
                ("stop-elsewhere", signs.stop),
                ("trouble", self.log.trouble),
                ("rest", self.liaison.rest.wanted),
            )
        }
        try:
            await asyncio.wait({work, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
            # It may be over by the time that this is looked at, and some of the work has failed for it all the same.
            is_troubled = tasks["trouble"].done()
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        if signs.lost.is_set():
            # Before anything else: the project has another process, which must not find agents of ours at work.
            work.cancel()
            await self.sessions.kill()
            await self._ended(work)
            raise LeaseLost
        if is_troubled:
            await self._ended(work)
            await self.log.flush()
            # Whoever else waited for the log may have been told, so that it no longer says it.
            raise StoreUnavailable("Events could not be stored for a moment.")
        if work.done():
            await work

    async def _ended(self, work: "asyncio.Task[None]") -> None:
        """End the work, agents and all; what it raises is not told any more."""
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    async def _let_go(self, work: "asyncio.Task[None]") -> None:
        """End the work; in a hurry its agents are not asked to leave."""
        if self.stop.forced.is_set():
            # Cancelled first: that its agents are killed is no failure of theirs.
            work.cancel()
            await self.sessions.kill()
        await self._ended(work)

    async def _stop_in_time(self, work: "asyncio.Task[None]", seconds: float) -> None:
        try:
            await (self._hand_over if self.stop.hands_over else self._stop)(work, seconds)
        except StoreUnavailable as error:
            if not self.stop.giving_up.is_set():
                raise
            hint = "What was stored before is enough to resume from."
            raise StoreUnavailable("The state could not be saved in time.", hint=hint) from error

    async def _stop(self, work: "asyncio.Task[None]", seconds: float) -> None:
        """The graceful stop: the five steps of `engine/shutdown.py`."""
        reason = self.stop.reason
        async with self.store.transaction() as unit:
            state = await unit.pipeline(self.project.id)
            if state.status is PipelineStatus.RUNNING:
                await self._change_status(unit, state.status, PipelineStatus.STOPPING, reason)
            rests = state.status not in (PipelineStatus.RUNNING, PipelineStatus.STOPPING)
            if not rests:
                unit.record(self.project.id, shutdown.signaled())
        if rests:
            await work
            return
        await self.pipeline.mirror()
        self.log.add(self.project.id, shutdown.waiting(len(self.sessions.snapshots()), seconds))
        safe = await shutdown.at_safe_point(self.sessions.settle, self.stop, seconds=seconds)
        await self._capture(safe=safe)
        await self._let_go(work)
        await self.stopped(reason, told=True)

    async def _capture(self, *, safe: bool) -> None:
        snapshots = self.sessions.snapshots()
        items = await self._items_in_progress()
        await self.log.flush()
        async with self.store.transaction() as unit:
            await unit.save_pipeline(
                self.project.id,
                agent_snapshots=snapshots,
                interrupted_work_items=tuple(item.id for item in items),
            )
            unit.record(self.project.id, shutdown.captured(snapshots, safe=safe))
        await self.pipeline.mirror()

    async def stopped(self, reason: str, *, told: bool = False) -> None:
        """The ordered end of a run that was interrupted: `stopping`, phase back in the queue, `stopped`.

        `told` says that the steps of a graceful stop are being told.
        """
        await self.log.flush()
        # Also the check that the project is still ours, before anything in its folder is touched.
        async with self.store.transaction() as unit:
            state = await unit.pipeline(self.project.id)
            if state.status in (PipelineStatus.RUNNING, PipelineStatus.PAUSED):
                await self._change_status(unit, state.status, PipelineStatus.STOPPING, reason)
        items = await self._hand_back(f"stopped: {reason}")
        if told:
            self.log.add(self.project.id, shutdown.handed_back(items))
        await self.pipeline.interrupted()
        await self.log.flush()
        async with self.store.transaction() as unit:
            if (await unit.pipeline(self.project.id)).status is PipelineStatus.STOPPING:
                if told:
                    unit.record(self.project.id, shutdown.saved())
                await self._change_status(unit, PipelineStatus.STOPPING, PipelineStatus.STOPPED, reason)
        await self.pipeline.mirror()

    async def broke(self, error: Exception) -> None:
        """Something nobody planned for: the pipeline has failed, and says so."""
        text = error.message if isinstance(error, OrchestratorError) else mask(f"{type(error).__name__}: {error}")
        project = await self.store.find_project(self.project.id)
        if project.status is not PipelineStatus.RUNNING:
            return
        await self._hand_back("the run broke")
        await self.pipeline.interrupted()
        async with self.store.transaction() as unit:
            await unit.set_pipeline_status(
                self.project.id, PipelineStatus.RUNNING, PipelineStatus.FAILED, shutdown_reason=PauseReason.ERROR.value
            )
            unit.record(
                self.project.id,
                events.ErrorOccurred(
                    title="The run broke",
                    message=text,
                    hint="The log file has the details. Resume to go on from the last stored step.",
                ),
                events.PipelineStatusChanged(old=PipelineStatus.RUNNING, new=PipelineStatus.FAILED, reason=text),
            )
        await self.pipeline.mirror()

    async def _after_crash(self, status: PipelineStatus, ended_at: datetime) -> None:
        """The end that the process before could not tell, told for it: whoever follows sees the run end and begin."""
        if status is PipelineStatus.RUNNING:
            await self._set_status(status, PipelineStatus.STOPPING, CRASH, told_later=True)
        await self.close_sessions(ended_at)
        why = "the process ended without warning"
        await self._hand_back(f"{why}, on another machine" if self.sync.is_elsewheres else why)
        await self.pipeline.interrupted("the process ended without warning", at=ended_at)
        if status not in AT_WORK:
            return
        # In one step: nobody finds it stopped who waits for it to come to rest.
        async with self.store.transaction() as unit:
            await self._change_status(unit, PipelineStatus.STOPPING, PipelineStatus.STOPPED, CRASH, told_later=True)
            await self._change_status(unit, PipelineStatus.STOPPED, PipelineStatus.RUNNING, None)
        await self.pipeline.mirror()

    async def close_sessions(self, at: datetime) -> None:
        """Sessions that ended with the process that ran them."""
        after = 0
        while page := await self.store.list_sessions(self.project.id, after=after):
            after = page[-1].session_number
            for session in page:
                if session.status is AgentStatus.RUNNING:
                    await self._close(session, max(at, session.started_at))

    async def _close(self, session: SessionLog, at: datetime) -> None:
        error = "its process ended without warning"
        async with self.store.transaction() as unit:
            await unit.end_session(replace(session, ended_at=at, status=AgentStatus.INTERRUPTED, error=error))
            await release(unit, self.project.id, session.id)
            unit.record(
                self.project.id,
                events.AgentFinished(
                    agent_id=session.id,
                    status=AgentStatus.INTERRUPTED,
                    summary=session.summary,
                    error=error,
                    usage=session.usage,
                    seconds=round((at - session.started_at).total_seconds(), 3),
                ),
            )

    async def _items_in_progress(self) -> Sequence[WorkItem]:
        return await self.tracker.list_work_items(self.project.id, status=WorkItemStatus.IN_PROGRESS)

    async def _hand_back(self, why: str) -> tuple[WorkItem, ...]:
        items = tuple(await self._items_in_progress())
        for item in items:
            await hand_back(self.tracker, self.workspace, item, why)
        return items

    async def _give_blocked_another_try(self) -> None:
        for item in await self.tracker.list_work_items(self.project.id, status=WorkItemStatus.BLOCKED, limit=5000):
            # What a person has decided about, or is asked about, is not up to us.
            if any(item.metadata.get(name) for name in (HELD, LEFT_OUT, DECISION)):
                continue
            # A person may have set it to something else in this moment: that stands.
            with suppress(StaleState):
                await self._back_to_todo(item, {ATTEMPTS: []}, "resumed")

    async def _back_to_todo(self, item: WorkItem, metadata: dict[str, object], reason: str) -> None:
        await self.tracker.update_work_item(
            item.id,
            {"status": WorkItemStatus.TODO, "metadata": metadata},
            expected=item.status,
            reason=reason,
        )

    async def _retry_failed_phase(self) -> None:
        state = await self.store.pipeline_state(self.project.id)
        for phase in state.phases.values():
            if phase.status is PhaseStatus.FAILED:
                await self.pipeline.put_back(phase, reason="resumed")

    async def _set_status(
        self, old: PipelineStatus, new: PipelineStatus, reason: str | None, *, told_later: bool = False
    ) -> None:
        async with self.store.transaction() as unit:
            await self._change_status(unit, old, new, reason, told_later=told_later)
        await self.pipeline.mirror()

    async def _change_status(
        self,
        unit: UnitOfWork,
        old: PipelineStatus,
        new: PipelineStatus,
        reason: str | None,
        *,
        told_later: bool = False,
        resumes_at: datetime | None = None,
    ) -> None:
        machine.check(old, new, what=f"Project {self.project.name}")
        await unit.set_pipeline_status(
            self.project.id, old, new, shutdown_reason=reason, told_later=told_later, resumes_at=resumes_at
        )
        unit.record(
            self.project.id, events.PipelineStatusChanged(old=old, new=new, reason=reason, resumes_at=resumes_at)
        )
