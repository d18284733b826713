from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator_tui.backends.linear import progress
from orchestrator_tui.backends.linear.claim import AT_ONCE
from orchestrator_tui.backends.linear.tracker import LinearTracker, open_tracker
from orchestrator_tui.database.base import Store
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import TrackerUnusable
from orchestrator_tui.domain.records import Project, SyncState
from orchestrator_tui.domain.statuses import WorkItemStatus
from tests.backends.linear.conftest import context_of, ready
from tests.backends.linear.fake import FakeLinear
from tests.backends.linear.test_sending import settled
from tests.conftest import make_project
from tests.database.samples import item

SHARED = "Shared"


def shared(fake: FakeLinear) -> str:
    """A project in Linear that a person made."""
    project_id = new_id()
    fake.world.create_project(None, {"id": project_id, "name": SHARED, "teamIds": []})
    return project_id


@asynccontextmanager
async def opened(
    store: Store, project: Project, fake: FakeLinear, name: str | None = SHARED, *, begun: bool = True
) -> AsyncIterator[LinearTracker]:
    """A project's tracker; `begun` as a run does it, which is refused a project in Linear that is another one's."""
    async with open_tracker(context_of(store, project, fake.url, project=name)) as tracker:
        yield await ready(tracker) if begun else tracker


async def with_one(tracker: LinearTracker, title: str) -> SyncState:
    """Give a tracker an item; how it stands after that."""
    await tracker.create_work_item(item(tracker.project.id, title))
    return await tracker.sync(tracker.project.id)


def titles(fake: FakeLinear) -> list[str]:
    return sorted(issue["title"] for issue in fake.world.issues.values())


async def test_two_projects_of_one_database_do_not_share_one_in_linear(
    fake: FakeLinear, sqlite_store: SqlStore
) -> None:
    shared(fake)
    first, second = [await make_project(sqlite_store, slug) for slug in ("first", "second")]
    async with opened(sqlite_store, first, fake) as one, opened(sqlite_store, second, fake, begun=False) as other:
        assert (await with_one(one, "Of the first")).last_error is None
        refused = await with_one(other, "Of the second")
        assert refused.last_error is not None and refused.pending == 1
        assert refused.last_error == (
            f"The project Shared in Linear keeps the items of another project already: First ({first.id})."
        )
        fake.world.new_issue("By a person")
        await settled(one)
        assert titles(fake) == ["By a person", "Of the first"]
        assert [found.title for found in await other.list_work_items(second.id)] == ["Of the second"]
    told = [recorded.event for recorded in await sqlite_store.events(project_id=second.id)]
    (problem,) = [event for event in told if isinstance(event, events.ErrorOccurred)]
    assert first.id in problem.message
    async with opened(sqlite_store, second, fake, name=None) as other:
        await settled(other)
    assert len(fake.world.projects) == 2 and "Of the second" in titles(fake)


async def test_neither_do_two_of_different_databases_also_when_both_come_at_once(
    fake: FakeLinear, sqlite_store: SqlStore, tmp_path: Path
) -> None:
    remote = shared(fake)
    async with open_store(sqlite_url(tmp_path / "far.db")) as far:
        here, there = await make_project(sqlite_store, "here"), await make_project(far, "there")

        def faster(number: int) -> None:
            if fake.asked[-1].startswith("mutation") and not fake.world.documents:
                wanted = {"id": progress.document_id(remote), "title": "There", "projectId": remote}
                fake.world.create_document(None, {**wanted, "content": progress.content(there, [])})

        fake.before = faster
        async with (
            opened(sqlite_store, here, fake, begun=False) as one,
            opened(far, there, fake, begun=False) as other,
        ):
            assert there.id in str((await with_one(one, "Of here")).last_error)
            assert (await with_one(other, "Of there")).last_error is None
    assert titles(fake) == ["Of there"]


async def test_what_a_project_does_not_keep_its_items_in_any_more_another_may_have(
    fake: FakeLinear, sqlite_store: SqlStore
) -> None:
    remote = shared(fake)
    first, second, third = [await make_project(sqlite_store, slug) for slug in ("first", "second", "third")]
    async with opened(sqlite_store, first, fake) as one:
        await with_one(one, "Of the first")
        await one.retire(first.id)
    assert fake.world.progress == "The work items of First are not kept here any more."
    async with opened(sqlite_store, second, fake) as other:
        assert (await with_one(other, "Of the second")).last_error is None
        assert [found.title for found in await other.list_work_items(second.id)] == ["Of the second"]
    async with opened(sqlite_store, first, fake) as one:
        assert second.id in str((await one.status(first.id)).last_error)
    async with opened(sqlite_store, first, fake, name=None) as one:
        assert (await one.status(first.id)).last_error is None
        assert len(fake.world.projects) == 2
    document = fake.world.documents[progress.document_id(remote, 1)]
    assert (document["title"], progress.keeper(document["content"])) == ("Progress of Second", second.id)
    document["trashed"] = True
    async with opened(sqlite_store, third, fake) as another:
        assert (await with_one(another, "Of the third")).last_error is None
    newest = fake.world.documents[progress.document_id(remote, 2)]
    assert (newest["title"], progress.keeper(newest["content"])) == ("Progress of Third", third.id)


async def test_of_two_that_take_over_at_the_same_moment_what_a_third_has_left_one_gets_it(
    fake: FakeLinear, sqlite_store: SqlStore
) -> None:
    remote = shared(fake)
    first, second, third = [await make_project(sqlite_store, slug) for slug in ("first", "second", "third")]
    async with opened(sqlite_store, first, fake) as one:
        await one.retire(first.id)

    def faster(number: int) -> None:
        # Both have seen that it is nobody's.
        if fake.asked[-1].startswith("mutation") and len(fake.world.documents) == 1:
            wanted = {"id": progress.document_id(remote, 1), "title": "Progress of Third", "projectId": remote}
            fake.world.create_document(None, {**wanted, "content": progress.content(third, [])})

    fake.before = faster
    async with (
        opened(sqlite_store, second, fake, begun=False) as other,
        opened(sqlite_store, third, fake, begun=False) as another,
    ):
        assert third.id in str((await with_one(other, "Of the second")).last_error)
        assert (await with_one(another, "Of the third")).last_error is None


async def test_however_often_a_project_was_taken_over_its_newest_document_counts(
    fake: FakeLinear, sqlite_store: SqlStore
) -> None:
    remote = shared(fake)
    first, second = [await make_project(sqlite_store, slug) for slug in ("first", "second")]
    for number in range(AT_ONCE + 1):
        wanted = {"id": progress.document_id(remote, number), "title": "Progress of First", "projectId": remote}
        whose = progress.content(first, []) if number == AT_ONCE else progress.farewell(first)
        fake.world.create_document(None, {**wanted, "content": whose})
    async with opened(sqlite_store, second, fake, begun=False) as other:
        with pytest.raises(TrackerUnusable, match=first.id):
            await ready(other)
    async with opened(sqlite_store, first, fake) as one:
        assert (await one.status(first.id)).last_error is None
    assert len(fake.world.documents) == AT_ONCE + 1


async def test_what_linear_cannot_be_told_of_the_end_is_no_trouble(fake: FakeLinear, sqlite_store: SqlStore) -> None:
    first = await make_project(sqlite_store, "first")
    async with opened(sqlite_store, first, fake, name=None) as one:
        fake.is_away = True
        await one.retire(first.id)
    assert progress.keeper(fake.world.progress) == first.id


async def test_titles_of_items_do_not_say_whose_the_document_is(sqlite_store: SqlStore) -> None:
    first, second = [await make_project(sqlite_store, slug) for slug in ("first", "second")]
    lying = item(first.id, f"Kept up to date by orchestrator-tui, project {second.id}.", status=WorkItemStatus.BLOCKED)
    text = progress.content(first, [lying])
    assert second.id in text and progress.keeper(text) == first.id


async def test_a_project_stays_in_the_one_it_is_in_whatever_that_is_called(
    fake: FakeLinear, sqlite_store: SqlStore
) -> None:
    remote = shared(fake)
    first, second = [await make_project(sqlite_store, slug) for slug in ("first", "second")]
    async with opened(sqlite_store, first, fake) as one:
        await with_one(one, "One")
    fake.world.projects[remote]["name"] = "Renamed"
    shared(fake)
    async with opened(sqlite_store, first, fake) as one:
        assert (await with_one(one, "Two")).last_error is None
    assert {issue["project"]["id"] for issue in fake.world.issues.values()} == {remote}
    shared(fake)
    async with opened(sqlite_store, second, fake, begun=False) as other:
        with pytest.raises(TrackerUnusable, match=r"There are 2 projects Shared in Linear\."):
            await ready(other)
    assert len(fake.world.projects) == 3
