"""Runs one project's phases in order until it is finished, waits for a person, or fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator_tui.backends.base import ASKED_FOR, WorkTracker
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.clock import Clock, now
from orchestrator_tui.domain.errors import (
    DecisionAwaited,
    LeaseLost,
    LimitReached,
    MustWait,
    OrchestratorError,
    StoreUnavailable,
)
from orchestrator_tui.domain.records import (
    Artifact,
    PhaseResult,
    PhaseState,
    PipelineState,
    Project,
    is_complete,
)
from orchestrator_tui.domain.statuses import (
    PHASE_ORDER,
    Autonomy,
    PauseReason,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    WorkItemStatus,
)
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.domain.words import plural
from orchestrator_tui.engine import machine, questions
from orchestrator_tui.engine.answers import LEFT_OUT
from orchestrator_tui.engine.confinement import Confined, Confinement
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.mirror import Mirror
from orchestrator_tui.engine.recovery import Pauses
from orchestrator_tui.engine.sessions import Sessions
from orchestrator_tui.engine.workspace import Workspace
from orchestrator_tui.phases.artifacts import new_artifact, stored_event
from orchestrator_tui.phases.base import Phase, PhaseInput

STARTS_AT_A_COMMIT = frozenset({PhaseName.INITIALIZE, PhaseName.TESTING, PhaseName.DEPLOY})
"""Phases whose agents change files that are committed when they are done."""
WISHES = "a person added to the work items"
BODY_LIMIT = 100_000
LIMITS = frozenset({Trouble.RATE_LIMIT, Trouble.USAGE_LIMIT})


@dataclass(frozen=True, kw_only=True)
class PipelineParts:
    """What a pipeline is made of for one project."""

    store: Store
    tracker: WorkTracker
    log: EventLog
    mirror: Mirror
    workspace: Workspace
    sessions: Sessions
    settings: SettingsModel
    phases: Mapping[PhaseName, Phase]
    confinement: Confinement
    pauses: Pauses
    clock: Clock


class Pipeline:
    """One project from where it stands to where it can go."""

    def __init__(self, project: Project, parts: PipelineParts) -> None:
        self._project = project
        self._parts = parts
        self._store = parts.store

    async def run(self) -> None:
        """Run phases until the pipeline is completed, paused, failed or about to stop; its status says which.

        A failure of a phase does not raise: it is stored, and shown as an event.
        """
        if not await self._is_confined():
            return
        while True:
            state = await self._store.pipeline_state(self._project.id)
            if state.status is PipelineStatus.STOPPING:
                return
            phase = machine.next_phase(state)
            if await self._reopened_for_person(state):
                continue
            if phase is None:
                assert is_complete(state)
                async with self._store.transaction() as unit:
                    if (await unit.pipeline(self._project.id)).status is not PipelineStatus.STOPPING:
                        await self._change_status(unit, state.status, PipelineStatus.COMPLETED, None)
                await self.mirror()
                return
            if phase.status is PhaseStatus.AWAITING_APPROVAL:
                if await self._waits_for_person(phase):
                    async with self._store.transaction() as unit:
                        await self._rest(unit, PipelineStatus.PAUSED, PauseReason.APPROVAL)
                    await self.mirror()
                    return
                await self._accept(phase)
                continue
            if not self._parts.settings.phases.of(phase.phase).enabled:
                await self._move_phase(phase, PhaseStatus.SKIPPED, reason="disabled in the settings")
                continue
            if not await self._run_phase(phase):
                return

    async def _is_confined(self) -> bool:
        """Tell whether there is a sandbox; False when a person has to allow first that there is none."""
        confinement = self._parts.confinement
        asks = confinement.how is Confined.ASKS
        async with self._store.transaction() as unit:
            active = confinement.how is Confined.SANDBOX
            unit.record(self._project.id, events.SandboxChecked(active=active, why=confinement.why))
            if asks:
                await questions.open_request(unit, confinement.question(self._project))
                await self._rest(unit, PipelineStatus.PAUSED, PauseReason.PERMISSION)
        if asks:
            await self.mirror()
        return not asks

    def require_confinement(self) -> None:
        """
        Raises:
            SandboxMissing: it must not run without a sandbox, and nobody is asked.
        """
        self._parts.confinement.require()

    async def interrupted(self, reason: str = "interrupted", *, at: datetime | None = None) -> None:
        """Put the running phase back in the queue, so that a resume takes it up again. `at` is when its run ended.

        What its agent had not finished goes into a patch: left in the files, it would look like a person's changes.
        """
        state = await self._store.pipeline_state(self._project.id)
        for phase in state.phases.values():
            if phase.status is not PhaseStatus.RUNNING:
                continue
            await self.put_back(phase, reason=await self._set_aside(phase, reason), at=at)

    async def _set_aside(self, phase: PhaseState, reason: str) -> str:
        """Keep what the phase's agent had not finished as a patch; `reason`, and where that is."""
        if phase.phase not in STARTS_AT_A_COMMIT:
            return reason
        patch = await self._parts.workspace.set_aside(phase.phase.value, now())
        return f"{reason}; its unfinished work is kept in {patch.name}" if patch else reason

    async def put_back(self, phase: PhaseState, *, reason: str, at: datetime | None = None) -> None:
        """A running or failed phase becomes `pending`; `at` is when its run ended, now when not given."""
        async with self._store.transaction() as unit:
            if phase.status is not PhaseStatus.RUNNING:
                await self._change_phase(unit, phase.phase, phase.status, PhaseStatus.RUNNING, reason=reason)
            await self._change_phase(unit, phase.phase, PhaseStatus.RUNNING, PhaseStatus.PENDING, reason=reason, at=at)
        await self.mirror()

    async def take_up_skipped(self) -> None:
        """Phases that were skipped and are enabled now run after all, unless a later phase was done without them."""
        for phase in await self._enabled_skipped():
            await self._move_phase(phase, PhaseStatus.PENDING, reason="enabled in the settings")

    async def has_enabled_skipped(self) -> bool:
        return bool(await self._enabled_skipped())

    async def _enabled_skipped(self) -> list[PhaseState]:
        state = await self._store.pipeline_state(self._project.id)
        found: list[PhaseState] = []
        for name in reversed(PHASE_ORDER):
            phase = state.phases[name]
            if phase.status is PhaseStatus.COMPLETED:
                break
            if (
                phase.status is PhaseStatus.SKIPPED
                and phase.error != LEFT_OUT
                and self._parts.settings.phases.of(name).enabled
            ):
                found.append(phase)
        return found

    async def recheck(self) -> bool:
        """Whether a completed pipeline's program still passes its check; if not, implement is open again."""
        state = await self._store.pipeline_state(self._project.id)
        implement = state.phases[PhaseName.IMPLEMENT]
        if implement.status is not PhaseStatus.COMPLETED:
            return True
        given = await self._input(implement)
        holds = await self._parts.phases[PhaseName.IMPLEMENT].still_holds(given)
        await self._parts.log.flush()
        if not holds:
            async with self._store.transaction() as unit:
                await self._change_status(unit, state.status, PipelineStatus.RUNNING, "the check is red")
                await self.reopen(unit, PhaseName.IMPLEMENT, "the check of the finished program is red")
        return holds

    async def has_wishes(self) -> bool:
        """Whether implement is over, and yet a person has added an item or reopened one."""
        state = await self._store.pipeline_state(self._project.id)
        if state.phases[PhaseName.IMPLEMENT].status is not PhaseStatus.COMPLETED:
            return False
        waiting = await self._parts.tracker.list_work_items(self._project.id, status=WorkItemStatus.TODO, limit=1000)
        return any(item.metadata.get(ASKED_FOR) for item in waiting)

    async def reopen_for_wishes(self) -> None:
        """A completed pipeline runs again, for what a person added to its items."""
        async with self._store.transaction() as unit:
            state = await unit.pipeline(self._project.id)
            if state.status is PipelineStatus.COMPLETED:
                await self._change_status(unit, state.status, PipelineStatus.RUNNING, WISHES)
            await self.reopen(unit, PhaseName.IMPLEMENT, WISHES)
        await self.mirror()

    async def _reopened_for_person(self, state: PipelineState) -> bool:
        if state.phases[PhaseName.IMPLEMENT].status is not PhaseStatus.COMPLETED or not await self.has_wishes():
            return False
        await self.reopen_for_wishes()
        return True

    async def _run_phase(self, phase: PhaseState) -> bool:
        """Run one phase; False when the pipeline cannot go on by itself now."""
        config = self._parts.settings.phases.of(phase.phase)
        await self._move_phase(phase, PhaseStatus.RUNNING)
        given = await self._input(phase)
        try:
            result = await self._parts.phases[phase.phase].run(
                given, config, self._parts.tracker, self._parts.workspace.directory
            )
            artifact = self._artifact(phase.phase, result, given.round)
        except (LeaseLost, StoreUnavailable):
            # No failure of the phase: it is taken up again where it stood.
            raise
        except MustWait as error:
            await self._wait(phase, error)
            return False
        except DecisionAwaited as error:
            return await self._await_decision(phase, error)
        except LimitReached as error:
            return await self._limited(phase, error)
        except OrchestratorError as error:
            await self._give_up(phase, error)
            return False
        await self._parts.log.flush()
        if result.status is PhaseStatus.PENDING:
            await self._go_back(phase, result, artifact)
            return True
        return await self._store_result(phase, result, artifact)

    async def _limited(self, phase: PhaseState, error: LimitReached) -> bool:
        """Pause, unless the limit was raised meanwhile: then the phase is taken up as after a stop, and so it is when
        the pause is over. That of a day's limit is over with the day."""
        limit = await self._parts.sessions.still_reached(error)
        if limit is None:
            await self._parts.log.flush()
            await self.interrupted("there is more to use again")
            return True
        await self._parts.log.flush()
        await self._pause(phase, limit, PauseReason.BUDGET, hint=limit.hint, error=limit.line(), until=limit.resumes_at)
        return False

    async def _wait(self, phase: PhaseState, error: MustWait) -> None:
        """The API takes no requests: pause until it does, with the time when that is; fail when that never comes."""
        await self._parts.log.flush()
        state = await self._store.pipeline_state(self._project.id)
        number = 1 if self._parts.sessions.have_answered else state.waits + 1
        resumes_at = self._parts.pauses.until(self._parts.clock.now(), error.resets_at, number)
        if resumes_at is None:
            await self._give_up(phase, error)
            return
        reason = PauseReason.USAGE_LIMIT if error.trouble in LIMITS else PauseReason.API_UNAVAILABLE
        await self._pause(phase, error, reason, until=resumes_at, waits=number)

    async def _pause(
        self,
        phase: PhaseState,
        why: OrchestratorError,
        reason: PauseReason,
        *,
        hint: str = "",
        error: str | None = None,
        until: datetime | None,
        waits: int | None = None,
    ) -> None:
        """Rest with the phase back in the queue: it has not failed, and goes on with what it has. `error` is kept with
        it, for whoever looks at it meanwhile; `until` is when it goes on by itself."""
        kept = await self._set_aside(phase, why.message)
        told = events.ErrorOccurred(
            title=why.title,
            message=why.message,
            hint=" ".join(text for text in (hint, _by_itself(until) if until else "") if text),
            phase=phase.phase,
        )
        async with self._store.transaction() as unit:
            await self._change_phase(
                unit, phase.phase, PhaseStatus.RUNNING, PhaseStatus.PENDING, reason=kept, error=error
            )
            unit.record(self._project.id, told)
            await self._rest(unit, PipelineStatus.PAUSED, reason, resumes_at=until, waits=waits)
        await self.mirror()

    async def _await_decision(self, phase: PhaseState, error: DecisionAwaited) -> bool:
        """Pause for the questions about work items, unless one was answered since they were looked at."""
        await self._parts.log.flush()
        async with self._store.transaction() as unit:
            # Locks the project: an answer is either seen here, or sees that the project is paused.
            await unit.pipeline(self._project.id)
            still = {request.id for request in await self._store.open_requests(self._project.id)}
            await self._change_phase(unit, phase.phase, PhaseStatus.RUNNING, PhaseStatus.PENDING, reason=error.message)
            waits = error.requests <= still
            if waits:
                await self._rest(unit, PipelineStatus.PAUSED, error.reason)
        await self.mirror()
        return not waits

    async def _input(self, phase: PhaseState) -> PhaseInput:
        artifacts: dict[PhaseName, Artifact] = {}
        for name in PHASE_ORDER[: PHASE_ORDER.index(phase.phase)]:
            if (artifact := await self._store.latest_artifact(self._project.id, name)) is not None:
                artifacts[name] = artifact
        return PhaseInput(
            project=self._project,
            settings=self._parts.settings,
            round=max(phase.round, 1),
            artifacts=artifacts,
            feedback=phase.feedback,
            previous=await self._store.latest_artifact(self._project.id, phase.phase),
        )

    async def _waits_for_person(self, phase: PhaseState) -> bool:
        requests = await self._store.open_requests(self._project.id)
        return any(request.phase is phase.phase and request.kind is RequestKind.APPROVAL for request in requests)

    async def _accept(self, phase: PhaseState) -> None:
        """Nobody is asked, or a person said yes: act on the stored result, then the phase is complete."""
        artifact = await self._store.latest_artifact(self._project.id, phase.phase)
        assert artifact is not None
        await self._parts.phases[phase.phase].accept(artifact, self._project, self._parts.tracker)
        await self._move_phase(phase, PhaseStatus.COMPLETED)

    async def _store_result(self, phase: PhaseState, result: PhaseResult, artifact: Artifact) -> bool:
        """Keep what a phase made, and ask for approval where the settings say so; False when that means waiting."""
        settings = self._parts.settings
        asks = settings.autonomy.mode is Autonomy.CHECKPOINT and settings.phases.of(phase.phase).checkpoint_pause
        async with self._store.transaction() as unit:
            await unit.add_artifact(artifact)
            unit.record(self._project.id, stored_event(artifact))
            await self._change_phase(unit, phase.phase, PhaseStatus.RUNNING, PhaseStatus.AWAITING_APPROVAL)
            if asks:
                await questions.open_request(
                    unit, questions.approval(self._project, phase.phase, artifact, result.markdown)
                )
                await self._rest(unit, PipelineStatus.PAUSED, PauseReason.APPROVAL)
        await self.mirror()
        return not asks

    async def _go_back(self, phase: PhaseState, result: PhaseResult, artifact: Artifact) -> None:
        """Testing found something: keep its report, and open implement again."""
        reason = f"{plural(result.new_items, 'failure')} became work items"
        async with self._store.transaction() as unit:
            await unit.add_artifact(artifact)
            unit.record(self._project.id, stored_event(artifact))
            await self._change_phase(
                unit, phase.phase, PhaseStatus.RUNNING, PhaseStatus.PENDING, round=artifact.round + 1, reason=reason
            )
            await self.reopen(unit, PhaseName.IMPLEMENT, reason)
        await self.mirror()

    async def reopen(self, unit: UnitOfWork, name: PhaseName, reason: str) -> None:
        """Have a completed phase run again, as its next round."""
        phase = (await unit.pipeline(self._project.id)).phases[name]
        if phase.status is PhaseStatus.SKIPPED:
            again = max(phase.round, 1) + 1
            await self._change_phase(unit, name, phase.status, PhaseStatus.PENDING, round=again, reason=reason)
            return
        await self._change_phase(
            unit, name, phase.status, PhaseStatus.RUNNING, round=max(phase.round, 1) + 1, reason=reason
        )
        await self._change_phase(unit, name, PhaseStatus.RUNNING, PhaseStatus.PENDING, reason=reason)

    def _artifact(self, phase: PhaseName, result: PhaseResult, round_number: int) -> Artifact:
        """What a phase made, its document written into the project's folder.

        Raises:
            PhaseFailed: the folder cannot be written.
        """
        path = None
        if result.markdown:
            path = self._parts.workspace.write_note(f"{result.output_type}.md", result.markdown)
        return new_artifact(self._project.id, phase, result.output_type, result.content, path, round_number)

    async def _give_up(self, phase: PhaseState, error: OrchestratorError) -> None:
        """A phase could not be finished: a person decides in checkpoint mode, otherwise the pipeline has failed."""
        await self._parts.log.flush()
        asks = self._parts.settings.autonomy.mode is Autonomy.CHECKPOINT
        async with self._store.transaction() as unit:
            await self._change_phase(
                unit, phase.phase, PhaseStatus.RUNNING, PhaseStatus.FAILED, reason=error.message, error=error.line()
            )
            unit.record(
                self._project.id,
                events.ErrorOccurred(title=error.title, message=error.message, hint=error.hint, phase=phase.phase),
            )
            if asks:
                await questions.open_request(unit, questions.about_phase(self._project, phase.phase, error))
            await self._rest(unit, PipelineStatus.PAUSED if asks else PipelineStatus.FAILED, PauseReason.ERROR)
        await self.mirror()

    async def _move_phase(self, phase: PhaseState, new: PhaseStatus, *, reason: str | None = None) -> None:
        async with self._store.transaction() as unit:
            await self._change_phase(unit, phase.phase, phase.status, new, reason=reason)
        await self.mirror()

    async def _change_phase(
        self,
        unit: UnitOfWork,
        name: PhaseName,
        old: PhaseStatus,
        new: PhaseStatus,
        *,
        round: int | None = None,
        reason: str | None = None,
        error: str | None = None,
        at: datetime | None = None,
    ) -> None:
        machine.check(old, new, what=f"The {name} phase")
        seconds = await unit.set_phase_status(self._project.id, name, old, new, round=round, error=error, at=at)
        state = await unit.pipeline(self._project.id)
        unit.record(
            self._project.id,
            events.PhaseStatusChanged(
                phase=name, old=old, new=new, round=state.phases[name].round, seconds=seconds, reason=reason
            ),
        )

    async def _rest(
        self,
        unit: UnitOfWork,
        new: PipelineStatus,
        reason: PauseReason,
        *,
        resumes_at: datetime | None = None,
        waits: int | None = None,
    ) -> None:
        """`running → new`; a pipeline that is being stopped meanwhile comes to rest as stopped."""
        if (await unit.pipeline(self._project.id)).status is not PipelineStatus.STOPPING:
            await self._change_status(
                unit, PipelineStatus.RUNNING, new, reason.value, resumes_at=resumes_at, waits=waits
            )

    async def _change_status(
        self,
        unit: UnitOfWork,
        old: PipelineStatus,
        new: PipelineStatus,
        reason: str | None,
        *,
        resumes_at: datetime | None = None,
        waits: int | None = None,
    ) -> None:
        machine.check(old, new, what=f"Project {self._project.name}")
        await unit.set_pipeline_status(
            self._project.id, old, new, shutdown_reason=reason, resumes_at=resumes_at, waits=waits
        )
        unit.record(
            self._project.id,
            events.PipelineStatusChanged(old=old, new=new, reason=reason, resumes_at=resumes_at),
        )

    async def mirror(self) -> None:
        """Copy the state into the project's folder; the database stays the truth when that fails."""
        await self._parts.mirror.write(self._project.id)


def _by_itself(resumes_at: datetime) -> str:
    return f"The project goes on by itself at {words.local_time(resumes_at)}."
