"""Writes to projects and their pipeline state: creation, transitions, the lease."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, insert, literal, select, text, update

from orchestrator_tui.database import rows
from orchestrator_tui.database.models import missing_folders, pipeline_states, projects, tracker_syncs, workers
from orchestrator_tui.database.queries import pipeline_query
from orchestrator_tui.database.writes import Writes
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.errors import AlreadyOwned, LeaseLost, StaleState
from orchestrator_tui.domain.records import Lease, PhaseState, PipelineState, Project, SyncState
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, PipelineStatus
from orchestrator_tui.domain.troubles import Attempt

# Any number will do; it only has to be the same in every process.
_NUMBERING_LOCK = 7_203_411_909
_SAVABLE = frozenset({"agent_snapshots", "interrupted_work_items", "last_successful_step"})
_TAKEN_UP = frozenset({PipelineStatus.RUNNING, PipelineStatus.STOPPING})
_ENDED = frozenset({PhaseStatus.COMPLETED, PhaseStatus.SKIPPED, PhaseStatus.FAILED})


class PipelineWrites(Writes):
    """The part of a unit of work that concerns projects. Always locks the pipeline's row before other rows."""

    async def create_project(
        self,
        *,
        project_id: str,
        name: str,
        slug: str,
        description: str,
        directory: str,
        rehearsal: bool,
        config: Mapping[str, Any],
        created_by: str = "",
    ) -> Project:
        if not self._one_writer:
            await self._runner.run(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _NUMBERING_LOCK})
        moment = now()
        number = select(func.coalesce(func.max(projects.c.number), 0) + 1).scalar_subquery()
        created = await self._runner.run(
            insert(projects)
            .values(
                id=project_id,
                number=number,
                name=name,
                slug=slug,
                description=description,
                status=PipelineStatus.NOT_STARTED.value,
                directory=directory,
                rehearsal=rehearsal,
                config=to_plain(config),
                created_by=created_by,
                created_at=moment,
                updated_at=moment,
            )
            .returning(projects)
        )
        project = rows.project(created.one())
        await self._create_state(project_id, moment)
        return project

    async def _create_state(self, project_id: str, moment: datetime) -> None:
        phases = {phase: PhaseState(phase=phase) for phase in PHASE_ORDER}
        await self._runner.run(
            insert(pipeline_states).values(
                id=new_id(),
                project_id=project_id,
                phases=to_plain(phases),
                last_checkpoint=moment,
                agent_snapshots=[],
                interrupted_work_items=[],
                last_successful_step="",
                epoch=0,
                created_at=moment,
                updated_at=moment,
            )
        )

    async def pipeline(self, project_id: str) -> PipelineState:
        # NO KEY UPDATE, because events refer to the project's row and may be inserted meanwhile.
        found = await self._runner.run(pipeline_query(project_id).with_for_update(key_share=True))
        row = found.one_or_none()
        if row is None:
            raise KeyError(project_id)
        return rows.pipeline_state(row)

    async def set_pipeline_status(
        self,
        project_id: str,
        expected: PipelineStatus,
        new: PipelineStatus,
        *,
        shutdown_reason: str | None = None,
        told_later: bool = False,
        resumes_at: datetime | None = None,
        waits: int | None = None,
    ) -> None:
        state = await self.pipeline(project_id)
        if state.status is not expected:
            raise StaleState(f"The pipeline is {state.status}, not {expected}.")
        cleared = {"current_phase": None} if new is PipelineStatus.COMPLETED else {}
        await self._set_project(project_id, status=new.value, **cleared)
        wanted = new is PipelineStatus.STOPPING
        if told_later or new is PipelineStatus.RUNNING:
            wanted = state.shutdown_requested
        taken_up = {"queued_at": None} if new in _TAKEN_UP else {}
        await self._checkpoint(
            project_id,
            **taken_up,
            shutdown_requested=wanted,
            shutdown_reason=shutdown_reason,
            resumes_at=resumes_at,
            waits=state.waits if waits is None else waits,
        )

    async def set_phase_status(
        self,
        project_id: str,
        phase: PhaseName,
        expected: PhaseStatus,
        new: PhaseStatus,
        *,
        round: int | None = None,
        error: str | None = None,
        feedback: str | None = None,
        at: datetime | None = None,
    ) -> float:
        state = await self.pipeline(project_id)
        old = state.phases[phase]
        if old.status is not expected:
            raise StaleState(f"The phase {phase} is {old.status}, not {expected}.")
        changed = _clocked(_moved(old, new, feedback), at or now())
        changed = replace(changed, error=error, round=changed.round if round is None else round)
        asked_again = old.status is PhaseStatus.FAILED or changed.round != old.round
        if asked_again:
            changed = replace(changed, asked_at=at or now())
        if asked_again or new in _ENDED:
            changed = replace(changed, attempts=())
        await self._checkpoint(project_id, phases=to_plain({**state.phases, phase: changed}))
        if new is PhaseStatus.RUNNING:
            await self._set_project(project_id, current_phase=phase.value)
        return changed.seconds

    async def change_settings(self, project_id: str, changed: Mapping[str, Any]) -> tuple[Project, Project]:
        # The lock on the pipeline's row keeps others from the settings too.
        await self.pipeline(project_id)
        found = await self._runner.run(select(projects).where(projects.c.id == project_id))
        before = rows.project(found.one())
        config = _merged(before.config, {"settings": to_plain(changed)})
        await self._set_project(project_id, config=config)
        return before, replace(before, config=config)

    async def save_attempts(self, project_id: str, task: str, attempts: Sequence[Attempt]) -> None:
        state = await self.pipeline(project_id)
        if state.current_phase is None:
            return
        phase = state.phases[state.current_phase]
        kept = tuple(one for one in phase.attempts if one.task != task)
        changed = replace(phase, attempts=(*kept, *attempts))
        await self._checkpoint(project_id, phases=to_plain({**state.phases, phase.phase: changed}))

    async def save_pipeline(self, project_id: str, **fields: Any) -> None:
        unknown = fields.keys() - _SAVABLE
        if unknown:
            raise TypeError(f"{', '.join(sorted(unknown))}: not a field that can be saved")
        await self._checkpoint(project_id, **{name: to_plain(value) for name, value in fields.items()})

    async def take_lease(
        self,
        project_id: str,
        owner: str,
        *,
        lease_seconds: float | None = None,
        over: PipelineState | None = None,
        keeps_stop: bool = False,
    ) -> Lease:
        state = await self.pipeline(project_id)
        gone = over is not None and (over.epoch, over.heartbeat) == (state.epoch, state.heartbeat)
        if state.owner not in (None, owner) and not gone:
            raise AlreadyOwned(state.owner or "")
        await self._forget_missing_folders(project_id)
        moment, epoch = now(), state.epoch + 1
        await self._set_state(
            project_id,
            owner=owner,
            epoch=epoch,
            heartbeat=moment,
            lease_seconds=lease_seconds,
            lapsed=False,
            shutdown_requested=keeps_stop and state.stop_is_due,
            updated_at=moment,
        )
        return Lease(project_id=project_id, owner=owner, epoch=epoch)

    async def release_lease(self, lease: Lease) -> None:
        state = await self.pipeline(lease.project_id)
        if (state.owner, state.epoch) == (lease.owner, lease.epoch):
            moment = now()
            await self._set_state(lease.project_id, owner=None, lapsed=False, heartbeat=moment, updated_at=moment)

    async def hold_lease(self, lease: Lease) -> None:
        held = select(pipeline_states.c.epoch, pipeline_states.c.owner).where(
            pipeline_states.c.project_id == lease.project_id
        )
        row = (await self._runner.run(held.with_for_update(key_share=True))).one_or_none()
        if row is None or (row.owner, row.epoch) != (lease.owner, lease.epoch):
            raise LeaseLost(lost_to(row.owner if row else None))

    async def set_tracker(self, project_id: str, kind: str, *, leaving: str | None = None) -> None:
        # The row of its state is what keeps two writers of a project apart.
        await self.pipeline(project_id)
        found = await self._runner.run(select(projects.c.config).where(projects.c.id == project_id))
        config = {**found.scalar_one(), "backend": kind, "leaving": leaving}
        await self._set_project(project_id, config=config)

    async def save_sync(self, project_id: str, state: SyncState) -> None:
        values = {name: getattr(state, name) for name in ("kind", "link", "pending", "last_error", "last_synced")}
        same = tracker_syncs.c.project_id == project_id
        if (await self._runner.run(update(tracker_syncs).where(same).values(values))).rowcount == 0:
            await self._runner.run(insert(tracker_syncs).values(project_id=project_id, **values))

    async def queue_project(self, project_id: str) -> bool:
        if (await self.pipeline(project_id)).queued_at is not None:
            return False
        await self._set_state(project_id, queued_at=now(), updated_at=now())
        return True

    async def unqueue_project(self, project_id: str, *, since: datetime | None = None) -> bool:
        queued_at = (await self.pipeline(project_id)).queued_at
        if queued_at is None or (since is not None and queued_at != since):
            return False
        await self._set_state(project_id, queued_at=None, updated_at=now())
        await self._forget_missing_folders(project_id)
        return True

    async def miss_folder(self, project_id: str, worker_id: str) -> bool:
        known = missing_folders.c.project_id == project_id, missing_folders.c.worker_id == worker_id
        missing = select(literal(project_id, projects.c.id.type), workers.c.id).where(
            workers.c.id == worker_id, exists().where(projects.c.id == project_id), ~exists().where(*known)
        )
        added = insert(missing_folders).from_select(["project_id", "worker_id"], missing)
        return (await self._runner.run(added)).rowcount == 1

    async def _forget_missing_folders(self, project_id: str) -> None:
        """Nobody waits any more for a worker that has the project's folder."""
        await self._runner.run(delete(missing_folders).where(missing_folders.c.project_id == project_id))

    async def request_stop(self, project_id: str, owner: str) -> bool:
        state = await self.pipeline(project_id)
        if state.owner != owner:
            return False
        await self._set_state(project_id, shutdown_requested=True, updated_at=now())
        return True

    async def set_config(self, project_id: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        await self.pipeline(project_id)
        (row,) = await self._runner.run(select(projects.c.config).where(projects.c.id == project_id))
        await self._set_project(project_id, config=to_plain(change(row.config)))

    async def move_project(self, project_id: str, old: str, new: str) -> None:
        moved = await self._runner.run(
            update(projects)
            .where(projects.c.id == project_id, projects.c.directory == old)
            .values(directory=new, updated_at=now())
        )
        if moved.rowcount == 0:
            raise StaleState(f"The project does not lie in {old} any more.")

    async def _set_project(self, project_id: str, **values: Any) -> None:
        await self._runner.run(update(projects).where(projects.c.id == project_id).values(**values, updated_at=now()))

    async def _checkpoint(self, project_id: str, **values: Any) -> None:
        moment = now()
        await self._set_state(project_id, **values, last_checkpoint=moment, updated_at=moment)

    async def _set_state(self, project_id: str, **values: Any) -> None:
        changed = await self._runner.run(
            update(pipeline_states).where(pipeline_states.c.project_id == project_id).values(values)
        )
        if changed.rowcount == 0:
            raise KeyError(project_id)


def lost_to(owner: str | None) -> str:
    """What a process is told that does not run the project any more."""
    who = f"{owner.partition(' since ')[0]} runs it now" if owner else "it was given back"
    return f"The project was taken from this process: {who}."


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested data with the values of `above` where both have one."""
    merged = dict(below)
    for name, value in above.items():
        other = merged.get(name)
        is_table = isinstance(value, Mapping)
        merged[name] = _merged(other if isinstance(other, Mapping) else {}, value) if is_table else value
    return merged


def _moved(phase: PhaseState, new: PhaseStatus, feedback: str | None) -> PhaseState:
    """The phase in its new status, its clock not touched yet."""
    left = phase.status is PhaseStatus.RUNNING and new not in (PhaseStatus.RUNNING, PhaseStatus.PENDING)
    kept = None if left else phase.feedback
    begins = phase.status is PhaseStatus.PENDING and new is PhaseStatus.RUNNING
    return replace(
        phase,
        status=new,
        feedback=kept if feedback is None else feedback,
        round=max(1, phase.round) if begins else phase.round,
    )


def _clocked(phase: PhaseState, moment: datetime) -> PhaseState:
    """The phase with the time up to `moment` counted, and the clock running only if the phase is."""
    running = phase.status is PhaseStatus.RUNNING
    lasted = (moment - phase.running_since).total_seconds() if phase.running_since else 0.0
    return replace(
        phase,
        seconds=phase.seconds + max(0.0, lasted),
        running_since=moment if running else None,
        started_at=phase.started_at or (moment if running else None),
        ended_at=moment if phase.status in _ENDED else None,
    )
