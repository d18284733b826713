import itertools
from dataclasses import replace

import pytest

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.records import ItemCounts, Project, Usage
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PipelineStatus, WorkItemStatus
from tests.conftest import make_project
from tests.database.samples import approval, item, said, session


async def pause(store: SqlStore, project: Project) -> None:
    steps = (PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING, PipelineStatus.PAUSED)
    for old, new in itertools.pairwise(steps):
        async with store.transaction() as unit:
            await unit.set_pipeline_status(project.id, old, new)


async def test_a_snapshot_has_what_waits_however_old_it_is_and_the_newest_others(store: SqlStore) -> None:
    made = [await make_project(store, f"p{number}") for number in range(1, 6)]
    await pause(store, made[0])
    snapshot = await store.snapshot(limit=2)
    assert [overview.project.number for overview in snapshot.projects] == [5, 4, 1]
    assert snapshot.total == 5
    assert snapshot.seq == await store.last_seq()


async def test_pages_go_on_where_the_one_before_ended(store: SqlStore) -> None:
    for number in range(1, 6):
        await make_project(store, f"p{number}")
    page = await store.snapshot(before=4, limit=2)
    assert [overview.project.number for overview in page.projects] == [3, 2]
    assert [o.project.number for o in (await store.snapshot(before=2, limit=2)).projects] == [1]
    assert (await store.snapshot(before=1)).projects == ()


async def test_overviews_of_many_projects_say_the_same_as_each_alone(store: SqlStore) -> None:
    for name in ("a", "b"):
        project = await make_project(store, name)
        async with store.transaction() as unit:
            await unit.add_work_items([item(project.id, "one"), item(project.id, "two", status=WorkItemStatus.DONE)])
            started = await unit.start_session(session(project.id))
            await unit.end_session(
                replace(started, status=AgentStatus.COMPLETED, usage=Usage(input_tokens=3, cost_usd=0.5))
            )
            await unit.start_session(session(project.id))
            await unit.open_request(approval(project.id, title=f"first of {name}"))
            await unit.open_request(approval(project.id, title=f"second of {name}"))
    (second, first) = (await store.snapshot()).projects
    assert first == await store.overview(first.project.id)
    assert second == await store.overview(second.project.id)
    assert first.items == ItemCounts(todo=1, done=1)
    assert first.usage[PhaseName.IMPLEMENT].input_tokens == 3
    assert first.waiting_for is not None
    assert first.waiting_for.title == "first of a"
    assert [one.session_number for one in first.running] == [2]


async def test_an_overview_of_an_unknown_project_is_a_key_error(store: SqlStore) -> None:
    with pytest.raises(KeyError):
        await store.overview("nobody")


async def test_the_latest_events_of_a_project_are_read_backwards_in_pages(store: SqlStore, project: Project) -> None:
    other = await make_project(store, "other")
    for number in range(5):
        async with store.transaction() as unit:
            unit.record(project.id, said(str(number)))
            unit.record(other.id, said("of another"))
    everything = await store.events(project_id=project.id)
    newest = await store.latest_events(project.id, limit=3)
    assert newest == everything[-3:]
    before = await store.latest_events(project.id, before_seq=newest[0].seq, limit=100)
    assert [*before, *newest] == everything
