"""A front end that is killed while it changes how urgent a project is that waits for a worker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.cluster.connector import Connector
from orchestrator_tui.cluster.queue import open_queue
from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import SetPriority
from orchestrator_tui.domain.priority import own_priority
from tests.cluster.clusters import part_of_cluster, until_completed, working
from tests.conftest import PostgresForTests
from tests.crash.child import die
from tests.lives import light_scenario, lived
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched


@pytest.fixture
async def url(postgres: PostgresForTests) -> AsyncIterator[str]:
    async with postgres.migrated_database() as url:
        yield url


def killed_after_statements(home: Path, url: str, project_id: str, statements: int) -> None:
    """Change a project's priority, and be killed once so many statements to the queue have been carried out."""
    asyncio.run(_change(home, url, project_id, statements))


async def _change(home: Path, url: str, project_id: str, statements: int) -> None:
    left, rows = statements, Connector._rows

    async def counted(self: Connector, query: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        nonlocal left
        if left == 0:
            die()
        left -= 1
        return await rows(self, query, arguments)

    async with open_engine(part_of_cluster(home, url), runtime=ReplayRuntime(light_scenario(1))) as engine:
        Connector._rows = counted  # type: ignore[method-assign]
        await engine.submit(SetPriority(project_id=project_id, priority=9))


async def jobs_of(url: str) -> Counter[str]:
    """How many jobs of each project wait in the queue."""
    async with open_store(url) as store:
        queue = await open_queue(store)
        return Counter(str(job.lock) for job in await queue._jobs.list_jobs_async())


async def test_a_project_is_never_lost_from_the_queue_whenever_the_process_that_changes_its_priority_is_killed(
    url: str, tmp_path: Path
) -> None:
    home, quick = tmp_path / "home", ReplayRuntime(light_scenario(1))
    start = part_of_cluster(home, url)
    async with open_engine(start, runtime=quick) as front:
        first, later = Watched(engine=front), Watched(engine=front)
        await first.create(name="first")
        await later.create(name="later")
        lives, code = 0, -1
        while code != 0:
            output = tmp_path / f"told-{lives}"
            given = (home, url, later.project_id, lives)
            code = await asyncio.to_thread(lived, killed_after_statements, *given, output=output)
            assert code in (0, -9), output.read_text()
            assert await jobs_of(url) == {first.project_id: 1, later.project_id: 1}
            lives += 1
        assert lives > 1
        assert own_priority(await later.project()) == 9
        async with working(start, quick, "one", concurrency=1):
            await until_completed(Watched(engine=front, project_id=first.project_id))
        begun = [one.project_id for one in await front.events() if isinstance(one.event, events.LeaseTaken)]
    assert begun == [later.project_id, first.project_id]
