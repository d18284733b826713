import asyncio

import pytest

from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import StaleState
from orchestrator_tui.domain.records import ItemCounts, Project, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.conftest import make_project
from tests.database.samples import item

IMPLEMENT = PhaseName.IMPLEMENT
TODO, IN_PROGRESS, DONE = WorkItemStatus.TODO, WorkItemStatus.IN_PROGRESS, WorkItemStatus.DONE


async def add(store: SqlStore, *items: WorkItem) -> list[WorkItem]:
    async with store.transaction() as unit:
        return list(await unit.add_work_items(items))


async def test_an_item_that_somebody_is_just_writing_is_waited_for_and_not_passed_over(store: SqlStore) -> None:
    project = await make_project(store, "mdcheck")
    await add(store, item(project.id, "only"))
    async with store.transaction() as unit:
        (only,) = await store.list_items(project.id)
        await unit.update_item(only.id, {"metadata": {"link": "https://example.com"}})
        claiming = asyncio.create_task(claim(store, project))
        # It can only end once this transaction has.
        await asyncio.wait({claiming}, timeout=1)
    claimed = await claiming
    assert claimed is not None and claimed.metadata == {"link": "https://example.com"}
    assert await claim(store, project) is None


async def claim(store: SqlStore, project: Project, phase: PhaseName = IMPLEMENT) -> WorkItem | None:
    async with store.transaction() as unit:
        return await unit.claim_next_item(project.id, phase)


async def claim_all(store: SqlStore, project: Project) -> list[str]:
    titles = []
    while claimed := await claim(store, project):
        titles.append(claimed.title)
    return titles


async def test_items_come_back_as_they_were_added(store: SqlStore, project: Project) -> None:
    parent = item(project.id, "parent")
    child = item(
        project.id,
        "child",
        description="does it",
        acceptance=("works", "is fast"),
        priority=1,
        parent_id=parent.id,
        dependencies=(parent.id,),
        labels=("api",),
        metadata={"ref": "child"},
    )
    stored = await add(store, child, parent)
    assert [stored_item.key for stored_item in stored] == ["TASK-1", "TASK-2"]
    assert await store.get_item(child.id) == stored[0]
    assert (stored[0].acceptance, stored[0].metadata) == (("works", "is fast"), {"ref": "child"})
    assert stored[0].created_at is not None


async def test_numbers_are_given_per_project_and_never_twice(store: SqlStore, project: Project) -> None:
    other = await make_project(store, "other")
    await asyncio.gather(*(add(store, item(project.id, "a"), item(project.id, "b")) for _ in range(4)))
    await add(store, item(other.id, "c", number=7), item(other.id, "d"))
    assert [stored.number for stored in await store.list_items(project.id)] == list(range(1, 9))
    assert [stored.number for stored in await store.list_items(other.id)] == [7, 8]


async def test_an_item_of_an_unknown_project_or_parent_is_refused(store: SqlStore, project: Project) -> None:
    with pytest.raises(KeyError):
        await add(store, item(new_id(), "lost"))
    with pytest.raises(StaleState):
        await add(store, item(project.id, "lost", parent_id=new_id()))
    assert await store.list_items(project.id) == []


async def test_claims_go_by_priority_then_by_how_many_wait_then_by_number(store: SqlStore, project: Project) -> None:
    wanted, urgent = item(project.id, "wanted"), item(project.id, "urgent", priority=1)
    waiting = [item(project.id, f"waiting {number}", dependencies=(wanted.id,)) for number in range(2)]
    await add(store, item(project.id, "plain"), item(project.id, "later", priority=4), wanted, urgent, *waiting)
    assert await claim_all(store, project) == ["urgent", "wanted", "plain", "later"]


async def test_an_item_is_ready_only_when_every_dependency_is_done(store: SqlStore, project: Project) -> None:
    first, second = item(project.id, "first"), item(project.id, "second")
    last = item(project.id, "last", dependencies=(first.id, second.id))
    lost = item(project.id, "lost", dependencies=(new_id(),))
    await add(store, first, second, last, lost)
    assert await claim_all(store, project) == ["first", "second"]
    for needed, status in ((first, DONE), (second, WorkItemStatus.BLOCKED)):
        async with store.transaction() as unit:
            await unit.update_item(needed.id, {"status": status})
    assert await claim(store, project) is None
    async with store.transaction() as unit:
        await unit.update_item(second.id, {"status": DONE})
    assert await claim_all(store, project) == ["last"]


async def test_items_of_other_phases_and_projects_are_not_claimed(store: SqlStore, project: Project) -> None:
    other = await make_project(store, "other")
    await add(store, item(project.id, "test it", phase=PhaseName.TESTING), item(other.id, "elsewhere"))
    assert await claim(store, project) is None
    claimed = await claim(store, project, PhaseName.TESTING)
    assert claimed is not None
    assert claimed.status is IN_PROGRESS


async def test_concurrent_claims_never_get_the_same_item(store: SqlStore, store_url: str, project: Project) -> None:
    await add(store, *(item(project.id, str(number)) for number in range(20)))
    async with open_store(store_url) as other:
        claims = [claim_all(each, project) for each in (store, other, store, other)]
        claimed = [title for titles in await asyncio.gather(*claims) for title in titles]
    assert sorted(claimed, key=int) == [str(number) for number in range(20)]


async def test_claiming_is_one_query_however_many_items_there_are(store: SqlStore, project: Project) -> None:
    many = [item(project.id, str(number)) for number in range(2000)]
    chained = [
        item(project.id, f"after {needed.title}", dependencies=(needed.id, many[0].id), priority=1)
        for needed in many[1:]
    ]
    await add(store, *many, *chained)
    claimed = await claim(store, project)
    assert claimed is not None
    assert claimed.title == "0"


async def test_an_update_changes_only_what_it_names_and_merges_metadata(store: SqlStore, project: Project) -> None:
    [stored] = await add(store, item(project.id, "old", metadata={"a": 1, "b": 1}, labels=("x",)))
    async with store.transaction() as unit:
        changed = await unit.update_item(stored.id, {"title": "new", "metadata": {"b": 2}, "labels": ("y", "z")})
    assert changed == await store.get_item(stored.id)
    assert (changed.title, changed.metadata, changed.labels) == ("new", {"a": 1, "b": 2}, ("y", "z"))
    assert (changed.status, changed.description) == (stored.status, stored.description)


async def test_completed_at_is_there_exactly_while_an_item_is_done(store: SqlStore, project: Project) -> None:
    [stored] = await add(store, item(project.id, "a"))
    async with store.transaction() as unit:
        done = await unit.update_item(stored.id, {"status": DONE})
        renamed = await unit.update_item(stored.id, {"title": "b"})
        again = await unit.update_item(stored.id, {"status": TODO})
    assert done.completed_at is not None
    assert (renamed.completed_at, again.completed_at) == (done.completed_at, None)


async def test_an_update_from_a_stale_status_changes_nothing(store: SqlStore, project: Project) -> None:
    [stored] = await add(store, item(project.id, "a"))
    with pytest.raises(StaleState, match="TASK-1 is todo, not in_progress"):
        async with store.transaction() as unit:
            await unit.update_item(stored.id, {"status": DONE}, expected=IN_PROGRESS)
    with pytest.raises(KeyError):
        async with store.transaction() as unit:
            await unit.update_item(new_id(), {"status": DONE})
    with pytest.raises(TypeError, match="number"):
        async with store.transaction() as unit:
            await unit.update_item(stored.id, {"number": 5})
    assert await store.get_item(stored.id) == stored


async def test_items_are_paged_by_number_and_counted_by_status(store: SqlStore, project: Project) -> None:
    await add(store, *(item(project.id, str(number)) for number in range(5)))
    await claim(store, project)
    assert [stored.number for stored in await store.list_items(project.id, after=1, limit=2)] == [2, 3]
    assert [stored.number for stored in await store.list_items(project.id, status=IN_PROGRESS)] == [1]
    assert await store.item_counts(project.id) == ItemCounts(todo=4, in_progress=1)


async def test_comments_are_listed_in_order(store: SqlStore, project: Project) -> None:
    [stored] = await add(store, item(project.id, "a"))
    async with store.transaction() as unit:
        first = await unit.add_comment(stored.id, "started", author="developer")
        second = await unit.add_comment(stored.id, "verify failed: \0", author="engine")
    comments = await store.list_comments(stored.id)
    assert [comment.id for comment in comments] == [first.id, second.id]
    assert comments[0] == first
