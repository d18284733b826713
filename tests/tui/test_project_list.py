from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from orchestrator_tui.domain.records import ItemCounts, Usage
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus, RequestKind
from orchestrator_tui.tui.view import PhaseView, ProjectView, from_snapshot
from orchestrator_tui.tui.widgets.project_list import ProjectList
from orchestrator_tui.tui.widgets.row_list import RowList
from tests.tui.stage import NOON, Stage, played_project, text_of, until

S = PipelineStatus
F = PhaseName
HALF = ItemCounts(todo=16, in_progress=2, done=32)
WAITS: Mapping[str, RequestKind] = {"r1": RequestKind.APPROVAL}


def project(
    number: int, name: str = "", status: PipelineStatus = S.RUNNING, cost: float = 0.0, **more: Any
) -> ProjectView:
    one = ProjectView(
        id=f"p{number}",
        number=number,
        name=name or f"project {number}",
        directory="/tmp/x",
        status=status,
        rehearsal=more.pop("rehearsal", False),
        last_event_at=NOON - timedelta(hours=2),
        **more,
    )
    return replace(one, phases={**one.phases, F.IMPLEMENT: PhaseView(usage=Usage(cost_usd=cost))})


@asynccontextmanager
async def a_list(
    projects: Sequence[ProjectView], selected: str | None = None, size: tuple[int, int] = (34, 20), total: int = 0
) -> AsyncIterator[tuple[Pilot[Any], Stage, ProjectList]]:
    view = ProjectList()
    stage = Stage(view, Input(), kept=(ProjectList.Picked, RowList.EndNeared))
    async with stage.run_test(size=size) as pilot:
        view.styles.height = "1fr"
        view.show_projects(projects, selected, NOON, total or len(projects))
        view.focus()
        await pilot.pause()
        yield pilot, stage, view


async def shown(one: ProjectView, width: int = 34) -> list[str]:
    """The two lines of a project that is alone in the list, with single blanks."""
    async with a_list([one], size=(width, 12)) as (pilot, _, _view):
        return [" ".join(line[2:-1].split()) for line in text_of(pilot).splitlines()[1:3]]


def picked(stage: Stage) -> list[str]:
    return [message.project_id for message in stage.seen if isinstance(message, ProjectList.Picked)]


async def test_a_project_at_work_shows_how_much_is_done_and_what_it_cost() -> None:
    one = project(1, "my-portfolio", current_phase=F.IMPLEMENT, items=HALF, cost=1.42)
    assert await shown(one) == ["my-portfolio 64%", "implement · 32/50 · $1.42"]
    assert await shown(project(1, "plan", current_phase=F.TASK_BREAKDOWN)) == [
        "plan ◐",
        "breakdown",
    ]


async def test_one_that_waits_says_what_for_even_in_a_narrow_pane() -> None:
    one = project(1, "e-commerce", S.PAUSED, current_phase=F.ARCHITECTURE, waiting=WAITS)
    assert await shown(one) == ["e-commerce ● you", "architecture · approve"]
    assert await shown(one, 24) == ["e-commerce ● you", "approve"]


async def test_one_that_rests_says_how_and_since_when() -> None:
    done = project(1, "blog", S.COMPLETED, items=ItemCounts(done=50), cost=3.1)
    assert await shown(done) == ["blog done", "50/50 · $3.10 · 2 h ago"]
    stopped = project(1, "bot", S.STOPPED, current_phase=F.TESTING, items=HALF, reason="user_request")
    assert await shown(stopped) == ["bot stopped", "testing · 32/50 · 2 h ago"]
    paused = project(1, "bot", S.PAUSED, current_phase=F.TESTING, reason="usage_limit")
    assert await shown(paused) == ["bot paused", "testing · usage limit"]
    assert (await shown(project(1, "bot", S.FAILED)))[0] == "bot failed"


async def test_how_long_ago_something_was_is_told_anew_as_time_goes_by() -> None:
    async with a_list([project(1, status=S.COMPLETED)]) as (pilot, _, view):
        assert "2 h ago" in text_of(pilot)
        view.tick(NOON + timedelta(hours=1))
        await until(pilot, lambda: "3 h ago" in text_of(pilot))


async def test_a_rehearsal_is_marked_and_its_pretended_costs_are_not_shown() -> None:
    one = project(1, "demo", S.COMPLETED, items=ItemCounts(done=3), cost=9.0, rehearsal=True)
    assert await shown(one) == ["demo done", "3/3 · 2 h ago rehearsal"]
    assert (await shown(one, 24))[1] == "3/3 · 2 h ago reh."


async def test_a_long_or_hostile_name_stays_on_its_line() -> None:
    assert (await shown(project(1, "an endless name \x1b[31mthat\n goes on", items=HALF)))[0] == (
        "an endless name [31mthat … 64%"
    )
    assert (await shown(project(1, "[bold]x[/]", S.COMPLETED)))[0].startswith("[bold]x[/]")


async def test_the_bar_marks_the_selected_project_and_a_pointer_the_cursor() -> None:
    async with a_list([project(number) for number in (3, 2, 1)], "p2") as (pilot, stage, view):
        assert edges(pilot) == "  ▌▌  "
        await pilot.press("down")
        assert edges(pilot) == "  ▌▌› "
        assert picked(stage) == []
        await pilot.press("enter")
        assert picked(stage) == ["p1"]
        view.show_projects(view.rows, "p1", NOON, 3)
        await pilot.pause()
        assert edges(pilot) == "    ▌▌"
        await pilot.press("home", "tab")
        assert edges(pilot) == "    ▌▌"


async def test_a_click_picks_a_project_once() -> None:
    async with a_list([project(number) for number in (3, 2, 1)], "p3") as (pilot, stage, view):
        await pilot.click(view, offset=(5, 4), times=2)
        assert picked(stage) == ["p2"]


async def test_the_border_says_how_many_wait_or_else_how_many_there_are() -> None:
    async with a_list([project(number) for number in (3, 2, 1)], total=1234) as (pilot, _, view):
        assert text_of(pilot).splitlines()[0].startswith("╭─ Projects ─")
        assert " 1,234 ─╯" in text_of(pilot)
        for waiting, words in ((1, " 1 waits ─╯"), (2, " 2 wait ─╯")):
            rows = [project(number, waiting=WAITS if number <= waiting else {}) for number in (1, 2, 3)]
            view.show_projects(rows, None, NOON, 1234)
            await pilot.pause()
            assert words in text_of(pilot)


async def test_one_that_is_selected_before_it_is_read_is_marked_when_it_comes() -> None:
    async with a_list([project(number) for number in range(200, 100, -1)], "p50") as (pilot, _, view):
        assert view.marked
        assert view.marked.id == "p200"
        view.show_projects([project(number) for number in range(200, 0, -1)], "p50", NOON, 200)
        await pilot.pause()
        assert "▌project 50" in text_of(pilot)
        await pilot.press("up")
        view.show_projects([project(number) for number in range(201, 0, -1)], "p50", NOON, 201)
        assert view.marked.id == "p51"


async def test_the_owner_hears_that_the_end_comes_near() -> None:
    async with a_list([project(number) for number in range(100, 0, -1)], total=5_000) as (pilot, stage, _):
        assert stage.seen == []
        await pilot.press("end")
        await until(pilot, lambda: any(isinstance(message, RowList.EndNeared) for message in stage.seen))


async def test_what_does_not_change_is_not_painted_again() -> None:
    rows = [project(number) for number in range(100, 0, -1)]
    async with a_list(rows, "p100") as (pilot, _, view):
        before = [id(view.render_line(y)) for y in range(10)]
        view.show_projects(list(rows), "p100", NOON + timedelta(seconds=30), 100)
        assert [id(view.render_line(y)) for y in range(10)] == before
        view.show_projects(list(rows), "p100", NOON + timedelta(hours=3), 100)
        await pilot.pause()
        assert [id(view.render_line(y)) for y in range(10)] != before


async def test_a_played_project_is_shown_as_it_stands(tmp_path: Path) -> None:
    async with played_project(tmp_path) as run:
        projects = from_snapshot(await run.engine.snapshot()).in_order()
        async with a_list(projects, run.project_id) as (pilot, _, _view):
            text = text_of(pilot)
            assert "▌demo" in text
            assert "3/3" in text
            assert "rehearsal" in text


async def test_an_empty_list_of_any_size_can_be_shown() -> None:
    async with a_list([]) as (pilot, stage, view):
        assert "No project yet." in text_of(pilot)
        await pilot.press("enter", "down")
        assert picked(stage) == []
        view.show_projects([project(1, items=HALF, rehearsal=True)], "p1", NOON, 1)
        for size in ((1, 1), (3, 3), (4, 4), (8, 5), (12, 6), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "▌project 1" in text_of(pilot)


def edges(pilot: Pilot[Any]) -> str:
    return "".join(line[1] for line in text_of(pilot).splitlines()[1:7])
