from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.records import OutboxEntry, Project, TrackerLink
from tests.database.samples import item


def entry(project: Project, kind: str, work_item_id: str | None = None) -> OutboxEntry:
    return OutboxEntry(project_id=project.id, tracker="far", kind=kind, work_item_id=work_item_id, data={"kind": kind})


def link(project: Project, local_id: str, remote_id: str, **data: object) -> TrackerLink:
    return TrackerLink(
        project_id=project.id, tracker="far", kind="issue", local_id=local_id, remote_id=remote_id, data=data
    )


async def test_an_outbox_keeps_its_order_and_lets_go_of_what_was_sent(store: SqlStore, project: Project) -> None:
    work = item(project.id, "a")
    async with store.transaction() as unit:
        await unit.add_work_items([work])
        await unit.enqueue([entry(project, "create", work.id), entry(project, "comment", work.id)])
        await unit.enqueue([entry(project, "progress")])
    first, second, third = await store.outbox(project.id, "far")
    assert [one.kind for one in (first, second, third)] == ["create", "comment", "progress"]
    assert first.work_item_id == work.id and first.data == {"kind": "create"} and first.created_at is not None
    async with store.transaction() as unit:
        await unit.dequeue([first.seq])
        await unit.mark_attempted([second.seq])
        await unit.set_aside([third.seq], "too long")
    second, third = await store.outbox(project.id, "far")
    assert (second.attempts, third.attempts, third.error) == (1, 0, "too long")
    assert await store.outbox_size(project.id, "far") == 2
    assert await store.outbox_size(project.id, "another") == 0


async def test_what_is_not_committed_is_not_in_the_outbox(store: SqlStore, project: Project) -> None:
    try:
        async with store.transaction() as unit:
            await unit.enqueue([entry(project, "progress")])
            raise KeyError
    except KeyError:
        pass
    assert await store.outbox(project.id, "far") == []


async def test_links_are_found_from_both_sides_and_replaced(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        await unit.save_links([link(project, "a", "1"), link(project, "b", "2", title="old")])
        await unit.save_links([link(project, "b", "2", title="new")])
    everything = await store.tracker_links(project.id, "far", "issue")
    assert {local: one.remote_id for local, one in everything.items()} == {"a": "1", "b": "2"}
    by_remote = await store.tracker_links(project.id, "far", "issue", remote_ids=["2", "3"])
    assert list(by_remote) == ["b"] and by_remote["b"].data == {"title": "new"}
    assert list(await store.tracker_links(project.id, "far", "issue", local_ids=["a"])) == ["a"]
    assert await store.tracker_links(project.id, "far", "comment") == {}
    assert await store.tracker_links(project.id, "far", "issue", local_ids=[]) == {}
