import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.backends.conformance import Bench
from orchestrator_tui.backends.json_file import disk, lock, tracker
from orchestrator_tui.config.files import write_atomic
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import LeaseLost, TrackerUnusable
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.backends.bench import bench

TODO, IN_PROGRESS, DONE, BLOCKED = WorkItemStatus
Content = dict[str, Any]
Edit = Callable[[Content], object]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "SETTLED_SECONDS", 0.01)
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.1)


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing notices an edit by itself."""

    async def nothing(self: tracker.JsonTracker) -> None:
        return

    monkeypatch.setattr(tracker.JsonTracker, "watch", nothing)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, "json") as here:
        yield here


@asynccontextmanager
async def opened(here: Bench, items: int = 3) -> AsyncIterator[WorkTracker]:
    """The tracker with some items, the second of which depends on the first, written to the file."""
    async with here.tracker() as opened:
        await opened.initialize(here.project_id, Path(here.context.project.directory))
        if not await opened.list_work_items(here.project_id):
            made = [here.item(f"Item {number}", description=f"Does {number}.") for number in range(1, items + 1)]
            made[1:2] = [here.item("Item 2", dependencies=(made[0].id,))]
            await opened.create_work_items(made)
        await opened.sync(here.project_id)
        yield opened


def file_of(here: Bench) -> Path:
    return Path(here.context.project.directory) / ".orchestrator" / "work_items.json"


def content_of(here: Bench) -> Content:
    found: Content = json.loads(file_of(here).read_text())
    return found


def edit(here: Bench, change: Edit) -> Content:
    """Change the file as a person does; returns what they wrote."""
    content = content_of(here)
    change(content)
    file_of(here).write_text(json.dumps(content, indent=4, ensure_ascii=False))
    return content


async def by_key(here: Bench) -> dict[str, WorkItem]:
    return {item.key: item for item in await here.context.store.list_items(here.project_id, limit=1000)}


async def told(here: Bench, kind: type[Any]) -> list[Any]:
    return [event for event in await here.events() if isinstance(event, kind)]


def item(content: Content, number: int = 1) -> Content:
    found: Content = content["items"][number - 1]
    return found


async def test_the_file_is_for_people_to_read_and_stays_as_it_is_when_nothing_changes(here: Bench) -> None:
    async with opened(here) as work:
        before = file_of(here).read_text()
        await work.sync(here.project_id)
        assert file_of(here).read_text() == before
    entries = json.loads(before)["items"]
    assert [entry["key"] for entry in entries] == ["TASK-1", "TASK-2", "TASK-3"]
    assert list(entries[1])[:6] == ["key", "title", "status", "priority", "labels", "depends_on"]
    assert entries[1]["depends_on"] == ["TASK-1"]
    assert '      "title": "Item 1",\n      "status": "todo",\n' in before


EDITS: dict[str, tuple[Edit, dict[str, object]]] = {
    "status": (lambda c: item(c).update(status="done"), {"status": DONE}),
    "blocked": (lambda c: item(c).update(status="blocked"), {"status": BLOCKED}),
    "title": (lambda c: item(c).update(title="Größer"), {"title": "Größer"}),
    "description": (lambda c: item(c).update(description=["a", "b"]), {"description": "a\nb"}),
    "priority": (lambda c: item(c).update(priority=1), {"priority": 1}),
    "labels": (lambda c: item(c).update(labels=["ui", "soon"]), {"labels": ("ui", "soon")}),
    "acceptance": (lambda c: item(c).update(acceptance=["is quick"]), {"acceptance": ("is quick",)}),
    "several": (lambda c: item(c).update(title="T", priority=4), {"title": "T", "priority": 4}),
    "no key, no id": (lambda c: (item(c).pop("id"), item(c).update(title="T")), {"title": "T"}),
}


@pytest.mark.parametrize("name", EDITS)
async def test_what_a_person_changes_in_the_file_reaches_the_database(here: Bench, name: str) -> None:
    change, wanted = EDITS[name]
    async with opened(here) as work:
        edit(here, change)
        state = await work.sync(here.project_id)
        found = (await by_key(here))["TASK-1"]
    assert {field: getattr(found, field) for field in wanted} == wanted
    assert (state.last_error, state.pending) == (None, 0)
    if "status" in wanted:
        (changed,) = await told(here, events.WorkItemStatusChanged)
        assert changed.reason == "set by a person in work_items.json"
    else:
        (edited,) = await told(here, events.WorkItemEdited)
        assert (set(edited.fields), edited.by) == (set(wanted), "person")
    assert len(content_of(here)["items"]) == 3


async def test_a_dependency_by_key_and_a_parent_are_taken_over(here: Bench) -> None:
    async with opened(here) as work:
        edit(here, lambda c: item(c, 3).update(depends_on=["TASK-1", "TASK-2"], parent="TASK-1"))
        await work.sync(here.project_id)
        items = await by_key(here)
    assert items["TASK-3"].dependencies == (items["TASK-1"].id, items["TASK-2"].id)
    assert items["TASK-3"].parent_id == items["TASK-1"].id


async def test_what_is_named_twice_counts_once(here: Bench) -> None:
    async with opened(here) as work:
        edit(here, lambda c: item(c, 3).update(depends_on=["TASK-1", "TASK-1"], labels=["api", "ui", "api"]))
        await work.sync(here.project_id)
        found = await by_key(here)
        assert found["TASK-3"].dependencies == (found["TASK-1"].id,)
        assert found["TASK-3"].labels == ("api", "ui")
        assert item(content_of(here), 3)["labels"] == ["api", "ui"]


async def test_new_items_get_keys_and_may_depend_on_each_other_by_the_keys_a_person_gave_them(here: Bench) -> None:
    async with opened(here) as work:
        new = [{"title": "Docs", "key": "A"}, {"title": "More docs", "depends_on": ["A", "TASK-1"], "priority": 1}]
        edit(here, lambda c: c["items"].extend(new))
        await work.sync(here.project_id)
        items = await by_key(here)
    assert (items["TASK-4"].title, items["TASK-5"].title) == ("Docs", "More docs")
    assert set(items["TASK-5"].dependencies) == {items["TASK-4"].id, items["TASK-1"].id}
    assert items["TASK-5"].metadata["asked_for"] == "person"
    assert [entry["key"] for entry in content_of(here)["items"]][3:] == ["TASK-4", "TASK-5"]


async def test_new_comments_are_a_person_s_and_are_taken_in_once(here: Bench) -> None:
    async with opened(here) as work:
        edit(here, lambda c: item(c).update(comments=["Please be quick.", {"text": ["Two", "lines"], "author": "me"}]))
        await work.sync(here.project_id)
        await work.sync(here.project_id)
    async with opened(here) as work:
        task = (await by_key(here))["TASK-1"]
        comments = await work.list_comments(task.id)
    assert sorted((one.author, one.content) for one in comments) == [
        ("person", "Please be quick."),
        ("person", "Two\nlines"),
    ]
    assert len(await told(here, events.WorkItemCommented)) == 2


async def test_an_item_that_is_gone_from_the_file_is_put_back_and_that_is_told(here: Bench) -> None:
    async with opened(here) as work:
        edit(here, lambda c: c["items"].pop(1))
        await work.sync(here.project_id)
    assert [entry["key"] for entry in content_of(here)["items"]] == ["TASK-1", "TASK-2", "TASK-3"]
    (problem,) = await told(here, events.ErrorOccurred)
    assert problem.message.startswith("TASK-2 is gone from ")
    assert problem.hint == 'To leave an item out, set its status to "done".'


async def test_a_file_that_is_gone_is_written_again(here: Bench) -> None:
    async with opened(here) as work:
        file_of(here).unlink()
        await work.sync(here.project_id)
    assert len(content_of(here)["items"]) == 3
    assert not await told(here, events.ErrorOccurred)


BAD: dict[str, tuple[Callable[[str], str], str]] = {
    "half a file": (lambda text: text[: len(text) // 2], "Unterminated string|Expecting"),
    "nothing": (lambda text: "", "line 1: the file is empty"),
    "a comma too much": (lambda text: text.replace('"priority": 3,', '"priority": 3,,', 1), "line 10: Expecting"),
    "a status that is none": (
        lambda text: text.replace('"todo"', '"doing"', 1),
        'line 9: status is "doing"; expected todo, done or blocked',
    ),
    "in progress": (lambda text: text.replace('"todo"', '"in_progress"', 1), "line 9: status in_progress is set by"),
    "a priority out of range": (
        lambda text: text.replace('"priority": 3', '"priority": 9', 1),
        r"line 10: priority is 9; expected a number from 1 \(urgent\) to 4 \(low\)",
    ),
    "an unknown field": (lambda text: text.replace('"labels"', '"lables"', 1), "line 11: lables is not known here"),
    "a field twice": (
        lambda text: text.replace('"priority": 3,', '"priority": 3,\n      "title": "again",', 1),
        "line 11: title is there twice",
    ),
    "an empty title": (lambda text: text.replace('"Item 1"', '" "', 1), "line 8: title is"),
    "an unknown dependency": (
        lambda text: text.replace('"depends_on": []', '"depends_on": ["TASK-99"]', 1),
        "line 12: depends_on names TASK-99, and there is no such item",
    ),
    "a circle": (
        lambda text: text.replace('"depends_on": []', '"depends_on": ["TASK-2"]', 1),
        "line 12: depends_on goes in a circle: TASK-1 -> TASK-2 -> TASK-1",
    ),
    "an id of nobody": (
        lambda text: text.replace('"items": [', '"items": [\n{"title": "x", "id": "7"},', 1),
        "line 6: there is no item with this id",
    ),
    "another revision": (lambda text: text.replace('"revision": ', '"revision": 9', 1), "line 4: revision"),
    "no title": (lambda text: text.replace('"items": [', '"items": [\n{"status": "todo"},', 1), "line 6: a new item"),
    "a key changed": (
        lambda text: text.replace('"key": "TASK-1"', '"key": "TASK-9"', 1),
        "line 7: the key of TASK-1 stays as it is; put it back",
    ),
    "items twice": (
        lambda text: text.replace('"items": [', '"items": [],\n  "items": [', 1),
        "line 6: items is there twice; leave one of them",
    ),
    "an empty label": (
        lambda text: text.replace('"labels": []', '"labels": [" "]', 1),
        r'line 11: labels is \[" "\]; expected a list of texts that are not empty',
    ),
    "no list": (lambda text: '{"items": 3}', "line 1: items is missing"),
    "a surrogate": (lambda text: text.replace('"Item 1"', r'"\ud800"', 1), "line 8: title holds half a character"),
    "a NUL": (lambda text: text.replace('"Item 1"', r'"a\u0000b"', 1), "line 8: title holds a NUL character"),
    "a title without end": (
        lambda text: text.replace("Item 1", "x" * 1001, 1),
        "line 8: title is too long; it may have 1,000 characters",
    ),
    "another key": (
        lambda text: text.replace('"TASK-3"', '"TASK-1"', 1),
        "the key of TASK-3 stays as it is; put it back",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_edit_is_told_with_its_line_and_kept_aside_and_the_last_good_state_stays(
    here: Bench, name: str
) -> None:
    spoil, words = BAD[name]
    async with opened(here) as work:
        before, items = content_of(here)["items"], await by_key(here)
        bad = spoil(file_of(here).read_text())
        file_of(here).write_text(bad)
        state = await work.sync(here.project_id)
        assert await by_key(here) == items
    assert content_of(here)["items"] == before
    (aside,) = file_of(here).parent.glob("work_items.refused-*.json")
    assert aside.read_text() == bad
    (problem,) = await told(here, events.ErrorOccurred)
    assert (state.last_error, problem.hint) == (problem.message, tracker.REFUSED_HINT)
    assert aside.name in problem.message
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(problem.message)


async def test_a_credential_in_an_edit_is_stored_nowhere(here: Bench) -> None:
    token = f"ghp_{'a1B2' * 9}"
    async with opened(here) as work:
        edit(here, lambda c: item(c).update(description=f"Use {token}.", comments=[f"It is {token}."]))
        await work.sync(here.project_id)
        (changed, *_) = await work.list_work_items(here.project_id)
        (comment,) = await work.list_comments(changed.id)
        assert (changed.description, comment.content) == ("Use ***.", "It is ***.")
        edit(here, lambda c: item(c).update(priority=token))
        refused = await work.sync(here.project_id)
        assert refused.last_error is not None and token not in refused.last_error
    assert token not in file_of(here).read_text()


async def test_a_good_edit_after_a_bad_one_takes_the_error_away(here: Bench) -> None:
    async with opened(here) as work:
        file_of(here).write_text("{")
        assert (await work.sync(here.project_id)).last_error is not None
        edit(here, lambda c: item(c).update(title="Good"))
        assert (await work.sync(here.project_id)).last_error is None
        assert (await by_key(here))["TASK-1"].title == "Good"


async def test_a_refused_edit_is_still_told_later_until_it_is_taken_away(here: Bench) -> None:
    async with opened(here) as work:
        file_of(here).write_text("{")
        refused = await work.sync(here.project_id)
    async with opened(here) as work:
        again = await work.sync(here.project_id)
        (aside,) = file_of(here).parent.glob("work_items.refused-*.json")
        aside.unlink()
        assert (await work.sync(here.project_id)).last_error is None
    assert again.last_error == refused.last_error is not None
    assert len(await told(here, events.ErrorOccurred)) == 1


async def test_an_edit_of_a_file_that_an_editor_held_for_long_undoes_nothing_the_program_did_since(here: Bench) -> None:
    async with opened(here) as work:
        held = file_of(here).read_text()
        claimed = await work.get_next_work_item(here.project_id, PhaseName.IMPLEMENT)
        assert claimed is not None
        await work.update_work_item(claimed.id, {"status": DONE})
        await work.create_work_item(here.item("Item 4"))
        await work.add_comment(claimed.id, "done it", author="developer")
        await work.sync(here.project_id)
        file_of(here).write_text(held.replace("Item 3", "Item three"))
        await work.sync(here.project_id)
        items = await by_key(here)
    assert (items["TASK-1"].status, items["TASK-3"].title) == (DONE, "Item three")
    assert (len(items), len(content_of(here)["items"])) == (4, 4)
    assert [comment["text"] for comment in item(content_of(here))["comments"]] == ["done it"]
    assert not await told(here, events.WorkItemConflict)
    assert not await told(here, events.ErrorOccurred)


async def test_a_person_wins_where_both_changed_the_same_field_and_the_conflict_is_told(here: Bench) -> None:
    async with opened(here) as work:
        held = file_of(here).read_text()
        claimed = await work.get_next_work_item(here.project_id, PhaseName.IMPLEMENT)
        assert claimed is not None
        await work.sync(here.project_id)
        file_of(here).write_text(held.replace('"status": "todo"', '"status": "blocked"', 1))
        await work.sync(here.project_id)
        assert (await by_key(here))["TASK-1"].status is BLOCKED
    (conflict,) = await told(here, events.WorkItemConflict)
    assert (conflict.field, conflict.ours, conflict.theirs) == ("status", "in_progress", "blocked")


@pytest.mark.usefixtures("unwatched")
async def test_no_item_is_claimed_that_a_person_has_just_set_to_something_else(here: Bench) -> None:
    async with opened(here) as work:
        edit(here, lambda c: (item(c, 1).update(status="done"), item(c, 3).update(priority=1)))
        claimed = await work.get_next_work_item(here.project_id, PhaseName.IMPLEMENT)
    assert claimed is not None
    assert claimed.key == "TASK-3"


async def test_an_edit_is_noticed_without_anybody_asking(here: Bench) -> None:
    async with opened(here):
        edit(here, lambda c: item(c).update(title="Noticed"))
        while (await by_key(here))["TASK-1"].title != "Noticed":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("unwatched")
async def test_what_nobody_planned_for_is_told_and_over_with_the_next_sync(
    here: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(self: tracker.JsonTracker) -> None:
        raise ZeroDivisionError("nobody planned for it")

    async with opened(here) as work:
        with monkeypatch.context() as broken:
            broken.setattr(tracker.JsonTracker, "_reconcile", breaks)
            await work.add_comment((await by_key(here))["TASK-1"].id, "Hello.", author="engine")
            while not (problems := await told(here, events.ErrorOccurred)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert problems[0].message == f"{file_of(here)}: ZeroDivisionError: nobody planned for it"
        assert (await work.sync(here.project_id)).last_error is None
        assert item(content_of(here))["comments"][0]["text"] == "Hello."


async def test_edits_made_while_the_program_was_away_count(here: Bench) -> None:
    async with opened(here):
        pass
    edit(here, lambda c: item(c).update(status="done"))
    async with opened(here):
        assert (await by_key(here))["TASK-1"].status is DONE


async def test_changes_of_the_program_are_in_the_file_when_the_tracker_is_closed(here: Bench) -> None:
    async with opened(here) as work:
        task = (await by_key(here))["TASK-1"]
        await work.update_work_item(task.id, {"status": BLOCKED})
        await work.add_comment(task.id, "Blocked.\nRed.", author="engine")
    entry = item(content_of(here))
    assert (entry["status"], entry["comments"][0]["text"]) == ("blocked", ["Blocked.", "Red."])


async def test_a_second_writer_is_refused_and_told_who_the_first_is(here: Bench) -> None:
    async with opened(here):
        with pytest.raises(TrackerUnusable, match=r"work_items\.json is being written by process"):
            async with opened(here):
                raise AssertionError("both write the file")
    async with opened(here):
        assert len(content_of(here)["items"]) == 3


async def test_who_asks_a_tracker_whose_run_has_ended_does_not_keep_the_file_from_the_next(here: Bench) -> None:
    async with opened(here) as ended:
        pass
    with pytest.raises(LeaseLost):
        await ended.sync(here.project_id)
    async with opened(here):
        assert len(content_of(here)["items"]) == 3


async def test_a_file_that_cannot_be_written_is_told_once_and_caught_up_with_later(here: Bench) -> None:
    folder = file_of(here).parent
    folder.write_text("no folder")
    async with here.tracker() as work:
        await work.initialize(here.project_id, folder.parent)
        await work.create_work_item(here.item("One"))
        await work.sync(here.project_id)
        state = await work.sync(here.project_id)
        assert state.last_error is not None
        assert state.pending
        assert len(await told(here, events.ErrorOccurred)) == 1
        folder.unlink()
        state = await work.sync(here.project_id)
    assert (state.last_error, state.pending) == (None, 0)
    assert await here.context.store.sync_state(here.project_id) == state
    assert [entry["title"] for entry in content_of(here)["items"]] == ["One"]


async def test_a_link_in_the_place_of_the_file_is_replaced_and_never_followed(here: Bench, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.json"
    target.write_text("mine")
    async with opened(here) as work:
        file_of(here).unlink()
        file_of(here).symlink_to(target)
        await work.sync(here.project_id)
    assert target.read_text() == "mine"
    assert not file_of(here).is_symlink()
    assert len(content_of(here)["items"]) == 3


async def test_the_journal_is_folded_and_a_torn_line_of_it_is_forgotten(
    here: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_tui.backends.json_file.journal.KEPT", 3)
    journal = file_of(here).with_suffix(".journal")
    async with opened(here) as work:
        task = (await by_key(here))["TASK-1"]
        for number in range(8):
            await work.update_work_item(task.id, {"title": f"Title {number}"})
            await work.sync(here.project_id)
    held = file_of(here).read_text()
    with journal.open("a") as stream:
        stream.write('{"revision": 1000, "it')
    async with opened(here) as work:
        await work.update_work_item(task.id, {"priority": 1})
        await work.sync(here.project_id)
        file_of(here).write_text(held.replace("Item 2", "Item two"))
        await work.sync(here.project_id)
        items = await by_key(here)
    assert (items["TASK-1"].priority, items["TASK-2"].title) == (1, "Item two")
    assert len(journal.read_text().splitlines()) <= 8


async def test_an_edit_in_the_very_moment_in_which_the_file_is_replaced_is_not_lost(
    here: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = ["The last moment"]

    def racing(file: Path, content: bytes, *, check: Callable[[bytes], object], through_links: bool) -> None:
        def checked(written: bytes) -> None:
            check(written)
            if edits and file.exists():
                edit(here, lambda c: item(c, 3).update(title=edits.pop()))

        write_atomic(file, content, check=checked, through_links=through_links)

    async with opened(here) as work:
        monkeypatch.setattr(disk, "write_atomic", racing)
        await work.update_work_item((await by_key(here))["TASK-1"].id, {"status": DONE})
        await work.sync(here.project_id)
        items = await by_key(here)
    assert (items["TASK-1"].status, items["TASK-3"].title) == (DONE, "The last moment")
    assert item(content_of(here), 3)["title"] == "The last moment"


async def test_an_item_that_was_given_its_id_before_a_crash_is_taken_in_once(here: Bench) -> None:
    new = {"title": "Added", "id": new_id(), "comments": [{"text": "by me", "id": new_id()}]}
    async with opened(here) as work:
        edit(here, lambda c: c["items"].append(new))
        await work.sync(here.project_id)
        edit(here, lambda c: c["items"][3].pop("key"))
        await work.sync(here.project_id)
    items = await by_key(here)
    assert (len(items), items["TASK-4"].id) == (4, new["id"])
