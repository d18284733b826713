from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from orchestrator_tui.domain.records import ItemCounts, Usage
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, PipelineStatus, RequestKind
from orchestrator_tui.tui.timeline import progress_of, timeline_of
from orchestrator_tui.tui.view import PhaseView, ProjectView, from_snapshot
from orchestrator_tui.tui.widgets.phase_timeline import PhaseTimeline
from tests.tui.stage import NOON, Stage, played_project, strips_of, text_of


def ended(seconds: float, dollars: float) -> PhaseView:
    return PhaseView(status=PhaseStatus.COMPLETED, seconds=seconds, usage=Usage(cost_usd=dollars))


RUNNING = PhaseView(
    status=PhaseStatus.RUNNING,
    running_since=NOON - timedelta(seconds=723),
    usage=Usage(cost_usd=0.9),
    done=32,
    total=50,
)
PHASES: Mapping[PhaseName, PhaseView] = {
    PhaseName.IDEATION: ended(134, 0.21),
    PhaseName.ARCHITECTURE: ended(100, 0.18),
    PhaseName.TASK_BREAKDOWN: ended(48, 0.09),
    PhaseName.INITIALIZE: ended(31, 0),
    PhaseName.IMPLEMENT: RUNNING,
    PhaseName.TESTING: PhaseView(),
    PhaseName.DEPLOY: PhaseView(),
}
PROJECT = ProjectView(
    id="p",
    number=1,
    name="my-portfolio",
    directory="/p",
    rehearsal=False,
    status=PipelineStatus.RUNNING,
    current_phase=PhaseName.IMPLEMENT,
    phases=PHASES,
)
WAITING = replace(
    PROJECT,
    status=PipelineStatus.PAUSED,
    current_phase=PhaseName.ARCHITECTURE,
    waiting={"r": RequestKind.APPROVAL},
    phases={
        **dict.fromkeys(PHASE_ORDER, PhaseView()),
        PhaseName.IDEATION: ended(134, 0.21),
        PhaseName.ARCHITECTURE: replace(ended(100, 0.18), status=PhaseStatus.AWAITING_APPROVAL),
    },
)


@asynccontextmanager
async def timeline(
    project: ProjectView | None = PROJECT, *, width: int = 120, height: int = 6, theme: str = "dark"
) -> AsyncIterator[tuple[Pilot[Any], PhaseTimeline]]:
    widget = PhaseTimeline()
    widget.styles.height = height
    app = Stage(widget, kept=(PhaseTimeline.Picked,), theme=theme)
    async with app.run_test(size=(width, height + 2)) as pilot:
        widget.show(project, NOON)
        await pilot.pause()
        yield pilot, widget


def picked(pilot: Pilot[Any]) -> list[PhaseName]:
    return [message.phase for message in pilot.app.seen]  # type: ignore[attr-defined]


def test_that_a_project_waits_for_a_worker_is_said() -> None:
    new = replace(PROJECT, status=PipelineStatus.NOT_STARTED, phases=dict.fromkeys(PHASE_ORDER, PhaseView()))
    assert timeline_of(new, NOON).remark == ""
    assert timeline_of(replace(new, queued=True), NOON).remark == "waits for a worker"
    missing = replace(new, queued=True, folder_missing_on=("box-7",))
    assert timeline_of(missing, NOON).remark == "waits for a worker that finds its folder"


async def test_a_wide_one_says_state_name_time_and_money_of_every_phase_and_what_is_left() -> None:
    async with timeline() as (pilot, _):
        rows = text_of(pilot).splitlines()
        assert "✓ ideation ── ✓ architecture ─ ✓ breakdown ─ ✓ init ─ ◐ implement ── ○ testing ─ ○ deploy" in rows[1]
        assert "2m14 $.21" in rows[2]
        assert rows[2].index("12m03 $.90") == rows[1].index("implement")
        assert rows[4].rstrip(" │").endswith("─  32/50  about 7 min left")


async def test_beside_a_list_money_stands_below_the_time() -> None:
    async with timeline(width=86) as (pilot, _):
        rows = text_of(pilot).splitlines()
        assert "✓ arch ─ ✓ breakdown" in rows[1]
        assert rows[3].index("$.21") == rows[2].index("2m14")


async def test_a_narrow_one_still_names_every_phase_with_its_time() -> None:
    async with timeline(width=66) as (pilot, _):
        rows = text_of(pilot).splitlines()
        assert "✓ idea" in rows[1] and "✓ tasks" in rows[1] and "○ deploy" in rows[1]
        assert rows[2].index("12m03") == rows[1].index("impl")


async def test_with_one_row_it_is_compact() -> None:
    async with timeline(width=56, height=3) as (pilot, _):
        row = text_of(pilot).splitlines()[1]
        assert "✓ ✓ ✓ ✓ ◐ implement ○ ○  12m03 ━━━" in row
        assert row.rstrip(" │").endswith("─ 32/50")


async def test_it_says_in_words_that_it_waits_for_the_person() -> None:
    async with timeline(WAITING) as (pilot, _):
        assert "● architecture waits for your approval" in text_of(pilot)
    async with timeline(WAITING, width=56, height=3) as (pilot, _):
        assert "✓ ● architecture ○ ○ ○ ○ ○  waits for your approval" in text_of(pilot)


async def test_enter_opens_the_current_phase_and_arrows_choose_another() -> None:
    async with timeline() as (pilot, widget):
        widget.focus()
        await pilot.press("enter", "left", "enter", "right", "right", "right", "right", "enter", "home", "enter")
        assert picked(pilot) == [
            PhaseName.IMPLEMENT,
            PhaseName.INITIALIZE,
            PhaseName.DEPLOY,
            PhaseName.IDEATION,
        ]


async def test_a_click_opens_the_phase_under_the_mouse() -> None:
    async with timeline() as (pilot, widget):
        rows = text_of(pilot).splitlines()
        for name in ("architecture", "deploy", "ideation"):
            await pilot.click(widget, offset=(rows[1].index(name) + 1, 1))
        await pilot.click(widget, offset=(rows[1].index("breakdown") + 1, 2))
        assert picked(pilot) == [
            PhaseName.ARCHITECTURE,
            PhaseName.DEPLOY,
            PhaseName.IDEATION,
            PhaseName.TASK_BREAKDOWN,
        ]


async def test_a_click_on_a_sign_opens_its_phase_in_the_compact_form() -> None:
    async with timeline(width=56, height=3) as (pilot, widget):
        await pilot.click(widget, offset=(4, 1))
        assert picked(pilot) == [PhaseName.ARCHITECTURE]
        await pilot.pause()
        assert "✓ ✓ architecture ✓ ✓ ◐ ○ ○" in text_of(pilot)


async def test_it_is_painted_again_only_when_it_looks_different() -> None:
    painted = 0

    class Counted(PhaseTimeline):
        def refresh(self, *args: Any, **kwargs: Any) -> Any:
            nonlocal painted
            painted += 1
            return super().refresh(*args, **kwargs)

    widget = Counted()
    async with Stage(widget).run_test(size=(120, 8)) as pilot:
        widget.show(PROJECT, NOON)
        await pilot.pause()
        painted = 0
        widget.show(PROJECT, NOON + timedelta(milliseconds=300))
        assert painted == 0
        widget.show(PROJECT, NOON + timedelta(seconds=1))
        await pilot.pause()
        assert painted == 1
        assert "12m04" in text_of(pilot)


@pytest.mark.parametrize("theme", ["ansi", "light"])
async def test_it_survives_any_size_and_follows_another_theme(theme: str) -> None:
    async with timeline() as (pilot, widget):
        widget.focus()
        for project in (PROJECT, WAITING, None):
            widget.show(project, NOON)
            for size in [(1, 1), (3, 2), (10, 4), (22, 6), (40, 5), (79, 9), (300, 20)]:
                await pilot.resize_terminal(*size)
                for height in (1, 3, 4, 5, 6):
                    widget.styles.height = height
                    await pilot.pause()
        pilot.app.theme = theme
        await pilot.pause()
        assert "✓ ideation" in text_of(pilot) or "○ ideation" in text_of(pilot)


async def test_the_running_phase_has_the_accent_of_the_theme_of_the_moment() -> None:
    def colors(pilot: Pilot[Any]) -> set[str]:
        strips = strips_of(pilot.app)
        bold = [s.style for strip in strips for s in strip if s.text == "implement" and s.style]
        return {style.color.name for style in bold if style.color}

    async with timeline() as (pilot, _):
        before = colors(pilot)
        pilot.app.theme = "light"
        await pilot.pause()
        assert before
        assert colors(pilot)
        assert colors(pilot) != before


def test_there_is_no_estimate_while_there_is_nothing_to_go_by() -> None:
    begun = replace(PROJECT, phases={**PHASES, PhaseName.IMPLEMENT: replace(RUNNING, done=0)})
    progress = progress_of(begun, NOON)
    assert progress is not None
    assert (progress.figures, progress.left) == ("0/50", "")


def test_the_items_stand_in_for_progress_that_was_not_told() -> None:
    phases = {**PHASES, PhaseName.IMPLEMENT: replace(RUNNING, done=0, total=0)}
    progress = progress_of(replace(PROJECT, phases=phases, items=ItemCounts(done=3, todo=4)), NOON)
    assert progress is not None
    assert progress.figures == "3/7"


async def test_a_finished_project_says_what_it_took_and_where_it_is() -> None:
    done = replace(
        PROJECT,
        status=PipelineStatus.COMPLETED,
        current_phase=None,
        phases={name: ended(60, 1) for name in PHASE_ORDER},
        directory="/home/ada/projects/蜂/my-portfolio",
    )
    assert timeline_of(done, NOON).remark == "✓ all done in 7m00 for $7.00"
    async with timeline(done) as (pilot, _):
        assert "✓ all done in 7m00 for $7.00 · /home/ada/projects/蜂/my-portfolio" in text_of(pilot)
    async with timeline(done, width=60) as (pilot, _):
        assert "for $7.00 · …" in text_of(pilot)
        assert "/my-portfolio" in text_of(pilot)


def test_a_failed_project_says_why() -> None:
    failed = replace(
        PROJECT,
        status=PipelineStatus.FAILED,
        reason="the check stays red",
        phases={**PHASES, PhaseName.IMPLEMENT: replace(RUNNING, status=PhaseStatus.FAILED, running_since=None)},
    )
    assert timeline_of(failed, NOON).remark == "× implement failed: the check stays red"


async def test_a_real_project_shows_every_phase_done(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        project = from_snapshot(await run.engine.snapshot()).projects[run.project_id]
    async with timeline(project) as (pilot, _):
        steps = text_of(pilot).splitlines()[1]
        assert steps.count("✓") + steps.count("–") == len(PHASE_ORDER)
        assert "✓ all done in " in text_of(pilot)
