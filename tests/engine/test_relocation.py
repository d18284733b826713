import shutil
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ImportProject, ResumeProject, StopProject
from orchestrator_tui.domain.errors import DirectoryUnusable
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.engine.relocation import FIRST_COMMIT
from orchestrator_tui.engine.statefile import STATE_FILE, read_state
from tests.crash.lineage import Outcome, differences, outcome_of
from tests.engine.conftest import ITEMS
from tests.engine.outages import item_done
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch


@pytest.fixture
def start(tmp_path: Path) -> Launch:
    return launch(tmp_path / "home", None, **NO_PLANNING)


@pytest.fixture
def runtime() -> ReplayRuntime:
    return ReplayRuntime(light_scenario(ITEMS))


async def stopped_halfway(engine: LocalEngine) -> tuple[Watched, Path]:
    run = Watched(engine=engine)
    await run.create()
    await run.until(item_done)
    await engine.submit(StopProject(project_id=run.project_id))
    return run, Path((await run.project()).directory)


async def resumed(run: Watched) -> PipelineStatus:
    await run.until(lambda event: isinstance(event, events.PipelineStatusChanged) and event.new == "stopped")
    await run.engine.submit(ResumeProject(project_id=run.project_id))
    return await run.until_rest()


async def test_a_project_whose_folder_was_moved_goes_on_there_once_it_is_told(
    tmp_path: Path, start: Launch, runtime: ReplayRuntime, undisturbed: Outcome
) -> None:
    async with open_engine(start, runtime=runtime) as engine:
        run, folder = await stopped_halfway(engine)
        moved = tmp_path / "elsewhere" / "demo"
        moved.parent.mkdir()
        folder.rename(moved)
        with pytest.raises(DirectoryUnusable, match="folder is gone") as told:
            await engine.submit(ResumeProject(project_id=run.project_id))
        assert "orchestrator-tui import FOLDER" in told.value.hint
        assert await engine.submit(ImportProject(directory=str(moved))) == run.project_id
        assert (await run.project()).directory == str(moved)
        assert await resumed(run) is PipelineStatus.COMPLETED
        assert run.all(events.ProjectMoved) == [events.ProjectMoved(old=str(folder), new=str(moved))]
        assert not folder.exists()
    assert read_state(moved).project.directory == str(moved)
    outcome, _ = await outcome_of(sqlite_url(start.paths.database))
    assert differences(undisturbed, outcome) == []


async def test_a_folder_that_came_without_its_repository_is_not_taken_for_the_project(
    tmp_path: Path, start: Launch, runtime: ReplayRuntime
) -> None:
    async with open_engine(start, runtime=runtime) as engine:
        run, folder = await stopped_halfway(engine)
        moved = tmp_path / "moved"
        moved.mkdir()
        shutil.copy(folder / STATE_FILE, moved)
        shutil.rmtree(folder)
        with pytest.raises(DirectoryUnusable, match="it has no commit"):
            await engine.submit(ImportProject(directory=str(moved)))
        assert (await run.project()).directory == str(folder)


async def test_the_files_of_a_lost_repository_go_on_in_a_new_one(start: Launch, runtime: ReplayRuntime) -> None:
    async with open_engine(start, runtime=runtime) as engine:
        run, folder = await stopped_halfway(engine)
        anew = ImportProject(directory=str(folder), new_repository=True)
        with pytest.raises(DirectoryUnusable, match="there is a repository already"):
            await engine.submit(anew)
        shutil.rmtree(folder / ".git")
        with pytest.raises(DirectoryUnusable, match="repository is gone") as told:
            await engine.submit(ResumeProject(project_id=run.project_id))
        assert f"orchestrator-tui import {folder} --new-repository" in told.value.hint
        assert await engine.submit(anew) == run.project_id
        assert [one.subject for one in await engine.commits(run.project_id)] == [FIRST_COMMIT]
        assert await resumed(run) is PipelineStatus.COMPLETED
        overview = await engine.overview(run.project_id)
        assert overview.items.done == overview.items.total == ITEMS
        verified = run.all(events.VerifyFinished)
        assert verified[-1].passed


async def test_a_project_that_both_the_database_and_git_lost_goes_on_with_its_files(
    tmp_path: Path, start: Launch, runtime: ReplayRuntime
) -> None:
    async with open_engine(start, runtime=runtime) as engine:
        _, folder = await stopped_halfway(engine)
    shutil.rmtree(folder / ".git")
    async with open_engine(launch(tmp_path / "other", None, **NO_PLANNING), runtime=runtime) as engine:
        anew = ImportProject(directory=str(folder), new_repository=True)
        run = Watched(engine=engine, project_id=await engine.submit(anew))
        assert await resumed(run) is PipelineStatus.COMPLETED
        assert (await engine.commits(run.project_id))[-1].subject == FIRST_COMMIT
