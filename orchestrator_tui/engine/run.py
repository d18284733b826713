"""One run of a project in this process: from taking it up, through its pipeline, to leaving it in order."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import PipelineState, Project, SessionLog, WorkItem
from orchestrator_tui.domain.statuses import AgentStatus, PauseReason, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine import machine
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.heartbeat import heartbeat
from orchestrator_tui.engine.pipeline import Pipeline
from orchestrator_tui.engine.workspace import Workspace, verified_commit

ENGINE = "engine"
_STARTABLE = (
    PipelineStatus.NOT_STARTED,
    PipelineStatus.PAUSED,
    PipelineStatus.STOPPED,
    PipelineStatus.FAILED,
    PipelineStatus.COMPLETED,
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A project with its hands."""

    project: Project
    store: Store
    tracker: WorkTracker
    workspace: Workspace
    log: EventLog
    pipeline: Pipeline

    async def prepare(self, last_sign_of_life: datetime) -> bool:
        """Bring the project to `running`, whatever the last run left behind; False when there is nothing to do.

        A completed project is checked again: only when its program fails its own check, or a phase that was
        skipped is enabled now, is there work. `last_sign_of_life` is of the process that ran it before.
        """
        project = await self.tracker.initialize(self.project.id, self.workspace.directory)
        state = await self.store.pipeline_state(self.project.id)
        await self.workspace.check(verified_commit(state.last_successful_step))
        if project.status is PipelineStatus.COMPLETED:
            if not await self.pipeline.recheck():
                return True
            if not await self.pipeline.has_enabled_skipped():
                return False
        if project.status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING):
            await self._after_crash(project.status, last_sign_of_life)
        await self._give_blocked_another_try()
        await self.pipeline.take_up_skipped()
        if project.status in _STARTABLE:
            await self._set_status(project.status, PipelineStatus.RUNNING, None)
        await self._retry_failed_phase()
        return True

    async def go(self, *, owner: str, epoch: int, every_seconds: float) -> None:
        """Run the pipeline until it rests; on cancellation leave everything so that a resume goes on."""
        lost = asyncio.Event()
        try:
            async with heartbeat(self.store, self.project.id, owner, epoch, every_seconds=every_seconds, lost=lost):
                await self._until_lost(lost)
        except asyncio.CancelledError as cancelled:
            if not lost.is_set():
                await finish(self.stopped(str(cancelled.args[0]) if cancelled.args else "user_request"))
            raise

    async def stopped(self, reason: str) -> None:
        """The ordered end of a run that was interrupted: `stopping`, phase back in the queue, `stopped`."""
        await self.log.flush()
        project = await self.store.find_project(self.project.id)
        if project.status in (PipelineStatus.RUNNING, PipelineStatus.PAUSED):
            await self._set_status(project.status, PipelineStatus.STOPPING, reason)
        await self._requeue_items(f"stopped: {reason}")
        await self.pipeline.interrupted()
        project = await self.store.find_project(self.project.id)
        if project.status is PipelineStatus.STOPPING:
            await self._set_status(PipelineStatus.STOPPING, PipelineStatus.STOPPED, reason)

    async def broke(self, error: Exception) -> None:
        """Something nobody planned for: the pipeline has failed, and says so."""
        text = error.message if isinstance(error, OrchestratorError) else f"{type(error).__name__}: {error}"
        project = await self.store.find_project(self.project.id)
        if project.status is not PipelineStatus.RUNNING:
            return
        await self._requeue_items("the run broke")
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

    async def _until_lost(self, lost: asyncio.Event) -> None:
        """Run the pipeline; end it at once when another process has taken the project over or nothing can be stored.

        Raises:
            StoreUnavailable: events cannot be stored.
        """
        work = asyncio.create_task(self.pipeline.run(), name=f"phases-{self.project.slug}")
        lease = asyncio.create_task(lost.wait(), name=f"lease-{self.project.slug}")
        trouble = asyncio.create_task(self.log.trouble.wait(), name=f"store-{self.project.slug}")
        tasks = (work, lease, trouble)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.log.trouble.is_set():
            await self.log.flush()

    async def _after_crash(self, status: PipelineStatus, ended_at: datetime) -> None:
        state = await self.store.pipeline_state(self.project.id)
        await self._close_sessions(ended_at)
        await self._requeue_items("the process ended without warning")
        for phase in state.phases.values():
            if phase.status is PhaseStatus.RUNNING:
                await self.pipeline.put_back(phase, reason="the process ended without warning", at=ended_at)
        if status is PipelineStatus.STOPPING:
            await self._set_status(status, PipelineStatus.STOPPED, "crash")
            await self._set_status(PipelineStatus.STOPPED, PipelineStatus.RUNNING, None)

    async def _close_sessions(self, at: datetime) -> None:
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

    async def _requeue_items(self, why: str) -> None:
        """Items that were being worked on go back to `todo`; their half-made changes are kept as a patch."""
        for item in await self.tracker.list_work_items(self.project.id, status=WorkItemStatus.IN_PROGRESS):
            patch = await self.workspace.set_aside(item.key, now())
            kept = f"; its unfinished work is kept in {patch.name}" if patch else ""
            await self.tracker.add_comment(
                item.id, f"Interrupted ({why}){kept}. It will be taken up again.", author=ENGINE
            )
            await self._back_to_todo(item, {"interrupted": True}, "interrupted")

    async def _give_blocked_another_try(self) -> None:
        for item in await self.tracker.list_work_items(self.project.id, status=WorkItemStatus.BLOCKED, limit=5000):
            await self._back_to_todo(item, {"failed_tries": 0}, "resumed")

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

    async def _set_status(self, old: PipelineStatus, new: PipelineStatus, reason: str | None) -> None:
        machine.check(old, new, what=f"Project {self.project.name}")
        async with self.store.transaction() as unit:
            await unit.set_pipeline_status(self.project.id, old, new, shutdown_reason=reason)
            unit.record(self.project.id, events.PipelineStatusChanged(old=old, new=new, reason=reason))
        await self.pipeline.mirror()


def last_sign_of_life(state: PipelineState) -> datetime:
    """When the process that ran the project last stored something or renewed its heartbeat."""
    return max(moment for moment in (state.heartbeat, state.last_checkpoint) if moment is not None)
