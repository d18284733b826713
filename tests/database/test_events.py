import asyncio
from datetime import timedelta

import pytest

from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import StaleState
from orchestrator_tui.domain.events import AgentCalledTool, PipelineStatusChanged, Recorded
from orchestrator_tui.domain.records import Lease, Project
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.conftest import make_project
from tests.database.samples import said


async def test_events_come_back_as_they_were_published(
    store: SqlStore, project: Project, published: list[Recorded]
) -> None:
    call = AgentCalledTool(
        agent_id=new_id(), call_id="c1", tool="Write", summary="main.py", arguments={"text": "ä 'q' \\ \n {}"}
    )
    change = PipelineStatusChanged(old=PipelineStatus.NOT_STARTED, new=PipelineStatus.RUNNING)
    async with store.transaction() as unit:
        unit.record(project.id, call, change)
        assert published == []
    assert [recorded.event for recorded in published] == [call, change]
    assert await store.events() == published
    assert [recorded.seq for recorded in published] == [1, 2]
    assert abs(now() - published[0].at) < timedelta(minutes=1)


async def test_a_failed_transaction_stores_neither_change_nor_event(
    store: SqlStore, project: Project, published: list[Recorded]
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as unit:
            await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
            unit.record(project.id, said("never"))
            raise ZeroDivisionError
    assert (await store.pipeline_state(project.id)).status is PipelineStatus.NOT_STARTED
    assert (await store.events(), await store.last_seq(), published) == ([], 0, [])


async def test_an_event_of_an_unknown_project_fails_its_transaction(store: SqlStore, project: Project) -> None:
    with pytest.raises(StaleState):
        async with store.transaction() as unit:
            await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
            unit.record(new_id(), said("of nobody"))
    assert (await store.pipeline_state(project.id)).status is PipelineStatus.NOT_STARTED
    assert await store.last_seq() == 0


async def test_the_next_seq_after_a_failed_transaction_leaves_no_gap(
    store: SqlStore, project: Project, published: list[Recorded]
) -> None:
    with pytest.raises(KeyError):
        async with store.transaction() as unit:
            unit.record(new_id(), said("of a project that does not exist"))
            await unit.pipeline(new_id())
    async with store.transaction() as unit:
        unit.record(project.id, said("first"))
    assert [recorded.seq for recorded in published] == [1]


async def test_seq_has_no_gaps_and_publishing_keeps_its_order_under_many_writers(
    store: SqlStore, store_url: str, project: Project, published: list[Recorded]
) -> None:
    async def write(writer: SqlStore, name: str) -> None:
        for number in range(5):
            async with writer.transaction() as unit:
                unit.record(project.id, said(f"{name} {number} a"), said(f"{name} {number} b"))

    async with open_store(store_url) as other, asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(write(store, f"here {number}"))
        for number in range(2):
            group.create_task(write(other, f"there {number}"))
    stored = await store.events()
    assert [recorded.seq for recorded in stored] == list(range(1, 81))
    mine = [recorded for recorded in stored if getattr(recorded.event, "text", "").startswith("here")]
    assert published == mine


async def test_a_reader_never_sees_a_seq_before_all_lower_ones(store: SqlStore, project: Project) -> None:
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(10):
            async with store.transaction() as unit:
                unit.record(project.id, said("a"), said("b"))

    async def read() -> list[int]:
        seen: list[int] = []
        while not done.is_set() or len(seen) < 60:
            seen += [recorded.seq for recorded in await store.events(after_seq=seen[-1] if seen else 0, limit=7)]
        return seen

    reader = asyncio.create_task(read())
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(write())
    done.set()
    assert await reader == list(range(1, 61))


async def test_events_are_paged_by_seq_and_chosen_by_project(store: SqlStore, project: Project) -> None:
    other = await make_project(store, "other")
    async with store.transaction() as unit:
        for number in range(5):
            unit.record(project.id, said(str(number)))
            unit.record(other.id, said(str(number)))
    page = await store.events(after_seq=2, limit=3)
    assert [recorded.seq for recorded in page] == [3, 4, 5]
    assert [recorded.seq for recorded in await store.events(project_id=other.id, after_seq=4)] == [6, 8, 10]
    assert await store.last_seq() == 10


async def test_text_that_postgresql_cannot_hold_is_stored_with_replacements(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        unit.record(project.id, said("nul \0 here"), said("half \ud83d pair"), said("a real \\u0000"), said("ok 😀"))
    texts = [getattr(recorded.event, "text", None) for recorded in await store.events()]
    assert texts == ["nul \ufffd here", "half \ufffd pair", "a real \\u0000", "ok 😀"]


async def test_a_commit_is_finished_and_published_although_its_task_is_cancelled(
    store: SqlStore, project: Project, published: list[Recorded]
) -> None:
    async def write() -> None:
        async with store.transaction() as unit:
            unit.record(project.id, said("kept"))
            asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.create_task(write())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [recorded.seq for recorded in published] == [1]
    assert await store.events() == published


async def test_cancelling_a_transaction_rolls_it_back_and_frees_the_store(store: SqlStore, project: Project) -> None:
    inside = asyncio.Event()

    async def write() -> None:
        async with store.transaction() as unit:
            await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.transaction() as unit:
        await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.FAILED)


@pytest.mark.parametrize("turns", range(40))
async def test_a_task_cancelled_at_any_moment_leaves_no_transaction_open(
    store: SqlStore, project: Project, turns: int
) -> None:
    async def write() -> None:
        async with store.transaction() as unit:
            await unit.pipeline(project.id)
            unit.record(project.id, said("perhaps"))

    async def read() -> None:
        await store.events(project_id=project.id)

    tasks = [asyncio.create_task(write()), asyncio.create_task(read()), asyncio.create_task(write())]
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await write()
    assert store.connections_in_use == 0


async def test_a_transaction_inside_another_of_the_same_task_is_refused(store: SqlStore, project: Project) -> None:
    with pytest.raises(RuntimeError, match="open already"):
        async with store.transaction():
            await store.beat(Lease(project_id=project.id, owner="me", epoch=1))
