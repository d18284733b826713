from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from orchestrator_tui.database.models import workers
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.records import Project, RunByWorker, WorkerRecord
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.conftest import make_project

OWNER = "process 7 on box since 1"


def worker(**fields: object) -> WorkerRecord:
    moment = now()
    values = {"id": new_id(), "name": "box-7", "process": OWNER, "concurrency": 2, "load": 0.5}
    return WorkerRecord(**{**values, "started_at": moment, "heartbeat": moment, **fields})  # type: ignore[arg-type]


def as_it_joined(found: WorkerRecord, joined: WorkerRecord) -> WorkerRecord:
    """The worker with the clock that it had."""
    return replace(found, heartbeat=joined.heartbeat, silent_seconds=joined.silent_seconds)


async def test_a_worker_joins_beats_and_leaves(store: SqlStore) -> None:
    roster = store.roster
    one, other = worker(), worker(name="box-8")
    for joining in (one, other):
        await roster.join(joining)
    found = await roster.workers()
    assert [as_it_joined(known, joined) for known, joined in zip(found, (one, other), strict=True)] == [one, other]
    assert await roster.beat(one.id, 0.7) is False
    beaten = (await roster.workers())[0]
    assert (beaten.load, beaten.heartbeat >= found[0].heartbeat) == (0.7, True)
    await roster.leave(other.id)
    assert [found.id for found in await roster.workers()] == [one.id]
    assert await roster.beat(other.id, 0.0) is None


async def test_a_worker_learns_with_its_heartbeat_that_it_is_to_drain(store: SqlStore) -> None:
    one = worker()
    await store.roster.join(one)
    await store.roster.drain(one.id)
    assert await store.roster.beat(one.id, 0.0) is True
    with pytest.raises(KeyError):
        await store.roster.drain(new_id())


async def test_workers_that_fell_silent_long_ago_are_forgotten(store: SqlStore) -> None:
    old, new = worker(), worker(name="new-1")
    for joining in (old, new):
        await store.roster.join(joining)
    async with store._writing_alone() as runner:
        earlier = update(workers).where(workers.c.id == old.id).values(heartbeat=now() - timedelta(hours=2))
        await runner.run(earlier)
    assert [round(one.silent_seconds / 60) for one in await store.roster.workers()] == [120, 0]
    await store.roster.forget(timedelta(hours=1))
    assert [one.id for one in await store.roster.workers()] == [new.id]


async def test_how_long_a_worker_is_silent_does_not_depend_on_its_clock(store: SqlStore) -> None:
    """On SQLite there is one clock only."""
    ahead = worker(heartbeat=now() + timedelta(hours=2))
    await store.roster.join(ahead)
    (found,) = await store.roster.workers()
    assert 0 <= found.silent_seconds < 3600
    assert found.heartbeat < ahead.heartbeat


async def test_a_worker_is_told_with_the_projects_that_it_runs(store: SqlStore, project: Project) -> None:
    one = worker()
    await store.roster.join(one)
    async with store.transaction() as unit:
        await unit.take_lease(project.id, OWNER)
        await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
    run = RunByWorker(project_id=project.id, number=project.number, name=project.name)
    (found,) = await store.roster.workers()
    assert as_it_joined(found, one) == replace(one, projects=(run,))


async def test_a_project_waits_for_a_worker_until_it_runs(store: SqlStore, project: Project) -> None:
    assert await store.roster.wanted() == []
    async with store.transaction() as unit:
        assert await unit.queue_project(project.id)
        assert not await unit.queue_project(project.id)
    (wanted,) = await store.roster.wanted()
    assert (wanted.project_id, wanted.status, wanted.owner) == (project.id, PipelineStatus.NOT_STARTED, None)
    assert wanted.queued_at is not None
    async with store.transaction() as unit:
        await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
    (wanted,) = await store.roster.wanted()
    assert (wanted.status, wanted.queued_at) == (PipelineStatus.RUNNING, None)


async def test_only_the_wait_that_was_seen_is_ended(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        await unit.queue_project(project.id)
    seen = (await store.pipeline_state(project.id)).queued_at
    assert seen is not None
    async with store.transaction() as unit:
        assert not await unit.unqueue_project(project.id, since=seen - timedelta(seconds=1))
        assert await unit.unqueue_project(project.id, since=seen)
        assert not await unit.unqueue_project(project.id)


async def test_which_workers_miss_the_folder_of_a_project_is_told_while_it_waits(
    store: SqlStore, project: Project
) -> None:
    one, other = worker(), worker(name="another-8")
    for joining in (one, other):
        await store.roster.join(joining)
    async with store.transaction() as unit:
        missing = (one.id, other.id, other.id, new_id())
        assert [await unit.miss_folder(project.id, each) for each in missing] == [True, True, False, False]
        assert not await unit.miss_folder(new_id(), one.id)
    assert (await store.overview(project.id)).folder_missing_on == ("another-8", "box-7")
    await store.roster.leave(other.id)
    assert (await store.overview(project.id)).folder_missing_on == ("box-7",)
    async with store.transaction() as unit:
        await unit.take_lease(project.id, OWNER)
    assert (await store.overview(project.id)).folder_missing_on == ()
    async with store.transaction() as unit:
        assert await unit.miss_folder(project.id, one.id)
    async with store.transaction() as unit:
        await unit.queue_project(project.id)
        await unit.unqueue_project(project.id)
    assert (await store.overview(project.id)).folder_missing_on == ()


async def test_those_that_wait_are_told_in_parts_and_those_at_work_each_time(store: SqlStore) -> None:
    made = [await make_project(store, f"p{number}") for number in range(5)]
    async with store.transaction() as unit:
        for one in made[1:]:
            await unit.queue_project(one.id)
        await unit.set_pipeline_status(made[0].id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
    told = [await store.roster.wanted(after=after, waiting=2) for after in (0, made[2].number, made[4].number)]
    assert [[one.project_id for one in part] for part in told] == [
        [made[0].id, made[1].id, made[2].id],
        [made[0].id, made[3].id, made[4].id],
        [made[0].id],
    ]
