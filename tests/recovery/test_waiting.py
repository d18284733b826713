"""The service takes no requests for a while: the project waits without asking, and goes on by itself."""

import asyncio
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.console.status import as_json, detail
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.clock import now, wait_until
from orchestrator_tui.domain.commands import CreateProject, ResumeProject, StopProject
from orchestrator_tui.domain.statuses import AgentStatus, PauseReason, PipelineStatus
from orchestrator_tui.engine import budget
from orchestrator_tui.engine.client import EngineClient
from tests.recovery import troubled
from tests.recovery.test_classes import PHASES
from tests.recovery.troubled import START, FakeClock, Fault, TroubledRuntime, breakable_scenario, in_turn
from tests.running import Watched, launch

HOUR = 3600.0


def waiting_runtime(clock: FakeClock, *faults: list[Fault]) -> TroubledRuntime:
    return TroubledRuntime(clock, in_turn(*faults), breakable_scenario(1))


def is_waiting(event: events.Event) -> bool:
    return isinstance(event, events.PipelineStatusChanged) and event.resumes_at is not None


async def test_a_usage_limit_of_an_hour_makes_no_request_until_it_is_over_and_the_conversation_goes_on(
    tmp_path: Path,
) -> None:
    clock = FakeClock(holds=True)
    runtime = waiting_runtime(clock, [troubled.usage_limit(1)])
    async with open_engine(launch(tmp_path / "home", None, phases=PHASES), runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        paused = await run.until(is_waiting)
        assert isinstance(paused, events.PipelineStatusChanged)
        assert (paused.new, paused.reason) == (PipelineStatus.PAUSED, PauseReason.USAGE_LIMIT)
        assert paused.resumes_at == START + timedelta(hours=1, seconds=5)
        [error] = run.all(events.ErrorOccurred)
        assert error.message == "The account's usage limit is reached: You have hit your limit."
        [note] = run.all(events.WorkItemCommented)
        assert note.text == f"Interrupted ({error.message.rstrip('.')}). It will be taken up again."
        asked = len(runtime.asked)
        while clock.now() < START + timedelta(minutes=59):
            await clock.asleep.wait()
            clock.asleep.clear()
            clock.advance(20)
        assert len(runtime.asked) == asked
        await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert (len(runtime.asked), (await run.project()).status) == (asked, PipelineStatus.PAUSED)
        clock.advance(HOUR)
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert runtime.asked[asked] >= paused.resumes_at
        limited, resumed = runtime.of("developer")
        assert (limited.resume, resumed.resume) == (None, limited.agent_id)
        assert not run.all(events.AttemptFailed)
        states = [session.status for session in await engine.sessions(run.project_id)]
        assert states.count(AgentStatus.INTERRUPTED) == 1 and AgentStatus.FAILED not in states


async def test_while_one_project_waits_another_is_finished(tmp_path: Path) -> None:
    clock = FakeClock(holds=True)
    runtime = waiting_runtime(clock, [troubled.usage_limit(1)])
    async with open_engine(launch(tmp_path / "home", None, phases=PHASES), runtime=runtime, clock=clock) as engine:
        first = Watched(engine=engine)
        await first.create()
        await first.until(is_waiting)
        second = Watched(engine=engine)
        second.project_id = await engine.submit(CreateProject(idea="Others", name="other", rehearsal=True))
        assert await second.until_rest() is PipelineStatus.COMPLETED
        assert (await first.project()).status is PipelineStatus.PAUSED


async def test_what_one_project_finds_used_up_no_other_of_the_same_account_asks_about(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, phases=PHASES)
    clock = FakeClock(holds=True)
    runtime = waiting_runtime(clock, [troubled.usage_limit(1)])
    runtime.paid_by = "somebody"

    async def begin(engine: EngineClient, name: str) -> Watched:
        run = Watched(engine=engine)
        await run.create(name=name)
        return run

    async with open_engine(start, runtime=runtime, clock=clock) as engine:
        first = await begin(engine, "first")
        await first.until(is_waiting)
        resumes_at = (await engine.overview(first.project_id)).state.resumes_at
        asked = len(runtime.asked)
        second = await begin(engine, "second")
        await second.until(is_waiting)
        assert (await engine.overview(second.project_id)).state.resumes_at == resumes_at
    elsewhere = TroubledRuntime(clock, in_turn(), breakable_scenario(1), paid_by="somebody")
    async with open_engine(start, runtime=elsewhere, clock=clock) as engine:
        third = await begin(engine, "third")
        await third.until(is_waiting)
        assert (elsewhere.asked, len(runtime.asked)) == ([], asked)
        # The limit is one account's, and over when its time has come.
        elsewhere.paid_by = "somebody else"
        fourth = await begin(engine, "fourth")
        assert await fourth.until_rest() is PipelineStatus.COMPLETED
        elsewhere.paid_by = "somebody"
        clock.advance(2 * HOUR)
        assert await third.until_rest() is PipelineStatus.COMPLETED


async def test_whoever_gives_other_credentials_need_not_wait_for_the_limit_of_the_former(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, phases=PHASES)
    clock = FakeClock(holds=True)
    runtime = waiting_runtime(clock, [troubled.usage_limit(1)])
    runtime.paid_by = "somebody"
    async with open_engine(start, runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(is_waiting)
        asked = len(runtime.asked)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert ((await run.project()).status, len(runtime.asked)) == (PipelineStatus.PAUSED, asked)
    elsewhere = TroubledRuntime(clock, in_turn(), breakable_scenario(1), paid_by="somebody else")
    async with open_engine(start, runtime=elsewhere, clock=clock) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert clock.now() == START


async def test_a_day_s_limit_is_waited_for_until_the_next_day(tmp_path: Path) -> None:
    clock = FakeClock(holds=True)
    # What sessions use is kept by the machine's own time.
    clock.at = datetime.combine(now().astimezone().date(), time(12)).astimezone()
    start = launch(tmp_path / "home", None, phases=PHASES, limits={"day": {"sessions": 2}})
    runtime = waiting_runtime(clock)
    async with open_engine(start, runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        paused = await run.until(is_waiting)
        assert isinstance(paused, events.PipelineStatusChanged)
        assert (paused.reason, paused.resumes_at) == (PauseReason.BUDGET, budget.day_ends(clock.now()))
        [problem] = run.all(events.ErrorOccurred)
        assert "/limit day sessions" in problem.hint and "goes on by itself at" in problem.hint
        told = as_json(await engine.overview(run.project_id), clock.now())
        assert told["waiting_for"]["kind"] == PauseReason.BUDGET
        # A person need not wait: it is looked again whether there is more to use.
        await engine.submit(ResumeProject(project_id=run.project_id))
        await run.until(is_waiting)
        assert len(runtime.started) == 2
        clock.advance(48 * HOUR)
        assert await run.until_rest() is PipelineStatus.COMPLETED


@pytest.mark.parametrize("wakes", [True, False])
async def test_a_wait_outlives_the_process_that_began_it(tmp_path: Path, wakes: bool) -> None:
    start = launch(tmp_path / "home", None, phases=PHASES)
    clock = FakeClock(holds=True)
    runtime = waiting_runtime(clock, [troubled.usage_limit(1)])
    async with open_engine(start, runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(is_waiting)
    clock = FakeClock(holds=True)
    clock.advance(HOUR / 2)
    runtime = waiting_runtime(clock)
    async with open_engine(start, runtime=runtime, clock=clock, wakes=wakes) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        if not wakes:
            await engine.submit(ResumeProject(project_id=run.project_id))
        await clock.asleep.wait()
        overview = await engine.overview(run.project_id)
        assert (overview.project.status, runtime.asked) == (PipelineStatus.PAUSED, [])
        until = words.local_time(START + timedelta(hours=1, seconds=5))
        assert any(f"usage limit until {until}" in line for line in detail(overview, clock.now()))
        assert as_json(overview, clock.now())["waiting_for"]["resumes_at"] == "2026-11-27T23:00:05+00:00"
        clock.advance(HOUR)
        assert await run.until_rest() is PipelineStatus.COMPLETED


async def test_a_wait_that_is_over_when_the_program_starts_is_over(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, phases=PHASES)
    clock = FakeClock(holds=True)
    async with open_engine(start, runtime=waiting_runtime(clock, [troubled.usage_limit(1)]), clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(is_waiting)
    clock.advance(2 * HOUR)
    async with open_engine(start, runtime=waiting_runtime(clock), clock=clock, wakes=True) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        assert await run.until_rest() is PipelineStatus.COMPLETED


async def test_a_project_that_is_stopped_while_it_waits_does_not_go_on(tmp_path: Path) -> None:
    clock = FakeClock(holds=True)
    runtime = waiting_runtime(clock, [troubled.usage_limit(1)])
    async with open_engine(launch(tmp_path / "home", None, phases=PHASES), runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(is_waiting)
        await clock.asleep.wait()
        await engine.submit(StopProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.STOPPED
        asked = len(runtime.asked)
        clock.advance(2 * HOUR)
        overview = await engine.overview(run.project_id)
        assert (overview.project.status, overview.state.resumes_at) == (PipelineStatus.STOPPED, None)
        assert len(runtime.asked) == asked
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED


@pytest.mark.parametrize("fault", [troubled.RATE_LIMIT, troubled.OVERLOAD, troubled.NETWORK])
async def test_without_a_time_the_pauses_grow_and_begin_anew_once_something_worked(
    tmp_path: Path, fault: Fault
) -> None:
    clock = FakeClock()
    faults: list[list[Fault]] = [[fault], [fault], [fault], [troubled.RED, fault]]
    runtime = waiting_runtime(clock, *faults)
    async with open_engine(launch(tmp_path / "home", None, phases=PHASES), runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        statuses = [await run.until_rest() for _ in range(5)]
        assert statuses == [PipelineStatus.PAUSED] * 4 + [PipelineStatus.COMPLETED]
        pauses = [event for event in run.all(events.PipelineStatusChanged) if event.resumes_at is not None]
        asked = [moment for moment in runtime.asked if moment > START]
        gaps = [(moment - START).total_seconds() for moment in asked]
        assert gaps == [60, 180, 420, 420, 480]
        assert {event.reason for event in pauses} <= {PauseReason.USAGE_LIMIT, PauseReason.API_UNAVAILABLE}


async def test_waiting_comes_to_an_end_when_nothing_ever_works(tmp_path: Path) -> None:
    clock = FakeClock()
    runtime = waiting_runtime(clock, *([troubled.OVERLOAD] for _ in range(9)))
    start = launch(tmp_path / "home", None, phases=PHASES, error_recovery={"max_pauses": 3})
    async with open_engine(start, runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        statuses = [await run.until_rest() for _ in range(4)]
        assert statuses == [PipelineStatus.PAUSED] * 3 + [PipelineStatus.FAILED]
        assert len(runtime.of("developer")) == 4


async def test_a_clock_that_jumps_forward_ends_a_wait_and_one_set_back_makes_it_no_longer() -> None:
    forward, back = FakeClock(holds=True), FakeClock(holds=True)
    for clock, jump, looks in ((forward, 2 * HOUR, 1), (back, -10 * HOUR, 180)):
        waiting = asyncio.create_task(wait_until(START + timedelta(hours=1), clock))
        await clock.asleep.wait()
        clock.at += timedelta(seconds=jump)
        for look in range(looks):
            assert not waiting.done(), look
            clock.asleep.clear()
            # What sleeps does so by a clock that nobody sets.
            for _, future in clock.sleepers:
                if not future.done():
                    future.set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert waiting.done()
