from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import SteerAgent
from orchestrator_tui.domain.statuses import AgentStatus, Choice, PauseReason, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.capacity import Capacity
from orchestrator_tui.engine.engine import LocalEngine
from tests.counselled import COMMAND, LISTEN, CounselledRuntime, own, scenario_of
from tests.running import Watched, launch
from tests.scenarios import bash
from tests.team import beside

TWO, THREE = "item00002", "item00003"
"""Items that need the first one only."""
QUESTION = own("ask_user", question="Which colour?")


@pytest.fixture(autouse=True)
def a_large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Capacity, "here", lambda: Capacity(cores=8, memory=None))


@asynccontextmanager
async def begun(home: Path, runtime: CounselledRuntime) -> AsyncIterator[Watched]:
    """Two implementers, whose questions are waited for no moment."""
    settings = beside(2)
    phases = ("task_breakdown", "initialize", "implement", "testing")
    settings["phases"] |= {name: {**settings["phases"].get(name, {}), "checkpoint_pause": False} for name in phases}
    start = launch(home, None, autonomy="checkpoint", **settings)
    start.overrides["autonomy"]["answer_wait_seconds"] = 0
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        yield run


async def key_of(run: Watched, ref: str) -> str:
    return next(one.key for one in await run.engine.items(run.project_id) if one.metadata["ref"] == ref)


async def happened(run: Watched, reached: Callable[[events.Event], bool]) -> None:
    """Wait for an event that may have been seen already."""
    if not any(reached(recorded.event) for recorded in run.seen):
        await run.until(reached)


def called_listen(event: events.Event) -> bool:
    return isinstance(event, events.AgentCalledTool) and event.arguments.get("command") == LISTEN


def becomes(key: str, status: WorkItemStatus) -> Callable[[events.Event], bool]:
    return lambda event: isinstance(event, events.WorkItemStatusChanged) and (event.key, event.new) == (key, status)


@pytest.mark.parametrize(
    ("turn", "choice", "text", "reason"),
    [
        (QUESTION, Choice.ANSWER, "Green.", PauseReason.CLARIFICATION),
        (bash(COMMAND), Choice.ALLOW_ONCE, None, PauseReason.PERMISSION),
    ],
    ids=["a question", "a command"],
)
async def test_others_go_on_while_an_agent_waits_for_a_person_and_the_project_rests_when_nothing_else_is_left(
    tmp_path: Path, turn: dict[str, object], choice: Choice, text: str | None, reason: PauseReason
) -> None:
    runtime = CounselledRuntime(scenario_of({TWO: [turn]}, items=3))
    async with begun(tmp_path / "home", runtime) as run:
        assert await run.until_rest() is PipelineStatus.PAUSED
        overview = await run.engine.overview(run.project_id)
        assert overview.state.shutdown_reason == reason
        statuses = {one.metadata["ref"]: one.status for one in await run.engine.items(run.project_id)}
        assert statuses[TWO] is WorkItemStatus.TODO
        assert statuses[THREE] is WorkItemStatus.DONE
        asked = next(one for one in await run.engine.sessions(run.project_id) if one.status is AgentStatus.INTERRUPTED)
        await run.answer(choice, text)
        assert await run.until_rest() is PipelineStatus.COMPLETED
        (again,) = [
            one
            for one in await run.engine.sessions(run.project_id)
            if one.cli_session_id == asked.cli_session_id and one.id != asked.id
        ]
        assert again.status is AgentStatus.COMPLETED
        assert len(run.all(events.InputRequested)) == 1
        assert not run.all(events.AttemptFailed)
        assert not run.all(events.ErrorOccurred)
    assert (text or "ran") in runtime.heard.results


async def test_about_an_item_that_a_person_calls_done_nothing_is_asked_any_more(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario_of({TWO: [QUESTION], THREE: [bash(LISTEN)]}, items=3))
    async with begun(tmp_path / "home", runtime) as run:
        await run.until(lambda event: isinstance(event, events.InputRequested))
        await happened(run, becomes(await key_of(run, TWO), WorkItemStatus.TODO))
        await happened(run, called_listen)
        items = {one.metadata["ref"]: one for one in await run.engine.items(run.project_id)}
        assert isinstance(run.engine, LocalEngine)
        async with run.engine._store.transaction() as unit:
            await unit.update_item(items[TWO].id, {"status": WorkItemStatus.DONE})
        (listening,) = [one for one in await run.engine.sessions(run.project_id) if one.status is AgentStatus.RUNNING]
        await run.engine.submit(SteerAgent(project_id=run.project_id, agent_id=listening.id, text="Go on."))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert len(run.all(events.InputWithdrawn)) == 1
        assert await run.engine.requests(run.project_id) == []


async def test_an_answer_that_comes_while_others_are_at_work_lets_the_item_be_taken_up_at_once(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario_of({TWO: [QUESTION], THREE: [bash(LISTEN)]}, items=3))
    async with begun(tmp_path / "home", runtime) as run:
        await run.until(lambda event: isinstance(event, events.InputRequested))
        two, three = await key_of(run, TWO), await key_of(run, THREE)
        await happened(run, becomes(two, WorkItemStatus.TODO))
        await run.answer(Choice.ANSWER, "Green.")
        await happened(run, becomes(two, WorkItemStatus.DONE))
        await happened(run, called_listen)
        (listening,) = [one for one in await run.engine.sessions(run.project_id) if one.status is AgentStatus.RUNNING]
        items = {one.key: one for one in await run.engine.items(run.project_id)}
        assert listening.work_item_id == items[three].id
        await run.engine.submit(SteerAgent(project_id=run.project_id, agent_id=listening.id, text="Go on."))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert PipelineStatus.PAUSED not in {event.new for event in run.all(events.PipelineStatusChanged)}
    assert "Green." in runtime.heard.results
