import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import DirectoryUnusable, ToolMissing
from orchestrator_tui.domain.naming import name_from_idea
from orchestrator_tui.tui.guard import Guard
from orchestrator_tui.tui.new_folder import default_folder, folder_problem, name_problem
from orchestrator_tui.tui.screens.confirm import Answer, ConfirmScreen
from orchestrator_tui.tui.screens.new_project import NewProjectScreen
from tests.tui.asked import Hand
from tests.tui.stage import SMALL, WIDE, Stage, played_project, text_of, until

IDEA = "Create a portfolio blog"
EXAMPLE = "A command-line checker for Markdown trees"


class Asked(Stage):
    """Keeps what the screens give back."""

    def __init__(self) -> None:
        super().__init__(kept=(NewProjectScreen.Submitted,))
        self.results: list[object] = []

    @property
    def wanted(self) -> list[CreateProject]:
        return [one.command for one in self.seen if isinstance(one, NewProjectScreen.Submitted)]


@asynccontextmanager
async def asked(
    workspace: Path,
    *,
    idea: str = IDEA,
    credentials: bool = True,
    example: str | None = EXAMPLE,
    size: tuple[int, int] = SMALL,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[tuple[Asked, NewProjectScreen, Pilot[Any]]]:
    app = Asked()
    async with app.run_test(size=size) as pilot:
        screen = NewProjectScreen(idea, workspace, credentials, example, rehearsal_name="mdcheck")
        screen.guard = Guard(clock or partial(next, count(step=2.0)))
        app.push_screen(screen, app.results.append)
        await until(pilot, lambda: screen.is_mounted and folder_of(screen))
        # The folder is still being checked, and what comes of that is told in the place of what was told before.
        await app.workers.wait_for_complete()
        await pilot.pause()
        yield app, screen, pilot


def folder_of(screen: NewProjectScreen) -> str:
    return screen.query_one("#new-folder", Input).value


async def click(pilot: Pilot[Any], label: str) -> None:
    row, line = next((row, line) for row, line in enumerate(text_of(pilot).splitlines()) if f" {label} " in line)
    await pilot.click(offset=(line.index(label), row))


def words(pilot: Pilot[Any]) -> str:
    return " ".join(text_of(pilot).replace("│", " ").split())


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_it_shows_the_sentence_a_name_and_a_folder(tmp_path: Path, size: tuple[int, int]) -> None:
    async with asked(tmp_path, size=size) as (_, _, pilot):
        text = text_of(pilot)
        assert "╭─ New project ─" in text
        assert IDEA in text
        assert "Name       portfolio-blog" in text
        # Of a folder that is too long for its line the end is shown.
        assert re.search(r"Folder +\S*/portfolio-blog ", text)
        assert "● Claude   ○ Rehearsal" in text


async def test_enter_accepts_the_defaults_and_starts_once(tmp_path: Path) -> None:
    async with asked(tmp_path) as (app, screen, pilot):
        await pilot.press("enter", "enter")
        await until(pilot, lambda: app.wanted)
        await pilot.press("enter")
        expected = CreateProject(idea=IDEA, name="portfolio-blog", directory=str(tmp_path / "portfolio-blog"))
        assert app.wanted == [expected]
        screen.dismiss(app.wanted[0])
        await until(pilot, lambda: app.results == [expected])


async def test_the_enter_that_sent_the_idea_starts_nothing_however_long_it_is_held(tmp_path: Path) -> None:
    hand = Hand()
    async with asked(tmp_path, clock=hand) as (app, screen, pilot):
        screen.guard.opened_by("enter", hand.seconds)
        hand.seconds += 0.5
        for _ in range(20):
            await pilot.press("enter")
            hand.seconds += 0.03
        await until(pilot, lambda: "Nothing was decided" in words(pilot))
        assert app.wanted == []
        hand.seconds += 0.5
        await pilot.press("enter")
        await until(pilot, lambda: app.wanted)


async def test_nothing_is_started_in_a_terminal_too_small_to_read_it(tmp_path: Path) -> None:
    async with asked(tmp_path, size=(49, 20)) as (app, _, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: "The terminal is too small to decide anything" in words(pilot))
        assert app.wanted == []


async def test_the_folder_follows_the_name_until_it_is_edited(tmp_path: Path) -> None:
    async with asked(tmp_path) as (app, screen, pilot):
        await pilot.press(*"shop")
        await until(pilot, lambda: folder_of(screen) == str(tmp_path / "shop"))
        await pilot.press("tab", "end", "2", "shift+tab", "end", *"py")
        await pilot.press("enter")
        await until(pilot, lambda: app.wanted)
        assert (app.wanted[0].name, app.wanted[0].directory) == ("shoppy", str(tmp_path / "shop2"))


async def test_a_folder_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / "portfolio-blog").mkdir()
    async with asked(tmp_path) as (_, screen, _):
        assert folder_of(screen) == str(tmp_path / "portfolio-blog-2")


async def test_an_empty_name_is_told_at_once_and_starts_nothing(tmp_path: Path) -> None:
    async with asked(tmp_path) as (app, _, pilot):
        await pilot.press("backspace")
        await until(pilot, lambda: "× The name is empty" in text_of(pilot))
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert app.wanted == []
        await pilot.press("x", "enter")
        await until(pilot, lambda: app.wanted)


async def test_a_folder_in_use_is_told_as_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    async with asked(tmp_path) as (_, screen, pilot):
        screen.query_one("#new-folder", Input).focus()
        screen.query_one("#new-folder", Input).value = str(tmp_path / "full")
        await until(pilot, lambda: "the folder is not empty." in words(pilot))


async def test_what_the_engine_refuses_is_told_with_everything_kept(tmp_path: Path) -> None:
    async with asked(tmp_path) as (app, screen, pilot):
        await pilot.press(*"shop", "enter")
        await until(pilot, lambda: app.wanted)
        screen.refuse(ToolMissing("git", hint="Install git and try again."))
        await until(pilot, lambda: "× git was not found on this machine. Install git and try again." in words(pilot))
        assert "Name       shop" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: len(app.wanted) == 2)


async def test_the_engine_makes_what_is_shown_and_its_refusal_keeps_the_form(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run, asked(tmp_path, credentials=False) as (app, screen, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: app.wanted)
        created = await run.engine.find_project(await run.engine.submit(app.wanted[0]))
        assert (created.name, created.directory) == ("mdcheck", str(tmp_path / "mdcheck"))
        (tmp_path / "mdcheck" / "notes").touch()
        with pytest.raises(DirectoryUnusable) as refused:
            await run.engine.submit(app.wanted[0])
        screen.refuse(refused.value)
        await until(pilot, lambda: "the folder is not empty. Name another folder." in words(pilot))
        assert "Name       mdcheck" in text_of(pilot)


async def test_a_refused_folder_does_not_speak_of_the_command_line(tmp_path: Path) -> None:
    async with asked(tmp_path) as (_, screen, pilot):
        screen.refuse(DirectoryUnusable(Path("/x"), "it is a file", hint="Name another folder with --directory."))
        await until(pilot, lambda: "× /x: it is a file. Name another folder." in words(pilot))


async def test_escape_starts_nothing(tmp_path: Path) -> None:
    async with asked(tmp_path) as (app, _, pilot):
        await pilot.press("escape")
        await until(pilot, lambda: app.results == [None])
        assert app.wanted == []


async def test_without_credentials_it_says_so_and_the_rehearsal_builds_its_own_example(tmp_path: Path) -> None:
    async with asked(tmp_path, credentials=False) as (app, _, pilot):
        text = words(pilot)
        assert "New project, a rehearsal" in text
        assert "No credentials for Claude were found: set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY" in text
        assert "so it builds the one above instead of your idea" in text
        assert EXAMPLE in text
        assert IDEA not in text
        await pilot.press("enter")
        await until(pilot, lambda: app.wanted)
        assert app.wanted == [
            CreateProject(idea=EXAMPLE, name="mdcheck", directory=str(tmp_path / "mdcheck"), rehearsal=True)
        ]


async def test_without_credentials_claude_can_be_chosen_but_not_started(tmp_path: Path) -> None:
    async with asked(tmp_path, credentials=False) as (app, _, pilot):
        await pilot.press("tab", "tab", "space")
        await until(pilot, lambda: IDEA in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "× No credentials for Claude were found. Choose the rehearsal" in words(pilot))
        assert app.wanted == []


async def test_with_credentials_the_rehearsal_is_a_click_away(tmp_path: Path) -> None:
    async with asked(tmp_path) as (_, screen, pilot):
        row = next(at for at, line in enumerate(text_of(pilot).splitlines()) if "○ Rehearsal" in line)
        await pilot.click(offset=(text_of(pilot).splitlines()[row].index("○ Reh") + 2, row))
        await until(pilot, lambda: EXAMPLE in text_of(pilot))
        await until(pilot, lambda: folder_of(screen) == str(tmp_path / "mdcheck"))
        assert "you pay nothing" in words(pilot)


async def test_with_no_idea_there_is_only_the_rehearsal(tmp_path: Path) -> None:
    async with asked(tmp_path, idea="") as (app, _, pilot):
        assert "● Claude" not in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.wanted)
        assert app.wanted[0].rehearsal


async def test_a_click_on_an_answer_gives_it(tmp_path: Path) -> None:
    async with asked(tmp_path) as (app, screen, pilot):
        await click(pilot, "Start")
        await until(pilot, lambda: app.wanted)
        screen.refuse(DirectoryUnusable(Path("/x"), "it is a file", hint="Name another folder with --directory."))
        await until(pilot, lambda: "Name another folder." in words(pilot))
        await click(pilot, "Cancel")
        await until(pilot, lambda: app.results == [None])


async def test_the_form_survives_any_size(tmp_path: Path) -> None:
    async with asked(tmp_path, idea=IDEA * 40) as (_, _, pilot):
        for size in ((1, 1), (5, 2), (30, 8), (0, 0), SMALL):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "Name       " in text_of(pilot)


def test_names_that_no_folder_can_have_are_told() -> None:
    assert name_problem("shop") == ""
    assert "no letter" in name_problem("日本")
    assert "255 is the most" in name_problem("a" * 256)


def test_the_name_of_an_idea_ends_with_a_whole_word() -> None:
    assert name_from_idea("Create a portfolio site with a blog that I can write in Markdown") == (
        "portfolio-site-blog-markdown"
    )


def test_a_workspace_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    folder = default_folder(tmp_path / "workspace", "My shop!")
    assert folder == tmp_path / "workspace" / "my-shop"
    assert folder_problem(folder) == ""
    (tmp_path / "workspace").touch()
    assert folder_problem(folder) != ""


STAY, LEAVE = Answer("stay", "escape", "Stay"), Answer("leave", "l", "Stop and leave")


@asynccontextmanager
async def confirming(size: tuple[int, int] = SMALL) -> AsyncIterator[tuple[Asked, Pilot[Any]]]:
    app = Asked()
    async with app.run_test(size=size) as pilot:
        app.push_screen(
            ConfirmScreen("my-shop is running.", "Leaving stops it.", (STAY, LEAVE), safe="stay"), app.results.append
        )
        await until(pilot, lambda: "my-shop is running." in text_of(pilot))
        yield app, pilot


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], "stay"),
        (["escape"], "stay"),
        (["l"], "leave"),
        (["right", "enter"], "leave"),
        (["tab", "tab", "enter"], "stay"),
        (["y", "n", "space", "enter"], "stay"),
    ],
)
async def test_enter_is_safe_and_other_answers_have_their_own_key(keys: list[str], answer: str) -> None:
    async with confirming() as (app, pilot):
        await pilot.press(*keys)
        await until(pilot, lambda: app.results == [answer])


async def test_a_question_can_be_answered_by_mouse() -> None:
    async with confirming() as (app, pilot):
        row = next(at for at, line in enumerate(text_of(pilot).splitlines()) if "l Stop and leave" in line)
        await pilot.click(offset=(text_of(pilot).splitlines()[row].index("Stop"), row))
        await until(pilot, lambda: app.results == ["leave"])


async def test_answers_stand_below_each_other_where_there_is_no_room() -> None:
    async with confirming((30, 14)) as (app, pilot):
        rows = [line.strip(" │") for line in text_of(pilot).splitlines()]
        assert rows.index("l Stop and leave") == rows.index("esc Stay") + 1
        for size in ((1, 1), (4, 2), (0, 0), SMALL):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert app.results == []
