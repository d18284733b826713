from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PipelineStatus
from orchestrator_tui.tui import short_forms
from orchestrator_tui.tui.view import PhaseView, ProjectView
from orchestrator_tui.tui.widgets.status_line import Banner, StatusLine
from tests.tui.stage import NOON, Stage, strips_of, text_of

PROJECT = ProjectView(
    id="p",
    number=1,
    name="my-portfolio",
    directory="/p",
    rehearsal=False,
    status=PipelineStatus.RUNNING,
    current_phase=PhaseName.TASK_BREAKDOWN,
    phases={
        **dict.fromkeys(PHASE_ORDER, PhaseView()),
        PhaseName.IDEATION: PhaseView(usage=Usage(input_tokens=182_000, cost_usd=1.42)),
    },
)


@asynccontextmanager
async def line(
    width: int, project: ProjectView | None = PROJECT, *, agents: int = 3, waiting: int = 0, limit: float | None = None
) -> AsyncIterator[Pilot[Any]]:
    widget = StatusLine()
    async with Stage(widget).run_test(size=(width, 2)) as pilot:
        widget.show(project, agents, NOON, waiting, limit_usd=limit)
        await pilot.pause()
        yield pilot


async def test_a_wide_line_says_everything() -> None:
    async with line(120, limit=20, waiting=1) as pilot:
        row = text_of(pilot).splitlines()[0]
        assert row.startswith(" orchestrator  my-portfolio  ◐ running · task breakdown   ")
        figures = f"● 1 waits · spent $1.42 of $20 · 182k tok · 3 agents · {NOON.astimezone():%H:%M}"
        assert row.endswith(figures)
        assert len(row) == 119


async def test_that_there_is_no_sandbox_is_said_while_a_project_is_at_work() -> None:
    for sandboxed, status, said in (
        (None, PipelineStatus.RUNNING, False),
        (True, PipelineStatus.RUNNING, False),
        (False, PipelineStatus.RUNNING, True),
        (False, PipelineStatus.COMPLETED, False),
    ):
        async with line(80, replace(PROJECT, sandboxed=sandboxed, status=status)) as pilot:
            assert ("no sandbox" in text_of(pilot)) is said


async def test_parts_drop_out_from_the_least_important_on() -> None:
    left: list[str] = []
    for width in (120, 100, 80, 60, 40, 20):
        async with line(width, waiting=2) as pilot:
            row = text_of(pilot).splitlines()[0]
            assert len(row) <= width
            left.append(row)
    assert ["orchestrator" in row for row in left] == [True, False, False, False, False, False]
    assert ["182k tok" in row for row in left] == [True, True, False, False, False, False]
    assert ["running" in row for row in left] == [True, True, True, True, False, False]
    assert ["● 2 wait" in row for row in left] == [True, True, True, True, True, False]
    assert all("my-portfolio" in row for row in left)


async def test_a_name_that_is_too_long_is_cut_and_its_markup_is_only_text() -> None:
    async with line(30, replace(PROJECT, name="[red]a very long name of a project[/red]")) as pilot:
        row = text_of(pilot).splitlines()[0]
        assert row.strip().startswith("[red]a very")
        assert "…" in row


async def test_without_a_project_only_the_program_and_the_time_are_left() -> None:
    async with line(80, None, agents=0) as pilot:
        assert text_of(pilot).split() == ["orchestrator", f"{NOON.astimezone():%H:%M}"]


async def test_it_survives_any_size() -> None:
    async with line(80, waiting=1) as pilot:
        for size in [(1, 1), (2, 1), (5, 3), (13, 1), (300, 2)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "my-portfolio" in text_of(pilot)


@pytest.mark.parametrize("theme", ["ansi", "light"])
async def test_it_follows_another_theme(theme: str) -> None:
    def color(pilot: Pilot[Any]) -> set[object]:
        strips = strips_of(pilot.app)
        return {s.style.color for strip in strips for s in strip if s.text.strip() == "orchestrator" and s.style}

    async with line(120) as pilot:
        before = color(pilot)
        pilot.app.theme = theme
        await pilot.pause()
        assert len(color(pilot)) == 1
        assert color(pilot) != before


async def test_the_banner_is_there_only_while_it_says_something() -> None:
    banner = Banner()
    async with Stage(StatusLine(), banner).run_test(size=(60, 4)) as pilot:
        assert not banner.display
        banner.show("no connection to the [database] since 12:03 – trying again")
        await pilot.pause()
        assert text_of(pilot).splitlines()[1].strip() == "no connection to the [database] since 12:03 – trying again"
        banner.show("")
        await pilot.pause()
        assert "database" not in text_of(pilot)


def test_numbers_are_short() -> None:
    assert [short_forms.span(n) for n in (0, 31.9, 134, 4_020, -3)] == ["0s", "31s", "2m14", "1h07", "0s"]
    assert [short_forms.cents(n) for n in (0, 0.001, 0.21, 12.3)] == ["", "<$.01", "$.21", "$12.30"]
    assert [short_forms.count(n) for n in (950, 9_400, 38_200, 999_700, 1_240_000)] == [
        "950",
        "9.4k",
        "38k",
        "1.0M",
        "1.2M",
    ]
    assert [short_forms.left(n) for n in (20, 400, 6_000)] == [
        "about a minute left",
        "about 7 min left",
        "about 2 h left",
    ]
