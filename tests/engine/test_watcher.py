import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine import counsel, heartbeat, liaison, watcher
from orchestrator_tui.engine.bus import Bus, follow
from orchestrator_tui.engine.watcher import Watcher
from tests.conftest import PostgresForTests, make_project
from tests.database.samples import said
from tests.running import NO_PLANNING, Watched, launch
from tests.tui.played import Speaking

NEVER = 3_600.0
ELSEWHERE = "process 7 on another-host since 1"


async def until(reached: Callable[[], object]) -> None:
    while not reached():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(url: str) -> AsyncIterator[tuple[SqlStore, Bus]]:
    """What one process has of a database."""
    bus = Bus()
    async with open_store(url, publish=bus.publish) as store, Watcher(store, bus):
        yield store, bus


async def store_elsewhere(store: SqlStore, project: Project, *texts: str) -> None:
    async with store.transaction() as unit:
        unit.record(project.id, *map(said, texts))


def text_of(live: object) -> str:
    assert isinstance(live, Recorded)
    return str(getattr(live.event, "text", ""))


async def texts_of(store: SqlStore, bus: Bus, count: int) -> list[str]:
    """The first texts that a follower hears."""
    heard: list[str] = []
    with bus.subscription(from_all=True) as subscription:
        async with aclosing(follow(store, subscription, 0)) as stream:
            async for live in stream:
                if isinstance(live, Recorded):
                    heard.append(text_of(live))
                if len(heard) == count:
                    break
    return heard


async def test_any_number_of_followers_hear_of_another_process_by_the_looks_of_one(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LOOK_SECONDS", 0.02)
    async with watching(store_url) as (store, bus), open_store(store_url) as other:
        project = await make_project(other, "one")
        reads: list[str] = []
        read: Any = store.events

        async def counted(**how: Any) -> Any:
            found = await read(**how)
            task = asyncio.current_task()
            reads.append(task.get_name() if task else "")
            return found

        monkeypatch.setattr(store, "events", counted)
        async with asyncio.TaskGroup() as group:
            followers = [group.create_task(texts_of(store, bus, 3), name="follower") for _ in range(20)]
            await until(lambda: reads.count("follower") == 20)
            for text in ("a", "b", "c"):
                await store_elsewhere(other, project, text)
        assert [task.result() for task in followers] == [["a", "b", "c"]] * 20
        assert reads.count("follower") == 20


async def test_what_another_process_stored_is_no_doing_of_this_one(store_url: str) -> None:
    async with watching(store_url) as (store, bus), open_store(store_url) as other:
        project = await make_project(other, "one")
        with bus.subscription() as own, bus.subscription(from_all=True) as everything:
            await store_elsewhere(other, project, "there")
            heard = await everything.take()
            await store_elsewhere(store, project, "here")
            mine = await own.take()
        assert [text_of(one) for one in (heard, mine)] == ["there", "here"]


async def test_followers_are_told_when_the_store_cannot_be_read(
    sqlite_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LOOK_SECONDS", 0.02)
    bus = Bus()
    async with Watcher(sqlite_store, bus):

        async def broken(**how: Any) -> Any:
            raise StoreUnavailable("The database is away.")

        with bus.subscription(from_all=True) as subscription:
            monkeypatch.setattr(sqlite_store, "events", broken)
            with pytest.raises(StoreUnavailable, match="away"):
                await subscription.take()


async def test_a_number_is_known_only_when_all_before_it_are(sqlite_store: SqlStore) -> None:
    project = await make_project(sqlite_store, "one")
    await store_elsewhere(sqlite_store, project, "a", "b", "c", "d")
    first, second, third, fourth = await sqlite_store.events()
    bus = Bus()
    for told, known in (([first], 1), ([third], 1), ([second, third], 3), ([second], 3), ([fourth], 4)):
        bus.publish(told)
        assert bus.known == known


async def test_postgresql_tells_at_once_and_again_after_its_connection_was_lost(
    postgres: PostgresForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_tui.database.listening.FIRST_SECONDS", 0.02)
    async with postgres.migrated_database() as url, open_store(url) as store, open_store(url) as other:
        told: list[int | None] = []
        async with store.listening(told.append) as hears:
            await until(hears)
            # Whoever listens again may have missed something.
            assert told == [None]
            project = await make_project(other, "one")
            await store_elsewhere(other, project, "a", "b")
            await until(lambda: told == [None, 2])
            connection = await asyncpg.connect(url)
            try:
                listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                assert len(await connection.fetch(listeners)) == 1
            finally:
                await connection.close()
            await until(lambda: told == [None, 2, None])
            await until(hears)
            await store_elsewhere(other, project, "c")
            await until(lambda: told == [None, 2, None, 3])
        assert not hears()


async def test_what_is_rolled_back_is_told_to_nobody(postgres: PostgresForTests) -> None:
    async with postgres.migrated_database() as url, open_store(url) as store:
        project = await make_project(store, "one")
        told: list[int | None] = []
        async with store.listening(told.append) as hears:
            await until(hears)
            with pytest.raises(ZeroDivisionError):
                async with store.transaction() as unit:
                    unit.record(project.id, said("never"))
                    await unit.store_events()
                    raise ZeroDivisionError
            await store_elsewhere(store, project, "kept")
            await until(lambda: told == [None, 1])


async def test_sqlite_tells_nobody(sqlite_store: SqlStore) -> None:
    async with sqlite_store.listening(lambda seq: None) as hears:
        assert not hears()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_stop_that_another_process_asks_for_is_heeded_without_looking_for_it(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (heartbeat, liaison, counsel):
        monkeypatch.setattr(module, "UNTOLD_SECONDS", NEVER)
    if database == "postgresql":
        monkeypatch.setattr(watcher, "TOLD_SECONDS", NEVER)
    start = launch(tmp_path / "home", None, **NO_PLANNING)
    if database == "postgresql":
        server: PostgresForTests = request.getfixturevalue("postgres")
        async with server.migrated_database() as url:
            await stopped_from_elsewhere(start, {**start.environ, "DATABASE_URL": url})
    else:
        await stopped_from_elsewhere(start, start.environ)


async def stopped_from_elsewhere(start: Any, environ: Any) -> None:
    start = replace(start, environ=environ)
    runtime = Speaking(generated_scenario(1), words=("Still at it.",))
    async with open_engine(start, runtime=runtime) as engine, open_engine(start, runtime=runtime) as other:
        other._runs._taking_up.owner = ELSEWHERE
        run = Watched(engine=engine)
        await run.create()
        await run.until(lambda event: isinstance(event, events.AgentStarted))
        await other.submit(StopProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.STOPPED
        assert [event.owner for event in run.all(events.StopRequested)]
