"""One scenario for each class of trouble, played without the CLI: how it ends, and how many requests it took."""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.base import Said
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import ResumeProject
from orchestrator_tui.domain.statuses import AgentStatus, Choice, PipelineStatus, RequestKind, WorkItemStatus
from orchestrator_tui.domain.troubles import Rung, Trouble
from orchestrator_tui.engine import journal
from orchestrator_tui.engine.progress import changed_since
from tests.recovery import troubled
from tests.recovery.troubled import FakeClock, Fault, TroubledRuntime, breakable_scenario, in_turn
from tests.running import NO_PLANNING, Watched, launch

PHASES = {**NO_PLANNING["phases"], "testing": {"enabled": False}}
LAST = "item00003"
HINT, FRESH, STRONGER, ESCALATE = Rung.HINT, Rung.FRESH, Rung.STRONGER, Rung.ESCALATE


@asynccontextmanager
async def played(
    folder: Path,
    *faults: Iterable[Fault],
    items: int = 1,
    autonomy: str = "full",
    role: str = "developer",
    subject: str | None = None,
    **recovery: Any,
) -> AsyncIterator[tuple[Watched, TroubledRuntime]]:
    """A project whose developers run into `faults`, one list a session, at its first rest."""
    clock = FakeClock()
    runtime = TroubledRuntime(clock, in_turn(*faults, role=role, subject=subject), breakable_scenario(items))
    phases = {**PHASES, "task_breakdown": {"checkpoint_pause": False}}
    start = launch(folder / "home", None, autonomy=autonomy, phases=phases, error_recovery=recovery)
    async with open_engine(start, runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        yield run, runtime


def tried(run: Watched) -> list[tuple[Trouble, Rung]]:
    return [(event.trouble, event.then) for event in run.all(events.AttemptFailed)]


async def status(run: Watched) -> PipelineStatus:
    return (await run.project()).status


IN_SESSION = [
    (troubled.LOOP, Trouble.LOOPING, "looping"),
    (troubled.BACK_AND_FORTH, Trouble.LOOPING, "looping"),
    (troubled.BLOCKED, Trouble.BLOCKED_COMMAND, "blocked_command"),
    (troubled.RED, Trouble.FAILING_CHECK, "failing_check"),
    (troubled.MISSING_TOOL, Trouble.TOOL_MISSING, "tool_missing"),
    (troubled.CONFLICT, Trouble.MERGE_CONFLICT, "merge_conflict"),
]


@pytest.mark.parametrize(("fault", "trouble", "prompt"), IN_SESSION)
async def test_what_can_be_told_to_the_session_is_told_to_it_first(
    tmp_path: Path, fault: Fault, trouble: Trouble, prompt: str
) -> None:
    async with played(tmp_path, [fault]) as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        assert tried(run) == [(trouble, HINT)]
        (heard,) = runtime.heard_by("developer")
        assert len(heard) == 2


LOST = [
    (troubled.OVERFLOW, Trouble.CONTEXT_OVERFLOW),
    (troubled.stall, Trouble.STALLED),
    (troubled.OUT_OF_TURNS, Trouble.OUT_OF_TURNS),
    (troubled.LOST, Trouble.UNKNOWN),
]


@pytest.mark.parametrize(("fault", "trouble"), LOST)
async def test_a_session_that_is_lost_is_followed_by_one_that_knows_what_happened(
    tmp_path: Path, fault: Fault, trouble: Trouble
) -> None:
    async with played(tmp_path, [fault]) as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        assert tried(run) == [(trouble, FRESH)]
        first, second = runtime.heard_by("developer")
        assert (len(first), len(second)) == (1, 1)
        assert second[0].startswith(first[0][:200])
        assert "This was tried before" in second[0]
        assert "a new session that knew what was tried before" in second[0]
        assert runtime.of("developer")[1].resume is None


async def test_a_session_that_says_nothing_while_its_files_change_has_not_stalled(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.builds]) as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        assert tried(run) == []
        assert len(runtime.of("developer")) == 1
        assert runtime.clock.now() - troubled.START >= timedelta(minutes=3 * 30)


@pytest.mark.parametrize(
    ("name", "is_progress"),
    [
        ("src/deep/a.py", True),
        (".git/index", False),
        (".orchestrator_state.json", False),
        (".orchestrator/x.md", False),
    ],
)
def test_only_what_the_engine_does_not_write_itself_is_progress(tmp_path: Path, name: str, is_progress: bool) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    for old in (file.parent, tmp_path):
        os.utime(old, (0, 0))
    moment = now()
    assert not changed_since(tmp_path, moment)
    file.write_text("x")
    os.utime(file, (moment.timestamp() + 1,) * 2)
    assert changed_since(tmp_path, moment) is is_progress


async def test_after_an_overflow_the_new_session_has_a_summary_of_the_old_one(tmp_path: Path) -> None:
    async def works_then_overflows(session: troubled.TroubledSession) -> AsyncIterator[Any]:
        for output in session.call(0, "sed -n 1,20p item00001.py", "nothing yet"):
            yield output
        yield Said(text="The module needs a name.")
        async for output in troubled.OVERFLOW(session):
            yield output

    async with played(tmp_path, [works_then_overflows]) as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        second = runtime.heard_by("developer")[1][0]
        assert "sed -n 1,20p item00001.py" in second and "The module needs a name." in second


async def test_answers_that_never_fit_end_in_a_new_session(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.INVALID] * 4) as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        assert tried(run) == [(Trouble.INVALID_ANSWER, FRESH)]
        assert [len(heard) for heard in runtime.heard_by("developer")] == [4, 1]


async def test_talk_without_a_tool_is_told_after_the_third_turn(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.TALK] * 3) as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        assert tried(run) == [(Trouble.LOOPING, HINT)]
        (heard,) = runtime.heard_by("developer")
        assert "used no tool" in heard[3]


async def test_the_whole_ladder_is_climbed_to_the_stronger_model_and_each_rung_is_different(tmp_path: Path) -> None:
    faults = [[troubled.RED, troubled.LOOP], [troubled.BLOCKED], [troubled.CONFLICT]]
    async with played(tmp_path, *faults, stronger_model="haiku") as (run, runtime):
        assert await status(run) is PipelineStatus.FAILED
        assert tried(run) == [
            (Trouble.FAILING_CHECK, HINT),
            (Trouble.LOOPING, FRESH),
            (Trouble.BLOCKED_COMMAND, STRONGER),
            (Trouble.MERGE_CONFLICT, ESCALATE),
        ]
        models = [request.model for request in runtime.of("developer")]
        assert models == [models[0], models[0], "haiku"]
        assert [request.attempt for request in runtime.of("developer")] == [1, 3, 4]
        (item,) = await run.engine.items(run.project_id)
        assert item.status is WorkItemStatus.BLOCKED
        report = (await run.engine.comments(item.id))[-1].content
        assert "Given up after 4 tries (merge conflict)" in report
        assert "1. the first try: failing check" in report
        assert "2. the same session, with a hint: looping" in report
        assert "3. a new session that knew what was tried before: blocked command" in report
        assert "4. a new session of another model, haiku: merge conflict" in report
        assert "CONFLICT (content)" in report


async def test_the_same_failure_again_is_not_tried_the_same_way_a_third_time(tmp_path: Path) -> None:
    faults = [[troubled.RED] * 9, [troubled.RED] * 9]
    async with played(tmp_path, *faults, max_consecutive_errors=9) as (run, runtime):
        assert [then for _, then in tried(run)] == [HINT, HINT, FRESH, ESCALATE]
        assert [len(heard) for heard in runtime.heard_by("developer")] == [3, 1]


async def test_in_full_mode_an_item_that_is_given_up_leaves_independent_work_going_on(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.RED, troubled.RED], [troubled.LOST], items=3, subject=LAST) as (run, _):
        assert await status(run) is PipelineStatus.FAILED
        items = await run.engine.items(run.project_id)
        assert [item.status for item in items].count(WorkItemStatus.DONE) == 2
        assert [item.status for item in items].count(WorkItemStatus.BLOCKED) == 1


async def test_a_person_is_asked_about_the_item_once_everything_else_is_done(tmp_path: Path) -> None:
    given_up = [[troubled.RED, troubled.RED], [troubled.LOST]]
    async with played(tmp_path, *given_up, items=3, subject=LAST, autonomy="checkpoint") as (run, runtime):
        assert await status(run) is PipelineStatus.PAUSED
        overview = await run.engine.overview(run.project_id)
        assert (overview.items.done, overview.items.blocked) == (2, 1)
        request = await run.request()
        assert request.kind is RequestKind.ERROR_DECISION
        assert request.choices == (Choice.RETRY, Choice.RETRY_WITH_HINT, Choice.SKIP, Choice.STOP)
        assert request.work_item_id is not None and "Given up after 3 tries" in request.body
        await run.answer(Choice.RETRY_WITH_HINT, "Mind the time zone.")
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert "Mind the time zone." in runtime.heard_by("developer")[-1][0]
        assert runtime.of("developer")[-1].attempt == 1


async def test_a_person_may_try_again_leave_out_and_stop(tmp_path: Path) -> None:
    given_up: list[list[Fault]] = [[troubled.RED, troubled.RED], [troubled.LOST]]
    async with played(tmp_path, *given_up, *given_up, autonomy="checkpoint") as (run, runtime):
        await run.answer(Choice.RETRY)
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert len(runtime.of("developer")) == 4
        await run.answer(Choice.STOP)
        assert await run.until_rest() is PipelineStatus.STOPPED
        await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert len(runtime.of("developer")) == 5


async def test_what_needs_an_item_that_is_left_out_is_left_out_with_it(tmp_path: Path) -> None:
    given_up = [[troubled.RED, troubled.RED], [troubled.LOST]]
    async with played(tmp_path, *given_up, items=5, subject="item00002", autonomy="checkpoint") as (run, runtime):
        (blocked,) = await run.engine.items(run.project_id, status=WorkItemStatus.BLOCKED)
        await run.answer(Choice.SKIP)
        assert await run.until_rest() is PipelineStatus.COMPLETED
        overview = await run.engine.overview(run.project_id)
        assert (overview.items.done, overview.items.blocked) == (2, 3)
        assert any("Left out" in comment.content for comment in await run.engine.comments(blocked.id))
        sessions = len(runtime.started)
        await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert (len(runtime.started), await status(run)) == (sessions, PipelineStatus.COMPLETED)


async def test_refused_credentials_stop_everything_at_once_and_ask(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.REFUSED], items=3, autonomy="checkpoint") as (run, runtime):
        assert await status(run) is PipelineStatus.PAUSED
        assert len(runtime.of("developer")) == 1
        request = await run.request()
        assert request.work_item_id is None and "credentials" in request.body
        assert (await run.engine.overview(run.project_id)).items.todo == 3


async def test_credentials_that_are_refused_again_and_again_are_not_waited_for(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.refuses], autonomy="checkpoint") as (run, runtime):
        assert [event.attempt for event in run.all(events.AgentRetried)] == [1, 2, 3]
        assert len(runtime.of("developer")) == 1
        request = await run.request()
        assert "refused the credentials" in request.body and "ANTHROPIC_API_KEY" in request.body


async def test_what_a_blocked_agent_is_told_names_the_refusal_once(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.BLOCKED]) as (run, _):
        (failed,) = run.all(events.AttemptFailed)
    assert failed.problem.count("curl is not allowed: there is no network") == 1
    assert ".." not in failed.problem


async def test_a_task_of_a_planning_phase_climbs_the_same_ladder(tmp_path: Path) -> None:
    async with played(tmp_path, [troubled.INVALID] * 4, [troubled.stall], role="planner") as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        assert tried(run) == [(Trouble.INVALID_ANSWER, FRESH), (Trouble.STALLED, FRESH)]
        assert "1. the first try: invalid answer" in runtime.heard_by("planner")[-1][0]


async def test_what_failed_is_remembered_when_the_program_ends_in_the_middle(tmp_path: Path) -> None:
    clock = FakeClock()
    faults = in_turn([troubled.RED, troubled.LOOP], [troubled.usage_limit(1)])
    runtime = TroubledRuntime(clock, faults, breakable_scenario(1))
    start = launch(tmp_path / "home", None, phases=PHASES)
    held = FakeClock(holds=True)
    async with open_engine(start, runtime=runtime, clock=held) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
    again = TroubledRuntime(clock, in_turn([troubled.LOST]), breakable_scenario(1), keeps_conversations=False)
    async with open_engine(start, runtime=again, clock=clock) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.FAILED
    assert [then for _, then in tried(run)] == [HINT, FRESH, ESCALATE]
    assert [request.attempt for request in again.of("developer")] == [3]


async def test_finished_means_that_no_session_starts_any_more(tmp_path: Path) -> None:
    async with played(tmp_path) as (run, runtime):
        assert await status(run) is PipelineStatus.COMPLETED
        sessions = len(runtime.started)
        for _ in range(2):
            await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert await status(run) is PipelineStatus.COMPLETED
        assert len(runtime.started) == sessions
        ended = [session.status for session in await run.engine.sessions(run.project_id)]
        assert set(ended) == {AgentStatus.COMPLETED}


@pytest.mark.parametrize("role", ["developer", "architect"])
async def test_a_session_that_fails_and_what_follows_it_are_stored_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    commits: list[list[events.Event]] = []
    monkeypatch.setattr(journal, "write", lambda stored: commits.append([one.event for one in stored]))
    fault = troubled.ends(error_kind="max_turns", error="too many turns")
    monkeypatch.setitem(PHASES, "architecture", {"pattern": "single", "checkpoint_pause": False})
    async with played(tmp_path, [fault], role=role) as (run, _):
        assert await status(run) is PipelineStatus.COMPLETED
    (stored,) = [told for told in commits if any(isinstance(event, events.AttemptFailed) for event in told)]
    about_item = [events.WorkItemCommented] if role == "developer" else []
    assert [type(event) for event in stored] == [events.AgentFinished, *about_item, events.AttemptFailed]
