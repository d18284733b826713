from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.tui.widgets.project_list import ProjectList
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch
from tests.tui.board import REHEARSED, Board, board
from tests.tui.elsewhere import running_elsewhere


@asynccontextmanager
async def beside(home: Path, name: str, autonomy: str) -> AsyncIterator[Watched]:
    """A project that another engine runs on the same data, at its first rest."""
    start = launch(home, None, autonomy=autonomy, **FAST)
    async with open_engine(start, runtime=ReplayRuntime(generated_scenario(2))) as engine:
        run = Watched(engine=engine)
        await run.create(name=name)
        await run.until_rest()
        yield run


def order(it: Board, *names: str) -> bool:
    """Whether the list shows these projects from above to below."""
    return [one.name for one in it.app.main_screen.query_one(ProjectList).rows] == [*names]


async def test_what_waits_comes_first_and_keys_and_mouse_select(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        async with beside(tmp_path / "home", "newer", "full"):
            await it.until(lambda: order(it, "small", "newer"))
            await it.shows("newer", "done")
            await it.press("escape", "down", "enter")
            await it.until(lambda: it.project.name == "newer")
            await it.shows("newer  ✓ completed", "2 done")
            await it.pilot.click(ProjectList, offset=(5, 1))
            await it.until(lambda: it.project.name == "small")
            await it.question("small waits for you", "a Approve")


async def test_another_project_that_begins_to_wait_is_told_of_and_one_key_away(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full", notifications=True) as it:
        await it.rests(PipelineStatus.COMPLETED)
        async with beside(tmp_path / "home", "other", "checkpoint"):
            await it.shows("● other waits for you: approval · n", "● 1 waits")
            await it.until(lambda: order(it, "other", "small"))
            assert it.project.name == "small"
            assert it.app.screen is it.app.main_screen
            await it.press("escape", "n")
            await it.question("other waits for you", "a Approve")
            assert it.project.name == "other"


async def test_a_project_that_another_process_runs_is_shown_live_and_says_why_it_cannot_be_stopped(
    tmp_path: Path,
) -> None:
    async with board(tmp_path / "home") as it, running_elsewhere(tmp_path / "home", "far") as program:
        await it.shows("far", "running", "analyst")
        await it.refused("/stop far", "Running elsewhere", "Stop it there first")
        await it.refused("/resume far", "Running elsewhere", "or wait until it ends")
        assert program.stdin is not None
        program.stdin.write(b"\n")
        await it.rests(PipelineStatus.COMPLETED)
        await it.shows("far", "✓ completed", "2 done")


async def test_a_project_chosen_from_the_list_of_all_is_shown(tmp_path: Path) -> None:
    async with beside(tmp_path / "home", "older", "full"), board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.command("/projects")
        await it.shows("Projects · 2", "older")
        await it.press("ctrl+f")
        await it.type("old")
        await it.shows("1 of 2")
        await it.press("enter")
        await it.until(lambda: it.app.screen is it.app.main_screen and it.project.name == "older")
        await it.send("/status small")
        await it.shows("Status · small")
        await it.leave()
        assert it.project.name == "older"


async def test_another_idea_starts_a_second_project_beside_the_first(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("ctrl+n")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.send("A second idea")
        await it.shows("Name", "Folder", "Run with")
        await it.look()
        await it.press("enter")
        await it.question("example waits for you", "Ideation")
        assert {one.name for one in it.app.bridge.dashboard.projects.values()} == {"small", "example"}
        assert it.project.phases[PhaseName.IDEATION].round == 1


async def test_a_folder_that_is_taken_is_told_and_what_was_typed_is_still_there(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        taken = tmp_path / "taken"
        taken.mkdir()
        (taken / "mine.txt").write_text("mine")
        await it.send("An idea")
        await it.shows("Run with")
        await it.look()
        await it.press("tab", "end", "ctrl+u")
        await it.paste(str(taken))
        await it.press("enter")
        await it.shows("×", "taken")
        assert it.app.screen is not it.app.main_screen
        assert str(taken)[-30:] in it.shown
        assert not it.app.bridge.dashboard.projects


async def test_a_project_named_on_the_command_line_is_created_and_shown(tmp_path: Path) -> None:
    first = CreateProject(idea="[bold]Markup[/bold] is a word", name="mark [red]up", rehearsal=True)
    async with board(tmp_path / "home", first=first, autonomy="full") as it:
        await it.rests(PipelineStatus.COMPLETED)
        await it.shows("mark [red]up")


async def test_what_the_command_line_asked_for_comes_before_what_waits_already(tmp_path: Path) -> None:
    home, may_begin = tmp_path / "home", Event()

    def first() -> CreateProject:
        may_begin.wait()
        return REHEARSED

    async with beside(home, "older", "checkpoint"):
        pass
    async with board(home, first=first) as it:
        await it.shows("older", "● you", "● 1 waits")
        await it.until(lambda: it.app.is_quiet)
        it.app.asker.consider()
        await it.pilot.pause()
        asked_too_early = it.app.asker.is_open
        may_begin.set()
        assert not asked_too_early
        await it.question("small waits for you", "a Approve")
