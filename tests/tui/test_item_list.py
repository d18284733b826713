from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.tui.item_order import DoneRow, ordered
from orchestrator_tui.tui.widgets.item_list import ItemList
from orchestrator_tui.tui.widgets.row_list import RowList
from tests.tui.stage import NOON, Stage, played_project, text_of

W = WorkItemStatus


def item(
    number: int,
    title: str = "",
    status: WorkItemStatus = W.TODO,
    priority: int = 2,
    parent: int | None = None,
    needs: Sequence[int] = (),
    project: str = "p1",
) -> WorkItem:
    return WorkItem(
        id=f"i{number}",
        project_id=project,
        number=number,
        title=title or f"thing {number}",
        status=status,
        priority=priority,
        parent_id=f"i{parent}" if parent else None,
        dependencies=tuple(f"i{other}" for other in needs),
        created_at=NOON,
    )


MIXED = (
    item(1, "settings", W.DONE),
    item(2, "models", W.DONE),
    item(10, "rss", priority=3),
    item(11, "sign-out", priority=1),
    item(12, "broken", W.BLOCKED),
    item(13, "token auth", W.IN_PROGRESS, priority=1),
    item(14, "tags", priority=3, needs=(10, 2)),
)


@asynccontextmanager
async def a_list(
    items: Sequence[WorkItem], workers: Mapping[str, str] | None = None, size: tuple[int, int] = (34, 20)
) -> AsyncIterator[tuple[Pilot[Any], Stage, ItemList]]:
    view = ItemList()
    stage = Stage(view, Input(), kept=(ItemList.Picked, RowList.EndNeared))
    async with stage.run_test(size=size) as pilot:
        view.styles.height = "1fr"
        view.show_items(items, workers or {})
        view.focus()
        await pilot.pause()
        yield pilot, stage, view


def lines(pilot: Pilot[Any]) -> list[str]:
    """The rows of the list without its border."""
    rows = text_of(pilot).splitlines()
    end = next(index for index, line in enumerate(rows) if line.startswith("╰"))
    return [text for line in rows[1:end] if (text := line[1:-1].rstrip())]


def order(items: Sequence[WorkItem], *, opened: bool = False) -> list[str]:
    """The rows, with a dash for each level."""
    return [
        f"{row.count} done" if isinstance(row, DoneRow) else f"{'-' * row.depth}{row.item.number}"
        for row in ordered(items, opened=opened)
    ]


async def test_what_is_at_work_comes_first_then_what_is_blocked_then_the_rest_by_priority() -> None:
    async with a_list(MIXED) as (pilot, _, _view):
        assert lines(pilot) == [
            "▌◐ TASK-13 token auth        P1",
            " × TASK-12 broken            P2",
            " ○ TASK-11 sign-out          P1",
            " ○ TASK-10 rss               P3",
            " ○ TASK-14 tags     needs 10 P3",
            " ✓ 2 done                     ▸",
        ]
        assert " 2/7 ─╯" in text_of(pilot)


async def test_children_stand_under_their_parent_where_the_most_urgent_would() -> None:
    family = (item(1), item(2), item(3, parent=2), item(4, status=W.IN_PROGRESS, parent=2), item(5, parent=4))
    assert order(family) == ["2", "-4", "--5", "-3", "1"]


async def test_what_is_done_with_all_below_it_is_folded_away() -> None:
    family = (
        item(1, status=W.DONE),
        item(2, parent=1),
        item(3, status=W.DONE, parent=1),
        item(4, status=W.DONE),
        item(5, status=W.DONE, parent=4),
    )
    assert order(family) == ["1", "-2", "3 done"]
    assert order(family, opened=True) == ["1", "-2", "3 done", "3", "4", "-5"]


async def test_parents_in_a_circle_are_shown_all_the_same() -> None:
    assert sorted(order((item(1, parent=2), item(2, parent=1)))) == ["-2", "1"]


async def test_enter_on_what_is_done_opens_and_closes_it() -> None:
    async with a_list(MIXED) as (pilot, stage, _):
        await pilot.press("end", "enter")
        assert lines(pilot)[-3:] == [
            "▌✓ 2 done                     ▾",
            " ✓ TASK-1  settings          P2",
            " ✓ TASK-2  models            P2",
        ]
        await pilot.press("down", "enter", "up", "enter")
        assert lines(pilot)[-1] == "▌✓ 2 done                     ▸"
        assert [message.key for message in stage.seen if isinstance(message, ItemList.Picked)] == ["TASK-1"]


async def test_a_click_picks_an_item_and_unfolds_what_is_done() -> None:
    async with a_list(MIXED) as (pilot, stage, view):
        await pilot.click(view, offset=(5, 3))
        (picked,) = stage.seen
        assert isinstance(picked, ItemList.Picked)
        assert (picked.item_id, picked.key) == ("i11", "TASK-11")
        await pilot.click(view, offset=(5, 6))
        assert lines(pilot)[-1].startswith(" ✓ TASK-2")


async def test_who_works_on_an_item_stands_beside_it() -> None:
    async with a_list(MIXED, {"i13": "agent-3"}) as (pilot, _, view):
        assert lines(pilot)[0] == "▌◐ TASK-13 token auth     a3 P1"
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert lines(pilot)[0].endswith("agent-3 P1")
        view.show_items(MIXED, {})
        await pilot.pause()
        assert "agent-3" not in text_of(pilot)


async def test_in_a_narrow_pane_the_titles_keep_their_room() -> None:
    async with a_list(MIXED, size=(24, 20)) as (pilot, _, _view):
        assert lines(pilot)[0] == "▌◐ 13 token auth   P1"
        assert lines(pilot)[4] == " ○ 14 tags         P3"


async def test_a_dependency_that_gets_done_is_not_needed_any_more() -> None:
    async with a_list(MIXED) as (pilot, _, view):
        view.show_items([replace(one, status=W.DONE) if one.number == 10 else one for one in MIXED], {})
        await pilot.pause()
        assert "needs" not in text_of(pilot)
        assert "✓ 3 done" in text_of(pilot)


async def test_the_cursor_stays_on_its_item_while_others_move() -> None:
    async with a_list(MIXED) as (pilot, _, view):
        await pilot.press("down", "down", "down")
        view.show_items([replace(one, status=W.DONE) if one.number == 12 else one for one in MIXED], {})
        await pilot.pause()
        assert lines(pilot)[2] == "▌○ TASK-10 rss               P3"


async def test_another_project_starts_at_the_top_with_what_is_done_folded() -> None:
    async with a_list(MIXED) as (pilot, _, view):
        await pilot.press("end", "enter", "end")
        view.show_items(
            [item(number, status=W.DONE if number > 5 else W.TODO, project="p2") for number in range(1, 9)], {}
        )
        await pilot.pause()
        assert lines(pilot)[0].startswith("▌○ TASK-1")
        assert lines(pilot)[-1] == " ✓ 3 done                     ▸"


async def test_a_hostile_title_stays_on_its_line_and_is_no_markup() -> None:
    async with a_list([item(1, "[red]a\x1b[2J\nb[/] " + "x" * 99)]) as (pilot, _, _view):
        assert lines(pilot) == ["▌○ TASK-1 [red]a[2J b[/] xx… P2"]


async def test_five_thousand_items_scroll_and_ask_nobody_for_more() -> None:
    many = [item(number, parent=number // 10 if number % 10 else None) for number in range(1, 5001)]
    async with a_list(many) as (pilot, stage, view):
        await pilot.press("end", "pageup", "home", "pagedown")
        assert view.marked
        assert stage.seen == []
        assert "0/5,000" in text_of(pilot)


async def test_an_empty_list_of_any_size_can_be_shown() -> None:
    async with a_list([]) as (pilot, stage, view):
        assert lines(pilot) == [" No work items yet."]
        await pilot.press("enter", "down")
        assert stage.seen == []
        view.show_items(MIXED, {"i13": "agent-1"})
        for size in ((1, 1), (3, 3), (4, 4), (8, 5), (12, 6), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "TASK-13 token auth" in text_of(pilot)


async def test_the_items_of_a_played_project_are_shown(tmp_path: Path) -> None:
    async with played_project(tmp_path) as run:
        items = await run.engine.items(run.project_id)
        async with a_list(items) as (pilot, _, _view):
            assert lines(pilot) == ["▌✓ 3 done                     ▸"]
            await pilot.press("enter")
            assert len(lines(pilot)) == 4
