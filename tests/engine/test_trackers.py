import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.base import AgentSession, SessionRequest
from orchestrator_tui.agents.gate import ToolCall, judge
from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import MoveTracker, ResumeProject, SyncTracker
from orchestrator_tui.domain.errors import IllegalTransition, TrackerUnusable
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus, WorkItemStatus
from tests.crash.child import die_after
from tests.crash.lineage import Outcome, outcome_of
from tests.engine.conftest import ITEMS
from tests.lives import light_scenario, lived
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

JSON: Mapping[str, Any] = {**NO_PLANNING, "backend": {"type": "json"}}
KILLED = -9
MOST_LIVES = 40


@dataclass(frozen=True, slots=True)
class Held(ReplayRuntime):
    """Its first developer is at work until it is let go."""

    at_work: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        async with ReplayRuntime.session(self, request) as session:
            if request.phase is PhaseName.IMPLEMENT:
                self.at_work.set()
                await self.let_go.wait()
            yield session


async def file_of(run: Watched) -> Path:
    return Path((await run.project()).directory) / ".orchestrator" / "work_items.json"


async def edit(run: Watched, change: Callable[[list[dict[str, Any]]], object]) -> None:
    file = await file_of(run)
    content = json.loads(file.read_text())
    change(content["items"])
    file.write_text(json.dumps(content, indent=2))


async def entries(run: Watched) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await file_of(run)).read_text())["items"]
    return found


async def items(run: Watched) -> dict[str, WorkItem]:
    return {item.key: item for item in await run.engine.items(run.project_id, limit=1000)}


async def worked_on(run: Watched) -> list[str]:
    """The keys of the items that agents were at, in order."""
    keys = {item.id: item.key for item in (await items(run)).values()}
    sessions = await run.engine.sessions(run.project_id)
    return [keys[one.work_item_id] for one in sessions if one.work_item_id is not None]


async def test_a_rehearsal_ends_the_same_with_its_items_in_a_file(tmp_path: Path, undisturbed: Outcome) -> None:
    start = launch(tmp_path / "home", None, **JSON)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(ITEMS))) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        state = await engine.tracker(run.project_id)
        file = await file_of(run)
    outcome, _ = await outcome_of(sqlite_url(start.paths.database))
    assert outcome == undisturbed
    assert (state.kind, state.link, state.pending, state.last_error) == ("json", str(file), 0, None)
    assert [entry["status"] for entry in json.loads(file.read_text())["items"]] == ["done"] * ITEMS


async def test_what_a_person_writes_into_the_file_in_the_middle_of_a_run_counts(tmp_path: Path) -> None:
    played = Held(light_scenario(3))
    async with open_engine(launch(tmp_path / "home", None, **JSON), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        await played.at_work.wait()
        (first,) = [item for item in (await items(run)).values() if item.status is WorkItemStatus.IN_PROGRESS]
        last = [key for key in await items(run) if key != first.key][-1]
        while len(await entries(run)) < 3:
            await engine.submit(SyncTracker(project_id=run.project_id))

        def change(found: list[dict[str, Any]]) -> None:
            for entry in found:
                if entry["key"] in (first.key, last):
                    entry["status"] = "done"
            found.append({"title": "By hand", "depends_on": [first.key]})

        await edit(run, change)
        played.let_go.set()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        done, agents = await items(run), await worked_on(run)
        comments = await engine.comments(first.id)
        # The file follows the database.
        while {entry["status"] for entry in await entries(run)} != {"done"}:
            await engine.submit(SyncTracker(project_id=run.project_id))
        shown = await entries(run)
    assert {item.status for item in done.values()} == {WorkItemStatus.DONE}
    assert done["TASK-4"].title == "By hand"
    assert last not in agents
    assert agents.count("TASK-4") == 1
    assert comments[-1].content == (
        "Set to done by a person while an agent was at work. "
        "What the agent had made by then passes the check and is committed."
    )
    assert [(entry["key"], entry["status"]) for entry in shown] == [(key, "done") for key in done]


async def test_an_item_that_a_person_puts_back_while_an_agent_is_at_it_is_done_anew(tmp_path: Path) -> None:
    played = Held(light_scenario(2))
    async with open_engine(launch(tmp_path / "home", None, **JSON), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        await played.at_work.wait()
        await engine.submit(SyncTracker(project_id=run.project_id))
        (first,) = [item for item in (await items(run)).values() if item.status is WorkItemStatus.IN_PROGRESS]
        await edit(run, lambda found: next(e for e in found if e["key"] == first.key).update(status="todo"))
        played.let_go.set()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert (await worked_on(run)).count(first.key) == 2
        comments = [comment.content for comment in await engine.comments(first.id)]
    assert comments[0].startswith("Set to todo by a person while an agent was at work. The agent's unfinished work is ")


async def test_an_item_added_to_a_finished_project_is_done_when_it_is_resumed(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, **JSON)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        await edit(run, lambda found: found.append({"title": "One more"}))
        await engine.submit(SyncTracker(project_id=run.project_id))
        assert (await items(run))["TASK-2"].status is WorkItemStatus.TODO
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert (await items(run))["TASK-2"].status is WorkItemStatus.DONE


async def test_what_a_person_blocked_is_not_tried_again_by_a_resume_until_they_let_go(
    tmp_path: Path,
) -> None:
    start = launch(tmp_path / "home", None, **JSON)
    played = Held(light_scenario(2))
    async with open_engine(start, runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        await played.at_work.wait()
        await engine.submit(SyncTracker(project_id=run.project_id))
        await edit(run, lambda found: found[1].update(status="blocked"))
        played.let_go.set()
        assert await run.until_rest() is PipelineStatus.FAILED
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.FAILED
        assert (await items(run))["TASK-2"].status is WorkItemStatus.BLOCKED
        await edit(run, lambda found: found[1].update(status="todo"))
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED


async def test_the_items_of_a_project_move_to_a_file_and_back(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, **NO_PLANNING)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(2))) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        before = await items(run)
        file = await file_of(run)
        plan = await engine.tracker_plan(run.project_id, "json")
        assert plan[0] == "2 work items of demo move from database to json"
        assert not file.exists()
        await engine.submit(MoveTracker(project_id=run.project_id, kind="json"))
        assert [entry["key"] for entry in await entries(run)] == list(before)
        assert (await run.project()).tracker == "json"
        await edit(run, lambda found: found[0].update(title="Renamed"))
        await engine.submit(MoveTracker(project_id=run.project_id, kind="database"))
        after, project, state = await items(run), await run.project(), await engine.tracker(run.project_id)
        told = await engine.events(project_id=run.project_id)
    assert (project.tracker, project.leaving, state.kind) == ("database", None, "database")
    assert after["TASK-1"].title == "Renamed"
    assert after["TASK-2"] == before["TASK-2"]
    assert len([*file.parent.glob("work_items.moved-*.json")]) == 1
    assert not file.exists()
    moves = [one.event for one in told if isinstance(one.event, events.TrackerMoved)]
    assert [(move.old, move.new, move.items) for move in moves] == [("database", "json", 2), ("json", "database", 2)]


async def test_a_project_at_work_is_not_moved_and_an_unknown_tracker_is_named(tmp_path: Path) -> None:
    played = Held(light_scenario(1))
    async with open_engine(launch(tmp_path / "home", None, **NO_PLANNING), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        await played.at_work.wait()
        with pytest.raises(IllegalTransition, match="demo is running"):
            await engine.submit(MoveTracker(project_id=run.project_id, kind="json"))
        with pytest.raises(TrackerUnusable) as unknown:
            await engine.submit(MoveTracker(project_id=run.project_id, kind="trello"))
        assert unknown.value.line().startswith("There is no work tracker trello. There are: database, json")
        assert (await run.project()).tracker == "database"
        played.let_go.set()
        assert await run.until_rest() is PipelineStatus.COMPLETED


async def test_a_new_project_with_an_unknown_tracker_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, backend={"type": "trello"})
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        with pytest.raises(TrackerUnusable, match="There is no work tracker trello"):
            await Watched(engine=engine).create()
        assert not await engine.projects()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("Write", {"file_path": ".orchestrator/work_items.json", "content": "{}"}),
        ("Edit", {"file_path": ".orchestrator/work_items.json", "old_string": "todo", "new_string": "done"}),
        ("Bash", {"command": "echo '{}' > .orchestrator/work_items.json"}),
        ("Bash", {"command": "sed -i s/todo/done/ .orchestrator/work_items.json"}),
        ("Bash", {"command": "cp other.json .orchestrator/work_items.journal"}),
    ],
)
def test_no_agent_may_write_the_items_file(tool: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / ".orchestrator").mkdir()
    (tmp_path / ".orchestrator" / "work_items.json").write_text("{}")
    if "file_path" in arguments:
        arguments = {**arguments, "file_path": str(tmp_path / arguments["file_path"])}
    tools = frozenset({"Write", "Edit", "Bash"})
    call = ToolCall(tool=tool, arguments=arguments, directory=tmp_path, here=tmp_path, tools=tools)
    assert not judge(call).allowed


def one_life(home: Path, kill_after: int, before_commit: bool) -> None:
    """Begin or go on with a project whose items are in a file, until it is finished or this process is killed."""
    die_after(kill_after, before_commit=before_commit)
    asyncio.run(_live(home))


async def _live(home: Path) -> None:
    start = launch(home, None, **JSON)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(2))) as engine:
        run = Watched(engine=engine)
        projects = await engine.projects()
        if not projects:
            await run.create()
        else:
            run.project_id = projects[0].id
            run.seen += await engine.latest_events(run.project_id, limit=1)
            await engine.submit(ResumeProject(project_id=run.project_id))
        while (await run.project()).status is not PipelineStatus.COMPLETED:
            assert await run.until_rest() is PipelineStatus.COMPLETED


def test_killed_again_and_again_a_project_with_its_items_in_a_file_ends_with_the_same_items(tmp_path: Path) -> None:
    home = tmp_path / "home"
    lives = 0
    while (code := lived(one_life, home, 25, lives % 2 == 0)) != 0:
        assert code == KILLED
        lives += 1
        assert lives < MOST_LIVES
    assert lives > 1
    outcome, _ = asyncio.run(outcome_of(sqlite_url(home / "orchestrator.db")))
    assert outcome.problems == []
    assert [status for _, status in outcome.items.elements()] == ["done", "done"]
    assert set(outcome.handoffs.values()) == {1}
    assert len(outcome.handoffs) == 2
    (file,) = (home / "workspace").glob("*/.orchestrator/work_items.json")
    shown = json.loads(file.read_text())["items"]
    assert [(entry["key"], entry["status"]) for entry in shown] == [("TASK-1", "done"), ("TASK-2", "done")]
    assert [len([c for c in entry["comments"] if c["author"] == "developer"]) for entry in shown] == [1, 1]
