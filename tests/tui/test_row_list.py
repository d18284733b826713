from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rich.text import Text
from textual.events import MouseScrollDown
from textual.pilot import Pilot
from textual.widgets import Input

from orchestrator_tui.tui.widgets.row_list import RowList
from tests.tui.stage import Stage, text_of, until

KEPT = (RowList.Chosen, RowList.Marked, RowList.EndNeared)


def lines(row: str, width: int, marked: bool) -> Sequence[Text]:
    return [Text(row)]


def two_lines(row: str, width: int, marked: bool) -> Sequence[Text]:
    return [Text(row), Text(f"below {row}")]


def names(first: int, end: int) -> list[str]:
    return [f"row {number}" for number in range(first, end)]


@asynccontextmanager
async def a_list(
    rows: Sequence[str], view: RowList[str] | None = None, size: tuple[int, int] = (40, 10), theme: str = "dark"
) -> AsyncIterator[tuple[Pilot[object], Stage, RowList[str]]]:
    view = view or RowList(lines, key=str)
    stage = Stage(view, kept=KEPT, theme=theme)
    async with stage.run_test(size=size) as pilot:
        view.show(rows)
        view.focus()
        await pilot.pause()
        yield pilot, stage, view


def screen(pilot: Pilot[object]) -> list[str]:
    return [line.rstrip(" ▁▂▃▄▅▆▇█") for line in text_of(pilot).splitlines()]


def told(stage: Stage, kind: type[RowList.About]) -> list[str]:
    return [message.row for message in stage.seen if isinstance(message, kind)]


async def test_the_cursor_row_has_a_bar_at_its_left_and_moves_by_keys() -> None:
    async with a_list(names(0, 100)) as (pilot, stage, view):
        assert screen(pilot)[:2] == ["▌row 0", " row 1"]
        await pilot.press("down")
        assert screen(pilot)[:2] == [" row 0", "▌row 1"]
        await pilot.press("pagedown")
        assert view.marked == "row 10"
        assert screen(pilot)[-1] == "▌row 10"
        await pilot.press("end")
        assert screen(pilot)[-1] == "▌row 99"
        await pilot.press("up", "pageup")
        assert view.marked == "row 89"
        await pilot.press("home", "up")
        assert screen(pilot)[0] == "▌row 0"
        assert told(stage, RowList.Marked)[-3:] == ["row 98", "row 89", "row 0"]


async def test_enter_chooses_the_marked_row() -> None:
    async with a_list(names(0, 5)) as (pilot, stage, _):
        await pilot.press("down", "enter")
        assert told(stage, RowList.Chosen) == ["row 1"]


async def test_a_click_marks_and_a_click_on_the_marked_row_chooses() -> None:
    async with a_list(names(0, 5)) as (pilot, stage, view):
        await pilot.click(view, offset=(3, 2))
        assert view.marked == "row 2"
        assert told(stage, RowList.Chosen) == []
        await pilot.click(view, offset=(9, 2))
        assert told(stage, RowList.Chosen) == ["row 2"]


async def test_a_double_click_chooses_once() -> None:
    async with a_list(names(0, 5)) as (pilot, stage, view):
        await pilot.click(view, offset=(3, 2), times=2)
        assert told(stage, RowList.Chosen) == ["row 2"]
        await pilot.click(view, offset=(3, 2), times=2)
        assert told(stage, RowList.Chosen) == ["row 2", "row 2"]


async def test_a_list_may_choose_by_one_click() -> None:
    class Quick(RowList[str]):
        CHOOSE_BY_CLICK = True

    async with a_list(names(0, 5), Quick(lines, key=str)) as (pilot, stage, view):
        await pilot.click(view, offset=(3, 2), times=2)
        assert told(stage, RowList.Chosen) == ["row 2"]


async def test_a_click_below_the_rows_does_nothing() -> None:
    async with a_list(names(0, 5)) as (pilot, stage, view):
        await pilot.click(view, offset=(3, 7))
        assert view.marked == "row 0"
        assert told(stage, RowList.Chosen) == []


async def test_new_rows_keep_the_cursor_on_its_row() -> None:
    async with a_list(names(10, 15)) as (pilot, stage, view):
        await pilot.press("down", "down")
        view.show(names(0, 20))
        assert view.marked == "row 12"
        view.show(names(13, 20))
        assert view.marked == "row 13"
        view.show(["last"])
        assert view.marked == "last"
        await pilot.pause()
        assert told(stage, RowList.Marked)[-2:] == ["row 13", "last"]


async def test_what_is_on_the_screen_stays_in_its_place_when_rows_come_and_go_above() -> None:
    async with a_list(names(100, 200)) as (pilot, _, view):
        await pilot.press(*["pagedown"] * 5, *["up"] * 3)
        before = screen(pilot)
        for rows in (names(50, 200), names(90, 220), ["row 199", *names(100, 199)]):
            view.show(rows)
            await pilot.pause()
            assert screen(pilot) == before


async def test_a_list_at_its_start_shows_what_comes_on_top() -> None:
    async with a_list(names(10, 50)) as (pilot, _, view):
        view.show(names(9, 50))
        await pilot.pause()
        assert screen(pilot)[:2] == [" row 9", "▌row 10"]


async def test_the_wheel_scrolls_without_moving_the_cursor() -> None:
    async with a_list(names(0, 100)) as (pilot, _, view):
        for _ in range(3):
            await pilot._post_mouse_events([MouseScrollDown], view, offset=(3, 3))
        await until(pilot, lambda: view.scroll_offset.y > 2)
        assert view.marked == "row 0"
        await pilot.press("down")
        assert "▌row 1" in screen(pilot)


async def test_more_rows_are_asked_for_once_near_the_end() -> None:
    async with a_list(names(0, 100)) as (pilot, stage, view):

        def asked() -> int:
            return sum(isinstance(message, RowList.EndNeared) for message in stage.seen)

        assert asked() == 0
        await pilot.press("end", "up", "down")
        assert asked() == 1
        view.show(names(0, 100))
        await pilot.press("up")
        assert asked() == 1
        view.show(names(0, 200))
        await pilot.press("up")
        assert asked() == 1
        view.scroll_end(animate=False)
        await until(pilot, lambda: asked() == 2)


async def test_a_short_list_asks_for_more_at_once() -> None:
    async with a_list(names(0, 5)) as (_, stage, _view):
        assert isinstance(stage.seen[-1], RowList.EndNeared)


async def test_only_rows_on_the_screen_are_painted() -> None:
    painted: list[str] = []

    def counted(row: str, width: int, marked: bool) -> Sequence[Text]:
        painted.append(row)
        return [Text(row)]

    async with a_list(names(0, 10_000), RowList(counted, key=str)) as (pilot, _, view):
        await pilot.press("end")
        assert len(set(painted)) == 20
        painted.clear()
        await pilot.press("up")
        assert set(painted) == {"row 9998", "row 9999"}
        painted.clear()
        view.refresh()
        await pilot.pause()
        assert painted == []


async def test_a_row_may_be_of_two_lines_and_is_shown_whole() -> None:
    async with a_list(names(0, 50), RowList(two_lines, key=str, row_height=2), (40, 7)) as (pilot, _, view):
        await pilot.press("down", "down", "down")
        assert screen(pilot)[:2] == [" row 1", " below row 1"]
        assert screen(pilot)[-3:] == ["▌row 3", "▌below row 3", " row 4"]
        await pilot.click(view, offset=(3, 6))
        assert view.marked == "row 4"
        assert screen(pilot)[-3:] == ["▌row 4", "▌below row 4", " row 5"]


async def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    async with a_list(["a very long row indeed", "漢字漢字漢字漢字"], size=(10, 4)) as (pilot, _, _view):
        assert screen(pilot)[:2] == ["▌a very l…", " 漢字漢字…"]


async def test_an_empty_list_says_so() -> None:
    async with a_list([], RowList(lines, key=str, empty="Nothing here yet."), (12, 5)) as (pilot, stage, view):
        assert screen(pilot)[:2] == [" Nothing", " here yet."]
        await pilot.press("enter", "down", "end", "pageup")
        await pilot.click(view, offset=(2, 0))
        assert stage.seen == []
        view.show_empty("Read.")
        await pilot.pause()
        assert screen(pilot)[0] == " Read."


async def test_a_row_can_be_marked_by_its_key_even_before_the_list_has_a_size() -> None:
    view = RowList(lines, key=str)
    view.show(names(0, 100))
    view.mark("row 50")
    async with Stage(view).run_test(size=(40, 10)) as pilot:
        assert "▌row 50" in screen(pilot)
        view.mark("row 70")
        view.mark("no such row")
        await pilot.pause()
        assert "▌row 70" in screen(pilot)


async def test_the_cursor_tells_whether_the_list_has_the_focus() -> None:
    view = RowList(lines, key=str)
    async with Stage(view, Input()).run_test(size=(40, 10)) as pilot:
        view.show(names(0, 3))
        view.focus()
        await pilot.pause()
        variables = pilot.app.theme_variables
        assert ground(view) == variables["selection"].upper()
        await pilot.press("tab")
        assert ground(view) == variables["panel"].upper()


async def test_it_follows_a_change_of_theme() -> None:
    async with a_list(names(0, 3)) as (pilot, stage, view):
        before = ground(view)
        stage.theme = "light"
        await pilot.pause()
        assert before != ground(view) == stage.theme_variables["selection"].upper()


async def test_on_the_sixteen_colours_of_a_terminal_the_marked_row_can_be_read() -> None:
    view: RowList[str] = RowList(lambda row, width, marked: [Text(row, style="blue")], key=str)
    async with a_list(names(0, 2), view, theme="ansi") as (_, _stage, view):
        styles = [segment.style for segment in view.render_line(0) if segment.style]
        assert {style.color.number for style in styles if style.color} == {15}
        assert {style.bgcolor.number for style in styles if style.bgcolor} == {4}


async def test_a_row_has_the_colours_it_was_painted_with() -> None:
    view: RowList[str] = RowList(lambda row, width, marked: [Text(row, style=view.color("error"))], key=str)
    async with a_list(names(0, 2), view) as (_, stage, view):
        _edge, first, *_ = view.render_line(1)
        assert first.style
        assert first.style.color
        assert first.style.color.name.upper() == stage.theme_variables["error"].upper()


async def test_any_size_will_do() -> None:
    async with a_list(names(0, 100)) as (pilot, _, view):
        await pilot.press("end")
        for size in ((1, 1), (2, 1), (3, 2), (80, 24), (1, 30), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert view.marked == "row 99"
        assert "▌row 99" in screen(pilot)


def ground(view: RowList[str]) -> str:
    style = next(iter(view.render_line(0))).style
    assert style
    assert style.bgcolor
    assert style.bgcolor.triplet
    return style.bgcolor.triplet.hex.upper()
