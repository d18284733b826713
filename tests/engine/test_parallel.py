import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ResumeProject, StopProject, SyncTracker
from orchestrator_tui.domain.statuses import AgentStatus, MergeStep, PipelineStatus, RequestKind, WorkItemStatus
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine.capacity import Capacity
from tests.crash.lineage import files_of, git, outcome_of
from tests.engine.test_trackers import edit
from tests.running import Watched, launch
from tests.team import Files, Team, beside, module_of, scenario_with

TWO, THREE = "item00002", "item00003"
BOTH = frozenset({TWO, THREE})
"""Items that need the first one only."""


@pytest.fixture(autouse=True)
def a_large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Capacity, "here", lambda: Capacity(cores=8, memory=None))


@asynccontextmanager
async def begun(home: Path, team: Team, *, autonomy: str = "full", **settings: Any) -> AsyncIterator[Watched]:
    start = launch(home, None, autonomy=autonomy, **settings)
    async with open_engine(start, runtime=team) as engine:
        run = Watched(engine=engine)
        await run.create()
        yield run


async def folder_of(run: Watched) -> Path:
    return Path((await run.project()).directory)


def red_commits(folder: Path, check: str = "sh verify.sh") -> list[str]:
    """The commits of main, but for the first, at which the check is red."""
    found = []
    for commit in git(folder, "rev-list", "--reverse", "main").split():
        there = folder.parent / f"at-{commit[:8]}"
        git(folder, "worktree", "add", "-q", "--detach", str(there), commit)
        if subprocess.run(["/bin/sh", "-c", check], cwd=there, check=False).returncode != 0:
            found.append(commit)
        git(folder, "worktree", "remove", "--force", str(there))
    return found


async def test_items_side_by_side_leave_the_same_files_as_one_after_another(tmp_path: Path) -> None:
    trees, messages = [], []
    for parallel in (1, 4):
        team = Team(scenario_with(7), meeting=frozenset({"item00004", "item00005"}) if parallel > 1 else frozenset())
        async with begun(tmp_path / str(parallel), team, **beside(parallel)) as run:
            assert await run.until_rest() is PipelineStatus.COMPLETED
            folder = await folder_of(run)
            trees.append(files_of(folder))
            messages.append(sorted(git(folder, "log", "--format=%s").splitlines()))
            assert git(folder, "log", "--merges", "--format=%s") == ""
            assert git(folder, "status", "--porcelain") == ""
            assert git(folder, "branch", "--format=%(refname:short)").split() == ["main"]
            assert git(folder, "worktree", "list").count("\n") == 1
            assert not (folder / ".orchestrator" / "worktrees").exists()
        outcome, _ = await outcome_of(sqlite_url(tmp_path / str(parallel) / "orchestrator.db"))
        assert outcome.problems == []
        if parallel > 1:
            assert 2 <= team.most <= 4
            assert red_commits(folder)[1:] == []
            used = {request.directory for request in team.started if request.role == "developer"}
            assert len(used) == 7
    assert trees[0] == trees[1]
    assert messages[0] == messages[1]


async def test_items_that_touch_the_same_are_not_worked_on_at_the_same_time(tmp_path: Path) -> None:
    touches = {"item00004": ["src/api"], "item00005": ["src/api/users.py"], "item00006": ["docs"]}
    team = Team(scenario_with(7, touches=touches), meeting=frozenset({"item00006", "item00007"}))
    async with begun(tmp_path / "home", team, **beside(4)) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
    assert frozenset({"item00006", "item00007"}) in team.pairs
    assert frozenset({"item00004", "item00005"}) not in team.pairs


def both_write(ref: str, number: int, folder: Path) -> Files:
    """The two items write the same file; whoever is told of that writes what both want."""
    shared = {"shared.txt": "of both\n" if number > 1 else f"of {ref}\n"} if ref in BOTH else {}
    return {**module_of(ref), **shared}


async def test_a_conflict_goes_back_to_the_same_agent_with_both_sides(tmp_path: Path) -> None:
    team = Team(scenario_with(3), both_write, meeting=BOTH)
    async with begun(tmp_path / "home", team, **beside(2)) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
        folder = await folder_of(run)
        assert (folder / "shared.txt").read_text() == "of both\n"
        (failed,) = run.all(events.AttemptFailed)
        assert failed.trouble is Trouble.MERGE_CONFLICT
        assert "shared.txt" in failed.problem
        told = [event for event in run.all(events.AgentPrompted) if event.kind == "merge_conflict"]
        assert len(told) == 1
        late = next(item for item in await run.engine.items(run.project_id) if item.id == failed.work_item_id)
        (first, second) = team.prompts[str(late.metadata["ref"])]
        assert first != second
        assert '<data name="conflicts">\n- shared.txt' in second
        assert "+of item0000" in second
        sessions = [one for one in await run.engine.sessions(run.project_id) if one.work_item_id == late.id]
        assert [one.status for one in sessions] == [AgentStatus.COMPLETED]
        assert git(folder, "log", "--format=%s", "-1").strip() == f"{late.key}: {late.title}"
    assert red_commits(folder)[1:] == []


async def test_who_gives_up_all_its_work_in_a_conflict_has_done_nothing(tmp_path: Path) -> None:
    def gives_up_once(ref: str, number: int, folder: Path) -> Files:
        if ref == "item00001" or number == 3:
            return module_of(ref)
        if number == 2:
            for file in folder.glob(f"*{ref}.py"):
                file.unlink()
            git(folder, "restore", "-s", "HEAD", "shared.txt")
            return {}
        return {**module_of(ref), "shared.txt": f"of {ref}\n"}

    team = Team(scenario_with(3), gives_up_once, meeting=BOTH)
    async with begun(tmp_path / "home", team, **beside(2)) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
        problems = [event.problem for event in run.all(events.AttemptFailed)]
        assert len(problems) == 2
        assert "conflicts" in problems[0]
        assert "no file of the project has changed" in problems[1]


CHECK = "set -e\nif test -e item00002.py && test -e item00003.py; then test -e agreed.txt; fi\n"


async def test_what_is_green_alone_and_red_together_goes_back_and_never_reaches_main(tmp_path: Path) -> None:
    def agreed(ref: str, number: int, folder: Path) -> Files:
        return {**module_of(ref), **({"agreed.txt": "yes\n"} if number > 1 else {})}

    team = Team(scenario_with(3, check=CHECK), agreed, meeting=BOTH)
    async with begun(tmp_path / "home", team, **beside(2)) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
        folder = await folder_of(run)
        (failed,) = run.all(events.AttemptFailed)
        assert failed.trouble is Trouble.FAILING_CHECK
        (prompt,) = [told[1] for told in team.prompts.values() if len(told) > 1]
        assert "Together with the project's newest state your work does not pass" in prompt
        assert "The check failed (1 of at most" in prompt
    assert red_commits(folder)[1:] == []
    assert "agreed.txt" in files_of(folder)


@pytest.mark.parametrize("autonomy", ["full", "checkpoint"])
async def test_rounds_are_bounded_then_a_person_decides_or_the_item_is_blocked(tmp_path: Path, autonomy: str) -> None:
    team = Team(scenario_with(3, check=CHECK), meeting=BOTH)
    settings = beside(2, implement={"checkpoint_pause": False})
    settings["phases"]["task_breakdown"] = {"checkpoint_pause": False}
    async with begun(tmp_path / "home", team, autonomy=autonomy, **settings) as run:
        status = await run.until_rest()
        items = await run.engine.items(run.project_id)
        assert sorted(item.status for item in items) == [
            WorkItemStatus.BLOCKED,
            WorkItemStatus.DONE,
            WorkItemStatus.DONE,
        ]
        blocked = next(item for item in items if item.status is WorkItemStatus.BLOCKED)
        folder = await folder_of(run)
        assert len(team.prompts[str(blocked.metadata["ref"])]) == 3
        (patch,) = (folder / ".orchestrator" / "patches").glob(f"*-{blocked.key}.patch")
        assert f"{blocked.metadata['ref']}.py" in patch.read_text()
        comment = (await run.engine.comments(blocked.id))[-1].content
        assert f"kept in .orchestrator/patches/{patch.name}" in comment
        if autonomy == "full":
            assert status is PipelineStatus.FAILED
        else:
            assert status is PipelineStatus.PAUSED
            assert (await run.request()).kind is RequestKind.ERROR_DECISION
    assert red_commits(folder)[1:] == []


async def test_what_a_person_breaks_in_the_project_is_repaired_although_every_place_is_taken(tmp_path: Path) -> None:
    team = Team(scenario_with(3), meeting=BOTH)
    settings: Mapping[str, Any] = {**beside(2), "agent": {"max_parallel": 2}, "limits": {"project": {"money": 30}}}
    team.dollars = 1.0
    async with begun(tmp_path / "home", team, **settings) as run:
        await run.until(lambda event: isinstance(event, events.AgentStarted) and event.work_item_key == "TASK-3")
        folder = await folder_of(run)
        (folder / "item_by_hand.py").write_text("without a test\n")
        repaired = asyncio.create_task(repair(run, folder))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        await repaired
        assert "item_by_hand.py" in files_of(folder)
    assert git(folder, "status", "--porcelain") == ""


async def repair(run: Watched, folder: Path) -> None:
    """What a repairer would do, once one is there."""
    async with run.engine.subscribe(0, project_id=run.project_id) as stream:
        async for live in stream:
            event = getattr(live, "event", None)
            if isinstance(event, events.AgentStarted) and event.role == "repairer":
                (folder / "test_item_by_hand.py").write_text("a test\n")
                return


async def test_a_stop_gives_every_item_back_and_each_goes_on_with_its_conversation_and_files(tmp_path: Path) -> None:
    home = tmp_path / "home"
    half = {"half.txt": "half\n"}

    def half_done(ref: str, number: int, folder: Path) -> Files:
        return {**module_of(ref), **half} if ref == TWO else module_of(ref)

    never = Team(scenario_with(3), meeting=frozenset({*BOTH, "nobody"}))
    async with begun(home, never, **beside(2)) as run:
        await run.until(lambda event: isinstance(event, events.AgentPrompted) and never.here == BOTH)
        project = await run.project()
        folder = Path(project.directory)
        (folder / ".orchestrator" / "worktrees" / "TASK-2" / "of-two.txt").write_text("two\n")
        (folder / ".orchestrator" / "worktrees" / "TASK-3" / "of-three.txt").write_text("three\n")
        assert "of-three.txt" in await run.engine.item_diff((await run.engine.items(run.project_id))[2].id)
        await run.engine.submit(StopProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.STOPPED
        items = await run.engine.items(run.project_id)
        assert [item.status for item in items] == [WorkItemStatus.DONE, WorkItemStatus.TODO, WorkItemStatus.TODO]
        assert list((folder / ".orchestrator" / "worktrees").iterdir()) == []
        assert git(folder, "status", "--porcelain") == ""
    team = Team(scenario_with(3), half_done)
    async with open_engine(launch(home, None, **beside(2)), runtime=team) as engine:
        run = Watched(engine=engine, project_id=project.id)
        run.seen += await engine.latest_events(project.id, limit=1)
        await engine.submit(ResumeProject(project_id=project.id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
    assert {"of-two.txt", "of-three.txt"} <= set(files_of(folder))
    resumed = [request.resume for request in team.started if request.role == "developer"]
    assert None not in resumed
    assert len(resumed) == 2


async def test_money_is_shared_and_each_gets_a_part_of_what_is_left(tmp_path: Path) -> None:
    team = Team(scenario_with(3), meeting=BOTH, dollars=1.0)
    async with begun(tmp_path / "home", team, **beside(2), limits={"project": {"money": 9}}) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
    given = {one.subject: one.max_budget_usd for one in team.started if one.role == "developer"}
    shares = sorted(float(given[ref] or 0) for ref in BOTH)
    assert sum(shares) <= 8
    assert shares[0] == pytest.approx(shares[1], rel=0.5)


async def test_no_more_at_a_time_than_there_are_places_for_and_it_is_told(tmp_path: Path) -> None:
    team = Team(scenario_with(3))
    settings = {**beside(4), "agent": {"max_parallel": 1}}
    async with begun(tmp_path / "home", team, **settings) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
        notes = [event.note for event in run.all(events.PhaseProgressed) if "instead of" in event.note]
        assert notes == ["items done; 1 at a time instead of 4, as agent.max_parallel is 1"]
    assert team.most == 1


@pytest.mark.parametrize(("prepare", "status"), [("echo > made.tmp", "completed"), ("exit 3", "failed")])
async def test_a_fresh_worktree_is_made_ready(tmp_path: Path, prepare: str, status: str) -> None:
    there: list[bool] = []

    def look(ref: str, number: int, folder: Path) -> Files:
        there.append((folder / "made.tmp").exists())
        return {**module_of(ref), ".gitignore": "*.tmp\n"}

    team = Team(scenario_with(1), look)
    async with begun(tmp_path / "home", team, **beside(2, implement={"prepare": prepare})) as run:
        assert await run.until_rest() == status
        if status == "failed":
            (error,) = run.all(events.ErrorOccurred)
            assert "phases.implement.prepare, `exit 3`, ended with exit code 3" in error.message
    assert there == [True] * (status == "completed")


async def test_who_comes_second_waits_for_its_turn_and_is_told_on_top_of_what(tmp_path: Path) -> None:
    check = "sleep 0.2; " + CHECK.replace("test -e agreed.txt", "true")
    team = Team(scenario_with(3, check=check), meeting=BOTH)
    async with begun(tmp_path / "home", team, **beside(2)) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
        folder = await folder_of(run)
        merging = [event for event in run.all(events.MergeProgressed) if event.step is MergeStep.MERGING]
    parents = git(folder, "log", "--format=%P", "--grep=TASK-").split()
    assert sorted(event.onto for event in merging) == sorted(parents)


async def test_a_project_goes_on_one_by_one_after_it_was_worked_on_side_by_side(tmp_path: Path) -> None:
    home = tmp_path / "home"
    never = Team(scenario_with(3), meeting=frozenset({*BOTH, "nobody"}))
    async with begun(home, never, **beside(2)) as run:
        await run.until(lambda event: isinstance(event, events.AgentPrompted) and never.here == BOTH)
        project = await run.project()
        shutil.copy(
            Path(project.directory) / "verify.sh",
            Path(project.directory) / ".orchestrator" / "worktrees" / "TASK-2" / "of-two.txt",
        )
        await run.engine.submit(StopProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.STOPPED
    team = Team(scenario_with(3))
    async with open_engine(launch(home, None, **beside(1)), runtime=team) as engine:
        run = Watched(engine=engine, project_id=project.id)
        run.seen += await engine.latest_events(project.id, limit=1)
        await engine.submit(ResumeProject(project_id=project.id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
    assert "of-two.txt" in files_of(Path(project.directory))
    assert not (Path(project.directory) / ".orchestrator" / "worktrees").exists()


async def test_an_item_that_was_asked_for_again_is_done_again_although_that_was_interrupted(tmp_path: Path) -> None:
    home, settings = tmp_path / "home", beside(2, backend={"type": "json"})
    async with begun(home, Team(scenario_with(1)), **settings) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
        project = await run.project()
        await edit(run, lambda entries: entries[0].update(status="todo"))
        await run.engine.submit(SyncTracker(project_id=project.id))
    never = Team(scenario_with(1), meeting=frozenset({"item00001", "nobody"}))
    async with going_on(home, project.id, never, **settings) as run:
        await run.until(lambda event: isinstance(event, events.AgentPrompted))
        await run.engine.submit(StopProject(project_id=project.id))
        assert await run.until_rest() is PipelineStatus.STOPPED
    again = Team(scenario_with(1), lambda ref, number, folder: {**module_of(ref), "again.txt": "again\n"})
    async with going_on(home, project.id, again, **settings) as run:
        assert await run.until_rest() is PipelineStatus.COMPLETED
    assert "again.txt" in files_of(Path(project.directory))


@asynccontextmanager
async def going_on(home: Path, project_id: str, team: Team, **settings: Any) -> AsyncIterator[Watched]:
    """The project in another life, resumed."""
    async with open_engine(launch(home, None, **settings), runtime=team) as engine:
        run = Watched(engine=engine, project_id=project_id)
        run.seen += await engine.latest_events(project_id, limit=1)
        await engine.submit(ResumeProject(project_id=project_id))
        yield run
