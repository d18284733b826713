import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator_tui.agents.base import AgentOutput, AgentSession, SessionRequest
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.console import pick
from orchestrator_tui.console.fold import ConsoleState
from orchestrator_tui.console.past import Past, stop_each
from orchestrator_tui.console.view import View
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import ResumeProject, StopProject
from orchestrator_tui.domain.errors import AlreadyOwned, StoreUnavailable
from orchestrator_tui.domain.statuses import Choice, PauseReason, PipelineStatus, RequestKind
from orchestrator_tui.engine import alarms, shutdown
from orchestrator_tui.engine.engine import LocalEngine
from tests.database.samples import approval
from tests.engine.spending_runtime import SpendingRuntime, SpendingSession
from tests.lives import light_scenario
from tests.running import NO_PLANNING, Watched, launch

ELSEWHERE = "process 7 on another-host since 1"


@dataclass(slots=True)
class PatientSession(SpendingSession):
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        self.begun.set()
        await self.go_on.wait()
        async for output in SpendingSession.turn(self, prompt):
            yield output


@dataclass(frozen=True, slots=True)
class Patient(SpendingRuntime):
    """Agents keep their conversations, and do nothing until they may go on; the first has `begun`."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        self.started.append(request)
        yield PatientSession(scenario=self.scenario, request=request, begun=self.begun, go_on=self.go_on)


async def nobody(project_id: str) -> None:
    """Takes no project."""


@pytest.fixture
def start(tmp_path: Path) -> Launch:
    return launch(tmp_path / "home", None, **NO_PLANNING)


@pytest.fixture
def runtime() -> Patient:
    return Patient(light_scenario(1))


@asynccontextmanager
async def another(start: Launch, runtime: Patient, *, wakes: bool = False) -> AsyncIterator[LocalEngine]:
    """The engine of a process on another host."""
    async with open_engine(start, runtime=runtime, wakes=wakes) as engine:
        engine._runs._taking_up.owner = ELSEWHERE
        yield engine


@asynccontextmanager
async def at_work(start: Launch, runtime: Patient) -> AsyncIterator[tuple[LocalEngine, Watched]]:
    """A project with an agent in the middle of its work."""
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await runtime.begun.wait()
        yield engine, run


async def completed(engine: LocalEngine, project_id: str) -> Watched:
    """All that was told of a project, once it is completed."""
    run = Watched(engine=engine, project_id=project_id)
    await run.until(
        lambda event: isinstance(event, events.PipelineStatusChanged) and event.new is PipelineStatus.COMPLETED
    )
    return run


def statuses(run: Watched) -> list[tuple[PipelineStatus, str | None]]:
    return [(event.new, event.reason) for event in run.all(events.PipelineStatusChanged)]


ONCE_HANDED_OVER = [
    (PipelineStatus.RUNNING, None),
    (PipelineStatus.PAUSED, PauseReason.HAND_OVER),
    (PipelineStatus.RUNNING, None),
    (PipelineStatus.COMPLETED, None),
]


async def test_a_project_is_handed_over_in_the_middle_and_its_conversation_goes_on_there(
    start: Launch, runtime: Patient
) -> None:
    async with another(start, runtime) as other:
        async with at_work(start, runtime) as (engine, run):
            [asked] = runtime.started

            async def pass_on(project_id: str) -> None:
                state = (await engine.overview(project_id)).state
                assert (state.owner, state.shutdown_reason) == (None, PauseReason.HAND_OVER)
                runtime.go_on.set()
                await other.submit(ResumeProject(project_id=project_id, if_waiting=True))

            assert await engine.hand_over(pass_on, asyncio.Event()) == [run.project_id]
        told = await completed(other, run.project_id)
    assert statuses(told) == ONCE_HANDED_OVER
    assert runtime.started[1].resume is not None
    assert runtime.started[1].phase is asked.phase
    owners = [event.owner for event in told.all(events.LeaseTaken)]
    assert owners[1:] == [ELSEWHERE]
    assert all(event.over is None for event in told.all(events.LeaseTaken))


async def test_a_question_of_an_agent_that_is_open_meanwhile_keeps_nobody_from_going_on(
    start: Launch, runtime: Patient
) -> None:
    async with another(start, runtime) as other, at_work(start, runtime) as (engine, run):
        async with engine._store.transaction() as unit:
            asked = approval(run.project_id, kind=RequestKind.CLARIFICATION, choices=(Choice.ANSWER,))
            await unit.open_request(asked)
        await engine.hand_over(nobody, asyncio.Event())
        await other.submit(ResumeProject(project_id=run.project_id, if_waiting=True))
        overview = await other.overview(run.project_id)
        assert (overview.project.status, overview.state.owner) == (PipelineStatus.RUNNING, ELSEWHERE)
        assert [one.id for one in await other.requests(run.project_id)] == [asked.id]
        runtime.go_on.set()


async def test_what_nobody_takes_is_taken_back(start: Launch, runtime: Patient) -> None:
    async with at_work(start, runtime) as (engine, run):
        await engine.hand_over(nobody, asyncio.Event())
        runtime.go_on.set()
        await engine.take_back()
        told = await completed(engine, run.project_id)
    assert statuses(told) == ONCE_HANDED_OVER


async def test_a_database_that_is_lost_in_the_middle_costs_the_hand_over_and_no_project(
    start: Launch, runtime: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "STORE_SECONDS", 0.01)
    monkeypatch.setattr(alarms, "AGAIN_SECONDS", 0.01)
    hurry = asyncio.Event()
    hurry.set()
    async with at_work(start, runtime) as (engine, run):
        away = start.paths.database.rename(start.paths.database.with_suffix(".away"))
        with pytest.raises(StoreUnavailable):
            await engine.hand_over(nobody, hurry)
        await engine.take_back()
        away.rename(start.paths.database)
        runtime.go_on.set()
        told = await completed(engine, run.project_id)
    assert [status for status, reason in statuses(told) if reason is None] == [
        PipelineStatus.RUNNING,
        PipelineStatus.RUNNING,
        PipelineStatus.COMPLETED,
    ]


async def test_nothing_begins_in_a_process_that_has_handed_over(start: Launch, runtime: Patient) -> None:
    async with at_work(start, runtime) as (engine, run):
        await engine.hand_over(nobody, asyncio.Event())
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert (await run.project()).status is PipelineStatus.PAUSED
        assert (await engine.overview(run.project_id)).state.owner is None


async def test_a_project_whose_hand_over_was_cut_short_goes_on_with_the_next_start(
    start: Launch, runtime: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "HAND_OVER_SECONDS", 0.01)
    async with at_work(start, runtime) as (engine, run):
        await engine.hand_over(nobody, asyncio.Event())
    runtime.go_on.set()
    async with another(start, runtime, wakes=True) as other:
        told = await completed(other, run.project_id)
    assert statuses(told) == ONCE_HANDED_OVER


async def test_a_project_whose_hand_over_was_cut_short_goes_on_where_projects_are_woken(
    start: Launch, runtime: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "HAND_OVER_SECONDS", 0.01)
    async with another(start, runtime, wakes=True) as other:
        async with at_work(start, runtime) as (engine, run):
            await engine.hand_over(nobody, asyncio.Event())
        runtime.go_on.set()
        told = await completed(other, run.project_id)
    assert statuses(told) == ONCE_HANDED_OVER
    assert [event.owner for event in told.all(events.LeaseTaken)][1:] == [ELSEWHERE]


async def test_two_that_take_the_same_project_over_are_one_owner(start: Launch, runtime: Patient) -> None:
    async with another(start, runtime) as other, at_work(start, runtime) as (engine, run):
        await engine.hand_over(nobody, asyncio.Event())
        runtime.go_on.set()
        taking = other.submit(ResumeProject(project_id=run.project_id, if_waiting=True))
        refused, _ = await asyncio.gather(taking, engine.take_back(), return_exceptions=True)
        assert refused == run.project_id or isinstance(refused, AlreadyOwned)
        told = await completed(other, run.project_id)
    assert statuses(told) == ONCE_HANDED_OVER
    assert len(told.all(events.LeaseTaken)) == 2


class Seen(View):
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self.notices: list[str] = []

    async def event(self, before: ConsoleState, after: ConsoleState, recorded: events.Recorded) -> None:
        self.events.append(recorded.event)

    async def say(self, lines: Sequence[str]) -> None:
        raise AssertionError(lines)

    async def notice(self, lines: Sequence[str]) -> None:
        self.notices += lines


async def test_who_follows_a_project_goes_on_following_it_over_a_hand_over(start: Launch, runtime: Patient) -> None:
    async with another(start, runtime) as other, at_work(start, runtime) as (engine, run):
        view = Seen()
        past = Past(other, view, await run.project())
        await past.show()
        following = asyncio.create_task(past.follow())
        await engine.hand_over(nobody, asyncio.Event())
        while not any(getattr(event, "reason", "") == PauseReason.HAND_OVER for event in view.events):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        runtime.go_on.set()
        await other.submit(ResumeProject(project_id=run.project_id, if_waiting=True))
        await following
    told = [event for event in view.events if isinstance(event, events.PipelineStatusChanged)]
    assert told[-1].new is PipelineStatus.COMPLETED


async def test_what_waits_for_its_time_is_handed_over_too_and_waits_there(start: Launch, runtime: Patient) -> None:
    async with another(start, runtime) as other, at_work(start, runtime) as (engine, run):
        await engine.submit(StopProject(project_id=run.project_id))
        async with engine._store.transaction() as unit:
            await unit.set_pipeline_status(
                run.project_id,
                PipelineStatus.STOPPED,
                PipelineStatus.PAUSED,
                shutdown_reason=PauseReason.USAGE_LIMIT,
                resumes_at=now() + timedelta(hours=1),
            )
        await engine.submit(ResumeProject(project_id=run.project_id))

        async def pass_on(project_id: str) -> None:
            await other.submit(ResumeProject(project_id=project_id, if_waiting=True))

        assert await engine.hand_over(pass_on, asyncio.Event()) == [run.project_id]
        assert other.is_at_work
        assert (await other.find_project(run.project_id)).status is PipelineStatus.PAUSED


async def test_all_that_run_are_stopped_and_told_of(start: Launch, runtime: Patient) -> None:
    async with another(start, runtime) as other, at_work(start, runtime) as (_, run):
        view = Seen()
        await stop_each(other, view, await pick.all_running(other))
        assert view.notices == ["demo: stopped. Go on with: orchestrator-tui --resume 1"]
        assert (await run.project()).status is PipelineStatus.STOPPED


async def test_what_a_person_stopped_in_between_is_not_taken_up(start: Launch, runtime: Patient) -> None:
    async with another(start, runtime) as other, at_work(start, runtime) as (engine, run):
        await engine.hand_over(nobody, asyncio.Event())
        await other.submit(StopProject(project_id=run.project_id))
        await other.submit(ResumeProject(project_id=run.project_id, if_waiting=True))
        assert (await run.project()).status is PipelineStatus.STOPPED


async def test_a_stop_asked_for_while_it_is_handed_over_counts(
    start: Launch, runtime: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with another(start, runtime) as other, at_work(start, runtime) as (engine, run):

        async def settle(session: PatientSession) -> None:
            await other.submit(StopProject(project_id=run.project_id))

        monkeypatch.setattr(PatientSession, "settle", settle)
        assert await engine.hand_over(nobody, asyncio.Event()) == []
        assert (await run.project()).status is PipelineStatus.STOPPED
