from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import AgentDelta, Event, Recorded
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName
from orchestrator_tui.tui.agentlog import AgentLogs
from orchestrator_tui.tui.pane_places import placed
from orchestrator_tui.tui.view import AgentView, Dashboard, fold
from orchestrator_tui.tui.widgets.agent_panes import AgentPanes
from orchestrator_tui.tui.widgets.log_panel import LogPanel
from tests.tui.stage import KEYS, NOON, Stage, played_project, text_of, until

LATER = NOON + timedelta(seconds=200)


def agent(number: int, **fields: Any) -> AgentView:
    return AgentView(
        agent_id=f"a{number}",
        phase=PhaseName.IMPLEMENT,
        role="developer",
        number=number,
        started_at=NOON + timedelta(seconds=number),
        item_key=f"TASK-{30 + number}",
        **fields,
    )


def ended(number: int, second: int = 90) -> AgentView:
    usage = Usage(cost_usd=0.11, input_tokens=38_000)
    at = NOON + timedelta(seconds=second)
    return replace(agent(number), status=AgentStatus.COMPLETED, ended_at=at, usage=usage)


def recorded(event: Event) -> Recorded:
    return Recorded(seq=1, at=NOON, project_id="p", event=event)


def say(logs: AgentLogs, number: int, *texts: str) -> None:
    for text in texts:
        logs.take(recorded(events.AgentSaid(agent_id=f"a{number}", text=text)))


def logs_of(*numbers: int, lines: int = 3) -> AgentLogs:
    logs = AgentLogs()
    for number in numbers:
        say(logs, number, *(f"agent {number} line {line}" for line in range(lines)))
    return logs


class Panes:
    def __init__(self, pilot: Pilot[Any], widget: AgentPanes, logs: AgentLogs) -> None:
        self.pilot = pilot
        self.widget = widget
        self.logs = logs

    async def show(self, *agents: AgentView) -> None:
        self.widget.show(agents, self.logs, LATER)
        await self.settle()

    async def settle(self) -> None:
        await self.pilot.pause()
        for panel in self.widget.query(LogPanel):
            panel.flush()
        self.widget.flush()
        await self.pilot.pause()

    @property
    def text(self) -> str:
        return text_of(self.pilot)

    def heads(self) -> list[str]:
        """The numbers of the agents in panes, from left to right."""
        row = next((row for row in self.text.splitlines() if row.startswith("╭")), "")
        return [part.split()[0] for part in row.split("agent-")[1:]]


@asynccontextmanager
async def panes(
    *agents: AgentView, width: int = 120, height: int = 16, lines: int = 3, logs: AgentLogs | None = None
) -> AsyncIterator[Panes]:
    widget = AgentPanes(KEYS)
    async with Stage(widget).run_test(size=(width, height)) as pilot:
        shown = Panes(pilot, widget, logs or logs_of(*(one.number for one in agents), lines=lines))
        if agents:
            await shown.show(*agents)
        yield shown


async def test_without_agents_there_is_a_quiet_line() -> None:
    async with panes() as shown:
        shown.widget.show_empty("No agent is at [work].")
        await shown.settle()
        assert shown.text.strip() == "No agent is at [work]."


async def test_the_time_that_an_agent_works_goes_on_while_it_says_nothing() -> None:
    for one, told in ((agent(1), "─ 4m19 ─╯"), (ended(2), "─ 1m28 · $0.11 · 38k ─╯")):
        async with panes(one) as shown:
            shown.widget.tick(LATER + timedelta(seconds=60))
            await shown.settle()
            assert shown.text.splitlines()[-1].endswith(told)


async def test_a_pane_says_who_works_on_what_and_how_long() -> None:
    async with panes(agent(1)) as shown:
        rows = shown.text.splitlines()
        assert rows[0].startswith("╭─ ● agent-1 TASK-31 developer ─")
        assert rows[-1].endswith("─ 3m19 ─╯")
    async with panes(ended(2)) as shown:
        assert "─ ✓ agent-2 TASK-32 developer ─" in shown.text
        assert shown.text.endswith("─ 1m28 · $0.11 · 38k ─╯")


@pytest.mark.parametrize(
    ("width", "expected"), [(120, ["1", "2", "3"]), (86, ["1", "2", "3"]), (83, ["1", "2"]), (56, ["1"]), (20, ["1"])]
)
async def test_as_many_panes_stand_side_by_side_as_fit(width: int, expected: list[str]) -> None:
    async with panes(agent(1), agent(2), agent(3), agent(4), width=width) as shown:
        assert shown.heads() == expected


async def test_one_agent_has_all_the_room_and_no_tabs() -> None:
    async with panes(agent(1)) as shown:
        assert len(shown.text.splitlines()[0]) == 120
        assert "[" not in shown.text


async def test_a_pane_does_not_move_while_its_agent_works_and_takes_the_next_one_after_that() -> None:
    async with panes(agent(1), agent(2), agent(3)) as shown:
        await shown.show(agent(1), ended(2), agent(3))
        assert shown.heads() == ["1", "2", "3"]
        say(shown.logs, 4, "I am the fourth")
        await shown.show(agent(1), ended(2), agent(3), agent(4))
        assert shown.heads() == ["1", "4", "3"]
        assert "I am the fourth" in shown.text


async def test_logs_of_agents_that_ended_stay_readable() -> None:
    async with panes(agent(1), agent(2)) as shown:
        await shown.show(ended(1), ended(2))
        assert "agent 1 line 2" in shown.text
        await shown.show(ended(2))
        assert "agent 1 line 2" in shown.text


async def test_words_show_as_they_are_written() -> None:
    async with panes(agent(1)) as shown:
        shown.logs.take(AgentDelta(project_id="p", agent_id="a1", text="I will now wire"))
        shown.logs.take(AgentDelta(project_id="p", agent_id="a1", text=" something new"))
        await until(shown.pilot, lambda: "I will now wire something new" in shown.text)


async def test_tabs_say_who_else_there_is_and_how_much_is_new() -> None:
    async with panes(agent(1), agent(2), agent(3), ended(4), width=80) as shown:
        assert shown.text.splitlines()[0] == " [● 1 TASK-31] [● 2 TASK-32]  ● 3 TASK-33 +3   ✓ 4 TASK-34"
        say(shown.logs, 3, "more", "and more")
        await shown.settle()
        assert "● 3 TASK-33 +5" in shown.text


async def test_a_click_on_a_tab_brings_its_agent_into_the_pane_used_last() -> None:
    async with panes(agent(1), agent(2), agent(3), width=80) as shown:
        shown.widget.focus_agent("a2")
        await shown.pilot.click(shown.widget, offset=(shown.text.splitlines()[0].index("3 TASK-33"), 0))
        await shown.settle()
        assert shown.heads() == ["1", "3"]
        assert "agent 3 line 2" in shown.text
        await shown.show(agent(1), agent(2), agent(3))
        assert shown.heads() == ["1", "3"]


async def test_arrows_go_from_agent_to_agent() -> None:
    async with panes(agent(1), agent(2), agent(3), width=80) as shown:
        assert shown.widget.focus_first()
        seen = []
        for key in ["right", "right", "right", "ctrl+left", "left", "left"]:
            await shown.pilot.press(key)
            await shown.settle()
            seen.append(shown.heads())
        assert seen == [["1", "2"], ["1", "3"], ["1", "3"], ["1", "2"], ["1", "2"], ["1", "2"]]


async def test_an_agent_that_was_chosen_stays_until_another_starts_elsewhere() -> None:
    async with panes(agent(1), ended(2), width=50) as shown:
        assert shown.heads() == ["1"]
        shown.widget.focus_agent("a2")
        await shown.settle()
        await shown.show(agent(1), ended(2))
        assert shown.heads() == ["2"]
        shown.pilot.app.set_focus(None)
        await shown.show(agent(1), ended(2), agent(3))
        assert shown.heads() == ["1"]


async def test_a_log_somebody_reads_is_not_taken_away() -> None:
    async with panes(agent(1), width=50, lines=60) as shown:
        shown.widget.focus_first()
        await shown.pilot.press("pageup")
        await shown.show(ended(1), agent(2))
        assert shown.heads() == ["1"]
        await shown.pilot.press("end")
        await shown.show(ended(1), agent(2))
        assert shown.heads() == ["2"]


async def test_zoom_gives_one_log_all_the_room_and_says_how_to_go_back() -> None:
    async with panes(agent(1), agent(2)) as shown:
        shown.widget.focus_agent("a2")
        shown.widget.toggle_zoom()
        await shown.settle()
        assert shown.heads() == ["2"]
        assert "developer · z back ─" in shown.text
        await shown.pilot.press("left")
        await shown.settle()
        assert shown.heads() == ["1"]
        shown.widget.toggle_zoom()
        await shown.settle()
        assert shown.heads() == ["1", "2"]
        assert "back" not in shown.text


async def test_focus_on_an_agent_nobody_knows_changes_nothing() -> None:
    async with panes(agent(1)) as shown:
        before = shown.pilot.app.focused
        assert not shown.widget.focus_agent("nobody")
        assert shown.pilot.app.focused is before
    async with panes() as shown:
        assert not shown.widget.focus_first()


async def test_another_project_starts_afresh() -> None:
    async with panes(agent(1), agent(2)) as shown:
        shown.widget.toggle_zoom()
        shown.logs = logs_of(7)
        await shown.show(agent(7))
        assert shown.heads() == ["7"]
        assert "agent 1" not in shown.text
        shown.logs = AgentLogs()
        await shown.show()
        assert "agent" not in shown.text


async def test_showing_again_mounts_nothing() -> None:
    async with panes(agent(1), agent(2)) as shown:
        before = set(shown.widget.walk_children())
        for number in range(3, 9):
            say(shown.logs, number, "hello")
            await shown.show(*(ended(n, n) for n in range(1, number)), agent(number))
        assert set(shown.widget.walk_children()) == before


async def test_search_says_which_match_it_is_of_how_many_and_gives_the_focus_back() -> None:
    async with panes(agent(1), lines=30) as shown:
        shown.widget.focus_first()
        await shown.pilot.press("ctrl+f", *"line 2")
        await until(shown.pilot, lambda: " of 11" in shown.text)
        nth = next(int(row.split(" of 11")[0].split()[-1]) for row in shown.text.splitlines() if " of 11" in row)
        await shown.pilot.press("enter")
        await until(shown.pilot, lambda: f"{nth % 11 + 1} of 11" in shown.text)
        await shown.pilot.press("up")
        await until(shown.pilot, lambda: f"{nth} of 11" in shown.text)
        await shown.pilot.press("x")
        await until(shown.pilot, lambda: "find line 2x" in shown.text and "no match" in shown.text)
        await shown.pilot.press("escape")
        await shown.settle()
        assert "no match" not in shown.text
        await shown.pilot.press("home")
        await shown.settle()
        assert "agent 1 line 0" in shown.text


async def test_the_filter_is_a_row_of_toggles_and_the_pane_says_what_is_hidden() -> None:
    logs = logs_of(1)
    logs.take(recorded(events.AgentCalledTool(agent_id="a1", call_id="1", tool="Read", summary="src/a.py")))
    async with panes(agent(1), logs=logs) as shown:
        shown.widget.focus_first()
        await shown.pilot.press("f")
        await shown.settle()
        assert "1 ✓ words  2 ✓ tools  3 ✓ results  4 ✓ errors  5 ✓ checks  6 ✓ notes" in shown.text
        await shown.pilot.press("1")
        await shown.settle()
        assert "1 – words" in shown.text
        assert "line 2" not in shown.text
        assert "src/a.py" in shown.text
        row = next(y for y, row in enumerate(shown.text.splitlines()) if "2 ✓ tools" in row)
        await shown.pilot.click(shown.widget, offset=(shown.text.splitlines()[row].index("tools"), row))
        await shown.settle()
        assert "src/a.py" not in shown.text
        assert "─ without words, tools · 3m19 ─" in shown.text
        await shown.pilot.press("f")
        await shown.settle()
        assert "1 – words" not in shown.text
        assert "without words, tools" in shown.text


async def test_a_narrow_pane_has_the_toggles_in_several_rows_and_counts_what_is_hidden() -> None:
    async with panes(agent(1), width=36) as shown:
        shown.widget.focus_first()
        await shown.pilot.press("f", "2", "3", "5")
        await shown.settle()
        assert "6 ✓ notes" in shown.text
        assert "without 3 kinds · 3m19" in shown.text


async def test_the_pane_with_the_focus_hands_it_on_when_it_goes() -> None:
    async with panes(agent(1), agent(2), agent(3)) as shown:
        shown.widget.focus_agent("a3")
        await shown.pilot.pause()
        await shown.pilot.resize_terminal(50, 16)
        await shown.settle()
        focused = shown.pilot.app.focused
        assert focused is not None
        assert focused.region.width > 40


async def test_it_survives_any_size_and_theme() -> None:
    everybody: Sequence[AgentView] = [agent(1), agent(2), ended(3), agent(4), ended(5)]
    async with panes(*everybody, lines=200) as shown:
        shown.widget.focus_first()
        for keys in (["f"], ["f", "ctrl+f", "a"], ["escape"]):
            await shown.pilot.press(*keys)
            for size in [(1, 1), (3, 2), (10, 4), (36, 3), (72, 9), (300, 50), (80, 24)]:
                await shown.pilot.resize_terminal(*size)
                await shown.settle()
        for theme in ("ansi", "light", "dark"):
            shown.pilot.app.theme = theme
            await shown.settle()
        assert "agent 1 line" in shown.text


async def test_a_real_project_can_be_followed_from_any_moment(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        for first in (0, len(run.seen) // 2):
            logs, dashboard = AgentLogs(), Dashboard()
            logs.load(run.seen[first:])
            for one in run.seen:
                dashboard = fold(dashboard, one)
            project = dashboard.projects[run.project_id]
            assert project.agents
            async with panes(*project.agents.values(), logs=logs) as shown:
                assert len(shown.heads()) == 3
                assert "finished in" in shown.text


def test_the_places_of_agents_at_work_survive_a_narrower_screen() -> None:
    everybody = {one.agent_id: one for one in [ended(1), agent(2), agent(3)]}
    assert placed(("a1", "a2", "a3"), 2, everybody) == ("a2", "a3")
    assert placed(("a2", "a3"), 1, everybody) == ("a2",)
    assert placed(("a2",), 3, everybody) == ("a2", "a3", None)


def test_who_ended_first_gives_way_first_but_not_who_is_read() -> None:
    everybody = {one.agent_id: one for one in [ended(1, 50), ended(2, 40), agent(3), agent(4)]}
    assert placed(("a1", "a2", "a3"), 3, everybody) == ("a1", "a4", "a3")
    assert placed(("a1", "a2", "a3"), 3, everybody, held={"a2"}) == ("a4", "a2", "a3")


def test_when_nobody_works_the_last_ones_that_ended_are_shown() -> None:
    everybody = {one.agent_id: one for one in [ended(1, 50), ended(2, 70), ended(3, 60)]}
    assert placed((), 2, everybody) == ("a3", "a2")
