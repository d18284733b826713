from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PhaseStatus, WorkItemStatus
from orchestrator_tui.tui.playback import FASTEST, Player, Tape, clock, tape_of
from orchestrator_tui.tui.screens.replay import ReplayPage
from orchestrator_tui.tui.widgets.happening_list import HappeningList
from orchestrator_tui.tui.widgets.replay_bar import ReplayBar
from tests.tui.stage import NOON, SMALL, WIDE, Stage, context, played_project, text_of, until


@dataclass
class Clock:
    """Seconds that pass only when they are told to."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def phase(name: PhaseName, new: PhaseStatus) -> events.Event:
    return events.PhaseStatusChanged(phase=name, old=PhaseStatus.PENDING, new=new, round=1)


@dataclass
class Story:
    recorded: list[Recorded] = field(default_factory=list)
    at: float = 0.0

    def tell(self, after: float, event: events.Event) -> "Story":
        self.at += after
        seq = len(self.recorded) + 1
        at = NOON + timedelta(seconds=self.at)
        self.recorded.append(Recorded(seq=seq, at=at, project_id="p", event=event))
        return self


def tape() -> Tape:
    done = events.WorkItemStatusChanged(
        work_item_id="i", key="TASK-1", old=WorkItemStatus.IN_PROGRESS, new=WorkItemStatus.DONE
    )
    ended = events.AgentFinished(
        agent_id="a", status=AgentStatus.COMPLETED, summary="", error=None, usage=Usage(cost_usd=0.5), seconds=1
    )
    story = Story().tell(0, phase(PhaseName.IDEATION, PhaseStatus.RUNNING)).tell(1, ended)
    story.tell(3600, phase(PhaseName.IDEATION, PhaseStatus.COMPLETED))
    story.tell(0.5, phase(PhaseName.ARCHITECTURE, PhaseStatus.RUNNING)).tell(1, done)
    return tape_of(story.recorded, {})


def test_long_waits_are_shortened() -> None:
    assert tape().offsets == [0, 1, 3, 3.5, 4.5]
    assert tape().seconds == 4.5


def test_it_goes_on_by_the_time_that_passes_at_its_speed() -> None:
    player = Player(tape(), speed=0).advance(1)
    assert (player.count, player.position, player.playing) == (2, 1, True)
    assert player.faster(1).advance(0.5).count == 3
    assert player.faster(-5).speed == 0
    end = player.advance(100)
    assert (end.count, end.position, end.playing, end.at_end) == (5, 4.5, False, True)


def test_paused_it_stands_still() -> None:
    player = Player(tape(), playing=False)
    assert player.advance(10) is player


def test_at_the_end_playing_begins_anew() -> None:
    player = Player(tape()).advance(100).toggle()
    assert (player.count, player.position, player.playing) == (0, 0, True)


def test_the_fastest_speed_counts_events_and_not_seconds() -> None:
    player = Player(tape(), speed=FASTEST).advance(0.002)
    assert (player.speed_name, player.count) == ("max", 2)


def test_jumps_go_to_where_phases_begin() -> None:
    player = Player(tape(), playing=False)
    first = player.jump(forward=True)
    second = first.jump(forward=True)
    assert (first.count, second.count, second.jump(forward=True).count) == (1, 4, 5)
    assert second.tape.phases(second.count)[PhaseName.ARCHITECTURE] is PhaseStatus.RUNNING
    assert second.jump(forward=False).count == 1
    assert first.jump(forward=False).count == 1


def test_seeking_stays_inside() -> None:
    player = Player(tape())
    assert player.seek(2).count == 5
    assert player.seek(-1).position == 0


def test_money_and_items_are_those_of_the_moment() -> None:
    made = tape()
    assert list(made.dollars) == [0, 0, 0.5, 0.5, 0.5, 0.5]
    assert list(made.done) == [0, 0, 0, 0, 0, 1]


def test_a_project_without_events_can_be_played() -> None:
    player = Player(tape_of([], {}))
    assert player.advance(1).jump(forward=True).jump(forward=False).seek(0.5).count == 0


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (83.9, "1:23"), (2170, "36:10"), (7629, "2:07:09")])
def test_times_are_short(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_project_is_played_from_start_to_end(tmp_path: Path, size: tuple[int, int]) -> None:
    async with played_project(tmp_path / "home") as run:
        app, seconds = Stage(), Clock()
        async with app.run_test(size=size) as pilot:
            page = ReplayPage(context(run.engine, tmp_path), run.project_id, seconds=seconds)
            await app.push_screen(page)
            await until(pilot, lambda: "▶ playing" in text_of(pilot))
            assert "project completed" not in text_of(pilot)
            await pilot.press("space")
            await until(pilot, lambda: "‖ paused" in text_of(pilot))
            seconds.seconds += 1000
            page.tick()
            assert "‖ paused" in text_of(pilot)
            await pilot.press("plus", "plus", "minus", "space")
            await until(pilot, lambda: "×16" in text_of(pilot))
            seconds.seconds += 1000
            await until(pilot, lambda: "■ end" in text_of(pilot) and "project completed" in text_of(pilot))
            total = len(page.player.tape.offsets)
            assert f"{total} of {total} events" in text_of(pilot)
            for small in ((1, 1), (12, 5), size):
                await pilot.resize_terminal(*small)
                await pilot.pause()


async def test_keys_jump_between_phases(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=WIDE) as pilot:
            page = ReplayPage(context(run.engine, tmp_path), run.project_id, seconds=Clock())
            await app.push_screen(page)
            await until(pilot, lambda: "▶ playing" in text_of(pilot))
            await pilot.press("space", "right", "right", "right")
            await until(pilot, lambda: "◐ task breakdown" in text_of(pilot))
            assert "✓ architecture" in text_of(pilot)
            await pilot.press("left")
            await until(pilot, lambda: "◐ architecture" in text_of(pilot))
            assert "○ task breakdown" in text_of(pilot)
            shown = page.query_one(HappeningList)
            assert shown.marked == shown.rows[-1]


async def test_a_click_on_the_bar_goes_there(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=WIDE) as pilot:
            page = ReplayPage(context(run.engine, tmp_path), run.project_id, seconds=Clock())
            await app.push_screen(page)
            await until(pilot, lambda: "▶ playing" in text_of(pilot))
            row, line = next((y, line) for y, line in enumerate(text_of(pilot).splitlines()) if "playing" in line)
            end = max(x for x, sign in enumerate(line) if sign in "━─")
            await pilot.click(offset=(end, row))
            await until(pilot, lambda: page.player.at_end)
            assert page.query_one(ReplayBar).is_attached
