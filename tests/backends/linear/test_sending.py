import asyncio
import sys
from pathlib import Path

from orchestrator_tui.backends.base import LINK
from orchestrator_tui.backends.linear.tracker import LinearTracker
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.records import OutboxEntry, Project, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.backends.linear.conftest import OpenLinear, ready
from tests.backends.linear.fake import BUSY, CUT_AFTER, CUT_BEFORE, LIMITED, FakeLinear
from tests.database.samples import item

DONE, BLOCKED = WorkItemStatus.DONE, WorkItemStatus.BLOCKED
NONE = {"comment_id": "there is none"}


def plan(project: Project, count: int) -> list[WorkItem]:
    """Items as a breakdown makes them: a few parents, each item waits for the one before it."""
    items: list[WorkItem] = []
    for number in range(count):
        parent = items[number - number % 10].id if number % 10 else None
        items.append(
            item(
                project.id,
                f"Item {number}",
                description=f"Do _{number}_.",
                acceptance=("it works", "it is fast"),
                priority=number % 4 + 1,
                labels=(f"area-{number % 7}",),
                parent_id=parent,
                dependencies=(items[-1].id,) if items else (),
            )
        )
    return items


def told(line: str) -> None:
    """A number for whoever runs the tests with -s."""
    sys.stdout.write(f"\n{line}\n")


async def settled(tracker: LinearTracker) -> None:
    state = await tracker.sync(tracker.project.id)
    assert (state.pending, state.last_error) == (0, None)


async def test_items_become_issues_with_all_that_belongs_to_them(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        first, second = await tracker.create_work_items(plan(here, 2))
        await settled(tracker)
        world = fake.world
        (project,) = world.projects.values()
        one, other = world.by_title("Item 0"), world.by_title("Item 1")
        assert project["name"] == here.name
        assert (one["priority"], other["priority"]) == (1, 2)
        assert world.state_of(one) == "unstarted"
        assert world.labels_of(one) == {"area-0"}
        assert other["parent"] is one
        assert "- it works\n- it is fast" in one["description"]
        (relation,) = world.relations.values()
        assert (relation["issue"], relation["relatedIssue"]) == (one, other)
        assert (await tracker.get_work_item(first.id)).metadata[LINK] == one["url"]
        assert (await tracker.status(here.id)).link == project["url"]
        assert second.key == "TASK-2"


async def test_an_item_goes_through_its_states_with_comments_and_the_progress_is_told(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        first, second = await tracker.create_work_items([item(here.id, "One", labels=("api",)), item(here.id, "Two")])
        await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        await settled(tracker)
        issue, other = fake.world.by_title("One"), fake.world.by_title("Two")
        assert fake.world.state_of(issue) == "started"
        await tracker.add_comment(first.id, "Done so.", author="developer")
        await tracker.update_work_item(first.id, {"status": DONE})
        await tracker.update_work_item(second.id, {"status": BLOCKED, "priority": 1})
        await settled(tracker)
        assert fake.world.state_of(issue) == "completed"
        assert fake.world.comments_of(issue) == ["**developer**\n\nDone so."]
        assert (fake.world.state_of(other), fake.world.labels_of(other), other["priority"]) == (
            "unstarted",
            {"blocked"},
            1,
        )
        (document,) = fake.world.documents.values()
        assert "1 of 2 work items are done" in document["content"] and "TASK-2 Two" in document["content"]
        await tracker.update_work_item(second.id, {"status": WorkItemStatus.TODO})
        await settled(tracker)
        assert fake.world.labels_of(other) == set()
        assert await tracker.list_comments(first.id) and len(fake.world.documents) == 1


async def test_250_issues_take_at_most_15_requests(open_linear: OpenLinear, fake: FakeLinear, here: Project) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        await tracker.create_work_items(plan(here, 250))
        await settled(tracker)
        assert len(fake.world.issues) == 250
        assert len(fake.world.relations) == 249
        assert len(fake.asked) <= 15, fake.asked
        told(f"250 issues with labels, parents and relations: {len(fake.asked)} requests")


async def test_nothing_is_made_twice_when_answers_are_lost(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        fake.troubles.extend([None, None, None, CUT_AFTER, CUT_BEFORE, BUSY, LIMITED, CUT_AFTER] * 4)
        items = await tracker.create_work_items(plan(here, 60))
        await tracker.add_comment(items[0].id, "Only once.", author="developer")
        await tracker.update_work_item(items[0].id, {"status": DONE})
        await fake.until(lambda: "1 of 60 work items" in fake.world.progress)
        assert len(fake.troubles) < 24, "hardly any trouble was met"
        fake.troubles.clear()
        await settled(tracker)
        world = fake.world
        assert (len(world.issues), len(world.relations), len(world.comments), len(world.projects)) == (60, 59, 1, 1)
        assert len(world.documents) == 1 and world.state_of(world.by_title("Item 0")) == "completed"
        assert len({label["name"] for label in world.labels.values()}) == len(world.labels) == 8


async def test_what_linear_does_not_want_is_set_aside_and_the_rest_goes_on(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    fake.world.poison = "Item 7"
    async with open_linear() as tracker:
        await ready(tracker)
        items = await tracker.create_work_items([item(here.id, f"Item {number}") for number in range(12)])
        await tracker.update_work_item(items[7].id, {"priority": 1})
        await tracker.update_work_item(items[11].id, {"status": DONE})
        state = await tracker.sync(here.id)
        assert len(fake.world.issues) == 11
        assert fake.world.state_of(fake.world.by_title("Item 11")) == "completed"
        assert state.pending == 2
        assert state.last_error == (
            "TASK-8 is not up to date in Linear. Linear will not do it: The text cannot be taken. "
            "It is tried again with the next start or sync."
        )
        told = [one.event for one in await sqlite_store.events(project_id=here.id)]
        (problem,) = [event for event in told if type(event).__name__ == "ErrorOccurred"]
        assert "TASK-8" in str(problem) and "cannot be taken" in str(problem)
        fake.world.poison = "\0"
        await settled(tracker)
        assert len(fake.world.issues) == 12 and fake.world.by_title("Item 7")["priority"] == 1


async def test_what_comes_after_much_that_linear_does_not_want_is_sent(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        (unwanted,) = await tracker.create_work_items([item(here.id, "Unwanted")])
        await settled(tracker)
        many = [
            OutboxEntry(
                project_id=here.id, tracker="linear", kind="comment", work_item_id=unwanted.id, error="No.", data=NONE
            )
            for _ in range(600)
        ]
        async with sqlite_store.transaction() as unit:
            await unit.enqueue(many)
        await tracker.create_work_items([item(here.id, "Wanted")])
        state = await tracker.sync(here.id)
        assert state.pending == 0, "a sync tries again what was refused"
        async with sqlite_store.transaction() as unit:
            await unit.enqueue(many)
        await tracker.create_work_items([item(here.id, "Also wanted")])
        await fake.until(lambda: len(fake.world.issues) == 3)
        told = "TASK-1 is not up to date in Linear. No."
        while not str((await tracker.status(here.id)).last_error).startswith(told):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_was_changed_while_linear_was_away_is_sent_when_it_is_back(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    fake.is_away = True
    async with open_linear() as tracker:
        await ready(tracker)
        (one,) = await tracker.create_work_items([item(here.id, "One")])
        await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        await tracker.add_comment(one.id, "first", author="developer")
        await tracker.add_comment(one.id, "second", author="developer")
        await tracker.update_work_item(one.id, {"status": DONE})
        state = await tracker.sync(here.id)
        assert state.pending > 0 and "trouble" in str(state.last_error)
        fake.is_away = False
        await fake.until(lambda: "1 of 1 work items" in fake.world.progress)
        await settled(tracker)
        issue = fake.world.by_title("One")
        assert fake.world.state_of(issue) == "completed"
        assert [body.rpartition("\n")[2] for body in fake.world.comments_of(issue)] == ["first", "second"]


async def test_items_that_were_there_before_the_tracker_become_issues(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    async with sqlite_store.transaction() as unit:
        old, _ = await unit.add_work_items([item(here.id, "Old", status=DONE), item(here.id, "Older")])
        await unit.add_comment(old.id, "From then.", author="developer")
    async with open_linear() as tracker:
        await ready(tracker)
        await settled(tracker)
        assert fake.world.state_of(fake.world.by_title("Old")) == "completed"
        assert fake.world.comments_of(fake.world.by_title("Old")) == ["**developer**\n\nFrom then."]
        assert len(fake.world.issues) == 2
    async with sqlite_store.transaction() as unit:
        await unit.update_item(old.id, {"title": "Renamed elsewhere"})
    async with open_linear() as tracker:
        assert "gets 0 issues; 2 have one" in (await tracker.preview(here.id))[0]
        await ready(tracker)
        await settled(tracker)
        assert fake.world.by_title("Renamed elsewhere") and len(fake.world.issues) == 2


async def test_a_database_that_was_built_again_finds_its_issues(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        items = await tracker.create_work_items(plan(here, 5))
        await settled(tracker)
    async with sqlite_store.transaction() as unit:
        await unit.update_item(items[0].id, {"status": DONE})
        links = await sqlite_store.tracker_links(here.id, "linear", "issue")
    from sqlalchemy import delete

    from orchestrator_tui.database.models import tracker_links
    from orchestrator_tui.database.runner import connected

    assert links
    async with connected(sqlite_store._database.writes, "test") as runner:
        await runner.run(delete(tracker_links))
        await runner.commit()
    async with open_linear() as tracker:
        await ready(tracker)
        await settled(tracker)
        assert len(fake.world.issues) == 5 and len(fake.world.projects) == 1


async def test_a_team_that_is_not_there_is_told_with_those_that_are(
    open_linear: OpenLinear, here: Project, tmp_path: Path
) -> None:
    async with open_linear(team="OPS") as tracker:
        await ready(tracker)
        state = await tracker.status(here.id)
        assert "There is no team OPS in Linear; there are: ENG (Engineering)." in str(state.last_error)
