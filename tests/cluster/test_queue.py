import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from orchestrator_tui.cluster.queue import ProcrastinateQueue, open_queue
from orchestrator_tui.database.repository import open_store
from tests.conftest import PostgresForTests


@pytest.fixture
async def url(postgres: PostgresForTests) -> AsyncIterator[str]:
    async with postgres.migrated_database() as url:
        yield url


@asynccontextmanager
async def queues(url: str, number: int = 2) -> AsyncIterator[list[ProcrastinateQueue]]:
    """So many workers' queues, each on connections of its own."""
    async with AsyncExitStack() as stack:
        opened = [await open_queue(await stack.enter_async_context(open_store(url))) for _ in range(number)]
        for one in opened:
            await one.join()
        yield opened


async def test_a_project_is_taken_once_and_again_only_after_it_is_finished(url: str) -> None:
    async with queues(url) as (one, other):
        await one.put("a")
        await other.put("a")
        job = await one.take()
        assert job is not None
        assert (job.project_id, await other.take()) == ("a", None)
        await one.put("a")
        assert await other.take() is None
        await one.finish(job)
        again = await other.take()
        assert again is not None
        assert again.project_id == "a"


async def test_the_most_urgent_project_comes_first_then_the_one_that_waits_longest(url: str) -> None:
    async with queues(url, 1) as (queue,):
        for name, priority in (("a", 0), ("b", 0), ("urgent", 7)):
            await queue.put(name, priority)
        taken = [await queue.take() for _ in range(3)]
    assert [job.project_id for job in taken if job] == ["urgent", "a", "b"]


async def test_a_project_that_waits_has_the_priority_it_was_put_with_last(url: str) -> None:
    async with queues(url) as (one, other):
        for name in ("a", "b", "c"):
            await one.put(name, 5)
        await other.put("b", 6)
        await other.put("a", 4)
        await other.put("c", 5)
        taken = [await one.take() for _ in range(4)]
    assert [job and job.project_id for job in taken] == ["b", "c", "a", None]


async def test_a_project_whose_priority_is_changed_keeps_its_place_among_those_of_its_new_one(url: str) -> None:
    async with queues(url) as (one, other):
        await one.put("a", 0)
        for name in ("b", "c"):
            await one.put(name, 5)
        await other.put("a", 5)
        await other.put("c", 9)
        await one.put("c", 5)
        taken = [await one.take() for _ in range(3)]
    assert [job and job.project_id for job in taken] == ["a", "b", "c"]


async def test_a_project_at_work_is_put_once_whatever_its_priority(url: str) -> None:
    async with queues(url) as (one, other):
        await one.put("a", 5)
        job = await one.take()
        assert job is not None
        await other.put("a", 6)
        await one.finish(job)
        again = [await other.take(), await other.take()]
    assert [job and job.project_id for job in again] == ["a", None]


async def test_the_jobs_of_a_silent_worker_are_put_back_and_no_longer_its_own(url: str) -> None:
    async with queues(url) as (silent, other):
        await silent.put("a")
        lost = await silent.take()
        assert lost is not None
        assert await other.revive(3600) == 0
        assert await other.revive(0) == 1
        taken = await other.take()
        assert taken is not None
        await silent.finish(lost)
        await other.put("a")
        assert await silent.take() is None


async def test_a_job_whose_project_waits_again_is_not_put_back_twice(url: str) -> None:
    async with queues(url) as (silent, other):
        await silent.put("a")
        assert await silent.take() is not None
        await other.put("a")
        await other.revive(0)
        assert await other.take() is not None
        assert await other.take() is None


async def test_what_a_worker_that_left_had_is_put_back_at_once(url: str) -> None:
    async with queues(url) as (leaving, other):
        await leaving.put("a")
        assert await leaving.take() is not None
        await leaving.leave()
        assert await leaving.take() is None
        assert await other.revive(3600) == 1


async def test_a_worker_that_was_forgotten_joins_again(url: str) -> None:
    async with queues(url) as (forgotten, other):
        await other._jobs.prune_stalled_workers(0)
        await other.join()
        await other.put("a")
        assert await forgotten.take() is None
        assert await forgotten.take() is not None


async def test_whoever_listens_is_told_of_a_project_that_was_put(url: str) -> None:
    async with queues(url) as (one, other):
        told = asyncio.Event()
        async with one.listening(told.set):
            await told.wait()
            told.clear()
            await other.put("a")
            await told.wait()
