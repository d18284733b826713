from functools import partial
from pathlib import Path

from textual.widget import Widget

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.tui.widgets.agent_panes import AgentPanes
from orchestrator_tui.tui.widgets.input_field import InputField
from orchestrator_tui.tui.widgets.item_list import ItemList
from orchestrator_tui.tui.widgets.log_view import LogView
from orchestrator_tui.tui.widgets.phase_timeline import PhaseTimeline
from orchestrator_tui.tui.widgets.project_list import ProjectList
from tests.tui.board import REHEARSED, Board, board
from tests.tui.clients import Opening, on_both_clients
from tests.tui.played import Speaking
from tests.tui.stage import SMALL

CALL = "python3 verify.py"


async def focus(it: Board, kind: type[Widget]) -> None:
    """Tab until a pane of this kind has the focus."""
    while not isinstance(it.app.focused, kind):
        await it.press("tab")


async def click(it: Board, text: str) -> None:
    """Click in the middle of a text that is on the screen."""
    lines = (await it.shows(text)).splitlines()
    row = next(number for number, line in enumerate(lines) if text in line)
    await it.pilot.click(offset=(lines[row].index(text) + len(text) // 2, row))


async def test_tab_goes_through_all_panes_and_back_to_the_input_bar(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full") as it:
        await it.rests(PipelineStatus.COMPLETED)
        await it.shows(CALL)
        order: list[type[Widget]] = []
        while not order or not isinstance(it.app.focused, InputField):
            await it.press("tab")
            assert it.app.focused is not None
            order.append(type(it.app.focused))
        assert order == [ProjectList, ItemList, PhaseTimeline, LogView, InputField]
        await it.press("shift+tab")
        assert focused(it) == "LogView"
        await it.press("i")
        assert focused(it) == "InputField"
        await it.press("escape")
        assert focused(it) == "ProjectList"


@on_both_clients
async def test_a_log_is_zoomed_searched_filtered_folded_and_copied(tmp_path: Path, client: Opening) -> None:
    async with board(tmp_path / "home", opening=client, first=REHEARSED, autonomy="full", notifications=True) as it:
        await it.rests(PipelineStatus.COMPLETED)
        await it.shows(CALL, "› 5 lines")
        await it.press("escape", "l")
        assert isinstance(it.app.focused, LogView)
        await it.press("x")
        await it.until(lambda: "› 5 lines" not in it.shown and "Ran 2 tests" in it.shown)
        await it.press("x")
        await it.shows("› 5 lines")
        await it.press("ctrl+f")
        await it.type("verify")
        await it.shows("find verify", "1 of 1")
        await it.press("escape", "y")
        await it.shows("1 line copied.")
        assert it.app.clipboard == CALL
        await it.press("f")
        await it.shows("2 ✓ tools", "6 ✓ notes")
        await it.press("2", "enter")
        await it.shows("without tools")
        assert CALL not in it.shown
        await it.press("f", "2", "enter")
        await it.shows(CALL)
        await it.press("z")
        await it.shows("z back")
        await it.press("right")
        await it.shows("agent-7 test planner")
        await it.press("z")
        await it.until(lambda: "z back" not in it.shown)


async def test_a_log_stays_where_it_was_scrolled_and_follows_again(tmp_path: Path) -> None:
    runtime = Speaking(generated_scenario(2), words=[f"line {number}\n" for number in range(200)])
    async with board(tmp_path / "home", first=REHEARSED, runtime=runtime) as it:
        await it.shows("line 199")
        await it.press("escape", "l", "home")
        await it.shows("line 0 ", "line 1 ")
        runtime.go_on.set()
        await it.shows("new line", "line 0 ")
        await it.press("end")
        await it.shows("finished in")


async def test_an_agent_s_words_are_on_the_screen_within_a_second_of_the_first_token(tmp_path: Path) -> None:
    told: list[float] = []
    runtime = Speaking(generated_scenario(2), words=("Let me think about bees. ",))
    async with board(tmp_path / "home", runtime=runtime) as it:
        runtime.spoke = lambda: told.append(it.now)
        await it.send("A page about bees")
        await it.shows("Run with")
        await it.look()
        await it.press("enter")
        await it.shows("Let me think about bees.")
        assert it.now - told[0] < 1.0
        assert len(it.app.main_screen.query_one(AgentPanes).query(LogView)) >= 1
        runtime.go_on.set()
        await it.question("example waits for you")


async def test_what_is_on_the_main_screen_opens_by_a_click(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full") as it:
        await it.rests(PipelineStatus.COMPLETED)
        await click(it, "arch")
        await it.shows("Architecture · small", "Flat modules with a test beside each.")
        await it.leave()
        await click(it, "2 done")
        await click(it, "TASK-1 Module")
        await it.shows("TASK-1 · Module item00001")
        await it.leave()
        await click(it, "4 initializer")
        await it.shows("agent-4 initializer")
        await click(it, "palette")
        await it.shows("Commands, keys, projects, themes")
        await it.leave()
        await click(it, "F1 help")
        await it.shows("Keys: everywhere")
        await click(it, "esc close")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await click(it, "Describe what to build")
        await click(it, "^q quit")
        await it.until(lambda: it.app.return_code == 0)


async def test_a_phase_an_item_and_the_history_open_by_keys_on_a_small_terminal(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full", size=SMALL) as it:
        await it.rests(PipelineStatus.COMPLETED)
        await focus(it, PhaseTimeline)
        await it.press("home", "right", "enter")
        await it.shows("Architecture · small", "Flat modules with a test beside each.")
        await it.leave()
        await focus(it, ItemList)
        await it.press("home", "enter", "down", "enter")
        await it.shows("· Module item")
        await it.leave()
        await it.press("h")
        await it.shows("History · small")
        await it.leave()
        for key, screen in (("w", "ItemsPage"), ("d", "DiffPage"), ("m", "CostPage"), ("v", "DocumentPage")):
            await it.press(key)
            await it.until(partial(lambda wanted: type(it.app.screen).__name__ == wanted, screen))
            await it.leave()


async def test_any_size_of_the_terminal_is_survived_while_it_runs(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        for width, height in ((1, 1), (30, 8), (49, 13), (80, 24), (200, 60), (3, 40), (120, 2), (120, 40)):
            await it.pilot.resize_terminal(width, height)
        await it.question("a Approve")
        await it.press("escape")
        for width, height in ((1, 1), (49, 13), (50, 14), (200, 60), (120, 40)):
            await it.pilot.resize_terminal(width, height)
            if width == 49:
                await it.shows("The terminal is too small")
        await it.shows("› Describe what to build")


def focused(it: Board) -> str:
    return type(it.app.focused).__name__
