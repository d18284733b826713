"""A run on a terminal: the log scrolls, and below it stay bars for phases and work items and a line for each agent."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator_tui.console import plain
from orchestrator_tui.console.fold import ConsoleState
from orchestrator_tui.console.lines import Kind, Line, lines_of
from orchestrator_tui.console.outlet import Outlet
from orchestrator_tui.console.view import View
from orchestrator_tui.domain import words
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import PHASE_ORDER, PipelineStatus

REFRESHES = 4
"""A second."""
STYLES = {
    Kind.HEADING: "bold",
    Kind.PLAIN: "",
    Kind.QUIET: "dim",
    Kind.GOOD: "green",
    Kind.BAD: "red",
    Kind.WAITS: "bold yellow",
}
SHOW_CURSOR = "\x1b[?25h"


class TerminalView(View):
    """Bars and lines by rich, which honours `NO_COLOR`."""

    def __init__(self, outlet: Outlet, console: Console) -> None:
        super().__init__(outlet)
        self._console = console
        self._state = ConsoleState()
        self._held = False
        self._kept: list[Text] = []
        self._live = Live(
            get_renderable=lambda: board(self._state, now(), console.width),
            console=console,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    async def event(self, before: ConsoleState, after: ConsoleState, recorded: Recorded) -> None:
        lines = [styled(line, self._console.width) for line in lines_of(before, after, recorded)]
        await self._outlet.post(lambda: self._show(after, lines))

    async def say(self, lines: Sequence[str]) -> None:
        texts = [Text(line) for line in lines]
        await self._outlet.post(lambda: self._print(texts))

    async def notice(self, lines: Sequence[str]) -> None:
        await self.say(lines)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        await self._outlet.post(self._hold)
        await self._outlet.drain()
        try:
            yield
        finally:
            await self._outlet.post(self._release)

    def leave(self) -> None:
        """Stop the bars; safe to call at any moment, also twice."""
        self._live.stop()
        self._console.file.write(SHOW_CURSOR)
        self._console.file.flush()

    # What follows runs in the outlet's thread.

    def _show(self, state: ConsoleState, lines: Sequence[Text]) -> None:
        self._state = state
        running = state.status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING)
        if running and not self._held and not self._live.is_started:
            self._live.start()
        self._print(lines)
        if not running and self._live.is_started:
            self._live.stop()

    def _print(self, lines: Sequence[Text]) -> None:
        if self._held:
            self._kept.extend(lines)
            return
        for line in lines:
            if line.no_wrap:
                self._console.print(line, no_wrap=True, overflow="ellipsis")
            else:
                self._console.print(line, soft_wrap=True)

    def _hold(self) -> None:
        self._held = True
        self._live.stop()

    def _release(self) -> None:
        self._held = False
        kept, self._kept = self._kept, []
        self._print(kept)


def styled(line: Line, width: int) -> Text:
    """A line of the log; what matters wraps on a narrow screen, the rest is cut."""
    cut = line.kind in (Kind.PLAIN, Kind.QUIET, Kind.GOOD)
    return Text(plain.text(line, width), style=STYLES[line.kind], no_wrap=True if cut else None, overflow="ellipsis")


def board(state: ConsoleState, at: datetime, width: int) -> RenderableType:
    """What stays below the log: two bars, and what each agent does."""
    bar_width = max(5, min(40, width - 40))
    bars = Table.grid(padding=(0, 1))
    bars.add_row(*_bar("phases", state.phases_done, len(PHASE_ORDER), bar_width), _phase_words(state))
    if state.items:
        money = words.money(state.usage.cost_usd)
        bars.add_row(*_bar("items", state.items_done, len(state.items), bar_width), Text(money, no_wrap=True))
    rows: list[RenderableType] = [bars]
    if state.rehearsal:
        rows.append(Text(words.REHEARSAL, style="yellow", no_wrap=True, overflow="ellipsis"))
    rows += [_agent_words(label, doing, took) for label, doing, took in _agents(state, at)]
    return Group(*rows)


def _bar(name: str, done: int, total: int, width: int) -> tuple[Text, ProgressBar, Text]:
    count = Text(f"{done:>{len(str(total))}}/{total}", no_wrap=True)
    return Text(name, no_wrap=True), ProgressBar(total=max(total, 1), completed=done, width=width), count


def _phase_words(state: ConsoleState) -> Text:
    phase = state.current_phase
    return Text(words.title(phase) if phase else state.status.value, no_wrap=True, overflow="ellipsis")


def _agents(state: ConsoleState, at: datetime) -> list[tuple[str, str, str]]:
    return [
        (agent.label, words.one_line(agent.doing), words.duration((at - agent.started_at).total_seconds()))
        for agent in state.agents.values()
    ]


def _agent_words(label: str, doing: str, took: str) -> Text:
    return Text(f"  {label}  {took}  {doing}", no_wrap=True, overflow="ellipsis", style="dim")


def make_console() -> Console:
    """The console of standard output, without markup or guesses about what is a number or an emoji."""
    return Console(markup=False, highlight=False, emoji=False)
