"""Questions to the database: quick, about one state of it, never out of date, and never more than questions."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text, update

from orchestrator_tui.database.connection import open_database, sqlite_url
from orchestrator_tui.database.kept import MOST, Answer, Kept
from orchestrator_tui.database.models import projects
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.database.runner import Runner, connected
from orchestrator_tui.database.sqlite_reads import SqliteReads
from orchestrator_tui.domain.errors import StoreUnavailable
from tests.conftest import make_project


async def test_what_is_not_changed_is_not_read_again(store_url: str) -> None:
    async with open_store(store_url) as store:
        project = await make_project(store, "mdcheck")
        first, listed = await store.overview(project.id), await store.list_projects()

        assert await store.overview(project.id) is first
        assert await store.list_projects() is listed


async def test_what_another_process_changed_is_seen_at_once_although_no_event_tells_of_it(store_url: str) -> None:
    async with open_store(store_url) as ours, open_database(store_url) as theirs:
        project = await make_project(ours, "mdcheck")
        for number in range(20):
            name = f"Renamed {number}"
            async with connected(theirs.writes, "it") as runner:
                await runner.run(update(projects).where(projects.c.id == project.id).values(name=name))
                assert (await ours.find_project(project.id)).name != name
                await runner.commit()

            assert (await ours.find_project(project.id)).name == name
            assert (await ours.overview(project.id)).project.name == name
            assert [one.name for one in await ours.list_projects()] == [name]


async def test_our_own_changes_are_seen_at_once(store_url: str) -> None:
    async with open_store(store_url) as store:
        project = await make_project(store, "mdcheck")
        for name in ("a", "b", "c"):
            async with store.transaction() as unit:
                await unit.set_config(project.id, lambda _, name=name: {"scenario": name})  # type: ignore[misc]
            assert (await store.find_project(project.id)).config == {"scenario": name}


def test_only_so_many_answers_are_kept_those_that_are_asked_for() -> None:
    kept = Kept()
    for name in range(MOST + 1):
        kept.keep(name, Answer(1, name))
        kept.known(0, 1)

    assert kept.known(0, 1) == Answer(1, 0)
    assert kept.known(MOST, 1) == Answer(1, MOST)
    assert kept.known(1, 1) is None


def test_an_answer_about_another_version_is_none() -> None:
    kept = Kept()
    kept.keep("it", Answer(1, "old"))

    assert kept.known("it", 2) is None


async def test_a_question_to_sqlite_cannot_write(tmp_path: Path) -> None:
    async with open_store(sqlite_url(tmp_path / "some.db")) as store:
        project = await make_project(store, "mdcheck")

        async def write(runner: Runner) -> None:
            await runner.run(update(projects).values(name="changed"))

        with pytest.raises(StoreUnavailable, match="cannot be written"):
            await store._database.questions.ask(write)
        assert (await store.find_project(project.id)).name == project.name


async def test_a_question_to_sqlite_may_only_wait_for_the_database(tmp_path: Path) -> None:
    async with open_store(sqlite_url(tmp_path / "some.db")) as store:

        async def dawdle(runner: Runner) -> None:
            await asyncio.sleep(0)

        with pytest.raises(RuntimeError, match="only wait for the database"):
            await store._database.questions.ask(dawdle)


async def test_questions_see_one_state_of_the_database(store_url: str) -> None:
    async with open_store(store_url) as ours, open_database(store_url) as theirs:
        project = await make_project(ours, "mdcheck")
        reading, written = asyncio.Event(), asyncio.Event()

        async def twice(runner: Runner) -> tuple[object, object]:
            query = text("SELECT name FROM projects")
            return (await runner.run(query)).scalar(), (await runner.run(query)).scalar()

        async def rename() -> None:
            await reading.wait()
            async with connected(theirs.writes, "it") as runner:
                await runner.run(update(projects).values(name="Renamed"))
                await runner.commit()
            written.set()

        renaming = asyncio.create_task(rename(), name="rename")
        reading.set()
        while not written.is_set():
            first, second = await ours._database.questions.ask(twice)
            assert first == second
        await renaming
        assert (await ours.find_project(project.id)).name == "Renamed"


async def test_a_question_that_is_given_up_leaves_its_connection_usable(tmp_path: Path) -> None:
    async with open_store(sqlite_url(tmp_path / "some.db")) as store:
        project = await make_project(store, "mdcheck")
        for _ in range(10):
            asking = asyncio.create_task(store.pipeline_state(project.id), name="asking")
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert (await store.find_project(project.id)).id == project.id


async def test_nobody_is_answered_after_the_end(tmp_path: Path) -> None:
    async with open_store(sqlite_url(tmp_path / "some.db")) as store:
        pass
    with pytest.raises(StoreUnavailable, match="it is closed"):
        await store.list_projects()


async def test_a_version_that_cannot_be_told_while_the_file_is_locked_as_a_whole_is_like_no_other(
    tmp_path: Path,
) -> None:
    # Of a file with a write-ahead log nobody can lock it while it is open elsewhere, but for the moment of a recovery.
    file = tmp_path / "some.db"
    reads = SqliteReads(str(file), "it", check=lambda: None)

    async def count(runner: Runner) -> object:
        return (await runner.run(text("SELECT count(*) FROM things"))).scalar()

    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TABLE things (name TEXT)")
        known = await reads.ask(reads.version)
        other.execute("BEGIN EXCLUSIVE")
        while_locked = [await reads.ask(reads.version) for _ in range(2)]
        asked = asyncio.create_task(reads.ask(count), name="asked")
        other.execute("INSERT INTO things VALUES ('one')")
        other.execute("COMMIT")

        assert await asked == 1
        assert len({known, *while_locked}) == 3
        after = await reads.ask(reads.version)
        assert after not in (known, *while_locked)
        assert await reads.ask(reads.version) == after
    await reads.close()
