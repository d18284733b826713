from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.tui import item_text, view
from orchestrator_tui.tui.item_tree import matching, tree
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.diff import DiffPage
from orchestrator_tui.tui.screens.item import ItemPage
from orchestrator_tui.tui.screens.items import ItemsPage
from orchestrator_tui.tui.screens.session import SessionPage
from tests.running import Watched
from tests.tui.stage import NOON, SMALL, WIDE, Stage, context, played_project, sees, text_of, until


def item(number: int, parent: int | None = None, needs: tuple[int, ...] = (), **fields: object) -> WorkItem:
    made = WorkItem(
        id=f"id-{number}",
        project_id="p",
        number=number,
        title=f"Title {number}",
        parent_id=f"id-{parent}" if parent else None,
        dependencies=tuple(f"id-{other}" for other in needs),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def changed(run: Watched, one: WorkItem, new: WorkItemStatus) -> Happened:
    event = events.WorkItemStatusChanged(work_item_id=one.id, key=one.key, old=one.status, new=new)
    recorded = Recorded(seq=run.seen[-1].seq + 1, at=NOON, project_id=run.project_id, event=event)
    return Happened(view.Dashboard(), (recorded,))


def test_children_come_after_their_parent() -> None:
    rows = tree([item(1), item(2, parent=4), item(3), item(4, parent=1), item(5, parent=99)])
    assert [(row.item.number, row.depth) for row in rows] == [(1, 0), (4, 1), (2, 2), (3, 0), (5, 0)]


def test_items_that_are_each_other_s_parent_all_show() -> None:
    assert {row.item.number for row in tree([item(1, parent=2), item(2, parent=1), item(3, parent=3)])} == {1, 2, 3}


def test_a_deep_tree_is_no_deep_call() -> None:
    rows = tree([item(1), *(item(number, parent=number - 1) for number in range(2, 3000))])
    assert rows[-1].depth == 2998


def test_only_what_is_not_done_is_waited_for() -> None:
    done = WorkItemStatus.DONE
    rows = tree([item(1, status=done), item(2), item(3, needs=(1, 2)), item(4, needs=(2,), status=done)])
    assert [row.needs for row in rows] == [(), (), ("TASK-2",), ()]


def test_words_are_found_in_title_key_label_and_worker() -> None:
    items = [item(1, title="Log in"), item(2, labels=("Auth",)), item(30), item(4)]
    for needle, numbers in {"log": [1], "AUTH": [2], "task-3": [30], "developer": [4], "title 4": [4]}.items():
        found = matching(items, None, needle, {"TASK-4": "developer 7"})
        assert [row.item.number for row in found] == numbers


def test_output_of_a_check_cannot_leave_its_block() -> None:
    assert item_text.fenced("~~~\nevil\n~~~~~\n").startswith("~~~~~~\n")


async def test_all_items_stand_in_columns_and_enter_opens_one(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", items=4) as run:
        page = ItemsPage(context(run.engine, tmp_path), run.project_id)
        async with Stage().run_test(size=WIDE) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: "✓ TASK-4  Module item00004" in text_of(pilot))
            assert "Work items · demo · 4/4" in text_of(pilot)
            rows = [line for line in text_of(pilot).splitlines() if "TASK-" in line]
            assert len({line.index("  P") for line in rows}) == 1
            await pilot.press("down", "enter")
            await until(pilot, lambda: "TASK-2 · Module item00002" in text_of(pilot))
            await pilot.press("escape", "d")
            await until(pilot, lambda: isinstance(pilot.app.screen, DiffPage))
            await until(pilot, lambda: "item00002.py  new" in text_of(pilot))


async def test_items_are_filtered_by_state_and_by_words(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", items=4) as run, Stage().run_test(size=SMALL) as pilot:
        await pilot.app.push_screen(ItemsPage(context(run.engine, tmp_path), run.project_id))
        await until(pilot, lambda: "TASK-4" in text_of(pilot))
        await pilot.press("3")
        await until(pilot, lambda: "No item is like this." in text_of(pilot))
        await pilot.press("5", "slash", *"00003")
        await until(pilot, lambda: "1 items" in text_of(pilot) or "1 item" in text_of(pilot))
        assert "TASK-3" in text_of(pilot) and "TASK-4" not in text_of(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "TASK-3 · Module item00003" in text_of(pilot))
        await pilot.press("escape", "slash", "escape")
        await until(pilot, lambda: "TASK-4" in text_of(pilot))
        await pilot.click("SectionTabs", offset=(12, 0))
        await until(pilot, lambda: "No item is like this." in text_of(pilot))


async def test_a_state_changes_as_it_happens(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        page = ItemsPage(context(run.engine, tmp_path), run.project_id)
        first = (await run.engine.items(run.project_id))[0]
        async with Stage().run_test(size=SMALL) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: "✓ TASK-1" in text_of(pilot))
            page.post_message(changed(run, first, WorkItemStatus.BLOCKED))
            await until(pilot, lambda: "× TASK-1" in text_of(pilot))
            assert "2/3" in text_of(pilot)


async def test_without_items_the_page_says_when_they_come(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run, Stage().run_test(size=SMALL) as pilot:
        await pilot.app.push_screen(ItemsPage(context(run.engine, tmp_path), run.project_id))
        await until(pilot, lambda: "The breakdown phase plans them" in text_of(pilot))
        await pilot.press("enter", "d", "down")


async def test_an_item_tells_everything_about_itself(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        page = ItemPage(context(run.engine, tmp_path), run.project_id, "task-1")
        async with Stage().run_test(size=WIDE) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: "5 Sessions 1" in text_of(pilot))
            text = text_of(pilot)
            assert "TASK-1 · Module item00001" in text
            assert "✓ done" in text and "Needed by  ✓ TASK-2 Module item00002" in text
            assert "• item00001.name() returns item00001" in text
            await pilot.press("2")
            await until(pilot, lambda: sees(pilot, "Wrote item00001 and its test."))
            await pilot.press("right")
            await until(pilot, lambda: sees(pilot, "✓ passed", "$ python3 verify.py"))
            await pilot.press("d")
            await until(pilot, lambda: sees(pilot, '5 +     return "item00001"'))
            await pilot.press("5", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, SessionPage))
            await until(pilot, lambda: "Write  item00001.py +5" in text_of(pilot))


async def test_an_item_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run, Stage().run_test(size=SMALL) as pilot:
        await pilot.app.push_screen(ItemPage(context(run.engine, tmp_path), run.project_id, "TASK-77"))
        await until(pilot, lambda: "There is no work item TASK-77" in text_of(pilot))


async def test_a_click_shows_another_part_of_an_item(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run, Stage().run_test(size=SMALL) as pilot:
        await pilot.app.push_screen(ItemPage(context(run.engine, tmp_path), run.project_id, "TASK-1"))
        await until(pilot, lambda: "5 Sessions 1" in text_of(pilot))
        at = next(line for line in text_of(pilot).splitlines() if "4 Diff" in line).index("4 Diff")
        await pilot.click("SectionTabs", offset=(at + 2, 0))
        await until(pilot, lambda: "item00001.py  new" in text_of(pilot))
        await pilot.press("ctrl+f", *"unittest")
        await until(pilot, lambda: "1 of 2" in text_of(pilot))


@pytest.mark.parametrize("size", [(1, 1), (6, 4), (30, 10), (250, 80)])
async def test_item_pages_survive_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with played_project(tmp_path / "home") as run:
        where = context(run.engine, tmp_path)
        async with Stage().run_test(size=WIDE) as pilot:
            for page in (ItemsPage(where, run.project_id), ItemPage(where, run.project_id, "TASK-2")):
                await pilot.app.push_screen(page)
                await pilot.resize_terminal(*size)
                await pilot.press("2", "3", "4", "5", "1", "down")
                await pilot.resize_terminal(*SMALL)
            pilot.app.theme = "light"
            await pilot.pause()
