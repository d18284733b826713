import asyncio
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator_tui.agents.rehearsal.scenario import load_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ResumeProject, StopProject
from orchestrator_tui.domain.errors import DirectoryUnusable
from orchestrator_tui.domain.statuses import Choice, PhaseName, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.domain.troubles import Rung
from orchestrator_tui.engine import run as running
from orchestrator_tui.engine.shutdown import StopOrder
from orchestrator_tui.logs import configure_logging
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch
from tests.scenarios import Answer, answer, bash, structured, write, write_scenario

ROOT = Path(__file__).parent.parent.parent
DONE = structured(status="done", summary="Done.", notes="")
WRONG = 'def name() -> str:\n    return "something else"\n'
TEST = """import unittest
import item00001


class NameTest(unittest.TestCase):
    def test_tells_its_name(self):
        self.assertEqual(item00001.name(), "item00001")
"""


def runtime_of(folder: Path, *first: Answer, role: str = "", items: int = 1) -> ReplayRuntime:
    """The generated scenario with the answers `first` in place of those of `role`."""
    scenario = write_scenario(folder, *first, items=items, without=lambda entry: entry["role"] == role)
    return ReplayRuntime(load_scenario(scenario))


def start(home: Path, autonomy: str = "full") -> Launch:
    return launch(home, None, autonomy=autonomy, **NO_PLANNING)


async def test_an_agent_that_only_says_done_has_done_nothing(tmp_path: Path) -> None:
    runtime = runtime_of(tmp_path / "s", answer("implement", "developer", DONE), role="developer")
    async with open_engine(start(tmp_path / "home"), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.FAILED
        (item,) = await engine.items(run.project_id)
        assert item.status is WorkItemStatus.BLOCKED
        (told,) = [event.text for event in run.all(events.AgentPrompted) if event.kind == "nothing_changed"]
        assert "no file of the project has changed" in told
        assert [event.then for event in run.all(events.AttemptFailed)] == [Rung.HINT, Rung.FRESH, Rung.ESCALATE]
        assert not [event for event in run.all(events.CommitMade) if event.work_item_id]


async def test_what_an_agent_has_committed_by_itself_is_work_done_and_its_commit_is_found_again(tmp_path: Path) -> None:
    commit = bash("git add -A && git -c user.name=a -c user.email=a@localhost commit -q -m mine")
    turns = (write("mine.txt", "mine"), commit, DONE)
    runtime = runtime_of(tmp_path / "s", answer("implement", "developer", *turns), role="developer")
    async with open_engine(start(tmp_path / "home"), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        (item,) = await engine.items(run.project_id)
        assert item.status is WorkItemStatus.DONE
        newest, mine, *_ = await engine.commits(run.project_id)
        assert (newest.subject, newest.work_item_id) == (f"{item.key}: {item.title}", item.id)
        assert mine.subject == "mine"


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        ([], "the project folder is still empty"),
        ([write("a.py", "x = 1\n")], "there is no ignore file"),
        ([write("a.py", "x = 1\n"), write(".gitignore", "*.pyc\n")], "is green in an empty folder too"),
    ],
)
async def test_a_scaffold_without_files_or_with_a_check_of_nothing_is_refused(
    tmp_path: Path, made: list[Answer], complaint: str
) -> None:
    ready = structured(summary="Ready.", verify_command="python3 --version")
    runtime = runtime_of(tmp_path / "s", answer("initialize", "initializer", *made, ready), role="initializer")
    async with open_engine(start(tmp_path / "home"), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.FAILED
        assert complaint in next(e.text for e in run.all(events.AgentPrompted) if e.kind == "invalid_answer")
        assert run.all(events.CommitMade) == []


async def test_a_blocked_item_is_tried_again_with_the_words_of_a_person(tmp_path: Path) -> None:
    wrong = answer("implement", "developer", write("item00001.py", WRONG), write("test_item00001.py", TEST), DONE)
    runtime = runtime_of(tmp_path / "s", wrong, role="developer")
    async with open_engine(start(tmp_path / "home", "checkpoint"), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        await run.answer(Choice.APPROVE)
        assert await run.until_rest() is PipelineStatus.PAUSED
        before = len(runtime.started)
        await run.answer(Choice.RETRY_WITH_HINT, "The name is the module's own.")
        assert await run.until_rest() is PipelineStatus.PAUSED
        again = [request for request in runtime.started[before:] if request.role == "developer"]
        assert again
        assert "The name is the module's own." in again[0].prompt


async def test_resuming_after_an_error_takes_the_question_back_and_tries_again(tmp_path: Path) -> None:
    wrong = answer("implement", "developer", write("item00001.py", WRONG), write("test_item00001.py", TEST), DONE)
    runtime = runtime_of(tmp_path / "s", wrong, role="developer")
    async with open_engine(start(tmp_path / "home", "checkpoint"), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        await run.answer(Choice.APPROVE)
        await run.until_rest()
        question = await run.request()
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert [event.request_id for event in run.all(events.InputWithdrawn)] == [question.id]
        assert (await run.request()).id != question.id


async def test_a_phase_that_was_skipped_runs_once_it_is_enabled(tmp_path: Path) -> None:
    home, runtime = tmp_path / "home", runtime_of(tmp_path / "s")
    skipping = launch(home, None, phases={**NO_PLANNING["phases"], "initialize": {"enabled": False}})
    async with open_engine(skipping, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.FAILED
    enabling = launch(home, None, phases={"initialize": {"enabled": True}, "deploy": {"enabled": True}})
    async with open_engine(enabling, runtime=runtime) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        phases = (await engine.overview(run.project_id)).state.phases
        assert phases[PhaseName.INITIALIZE].status is PhaseStatus.COMPLETED
        assert phases[PhaseName.DEPLOY].status is PhaseStatus.COMPLETED
        assert phases[PhaseName.IDEATION].status is PhaseStatus.SKIPPED


async def test_deploying_a_finished_program_is_a_matter_of_enabling_it(tmp_path: Path) -> None:
    home, runtime = tmp_path / "home", runtime_of(tmp_path / "s")
    async with open_engine(start(home), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
    deploying = launch(home, None, phases={"deploy": {"enabled": True}})
    async with open_engine(deploying, runtime=runtime) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        deployment = next(one for one in await engine.artifacts(run.project_id) if one.output_type == "deployment")
        assert "no Docker engine answers" in deployment.content["checks"][-1] or "was built" in str(deployment.content)


async def test_a_project_that_has_just_come_to_rest_can_be_stopped(tmp_path: Path) -> None:
    runtime = runtime_of(tmp_path / "s")
    async with open_engine(start(tmp_path / "home", "checkpoint"), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        await engine.submit(StopProject(project_id=run.project_id))
        assert (await run.project()).status is PipelineStatus.STOPPED
        await engine.submit(StopProject(project_id=run.project_id))


async def test_what_waits_for_a_person_still_waits_when_the_program_is_left_in_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving = asyncio.Event()

    @asynccontextmanager
    async def until_left(*_: object, **__: object) -> AsyncIterator[None]:
        yield
        await leaving.wait()

    def leave(self: StopOrder, reason: str, *, force: bool = False) -> None:
        give(self, reason, force=force)
        leaving.set()

    give = StopOrder.give
    monkeypatch.setattr(StopOrder, "give", leave)
    monkeypatch.setattr(running, "heartbeat", until_left)
    async with open_engine(start(tmp_path / "home", "checkpoint"), runtime=runtime_of(tmp_path / "s")) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
    async with open_engine(start(tmp_path / "home", "checkpoint"), runtime=runtime_of(tmp_path / "s")) as engine:
        assert (await engine.find_project(run.project_id)).status is PipelineStatus.PAUSED


async def test_what_an_item_changed_can_be_looked_at_afterwards(tmp_path: Path) -> None:
    async with open_engine(start(tmp_path / "home"), runtime=runtime_of(tmp_path / "s")) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        (item,) = await engine.items(run.project_id)
        diff = await engine.item_diff(item.id)
        assert f"{item.key}: {item.title}" in diff
        assert '+    return "item00001"' in diff
        assert "Wrote item00001" in (await engine.comments(item.id))[-1].content


async def test_a_plan_smaller_than_asked_for_says_so(tmp_path: Path) -> None:
    runtime = runtime_of(tmp_path / "s", items=3)
    start = launch(tmp_path / "home", None, phases={**NO_PLANNING["phases"], "task_breakdown": {"target_items": 50}})
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        assert any(event.message.startswith("3 of the 50 work items") for event in run.all(events.ErrorOccurred))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


async def test_without_its_own_repository_a_project_never_touches_the_one_around_it(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    (outer / "mine.txt").write_text("precious")
    git(outer, "add", "-A")
    git(outer, "commit", "-qm", "mine")
    (outer / "mine.txt").write_text("not committed yet")
    home = outer / "home"
    runtime = runtime_of(tmp_path / "s")
    async with open_engine(start(home), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        project = Path((await run.project()).directory)
        shutil.rmtree(project / ".git")
        with pytest.raises(DirectoryUnusable, match="repository is gone or is another one"):
            await engine.submit(ResumeProject(project_id=run.project_id))
        assert (await run.project()).status is PipelineStatus.COMPLETED
        shutil.rmtree(project)
        with pytest.raises(DirectoryUnusable, match="folder is gone"):
            await engine.submit(ResumeProject(project_id=run.project_id))
    assert git(outer, "log", "--format=%s").splitlines() == ["mine"]
    assert git(outer, "status", "--porcelain", "-uno").splitlines() == [" M mine.txt"]


async def test_what_happens_is_in_the_log_file_and_nothing_of_the_credentials(tmp_path: Path) -> None:
    given = start(tmp_path / "home")
    with configure_logging(given.settings().log, given.paths.logs) as log:
        async with open_engine(given, runtime=runtime_of(tmp_path / "s")) as engine:
            run = Watched(engine=engine)
            await run.create()
            await run.until_rest()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = {line["message"] for line in lines}
    assert told >= {"ProjectCreated", "PhaseStatusChanged", "AgentStarted", "VerifyFinished", "CommitMade"}
    assert "AgentCalledTool" not in told
    assert logging.getLogger("orchestrator_tui").handlers == []


def no_more_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))


def test_a_run_that_cannot_store_anything_waits_says_why_and_still_leaves(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s", items=60)
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT_CLI, str(home), str(scenario)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        preexec_fn=no_more_room,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "the disk reports an error" in done.stdout, done.stderr[-2000:]


RUN_WITHOUT_CLI = """
import asyncio, sys
from pathlib import Path
from orchestrator_tui.agents.rehearsal.scenario import load_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain.errors import StoreUnavailable
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

async def main():
    runtime = ReplayRuntime(load_scenario(Path(sys.argv[2])))
    start = launch(Path(sys.argv[1]), None, run={"stop_timeout_seconds": 1}, **NO_PLANNING)
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        try:
            await run.create()
            await run.until_rest()
        except StoreUnavailable as error:
            print(error.line())

asyncio.run(main())
"""
