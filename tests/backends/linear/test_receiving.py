from typing import Any, TypeVar

import pytest

from orchestrator_tui.backends.base import LINK
from orchestrator_tui.backends.linear import mapping
from orchestrator_tui.backends.linear.links import ISSUE
from orchestrator_tui.backends.linear.requests import UPDATE
from orchestrator_tui.backends.linear.tracker import LinearTracker
from orchestrator_tui.backends.linear.webhook import WINDOW_SECONDS, Webhooks
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import WebhookRejected
from orchestrator_tui.domain.records import Project, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.backends.linear.conftest import OpenLinear, ready
from tests.backends.linear.fake import CUT_AFTER, SECRET, FakeLinear, signed
from tests.backends.linear.test_sending import settled
from tests.database.samples import item

E = TypeVar("E")
TODO, IN_PROGRESS, DONE, BLOCKED = WorkItemStatus


async def told(store: SqlStore, project: Project, kind: type[E]) -> list[E]:
    recorded = await store.events(project_id=project.id)
    return [one.event for one in recorded if isinstance(one.event, kind)]


async def with_items(tracker: LinearTracker, *titles: str, **fields: Any) -> list[WorkItem]:
    await ready(tracker)
    items = [item(tracker.project.id, title, **fields) for title in titles]
    created = list(await tracker.create_work_items(items))
    await settled(tracker)
    return created


async def test_what_a_person_changes_reaches_the_item_with_its_events(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    async with open_linear() as tracker:
        one, other = await with_items(
            tracker, "One", "Other", description="As *it* is.\n\n- a\n- b", acceptance=("snake_case works",)
        )
        world = fake.world
        issue = world.by_title("One")
        world.edit(issue, title="The one", priority=1.0)
        world.edit(issue, description="New words.\n\n## Acceptance criteria\n\n- [ ] it works\n- [x] twice")
        world.move(world.by_title("Other"), "Shipped")
        world.say(issue, "Please hurry.")
        await settled(tracker)
        changed = await tracker.get_work_item(one.id)
        assert (changed.title, changed.priority, changed.status) == ("The one", 1, TODO)
        assert (changed.description, changed.acceptance) == ("New words.", ("it works", "twice"))
        assert (await tracker.get_work_item(other.id)).status is DONE
        (comment,) = await tracker.list_comments(one.id)
        assert (comment.author, comment.content) == ("Ada", "Please hurry.")
        (edited,) = await told(sqlite_store, here, events.WorkItemEdited)
        assert set(edited.fields) == {"title", "priority", "description", "acceptance"} and edited.where == "Linear"
        (moved,) = await told(sqlite_store, here, events.WorkItemStatusChanged)
        assert (moved.new, moved.reason) == (DONE, "set by a person in Linear")
        assert await told(sqlite_store, here, events.WorkItemConflict) == []
        await settled(tracker)
        assert len(await told(sqlite_store, here, events.WorkItemEdited)) == 1
        assert len(world.comments) == 1


async def test_an_issue_that_a_person_makes_becomes_an_item(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        (parent,) = await with_items(tracker, "One")
        made = fake.world.new_issue("Also this", description="Quickly.", priority=2, parentId=parent.id)
        fake.world.say(made, "It matters.")
        await settled(tracker)
        (_, new) = await tracker.list_work_items(here.id)
        assert (new.title, new.description, new.priority, new.parent_id) == ("Also this", "Quickly.", 2, parent.id)
        assert new.metadata[LINK] == made["url"]
        assert [comment.content for comment in await tracker.list_comments(new.id)] == ["It matters."]
        await tracker.update_work_item(new.id, {"status": DONE})
        await settled(tracker)
        assert fake.world.state_of(made) == "completed" and len(fake.world.issues) == 2


async def test_the_issue_of_a_person_follows_its_item_and_is_not_asked_for_again(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        issue, other = fake.world.new_issue("By a person"), fake.world.new_issue("Another")
        await settled(tracker)
        # Long after what is read again to be sure.
        fake.world.later(minutes=1)
        fake.world.edit(other, title="Changed later")
        await settled(tracker)
        claimed = await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        assert claimed is not None and claimed.id == issue["id"]
        await settled(tracker)
        assert fake.world.state_of(issue) == "started"
        fake.world.edit(issue, title="Changed by a person")
        await settled(tracker)
        assert (await tracker.get_work_item(claimed.id)).status is IN_PROGRESS
        assert "query Existing" not in fake.asked


async def test_a_value_that_has_arrived_is_a_person_s_when_it_comes_again(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        (one,) = await with_items(tracker, "One")
        issue = fake.world.by_title("One")
        fake.troubles.extend([None, CUT_AFTER])
        await tracker.update_work_item(one.id, {"priority": 1})
        await fake.until(lambda: issue["priority"] == 1)
        await settled(tracker)
        for priority in (4, 1):
            fake.world.edit(issue, priority=float(priority))
            await settled(tracker)
            assert (await tracker.get_work_item(one.id)).priority == priority


async def test_where_the_items_are_and_when_they_were_in_sync_is_known_while_linear_is_away(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await with_items(tracker, "One")
        before = await tracker.status(here.id)
    fake.is_away = True
    async with open_linear() as tracker:
        state = await tracker.sync(here.id)
    assert before.link is not None and state.last_error is not None
    assert state.link == before.link and state.last_synced is not None


async def test_a_credential_that_a_person_writes_there_is_not_stored_here_and_stays_there(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    token = f"ghp_{'a1B2' * 9}"
    async with open_linear() as tracker:
        await ready(tracker)
        issue = fake.world.new_issue(f"With {token}", description=f"Use {token}.")
        fake.world.say(issue, f"It is {token}.")
        await settled(tracker)
        (new,) = await tracker.list_work_items(here.id)
        (comment,) = await tracker.list_comments(new.id)
        assert (new.title, new.description, comment.content) == ("With ***", "Use ***.", "It is ***.")
        await tracker.update_work_item(new.id, {"status": IN_PROGRESS})
        await settled(tracker)
    assert (issue["title"], issue["state"]["type"]) == (f"With {token}", "started")


async def test_a_person_s_issue_that_is_claimed_is_not_made_once_more(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        issue = fake.world.new_issue("By a person")
        await settled(tracker)
        fake.is_away = True
        await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        assert [entry.kind for entry in await sqlite_store.outbox(here.id, "linear")] == [UPDATE]
        (link,) = (await sqlite_store.tracker_links(here.id, "linear", ISSUE)).values()
        assert link.data["common"]["status"] == TODO, "what both sides had is still known"
        fake.is_away = False
        await settled(tracker)
    assert fake.world.state_of(issue) == "started"
    assert await told(sqlite_store, here, events.WorkItemConflict) == []


async def test_an_issue_that_was_there_before_is_nobodys_item(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    fake.world.create_project(None, {"id": mapping.fixed_id("x"), "name": "Shared", "teamIds": []})
    old = fake.world.new_issue("Old", createdAt="2020-01-01T00:00:00.000Z")
    old["createdAt"] = "2020-01-01T00:00:00.000Z"
    async with open_linear(project="shared") as tracker:
        await with_items(tracker, "One")
        assert len(fake.world.projects) == 1
        assert [one.title for one in await tracker.list_work_items(here.id)] == ["One"]


async def test_a_person_wins_over_the_machine_and_it_is_told(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    async with open_linear() as tracker:
        (one,) = await with_items(tracker, "One")
        issue = fake.world.by_title("One")
        fake.is_away = True
        await tracker.update_work_item(one.id, {"priority": 4, "status": IN_PROGRESS})
        await tracker.update_work_item(one.id, {"status": DONE})
        # Nobody has read the issue and is about to write it.
        await fake.until(lambda: fake.turned_away > 0)
        fake.world.edit(issue, priority=1.0)
        fake.world.move(issue, "Doing")
        fake.is_away = False
        await settled(tracker)
        assert "0 of 1 work items" in fake.world.progress
        changed = await tracker.get_work_item(one.id)
        assert (changed.priority, changed.status) == (1, IN_PROGRESS)
        assert (issue["priority"], issue["state"]["name"]) == (1.0, "Doing")
        conflicts = await told(sqlite_store, here, events.WorkItemConflict)
        assert {(one.field, one.ours, one.theirs) for one in conflicts} == {
            ("priority", "4", "1"),
            ("status", "done", "in_progress"),
        }


async def test_a_state_of_the_same_type_is_left_as_the_person_chose_it(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        (one,) = await with_items(tracker, "One")
        await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        await settled(tracker)
        issue = fake.world.by_title("One")
        fake.world.move(issue, "In Review")
        await tracker.update_work_item(one.id, {"title": "The one"})
        await settled(tracker)
        assert (issue["state"]["name"], issue["title"]) == ("In Review", "The one")
        assert (await tracker.get_work_item(one.id)).status is IN_PROGRESS


async def test_nothing_is_left_to_do_of_what_a_person_cancels_or_deletes(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        one, other = await with_items(tracker, "One", "Other")
        fake.world.move(fake.world.by_title("One"), "Dropped")
        fake.world.edit(fake.world.by_title("Other"), trashed=True)
        await settled(tracker)
        for item_id in (one.id, other.id):
            changed = await tracker.get_work_item(item_id)
            assert changed.status is DONE and changed.metadata["cancelled"] is True
        assert fake.world.by_title("One")["state"]["name"] == "Dropped"
        fake.world.move(fake.world.by_title("One"), "Ready")
        await settled(tracker)
        wanted_again = await tracker.get_work_item(one.id)
        assert (wanted_again.status, wanted_again.metadata["cancelled"]) == (TODO, None)


async def test_what_linear_makes_of_a_text_by_itself_is_no_change_of_a_person(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    said = "See https://example.com/a_b, <https://example.com/c> and example.com."
    async with open_linear() as tracker:
        (one,) = await with_items(tracker, "One", description=said)
        linked = "See [https://example.com/a_b](<https://example.com/a_b>), https://example.com/c"
        fake.world.edit(fake.world.by_title("One"), description=f"{linked} and [example.com](http://example.com).")
        await settled(tracker)
        assert (await tracker.get_work_item(one.id)).description == said
        fake.world.edit(fake.world.by_title("One"), description="See [here](<https://example.com/a_b>).")
        await settled(tracker)
        assert (await tracker.get_work_item(one.id)).description == "See [here](<https://example.com/a_b>)."


async def test_a_title_that_linear_has_the_beginning_of_only_is_no_conflict(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    title = "T" * (mapping.LONGEST_TITLE + 100)
    async with open_linear() as tracker:
        (one,) = await with_items(tracker, title)
        (issue,) = fake.world.issues.values()
        fake.world.edit(issue, priority=1.0)
        await settled(tracker)
        assert (await tracker.get_work_item(one.id)).title == title
        fake.world.edit(issue, title="Short")
        await settled(tracker)
        assert (await tracker.get_work_item(one.id)).title == "Short"
        assert await told(sqlite_store, here, events.WorkItemConflict) == []


async def test_an_issue_that_is_moved_into_the_project_becomes_an_item_whenever_it_was_made(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    fake.world.create_project(None, {"id": new_id(), "name": "Shared", "teamIds": []})
    fake.world.new_issue("There before")
    elsewhere = fake.world.new_issue("Moved in")
    home = elsewhere["project"]
    elsewhere["project"] = {"id": "another"}
    async with open_linear(project="Shared") as tracker:
        await ready(tracker)
        fake.world.edit(elsewhere, project=home, addedToProjectAt=f"{now():%Y-%m-%dT%H:%M:%S.%fZ}")
        await settled(tracker)
        assert [one.title for one in await tracker.list_work_items(here.id)] == ["Moved in"]


async def test_the_label_for_blocked_is_a_status_and_other_labels_are_kept(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        (one,) = await with_items(tracker, "One", labels=("api",))
        issue = fake.world.by_title("One")
        fake.world.create_label(None, {"id": "own", "name": "Customer"})
        (blocked,) = [label for label in fake.world.labels.values() if label["name"] == "blocked"]
        fake.world.edit(issue, labelIds=[*issue["labelIds"], "own", blocked["id"]])
        await settled(tracker)
        changed = await tracker.get_work_item(one.id)
        assert (changed.status, set(changed.labels)) == (BLOCKED, {"api", "Customer"})
        await tracker.update_work_item(one.id, {"status": TODO})
        await settled(tracker)
        assert fake.world.labels_of(issue) == {"api", "Customer"}


async def test_a_poll_finds_a_change_without_being_asked(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, sqlite_store: SqlStore
) -> None:
    async with open_linear(poll_seconds=1) as tracker:
        (one,) = await with_items(tracker, "One")
        fake.world.edit(fake.world.by_title("One"), title="The one")
        asked = len(fake.asked)
        await fake.until(lambda: len(fake.asked) > asked + 1)
        assert (await tracker.get_work_item(one.id)).title == "The one"


async def test_a_webhook_makes_it_look_at_once_and_only_once(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        (one,) = await with_items(tracker, "One")
        asked = len(fake.asked)
        fake.world.edit(fake.world.by_title("One"), title="The one")
        ((body, headers),) = fake.webhooks
        assert tracker.handle_webhook(body, headers)
        await fake.until(lambda: len(fake.asked) > asked)
        await settled(tracker)
        assert (await tracker.get_work_item(one.id)).title == "The one"
        assert not tracker.handle_webhook(body, headers)


@pytest.mark.parametrize("change", ["secret", "body", "old", "future", "no moment", "no signature", "not json"])
def test_a_webhook_that_is_forged_or_not_of_now_is_rejected(change: str) -> None:
    hooks = Webhooks(SECRET, clock=lambda: 1_000_000.0)
    body, headers = signed({"type": "Issue"}, at=1_000_000.0)
    match change:
        case "secret":
            body, headers = signed({"type": "Issue"}, at=1_000_000.0, secret="another")
        case "body":
            body = body.replace(b"Issue", b"Other")
        case "old":
            body, headers = signed({"type": "Issue"}, at=1_000_000.0 - WINDOW_SECONDS - 1)
        case "future":
            body, headers = signed({"type": "Issue"}, at=1_000_000.0 + WINDOW_SECONDS + 1)
        case "no moment":
            body, headers = signed({"type": "Issue"}, at=None)
            hooks = Webhooks(SECRET, clock=lambda: 0.0)
        case "no signature":
            headers = {}
        case "not json":
            body = b"{"
    with pytest.raises(WebhookRejected):
        hooks.accept(body, headers)


def test_without_a_secret_no_webhook_is_taken() -> None:
    body, headers = signed({"type": "Issue"}, secret="")
    with pytest.raises(WebhookRejected):
        Webhooks("").accept(body, headers)


def test_a_webhook_about_something_else_is_no_reason_to_look() -> None:
    hooks = Webhooks(SECRET)
    assert hooks.accept(*signed({"type": "Comment"}))
    assert not hooks.accept(*signed({"type": "Reaction"}))
