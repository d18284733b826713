import asyncio
import logging
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.base import AgentSession, SessionRequest
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import AnswerRequest, ImportProject, ResumeProject
from orchestrator_tui.domain.errors import (
    AlreadyOwned,
    DirectoryUnusable,
    OrchestratorError,
    ProjectKnown,
    StateFileDamaged,
    StateFileMissing,
)
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Dossier
from orchestrator_tui.domain.statuses import Choice, PhaseName, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.engine.statefile import STATE_FILE, read_state, render, write_state
from tests.engine.dossiers import at_work, forget_owner, id_of, item
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

ITEMS = 4
HALF_WRITTEN = shutil.ignore_patterns("*.tmp")
"""A state file that is just being written has gone when it is to be copied."""
DONE, IN_PROGRESS, TODO = WorkItemStatus.DONE, WorkItemStatus.IN_PROGRESS, WorkItemStatus.TODO
Reached = Callable[[events.Event], bool]


def runtime() -> ReplayRuntime:
    return ReplayRuntime(light_scenario(ITEMS))


@dataclass(frozen=True, slots=True)
class HeldAtImplement(ReplayRuntime):
    """Its developers wait until they are let go, so that a run stands still where the scaffold is committed."""

    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        if request.phase is PhaseName.IMPLEMENT:
            await self.let_go.wait()
        async with ReplayRuntime.session(self, request) as session:
            yield session


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@localhost")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def files_of(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in git(folder, "ls-files").splitlines()}


def nth(number: int, kind: type[Any], **fields: Any) -> Reached:
    """The moment an event of that kind, with those fields, has happened for the `number`th time."""
    left = number

    def reached(event: events.Event) -> bool:
        nonlocal left
        left -= isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
        return left <= 0

    return reached


MOMENTS: dict[str, Reached] = {
    "the breakdown begins": nth(1, events.PhaseStatusChanged, phase=PhaseName.TASK_BREAKDOWN, new=PhaseStatus.RUNNING),
    "the plan is stored": nth(1, events.ArtifactStored, phase=PhaseName.TASK_BREAKDOWN),
    "the items are made": nth(ITEMS, events.WorkItemCreated),
    "the scaffold is committed": nth(1, events.CommitMade),
    "an item is claimed": nth(2, events.WorkItemStatusChanged, new=IN_PROGRESS),
    "an agent writes": nth(1, events.AgentCalledTool, tool="Write"),
    "an item is committed": nth(3, events.CommitMade),
    "an item is done": nth(2, events.WorkItemStatusChanged, new=DONE),
    "all items are done": nth(ITEMS, events.WorkItemStatusChanged, new=DONE),
    "testing begins": nth(1, events.PhaseStatusChanged, phase=PhaseName.TESTING, new=PhaseStatus.RUNNING),
    "it is finished": nth(1, events.PipelineStatusChanged, new=PipelineStatus.COMPLETED),
}


async def test_work_begun_after_the_state_file_was_last_written_is_nobody_s_change_by_hand(tmp_path: Path) -> None:
    left, played = tmp_path / "left", HeldAtImplement(runtime().scenario)
    async with open_engine(launch(tmp_path / "first", None, **NO_PLANNING), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(nth(1, events.CommitMade))
        folder = Path((await run.project()).directory)
        shutil.copytree(folder, left, symlinks=True, ignore=HALF_WRITTEN)
        played.let_go.set()
        await run.until_rest()
    forget_owner(left)
    (left / "half_made.py").write_text("half = ")
    async with open_engine(launch(tmp_path / "second", None), runtime=played) as engine:
        project_id = await engine.submit(ImportProject(directory=str(left)))
        assert not (left / "half_made.py").exists()
        (patch,) = (left / ".orchestrator" / "patches").iterdir()
        assert "half_made.py" in patch.read_text()
        again = Watched(engine=engine, project_id=project_id)
        await again.until(lambda event: isinstance(event, events.PipelineStatusChanged))
        await engine.submit(ResumeProject(project_id=project_id))
        assert await again.until_rest() is PipelineStatus.COMPLETED
        assert "Changes made by hand" not in git(left, "log", "--format=%s")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_project_whose_database_is_lost_in_the_middle_ends_with_the_same_result(
    tmp_path: Path, moment: str
) -> None:
    left, played = tmp_path / "left", runtime()
    async with open_engine(launch(tmp_path / "first", None, **NO_PLANNING), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(MOMENTS[moment])
        folder = Path((await run.project()).directory)
        # What a power cut in this moment leaves.
        shutil.copytree(folder, left, symlinks=True, ignore=HALF_WRITTEN)
        if moment != "it is finished":
            assert await run.until_rest() is PipelineStatus.COMPLETED
        undisturbed = await engine.overview(run.project_id)
        expected = {one.title: one.status for one in await engine.items(run.project_id)}
    forget_owner(left)

    async with open_engine(launch(tmp_path / "second", None), runtime=played) as engine:
        project_id = await engine.submit(ImportProject(directory=str(left)))
        again = Watched(engine=engine, project_id=project_id)
        await again.until(lambda event: isinstance(event, events.PipelineStatusChanged))
        imported = await again.project()
        assert imported.status in (PipelineStatus.STOPPED, PipelineStatus.COMPLETED)
        assert (imported.id, imported.directory) == (run.project_id, str(left))
        assert not await engine.items(project_id, status=IN_PROGRESS)
        await engine.submit(ResumeProject(project_id=project_id))
        if imported.status is not PipelineStatus.COMPLETED:
            assert await again.until_rest() is PipelineStatus.COMPLETED
        finished = await engine.overview(project_id)
        assert {one.title: one.status for one in await engine.items(project_id)} == expected
    assert finished.items == undisturbed.items
    assert {name: phase.status for name, phase in finished.state.phases.items()} == {
        name: phase.status for name, phase in undisturbed.state.phases.items()
    }
    assert files_of(left) == files_of(folder)
    subjects = Counter(git(left, "log", "--format=%s").splitlines())
    assert subjects == Counter(git(folder, "log", "--format=%s").splitlines())
    assert set(subjects.values()) == {1}
    assert read_state(left).project.status is PipelineStatus.COMPLETED


async def test_what_waits_for_a_person_waits_again_and_takes_the_same_answer(tmp_path: Path) -> None:
    played, settings = runtime(), {"autonomy": "checkpoint", **NO_PLANNING}
    async with open_engine(launch(tmp_path / "home", None, **settings), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        request, before = await run.request(), await engine.overview(run.project_id)
    (tmp_path / "home" / "orchestrator.db").unlink()

    async with open_engine(launch(tmp_path / "home", None), runtime=played) as engine:
        again = Watched(engine=engine)
        again.project_id = await engine.submit(ImportProject(directory=before.project.directory))
        overview = await engine.overview(again.project_id)
        assert overview.waiting_for == request == await again.request()
        assert overview.total_usage == before.total_usage
        assert overview.project.config == before.project.config
        await engine.submit(
            AnswerRequest(request_id=request.id, choice=Choice.APPROVE, content_hash=request.content_hash)
        )
        await engine.submit(ResumeProject(project_id=again.project_id))
        await again.until(nth(1, events.PhaseStatusChanged, phase=PhaseName.TESTING, new=PhaseStatus.COMPLETED))
        assert (await engine.overview(again.project_id)).items.done == ITEMS


async def test_documents_that_somebody_deleted_are_written_again_before_agents_are_told_to_read_them(
    tmp_path: Path,
) -> None:
    played = runtime()
    async with open_engine(launch(tmp_path / "home", None, **NO_PLANNING), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        notes = Path((await run.project()).directory) / ".orchestrator"
        written = {file.name: file.read_text() for file in notes.glob("*.md")}
        shutil.rmtree(notes)
        state = notes.parent / STATE_FILE
        state.write_bytes(state.read_bytes()[:500])
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert read_state(notes.parent).project.id == run.project_id
        assert "work_items.md" in written
        assert {file.name: file.read_text() for file in notes.glob("*.md")} == written


def project_folder(tmp_path: Path, dossier: Dossier) -> Path:
    """A folder with a state file and a repository with one commit."""
    folder = tmp_path / "demo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / ".git" / "info" / "exclude").write_text(f"/.orchestrator/\n/{STATE_FILE}*\n")
    commit(folder, "a.py", "Scaffold")
    write_state(folder, render(dossier))
    return folder


def commit(folder: Path, name: str, message: str) -> str:
    (folder / name).write_text(f"{message}\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()


async def import_of(engine: LocalEngine, folder: Path) -> Watched:
    return Watched(engine=engine, project_id=await engine.submit(ImportProject(directory=str(folder))))


async def events_of(engine: LocalEngine, project_id: str = "") -> list[events.Event]:
    found: list[Recorded] = list(await engine.events(project_id=project_id or None))
    return [recorded.event for recorded in found]


async def test_commits_say_what_is_done_and_half_made_work_is_kept_as_a_patch(tmp_path: Path) -> None:
    dossier = at_work(item(1, DONE), item(2, IN_PROGRESS), item(3, IN_PROGRESS), item(4))
    folder = project_folder(tmp_path, dossier)
    commit_hash = commit(folder, "b.py", f"TASK-2: Module 2\n\nWork-Item: {id_of(102)}")
    (folder / "half.py").write_text("half")
    async with open_engine(launch(tmp_path / "home", None)) as engine:
        run = await import_of(engine, folder)
        items = await engine.items(run.project_id)
        assert [one.status for one in items] == [DONE, DONE, TODO, TODO]
        assert items[1].metadata["commit"] == commit_hash
        (note,) = await engine.comments(items[2].id)
        patch = folder / ".orchestrator" / "patches"
        assert note.content.startswith("Interrupted (the project was built again from its folder)")
        assert "half" in (patch / note.content.split("kept in ")[1].split(". ")[0]).read_text()
        assert not (folder / "half.py").exists()
        told = await events_of(engine, run.project_id)
        assert told[0] == events.ProjectImported(
            number=1,
            name="Demo",
            slug="demo",
            directory=str(folder),
            idea="A demo.",
            rehearsal=True,
            current_phase=PhaseName.IMPLEMENT,
            items=4,
            done=2,
            by_commit=1,
            requeued=1,
        )
        assert isinstance(told[-1], events.PipelineStatusChanged)
        assert told[-1].new is PipelineStatus.STOPPED
    left = read_state(folder)
    assert [one.status for one in left.items] == [DONE, DONE, TODO, TODO]
    assert left.project.directory == str(folder)


async def test_numbers_and_slugs_go_on_behind_those_that_are_taken(tmp_path: Path) -> None:
    folder, played = project_folder(tmp_path, at_work()), runtime()
    async with open_engine(launch(tmp_path / "home", None, **NO_PLANNING), runtime=played) as engine:
        other = Watched(engine=engine)
        await other.create()
        await other.until_rest()
        imported = await (await import_of(engine, folder)).project()
        assert (imported.number, imported.slug, imported.id) == (2, "demo-2", at_work().project.id)


def names_below(folder: Path) -> list[str]:
    """Every name in the folder, but for the program's own."""
    return sorted(entry.name for entry in folder.rglob("*") if "home" not in entry.parts)


async def refused(tmp_path: Path, folder: Path, kind: type[OrchestratorError]) -> OrchestratorError:
    """The error of an import that leaves nothing behind."""
    before = names_below(tmp_path)
    async with open_engine(launch(tmp_path / "home", None)) as engine:
        with pytest.raises(kind) as caught:
            await engine.submit(ImportProject(directory=str(folder)))
        assert await engine.projects() == []
        assert await events_of(engine) == []
    assert names_below(tmp_path) == before
    return caught.value


async def test_importing_twice_is_refused_with_the_number_of_the_project(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work())
    async with open_engine(launch(tmp_path / "home", None)) as engine:
        await import_of(engine, folder)
        told = await events_of(engine)
        link = tmp_path / "link"
        link.symlink_to(folder)
        for again in (folder, link):
            with pytest.raises(ProjectKnown) as caught:
                await import_of(engine, again)
            assert caught.value.number == 1
            assert "is project 1 (Demo)" in caught.value.message
            assert "--resume 1" in caught.value.hint
        shutil.copytree(folder, tmp_path / "copy", ignore=HALF_WRITTEN)
        with pytest.raises(ProjectKnown) as caught:
            await import_of(engine, tmp_path / "copy")
        assert "To go on here, move that folder away first" in caught.value.hint
        assert await events_of(engine) == told


async def test_a_folder_of_a_known_project_is_known_even_when_its_file_is_damaged(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work())
    async with open_engine(launch(tmp_path / "home", None)) as engine:
        await import_of(engine, folder)
        (folder / STATE_FILE).write_text("{")
        with pytest.raises(ProjectKnown):
            await import_of(engine, folder)


async def test_a_damaged_file_is_told_with_what_git_has_and_what_to_do(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work())
    commit(folder, "b.py", f"TASK-1: Module 1\n\nWork-Item: {id_of(101)}")
    (folder / ".orchestrator").mkdir()
    (folder / ".orchestrator" / "requirements.md").write_text("# Demo")
    (folder / STATE_FILE).write_text('{"version": 2,')
    error = await refused(tmp_path, folder, StateFileDamaged)
    assert f"{STATE_FILE}: it is not JSON: EOF while parsing" in error.message
    assert "commits: 2, work items finished by them: 1" in error.hint
    assert "cannot be built again from git, so nothing was imported" in error.hint
    assert f"--idea-file {folder}/.orchestrator/requirements.md" in error.hint
    assert (folder / STATE_FILE).read_text() == '{"version": 2,'


async def test_a_missing_file_is_told_with_what_git_has(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work())
    (folder / STATE_FILE).rename(folder / f"{STATE_FILE}.damaged-20260501T120000Z")
    error = await refused(tmp_path, folder, StateFileMissing)
    assert "commits: 1, work items" in error.hint
    assert f"{STATE_FILE}.damaged-20260501T120000Z may hold parts of it" in error.hint


async def test_an_empty_folder_and_no_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no project's folder" in (await refused(tmp_path, tmp_path / "empty", StateFileMissing)).hint
    await refused(tmp_path, tmp_path / "nowhere", DirectoryUnusable)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"settings": {"agent": {"modle": "x"}}}, "is not a setting"),
        ({"settings": ["x"]}, "a group of settings was expected"),
        ({"scenario": 5}, "a name was expected"),
    ],
)
async def test_settings_that_a_run_could_not_use_are_damage(
    tmp_path: Path, config: dict[str, Any], reason: str
) -> None:
    dossier = at_work()
    folder = project_folder(tmp_path, replace(dossier, project=replace(dossier.project, config=config)))
    assert reason in (await refused(tmp_path, folder, StateFileDamaged)).message


async def test_a_step_that_names_no_commit_never_reaches_git(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work(last_successful_step="verified --output=x"))
    assert "it names no commit" in (await refused(tmp_path, folder, StateFileDamaged)).message


async def test_a_folder_whose_repository_is_gone_is_refused(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work(last_successful_step=f"verified {'a' * 40}"))
    assert "it has no commit aaaaaaaaaaaa" in (await refused(tmp_path, folder, DirectoryUnusable)).message


async def test_a_project_that_another_process_may_still_run_is_refused(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work(owner=owner.this_process()))
    await refused(tmp_path, folder, AlreadyOwned)
    far = at_work(owner="process 1 on elsewhere since 1", heartbeat=now() - timedelta(minutes=1))
    write_state(folder, render(far))
    await refused(tmp_path, folder, AlreadyOwned)
    silent = replace(far, state=replace(far.state, heartbeat=None))
    write_state(folder, render(silent))
    async with open_engine(launch(tmp_path / "home", None)) as engine:
        await import_of(engine, folder)


async def test_when_the_transaction_fails_nothing_half_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project_folder(tmp_path, at_work(item(1, IN_PROGRESS)))
    (folder / "half.py").write_text("half")

    def broken(*given: object) -> None:
        raise OrchestratorError("The disk is full.")

    monkeypatch.setattr("orchestrator_tui.engine.workspace.Workspace.set_aside", broken)
    assert (await refused(tmp_path, folder, OrchestratorError)).message == "The disk is full."
    assert (folder / "half.py").read_text() == "half"


async def test_an_id_that_another_project_uses_is_damage_and_not_taken_over(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, at_work(item(1)))
    (tmp_path / "b").mkdir()
    stolen = at_work(item(1))
    other_id = id_of(999)
    stolen = replace(
        stolen,
        project=replace(stolen.project, id=other_id),
        state=replace(stolen.state, project_id=other_id),
        items=tuple(replace(one, project_id=other_id) for one in stolen.items),
    )
    async with open_engine(launch(tmp_path / "home", None)) as engine:
        await import_of(engine, folder)
        copy = project_folder(tmp_path / "b", stolen)
        with pytest.raises(StateFileDamaged, match="belongs to another project of the database"):
            await import_of(engine, copy)
        assert len(await engine.projects()) == 1


async def test_importing_logs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = project_folder(tmp_path, at_work(item(1)))
    async with open_engine(launch(tmp_path / "home", None)) as engine:
        await import_of(engine, folder)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert [name for name in names_below(folder) if STATE_FILE in name] == [STATE_FILE]
