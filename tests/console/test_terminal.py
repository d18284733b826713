from io import StringIO

import pytest
from rich.console import Console

from orchestrator_tui.console.fold import ConsoleState, fold
from orchestrator_tui.console.outlet import Outlet
from orchestrator_tui.console.terminal import TerminalView, board, styled
from orchestrator_tui.domain.events import Event
from orchestrator_tui.domain.statuses import PhaseStatus, PipelineStatus, WorkItemStatus
from tests.console.events_of_a_run import START, agent, created, item, item_status, phase, pipeline, played, recorded

FAILED = pipeline(PipelineStatus.RUNNING, PipelineStatus.FAILED)
EVENTS: tuple[Event, ...] = (
    created(rehearsal=True),
    pipeline(PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING),
    phase(PhaseStatus.PENDING, PhaseStatus.RUNNING),
    item(1),
    item(2),
    item_status(1, WorkItemStatus.TODO, WorkItemStatus.IN_PROGRESS),
    agent(1),
)


def drawn(width: int) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=False, markup=False, highlight=False)
    state, lines = played(*EVENTS)
    console.print(board(state, START, width))
    for line in lines:
        console.print(styled(line, width), no_wrap=True, overflow="ellipsis")
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_nothing_is_wider_than_the_screen(width: int) -> None:
    assert max(map(len, drawn(width).splitlines())) <= width


def test_the_board_shows_phases_items_agents_and_that_it_is_a_rehearsal() -> None:
    text = drawn(100)
    for words in ("phases", "0/7", "items", "0/2", "developer TASK-1", "Rehearsal", "implement"):
        assert words in text


@pytest.mark.parametrize("no_color", [True, False])
async def test_colours_are_left_out_where_they_are_not_wanted(no_color: bool) -> None:
    screen = StringIO()
    console = Console(file=screen, width=100, force_terminal=True, no_color=no_color, color_system="standard")
    async with Outlet(lambda: None) as outlet:
        view = TerminalView(outlet, console)
        state = ConsoleState()
        for seq, event in enumerate((*EVENTS, FAILED), 1):
            told = recorded(event, seq)
            before, state = state, fold(state, told)
            await view.event(before, state, told)
        await view.say(["the end"])
    assert ("\x1b[31m" in screen.getvalue()) is not no_color
    assert screen.getvalue().endswith("the end\n")


async def test_lines_wait_while_a_person_is_asked() -> None:
    screen = StringIO()
    console = Console(file=screen, width=100, force_terminal=True)
    async with Outlet(lambda: None) as outlet:
        view = TerminalView(outlet, console)
        async with view.held():
            await view.say(["later"])
            await outlet.drain()
            assert "later" not in screen.getvalue()
        await outlet.drain()
        assert "later" in screen.getvalue()
