import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest

from orchestrator_tui.api.client import RemoteEngine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from tests.api.test_server import Server, server
from tests.conftest import PostgresForTests
from tests.lives import PATIENCE
from tests.running import Watched


@pytest.fixture(scope="module")
def database_url(postgres: PostgresForTests) -> Iterator[str]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield runner.run(stack.enter_async_context(postgres.migrated_database()))
        runner.run(stack.aclose())


@pytest.fixture(scope="module")
def process(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("postgresql") / "home"
    with server(home, autonomy="checkpoint", database_url=database_url) as at:
        yield at


@dataclass(frozen=True)
class Team:
    """Somebody at the server: over plain HTTP, and following what happens."""

    http: httpx.AsyncClient
    engine: RemoteEngine

    async def made(self, name: str) -> Watched:
        """A new project that waits for its first approval."""
        run = await self.started(name)
        assert await run.until_rest() is PipelineStatus.PAUSED
        return run

    async def get(self, place: str) -> Any:
        return (await self.http.get(place)).raise_for_status().json()

    async def status(self, name: str) -> str:
        return str((await self.get(f"/projects/{name}"))["project"]["status"])

    async def post(self, place: str, **body: Any) -> None:
        (await self.http.post(place, json=body)).raise_for_status()

    async def started(self, name: str) -> Watched:
        """A new project, which begins."""
        answer = await self.http.post("/projects", json={"idea": "Small modules", "name": name, "rehearsal": True})
        assert answer.status_code == 201, answer.text
        return Watched(engine=self.engine, project_id=answer.json()["project_id"])

    async def approve(self, run: Watched) -> PipelineStatus:
        """Say yes to what waits; how it comes to rest then."""
        waiting = (await self.get(f"/projects/{run.project_id}"))["waiting_for"]
        await self.post(f"/projects/{run.project_id}/approve", content_hash=waiting["content_hash"])
        return await run.until_rest()


@asynccontextmanager
async def at(process: Server) -> AsyncIterator[Team]:
    headers = {"Authorization": f"Bearer {process.token}"}
    async with (
        httpx.AsyncClient(base_url=process.url, headers=headers, timeout=PATIENCE, trust_env=False) as http,
        process.remote() as engine,
    ):
        yield Team(http, engine)


@pytest.fixture
async def team(process: Server) -> AsyncIterator[Team]:
    async with at(process) as one:
        yield one


async def test_a_post_makes_a_project_of_an_idea_and_it_is_listed_and_kept_in_the_database(
    team: Team, database_url: str
) -> None:
    runs = [await team.made("idea"), await team.made("another")]
    ids = {run.project_id for run in runs}
    assert ids <= {one["id"] for one in await team.get("/projects")}
    connection = await asyncpg.connect(database_url)
    try:
        assert ids <= {str(row["id"]) for row in await connection.fetch("SELECT id FROM projects")}
    finally:
        await connection.close()


async def test_a_project_tells_how_it_stands(team: Team) -> None:
    run = await team.made("standing")
    found = await team.get("/projects/standing")
    assert found["project"]["id"] == run.project_id
    assert (found["project"]["status"], found["project"]["current_phase"]) == ("paused", "ideation")
    assert found["waiting_for"]["content_hash"]


async def test_a_project_is_stopped_and_resumed_where_it_was(team: Team) -> None:
    run = await team.made("stopped")
    assert await team.approve(run) is PipelineStatus.PAUSED
    await team.post("/projects/stopped/stop")
    assert await team.status("stopped") == "stopped"
    await team.post("/projects/stopped/resume")
    found = await team.get("/projects/stopped")
    assert found["project"]["current_phase"] == "architecture"
    assert found["state"]["phases"]["ideation"]["status"] == "completed"
    assert found["waiting_for"]["phase"] == "architecture"


async def test_each_project_has_a_state_of_its_own(team: Team) -> None:
    one, two = await team.made("one"), await team.made("two")
    assert await team.approve(one) is PipelineStatus.PAUSED
    await team.post("/projects/one/stop")
    assert (await team.status("one"), await team.status("two")) == ("stopped", "paused")
    while await team.approve(two) is not PipelineStatus.COMPLETED:
        pass
    assert (await team.status("one"), await team.status("two")) == ("stopped", "completed")
    assert not {item["id"] for item in await team.get("/projects/one/items")} & {
        item["id"] for item in await team.get("/projects/two/items")
    }


async def test_what_a_completed_project_did_is_kept_and_one_cut_short_by_a_signal_is_resumed_to_its_end(
    postgres: PostgresForTests, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    kept = ("logs", "commits", "artifacts", "sessions", "items")
    async with postgres.migrated_database() as url:
        with server(home, database_url=url) as first:
            async with at(first) as team:
                done = await team.started("done")
                assert await done.until_rest() is PipelineStatus.COMPLETED
                before = {what: await team.get(f"/projects/done/{what}") for what in kept}
            assert first.end() == 0, first.told.read_text()
        here, there = Pipe(duplex=False)
        slowly = partial(server, phase=PhaseName.IMPLEMENT, at_work=there)
        with here, there, slowly(home, name="slow", database_url=url) as second:
            async with at(second) as team:
                cut = await team.started("cut")
                assert await asyncio.to_thread(here.poll, PATIENCE)
                ending = asyncio.create_task(asyncio.to_thread(second.end, signal.SIGTERM))
                assert await cut.until_rest() is PipelineStatus.STOPPED
                assert [event.step for event in cut.all(events.StopProgressed)] == [1, 2, 3, 4, 5]
                assert await ending == 0, second.told.read_text()
        with server(home, name="third", database_url=url) as third:
            async with at(third) as team:
                cut.engine = team.engine
                await team.post("/projects/cut/resume")
                assert await cut.until_rest() is PipelineStatus.COMPLETED
                assert {what: await team.get(f"/projects/done/{what}") for what in kept} == before
        assert not (home / "orchestrator.db").exists()
