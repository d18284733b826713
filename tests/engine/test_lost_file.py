import asyncio
import shutil
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ImportProject, ResumeProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine import shutdown
from tests.conftest import make_project
from tests.crash.lineage import Outcome, differences, outcome_of
from tests.engine.conftest import ITEMS
from tests.engine.dossiers import forget_owner
from tests.engine.outages import database_url, item_done, rest_at_last, told_of_trouble, what_was_told_is_stored
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch


class File:
    """A database's file as somebody with a file manager sees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._away = path.with_name("away")

    def all(self) -> list[Path]:
        """Every file of the database, those that SQLite puts beside it included."""
        return sorted(found for found in self._path.parent.iterdir() if found.name.startswith(self._path.name))

    def is_there(self) -> bool:
        return self._path in self.all()

    def content(self) -> bytes:
        return self._path.read_bytes()

    def move_away(self) -> None:
        self._path.rename(self._away)

    def move_back(self) -> None:
        self._away.rename(self._path)

    def replace(self) -> None:
        copy = self._path.with_name("copy")
        shutil.copyfile(self._path, copy)
        copy.rename(self._path)

    def delete(self) -> None:
        for found in self.all():
            found.unlink()


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "store.db")


async def test_nothing_is_taken_by_a_database_whose_file_is_gone_and_no_other_is_made(
    sqlite_store: SqlStore, file: File
) -> None:
    await make_project(sqlite_store, "before")
    file.move_away()
    with pytest.raises(StoreUnavailable, match="its file was deleted or moved away while it was in use") as error:
        await make_project(sqlite_store, "lost")
    assert "orchestrator-tui import" in error.value.hint
    # More than there are connections: a new one would make a new file.
    asked = await asyncio.gather(*(sqlite_store.list_projects() for _ in range(8)), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in asked)
    assert not file.is_there()
    file.move_back()
    assert (await make_project(sqlite_store, "after")).number == 2


async def test_another_file_in_the_place_of_the_database_is_not_written_to(sqlite_store: SqlStore, file: File) -> None:
    await make_project(sqlite_store, "before")
    file.replace()
    before = file.content()
    with pytest.raises(StoreUnavailable, match="another file was put in its place"):
        await make_project(sqlite_store, "lost")
    assert file.content() == before


async def test_what_is_not_committed_when_the_file_goes_is_not_acknowledged(sqlite_store: SqlStore, file: File) -> None:
    project = await make_project(sqlite_store, "before")
    with pytest.raises(StoreUnavailable, match="moved away"):
        async with sqlite_store.transaction() as unit:
            unit.record(project.id, events.StopRequested(owner="me", reason="lost"))
            file.move_away()
    file.move_back()
    assert await sqlite_store.events() == []
    assert sqlite_store.connections_in_use == 0


async def test_a_run_whose_database_is_moved_away_waits_and_goes_on_when_it_is_moved_back(
    tmp_path: Path, undisturbed: Outcome
) -> None:
    start = launch(tmp_path / "home", None, **NO_PLANNING)
    runtime = ReplayRuntime(light_scenario(ITEMS))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(item_done)
        file = File(start.paths.database)
        file.move_away()
        told = await told_of_trouble(run)
        assert "deleted or moved away" in told.message
        begun = len(runtime.started)
        with pytest.raises(StoreUnavailable):
            await engine.submit(ResumeProject(project_id=run.project_id))
        assert not file.is_there()
        assert len(runtime.started) == begun
        file.move_back()
        assert await rest_at_last(run) is PipelineStatus.COMPLETED
        await what_was_told_is_stored(run, engine)
    outcome, _ = await outcome_of(database_url(start))
    assert differences(undisturbed, outcome) == []


def vanishing(monkeypatch: pytest.MonkeyPatch, file: File) -> None:
    """The database is deleted in the middle of a transaction that stores what an agent does."""
    store_events = SqlUnitOfWork.store_events

    async def storing(self: SqlUnitOfWork) -> tuple[Recorded, ...]:
        recorded = await store_events(self)
        if any(isinstance(one.event, events.AgentToolReturned) for one in recorded):
            file.delete()
        return recorded

    monkeypatch.setattr(SqlUnitOfWork, "store_events", storing)


async def test_a_run_whose_database_never_comes_back_can_be_left_and_its_project_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Outcome
) -> None:
    start = launch(tmp_path / "home", None, run={"stop_timeout_seconds": 0.1}, **NO_PLANNING)
    file, runtime = File(start.paths.database), ReplayRuntime(light_scenario(ITEMS))
    with monkeypatch.context() as deleted:
        deleted.setattr(shutdown, "STORE_SECONDS", 0.5)
        async with open_engine(start, runtime=runtime) as engine:
            run = Watched(engine=engine)
            await run.create()
            directory = (await run.project()).directory
            vanishing(deleted, file)
            await told_of_trouble(run)
    assert file.all() == []

    forget_owner(Path(directory))
    async with open_engine(start, runtime=runtime) as engine:
        again = Watched(engine=engine, project_id=await engine.submit(ImportProject(directory=directory)))
        await again.until(lambda event: isinstance(event, events.PipelineStatusChanged))
        await engine.submit(ResumeProject(project_id=again.project_id))
        assert await again.until_rest() is PipelineStatus.COMPLETED
    outcome, _ = await outcome_of(database_url(start))
    # Its events begin anew.
    assert (outcome.items, outcome.files, outcome.commits) == (
        undisturbed.items,
        undisturbed.files,
        undisturbed.commits,
    )
