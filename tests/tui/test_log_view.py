from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.scrollbar import ScrollTo

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import Kind
from orchestrator_tui.tui.widgets.flush_timer import FlushTimer
from orchestrator_tui.tui.widgets.log_row import matches
from orchestrator_tui.tui.widgets.log_view import LogView
from tests.tui.stage import Stage

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class Logs(Stage):
    def __init__(self, limit: int) -> None:
        self.view = LogView(LogBuffer(limit=limit))
        super().__init__(self.view)
        self.asked: list[str] = []

    def on_log_view_search_requested(self, message: LogView.SearchRequested) -> None:
        self.asked.append("search")

    def on_log_view_filter_requested(self, message: LogView.FilterRequested) -> None:
        self.asked.append("filter")


@asynccontextmanager
async def logs(lines: int = 0, limit: int = 100_000) -> AsyncIterator[tuple[Pilot[Any], LogView]]:
    app = Logs(limit)
    async with app.run_test(size=(60, 10)) as pilot:
        say(app.view, lines)
        await shown(pilot, app.view)
        app.view.focus()
        await pilot.pause()
        yield pilot, app.view


def say(view: LogView, lines: int) -> None:
    for _ in range(lines):
        view.buffer.append(Kind.SAY, f"line {view.buffer.end}", NOON)


async def shown(pilot: Pilot[Any], view: LogView) -> list[str]:
    view.flush()
    await pilot.pause()
    return screen(view)


def screen(view: LogView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.scrollable_content_region.height)]


def texts(view: LogView) -> list[str]:
    return [row.text for row in view.rows_shown]


async def test_it_follows_what_arrives() -> None:
    async with logs(3) as (pilot, view):
        assert texts(view) == ["line 0", "line 1", "line 2"]
        say(view, 100)
        await shown(pilot, view)
        assert texts(view)[-1] == "line 102"
        assert len(texts(view)) == 10


async def test_following_leaves_the_virtual_size_alone() -> None:
    async with logs(1000) as (pilot, view):
        before = view.virtual_size
        say(view, 100)
        await shown(pilot, view)
        assert view.virtual_size == before
        assert view.scroll_offset.y == view.max_scroll_y


async def test_it_stays_put_when_scrolled_up_and_says_how_many_lines_are_new() -> None:
    async with logs(100) as (pilot, view):
        await pilot.press("pageup")
        before = texts(view)
        assert before[0] == "line 81"
        assert screen(view)[-1].endswith("line 90")
        say(view, 12)
        rows = await shown(pilot, view)
        assert texts(view) == before
        assert rows[-1].endswith("12 new lines ↓")
        await pilot.press("end")
        assert texts(view)[-1] == "line 111"
        assert view.following
        assert "new lines" not in "".join(screen(view))


async def test_going_down_row_by_row_reaches_the_end_and_follows_again() -> None:
    async with logs(100) as (pilot, view):
        await pilot.press("up", "up", "up")
        say(view, 2)
        await shown(pilot, view)
        assert view.new_lines == 2
        await pilot.press(*["down"] * 5)
        assert view.following
        assert texts(view)[-1] == "line 101"


async def test_home_shows_the_first_line_and_the_scroll_bar_agrees() -> None:
    async with logs(100) as (pilot, view):
        await pilot.press("home")
        assert texts(view)[0] == "line 0"
        assert (view.scroll_offset.y, view.virtual_size.height) == (0, 100)


async def test_the_rows_on_the_screen_stay_while_old_lines_are_dropped() -> None:
    async with logs(300, limit=300) as (pilot, view):
        await pilot.press("pageup")
        before = texts(view)
        say(view, 250)
        await shown(pilot, view)
        assert texts(view) == before
        say(view, 300)
        await shown(pilot, view)
        assert texts(view)[0] == "line 550"


async def test_the_wheel_and_the_scroll_bar_move_the_view() -> None:
    async with logs(100) as (pilot, view):
        say(view, 10)
        await shown(pilot, view)
        view.post_message(events.MouseScrollUp(view, 1, 1, 0, -1, 0, False, False, False))
        await pilot.pause()
        assert texts(view)[0] == "line 97"
        view.post_message(ScrollTo(y=40, animate=False))
        await pilot.pause()
        assert texts(view)[0] == "line 40"
        say(view, 10)
        await shown(pilot, view)
        view.post_message(ScrollTo(y=41, animate=False))
        await pilot.pause()
        assert texts(view)[0] == "line 41"
        view.post_message(ScrollTo(y=view.max_scroll_y, animate=False))
        await pilot.pause()
        assert view.following


async def test_a_click_on_the_marker_follows() -> None:
    async with logs(100) as (pilot, view):
        await pilot.press("up")
        say(view, 1)
        assert (await shown(pilot, view))[-1].endswith(" 1 new line ↓")
        await pilot.click(view, offset=(55, 9))
        assert texts(view)[-1] == "line 100"


async def test_errors_and_the_marked_line_show_without_colour() -> None:
    async with logs(1) as (pilot, view):
        view.buffer.append(Kind.ERROR, "it broke", NOON)
        await shown(pilot, view)
        await pilot.click(view, offset=(20, 1))
        assert screen(view)[1][6:] == "Error ▌it broke"


async def test_rows_hang_under_the_text_and_nothing_is_cut() -> None:
    async with logs() as (pilot, view):
        text = " ".join(f"word{n}" for n in range(30))
        view.buffer.append(Kind.CALL, text, NOON, "Edit")
        rows = await shown(pilot, view)
        assert rows[0][5:13] == " Edit   "
        assert {row[:13] for row in rows[1:] if row} == {" " * 13}
        assert " ".join(row[13:] for row in rows if row) == text


async def test_a_growing_message_shows_as_it_is_written() -> None:
    async with logs(2) as (pilot, view):
        view.buffer.grow("I will ", NOON)
        assert (await shown(pilot, view))[2].endswith("I will")
        view.buffer.grow("now wire", NOON)
        assert (await shown(pilot, view))[2].endswith("I will now wire")
        view.buffer.complete("I will now wire it.", NOON)
        assert (await shown(pilot, view))[2].endswith("I will now wire it.")


async def test_enter_and_a_click_fold_and_unfold_a_result() -> None:
    async with logs(2) as (pilot, view):
        view.buffer.append(Kind.RESULT, "\n".join(f"row {n}" for n in range(5)), NOON)
        await shown(pilot, view)
        assert texts(view)[2:] == ["row 0", "› 5 lines"]
        await pilot.press("enter")
        assert texts(view)[2:] == [f"row {n}" for n in range(5)]
        await pilot.press("enter")
        assert texts(view)[2:] == ["row 0", "› 5 lines"]
        say(view, 20)
        await shown(pilot, view)
        assert texts(view)[-1] == "line 22"
        await pilot.press("home")
        await pilot.click(view, offset=(20, 3))
        assert texts(view)[2:7] == [f"row {n}" for n in range(5)]


async def test_a_fold_at_the_top_does_not_hold_the_view() -> None:
    async with logs() as (pilot, view):
        for _ in range(20):
            view.buffer.append(Kind.RESULT, "a\nb\nc\nd", NOON)
        await shown(pilot, view)
        await pilot.press("home")
        tops = []
        for _ in range(4):
            tops.append(view.rows_shown[0][:2])
            await pilot.press("down")
        assert tops == [(0, 0), (0, 1), (1, 0), (1, 1)]


async def test_search_shows_unfolds_and_marks_what_it_finds() -> None:
    async with logs(50) as (pilot, view):
        view.buffer.append(Kind.RESULT, "a\nb\nc\nNEEDLE in a fold", NOON)
        say(view, 50)
        await shown(pilot, view)
        await pilot.press("ctrl+f", "f")
        assert view.app.asked == ["search", "filter"]  # type: ignore[attr-defined]
        assert view.search("needle")
        await pilot.pause()
        assert "NEEDLE in a fold" in texts(view)
        y = texts(view).index("NEEDLE in a fold")
        assert [s.text for s in view.render_line(y) if s.style and s.style.reverse] == ["NEEDLE"]
        assert not view.following
        assert not view.search("nowhere")


async def test_keys_go_through_the_matches_both_ways_and_around() -> None:
    async with logs(100) as (pilot, view):
        await pilot.press("home")
        view.search("line 3")
        seen = []
        for key in [">", ">", "<", "<", "<"]:
            await pilot.press(key)
            assert view.cursor
            seen.append(view.cursor.line)
        assert seen == [30, 31, 30, 3, 39]


async def test_a_filter_hides_kinds() -> None:
    async with logs(5) as (pilot, view):
        view.buffer.append(Kind.ERROR, "it broke", NOON)
        await shown(pilot, view)
        view.hide([Kind.SAY])
        await pilot.pause()
        assert screen(view)[0][6:] == "Error  it broke"


async def test_y_copies_what_shows_or_the_marked_line_and_says_how_much() -> None:
    async with logs(5) as (pilot, view):
        await pilot.press("y")
        assert view.app.clipboard == "\n".join(f"line {n}" for n in range(5))
        assert [note.message for note in view.app._notifications] == ["5 lines copied."]
        await pilot.click(view, offset=(20, 1))
        await pilot.press("y")
        assert view.app.clipboard == "line 1"


async def test_selected_text_is_copied_as_it_is_shown() -> None:
    async with logs(5) as (pilot, view):
        await pilot.mouse_down(view, offset=(13, 1))
        await pilot.hover(view, offset=(19, 2))
        await pilot.mouse_up(view, offset=(19, 2))
        await pilot.press("y")
        assert view.app.clipboard.split() == ["line", "1", *screen(view)[2][:19].split()]


async def test_the_place_at_the_top_survives_a_storm_of_sizes() -> None:
    async with logs() as (pilot, view):
        for number in range(2000):
            view.buffer.append(Kind.SAY, f"{number} " + "some words " * 12, NOON)
        await shown(pilot, view)
        view.search("1000 some")
        top = view.rows_shown[0].line
        for width in [100, 30, 24, 120, 60]:
            await pilot.resize_terminal(width, 12)
            await shown(pilot, view)
        assert view.rows_shown[0].line == top
        await pilot.press("end")
        assert view.rows_shown[-1].line == 1999


async def test_one_timer_flushes_many_views_and_rests_without_any() -> None:
    async with logs() as (pilot, view):
        timer = FlushTimer(view.app, rate=1000)
        timer.add(view)
        say(view, 1)
        while not view.rows_shown:
            await pilot.pause()
        timer.remove(view)
        timer.tick()
        assert texts(view) == ["line 0"]


async def test_a_log_that_is_flooded_rests_for_a_tick_and_one_without_news_is_left_alone() -> None:
    async with logs() as (_, view):
        timer = FlushTimer(view.app, rate=0.001)
        timer.add(view)
        say(view, 50)
        timer.tick()
        say(view, 50)
        timer.tick()
        flooded = texts(view)
        say(view, 1)
        timer.tick()
        assert texts(view) == flooded
        timer.tick()
        assert texts(view) != flooded
        assert not view.has_news


def test_a_match_that_is_broken_over_two_rows_is_marked_on_both() -> None:
    log = LogBuffer(width=10)
    log.append(Kind.SAY, "aaa needle and needle", NOON)
    marked = ["".join(r.text[a:b] for a, b in matches(log.line(0).text, r, "Needle And")) for r in log.rows(0, 9)]
    assert "".join(marked) == "needle and"


async def test_x_unfolds_everything_and_folds_it_again() -> None:
    async with logs() as (pilot, view):
        for _ in range(2):
            view.buffer.append(Kind.RESULT, "a\nb\nc\nd", NOON)
        await shown(pilot, view)
        await pilot.press("x")
        assert texts(view) == [*"abcd", *"abcd"]
        await pilot.press("space")
        assert texts(view) == [*"abcd", "a", "› 4 lines"]
        await pilot.press("x")
        assert texts(view) == ["a", "› 4 lines"] * 2


async def test_escape_takes_the_marks_of_a_search_away() -> None:
    async with logs(5) as (pilot, view):
        view.search("line")
        await pilot.press("escape")
        assert not view.needle
        assert not [s for s in view.render_line(0) if s.style and s.style.reverse]


async def test_another_log_shows_at_its_end_and_the_first_one_where_it_was_left() -> None:
    async with logs(100) as (pilot, view):
        first = view.buffer
        await pilot.press("home", "down")
        other = LogBuffer()
        for number in range(50):
            other.append(Kind.SAY, f"other {number}", NOON)
        view.show_log(other)
        assert texts(view)[-1] == "other 49"
        first.append(Kind.SAY, "later", NOON)
        view.show_log(first)
        rows = await shown(pilot, view)
        assert texts(view)[0] == "line 1"
        assert rows[-1].endswith(" 1 new line ↓")


async def test_a_log_that_is_changed_while_it_is_hidden_shows_nothing_of_the_one_before() -> None:
    async with logs(5) as (pilot, view):
        view.display = False
        await pilot.pause()
        view.show_log(LogBuffer())
        assert screen(view) == [] and view.rows_shown == []
        view.display = True
        say(view, 1)
        view.render_line(1)
        assert await shown(pilot, view) == ["12:00        line 0", *[""] * 9]


async def test_a_row_whose_line_is_dropped_before_the_next_frame_is_blank() -> None:
    async with logs(30, limit=30) as (pilot, view):
        await pilot.press("home")
        say(view, 3)
        view.notify_style_update()
        assert screen(view)[:4] == ["", "", "", "12:00        line 3"]
