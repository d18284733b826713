import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual import events
from textual.binding import BindingType
from textual.pilot import Pilot
from textual.widgets import Static

from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.tui.input_history import InputHistory, load_history, save_history
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.recall import recall, search
from orchestrator_tui.tui.slash import usage_hint
from orchestrator_tui.tui.widgets.input_bar import InputBar
from tests.tui.stage import SMALL, WIDE, Stage, text_of, until
from tests.tui.test_slash import values

PLACEHOLDER = "› Describe what to build, / for commands"
NO_PROJECT = UsageError("There is no project 9.", hint="There are: 1 (my-portfolio).")


class Screenful(Stage):
    """The bar under something else, with the keys of the main screen."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.EVERYWHERE, Place.MAIN)]

    def __init__(self, bar: InputBar) -> None:
        body = Static("body")
        body.can_focus = True
        body.styles.height = "1fr"
        super().__init__(body, bar, kept=(InputBar.Submitted, InputBar.Left))
        self.body = body
        self.bar = bar
        self.done: list[str] = []

    def action_zoom(self) -> None:
        self.done.append("zoom")

    def action_editor(self) -> None:
        self.done.append("editor")

    def action_help(self) -> None:
        self.done.append("help")

    @property
    def submitted(self) -> list[str]:
        return [message.text for message in self.seen if isinstance(message, InputBar.Submitted)]

    @property
    def left(self) -> int:
        return sum(isinstance(message, InputBar.Left) for message in self.seen)


@asynccontextmanager
async def opened(folder: Path, size: tuple[int, int] = SMALL) -> AsyncIterator[tuple[Screenful, Pilot[Any]]]:
    app = Screenful(InputBar(values, folder / "history.jsonl"))
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        app.bar.focus_text()
        await pilot.pause()
        yield app, pilot


async def typed(pilot: Pilot[Any], text: str) -> None:
    await pilot.press(*text)
    await pilot.pause()


async def pasted(app: Screenful, pilot: Pilot[Any], text: str) -> None:
    assert app.focused is not None
    app.focused.post_message(events.Paste(text))
    await pilot.pause()


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_empty_bar_says_what_can_be_typed(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size) as (_, pilot):
        assert PLACEHOLDER in text_of(pilot)


async def test_enter_sends_and_the_text_stays_until_it_is_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "A link checker")
        await pilot.press("enter", "enter")
        assert app.submitted == ["A link checker"]
        assert "› A link checker" in text_of(pilot)
        app.bar.accepted()
        await pilot.pause()
        assert app.bar.text == ""


async def test_what_is_typed_while_something_is_carried_out_is_the_next_and_neither_is_lost(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "one")
        await pilot.press("enter")
        await typed(pilot, "two")
        await pilot.press("enter")
        await typed(pilot, "three")
        assert app.submitted == ["one", "two"]
        app.bar.accepted("two")
        app.bar.refused(NO_PROJECT, "one")
        await pilot.pause()
        assert app.bar.text == "three"
        assert "There is no project 9." in text_of(pilot)
        await pilot.press("ctrl+u", "up")
        assert app.bar.text == "one"
        await pilot.press("up")
        assert app.bar.text == "two"


async def test_blanks_are_not_sent(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("space", "space", "enter")
        assert app.submitted == []


async def test_a_refused_text_stays_and_the_error_goes_with_the_next_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "/resume 9")
        await pilot.press("enter")
        app.bar.refused(NO_PROJECT)
        await pilot.pause()
        assert "Usage: There is no project 9." in text_of(pilot)
        assert "There are: 1 (my-portfolio)." in text_of(pilot)
        assert "› /resume 9" in text_of(pilot)
        await pilot.press("backspace")
        await pilot.pause()
        assert "There is no project" not in text_of(pilot)
        assert app.bar.text == "/resume "


async def test_a_slash_offers_commands_and_tab_takes_the_marked_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "/st")
        assert "▌/status    Show how a project stands." in text_of(pilot)
        await pilot.press("down")
        await pilot.pause()
        assert "▌/stop" in text_of(pilot)
        await pilot.press("tab")
        await pilot.pause()
        assert app.bar.text == "/stop "
        assert "› /stop [id]" in text_of(pilot)
        assert "▌1   my-portfolio" in text_of(pilot)
        await pilot.press("up", "right")
        assert app.bar.text == "/stop 12"
        assert app.submitted == []


async def test_at_most_eight_rows_are_offered_and_the_cursor_goes_round(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, pilot):
        await typed(pilot, "/")
        rows = [line for line in text_of(pilot).splitlines() if line.startswith(("│▌/", "│ /"))]
        assert len(rows) == 8
        await pilot.press("up")
        await pilot.pause()
        assert "▌/quit" in text_of(pilot)


async def test_enter_on_the_beginning_of_a_name_completes_it_and_sends_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "/appr")
        await pilot.press("enter")
        assert (app.bar.text, app.submitted) == ("/approve", [])
        await pilot.press("enter")
        assert app.submitted == ["/approve"]


async def test_enter_sends_a_whole_command_though_its_arguments_are_offered(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "/stop 1")
        await pilot.press("enter")
        assert app.submitted == ["/stop 1"]
        assert "task-list" not in text_of(pilot)


async def test_an_at_sign_offers_agents(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "@")
        assert "▌@agent-1  TASK-32" in text_of(pilot)
        await pilot.press("tab")
        assert app.bar.text == "@agent-1 "


async def test_a_click_takes_what_is_offered_and_typing_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "/st")
        row = next(at for at, line in enumerate(text_of(pilot).splitlines()) if "/stop " in line)
        await pilot.click(offset=(4, row))
        await pilot.pause()
        assert app.bar.text == "/stop "
        await typed(pilot, "2")
        assert app.bar.text == "/stop 2"


async def test_escape_closes_what_is_offered_then_leaves_with_the_text_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "/st")
        await pilot.press("escape")
        await pilot.pause()
        assert "/status" not in text_of(pilot)
        assert app.left == 0
        await pilot.press("escape")
        await until(pilot, lambda: app.left == 1)
        assert app.bar.text == "/st"


async def test_escape_leaves_an_empty_bar(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("escape")
        await until(pilot, lambda: app.left == 1)


async def test_while_something_is_typed_only_keys_that_work_everywhere_do(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "z")
        await pilot.press("tab", "ctrl+e", "f1")
        await pilot.pause()
        assert (app.bar.text, app.done) == ("z", ["help"])


async def test_in_an_empty_bar_tab_goes_on_to_the_next_pane(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("tab")
        await until(pilot, lambda: app.focused is app.body)


async def test_a_paste_of_several_lines_stays_whole_and_the_bar_grows_to_six_rows(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pasted(app, pilot, "one\r\ntwo\rthree")
        assert app.bar.text == "one\ntwo\nthree"
        assert app.bar.size.height == 5
        await pasted(app, pilot, "\nmore" * 20)
        await pilot.pause()
        assert app.bar.size.height == 8
        assert app.submitted == []
        await pilot.press("enter")
        assert app.submitted == ["one\ntwo\nthree" + "\nmore" * 20]


async def test_a_paste_cannot_reach_the_terminal(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pasted(app, pilot, "a\x1b[2Jb\u202ec")
        assert app.bar.text == "a[2Jbc"


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter"])
async def test_a_line_can_be_added(tmp_path: Path, key: str) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "a")
        await pilot.press(key, "b")
        assert (app.bar.text, app.submitted) == ("a\nb", [])


async def test_up_goes_back_in_the_history_and_the_draft_comes_back(tmp_path: Path) -> None:
    save_history(tmp_path / "history.jsonl", InputHistory(("first", "/status 1")))
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "draft")
        await pilot.press("up")
        assert app.bar.text == "/status 1"
        await pilot.press("up")
        await pilot.pause()
        assert app.bar.text == "first"
        assert "history 2 of 2" in text_of(pilot)
        await pilot.press("up", "down", "down")
        assert app.bar.text == "draft"


async def test_in_a_text_of_several_rows_up_moves_the_cursor_first(tmp_path: Path) -> None:
    save_history(tmp_path / "history.jsonl", InputHistory(("before",)))
    async with opened(tmp_path) as (app, pilot):
        await pasted(app, pilot, "one\ntwo")
        await pilot.press("up")
        assert app.bar.text == "one\ntwo"
        await pilot.press("up")
        assert app.bar.text == "before"


async def test_ctrl_r_goes_back_to_what_holds_the_words(tmp_path: Path) -> None:
    save_history(tmp_path / "history.jsonl", InputHistory(("a shop", "/status 1", "a bookshop", "/cost")))
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "shop")
        await pilot.press("ctrl+r")
        assert app.bar.text == "a bookshop"
        await pilot.press("ctrl+r")
        assert app.bar.text == "a shop"
        await pilot.press("down", "down")
        assert app.bar.text == "shop"


async def test_what_is_accepted_is_kept_in_the_file_without_credentials(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "use sk-ant-abcdefghijkl")
        await pilot.press("enter")
        app.bar.accepted()
        await app.workers.wait_for_complete()
    kept = await asyncio.to_thread(load_history, tmp_path / "history.jsonl")
    assert kept.entries == ("use ***",)


async def test_a_history_that_cannot_be_kept_is_told_and_nothing_else_happens(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").mkdir()
    async with opened(tmp_path) as (app, pilot):
        await until(pilot, lambda: "what was typed cannot be read" in " ".join(text_of(pilot).split()))
        await typed(pilot, "idea")
        await pilot.press("enter")
        assert app.submitted == ["idea"]


async def test_fill_puts_the_cursor_behind_the_text_and_what_was_typed_is_in_the_history(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await typed(pilot, "my long idea")
        app.body.focus()
        await pilot.pause()
        app.bar.fill("/resume ")
        await typed(pilot, "2")
        assert app.bar.text == "/resume 2"
        await pilot.press("escape", "up")
        assert app.bar.text == "my long idea"


async def test_a_broad_text_and_the_bar_survive_any_size(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        app.bar.refused(NO_PROJECT)
        await typed(pilot, "/")
        for size in ((1, 1), (2, 2), (10, 4), (0, 0), (200, 60), SMALL):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "▌/projects" in text_of(pilot)


async def test_a_text_is_wrapped_anew_when_the_width_changes(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pasted(app, pilot, "word " * 14)
        assert app.bar.size.height == 3
        await pilot.resize_terminal(40, 24)
        await until(pilot, lambda: app.bar.size.height == 5)
        await pilot.resize_terminal(100, 24)
        await until(pilot, lambda: app.bar.size.height == 3)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("/resume", " <id>"),
        ("/resume ", "<id>"),
        ("/resume 3", ""),
        ("/config", " [setting] [value]"),
        ("/config log.level", " [value]"),
        ("/config log.level ", "[value]"),
        ("/reject too", ""),
        ("/quit", ""),
        ("/nothing", ""),
        ("@agent-1", " text"),
        ("@agent-1 ", "text"),
        ("@agent-1 do", ""),
        ("@", ""),
        ("a sentence", ""),
        ("", ""),
    ],
)
def test_the_hint_is_what_can_still_be_typed(text: str, hint: str) -> None:
    assert usage_hint(text) == hint


def test_at_the_ends_of_the_history_it_stays() -> None:
    history = InputHistory(("a", "b"))
    oldest = recall(history, "draft").older().older().older()
    assert (oldest.text, oldest.newer().newer().newer().text) == ("a", "draft")
    assert recall(InputHistory(), "draft").older().text == "draft"


def test_a_search_that_finds_nothing_says_so_and_keeps_the_words() -> None:
    nothing = search(InputHistory(("a", "b")), "shop").older()
    assert (nothing.text, nothing.told) == ("shop", "nothing typed before holds 'shop'")
