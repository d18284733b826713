from collections.abc import Sequence
from dataclasses import MISSING, fields
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from textual.widgets import Input

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import EVENT_TYPES, Recorded
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus
from orchestrator_tui.tui.happenings import Kind, line_of
from orchestrator_tui.tui.history import History, find, next_kind
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.history import HistoryPage
from orchestrator_tui.tui.view import Dashboard
from orchestrator_tui.tui.widgets.happening_list import HappeningList
from tests.tui.stage import NOON, SMALL, WIDE, Stage, context, played_project, text_of, until

SILENT = {"LeaseTaken", "PhaseProgressed", "SeatWaitEnded", "VerifyStarted"}
ODD = "a\x1b[31m\nb\u202e"


def value(hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return ()
    if type(None) in get_args(hint):
        return None
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    made = {str: ODD, int: 1, float: 1.0, bool: True, Usage: Usage()}
    return made.get(hint, {})


def event_of(kind: str) -> events.Event:
    made = EVENT_TYPES[kind]
    hints = get_type_hints(made)
    needed = [field.name for field in fields(made) if field.default is MISSING and field.default_factory is MISSING]
    return made(**{name: value(hints[name]) for name in needed})  # type: ignore[no-any-return]


def recorded(seq: int, event: events.Event | None = None) -> Recorded:
    said = event or events.AgentSaid(agent_id="a", text=f"word {seq}")
    return Recorded(seq=seq, at=NOON + timedelta(seconds=seq), project_id="p", event=said)


def said(*seqs: int) -> Sequence[Recorded]:
    return [recorded(seq) for seq in seqs]


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_event_has_a_safe_line_or_none(kind: str) -> None:
    line = line_of(recorded(1, event_of(kind)))
    if kind in SILENT:
        assert line is None
    else:
        assert line is not None and line.text and line.sign
        assert "\x1b" not in f"{line.text}{line.who}{line.detail}"
        assert "\n" not in line.text + line.who
        assert "\u202e" not in line.text + line.who + line.detail


def test_names_stand_for_ids() -> None:
    line = line_of(recorded(1), {"a": "developer 4"})
    assert line is not None and (line.who, line.text) == ("developer 4", "word 1")


def test_pages_come_in_front_and_new_events_once_at_the_end() -> None:
    history = History().before(said(5, 6), limit=2).after(said(6, 7)).before(said(3, 4), limit=2)
    assert [line.seq for line in history.lines] == [3, 4, 5, 6, 7]
    assert (history.first, history.last, history.complete) == (3, 7, False)
    assert history.before(said(2), limit=2).complete
    assert history.before((), limit=2).complete


def test_kinds_come_around() -> None:
    kind: Kind | None = None
    for _ in range(len(Kind) + 1):
        kind = next_kind(kind)
    assert kind is None


def test_a_search_goes_around_both_ends() -> None:
    lines = History().before(said(1, 2, 3)).lines
    assert find(lines, "WORD 1", 2, forward=True) == 0
    assert find(lines, "word", 0, forward=False) == 2
    assert find(lines, "nothing", 0, forward=True) is None


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_what_happened_is_told_in_words_with_the_newest_at_the_end(tmp_path: Path, size: tuple[int, int]) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=size) as pilot:
            await app.push_screen(HistoryPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "▌" in text_of(pilot))
            shown = text_of(pilot)
            assert "project completed" in next(line for line in shown.splitlines() if "▌" in line)
            assert "check passed" in shown and "developer" in shown
            for small in ((1, 1), (9, 4), size):
                await pilot.resize_terminal(*small)
                await pilot.pause()


async def test_older_pages_are_read_as_it_scrolls_up(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=SMALL) as pilot:
            page = HistoryPage(context(run.engine, tmp_path), run.project_id, page=50)
            await app.push_screen(page)
            await until(pilot, lambda: "project completed" in text_of(pilot))
            shown = page.query_one(HappeningList)
            while "project demo begins" not in text_of(pilot):
                await pilot.press("home")
                await pilot.pause()
            await until(pilot, lambda: "more above" not in text_of(pilot))
            numbers = [line.seq for line in shown.rows]
            assert numbers == sorted(set(numbers))


async def test_it_follows_at_the_end_and_stays_elsewhere(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=SMALL) as pilot:
            page = HistoryPage(context(run.engine, tmp_path), run.project_id)
            await app.push_screen(page)
            await until(pilot, lambda: "project completed" in text_of(pilot))
            last = run.seen[-1].seq

            def happened(seq: int, project_id: str) -> None:
                said = events.AgentSaid(agent_id="x", text=f"new words {seq}")
                one = Recorded(seq=seq, at=NOON, project_id=project_id, event=said)
                page.post_message(Happened(Dashboard(), (one,)))

            happened(last + 1, run.project_id)
            happened(last + 2, "another")
            await until(pilot, lambda: f"new words {last + 1}" in text_of(pilot))
            assert f"new words {last + 2}" not in text_of(pilot)
            await pilot.press("up", "up", "home")
            before = page.query_one(HappeningList).marked
            happened(last + 3, run.project_id)
            await until(pilot, lambda: page.query_one(HappeningList).rows[-1].seq == last + 3)
            assert page.query_one(HappeningList).marked == before
            assert "new words" not in text_of(pilot)


async def test_words_are_searched_for_and_shown(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=SMALL) as pilot:
            page = HistoryPage(context(run.engine, tmp_path), run.project_id)
            await app.push_screen(page)
            await until(pilot, lambda: "project completed" in text_of(pilot))
            await pilot.press("ctrl+f", *"begins", "enter")
            await until(pilot, lambda: "▌" in text_of(pilot) and "project demo begins" in text_of(pilot))
            marked = page.query_one(HappeningList).marked
            assert marked is not None and "begins" in marked.text
            await pilot.press("end", "shift+home", "delete", *"zebra", "enter")
            await until(pilot, lambda: "No line that was read has 'zebra'." in text_of(pilot))
            assert page.query_one(Input).value == "zebra"
            await pilot.press("escape")
            await until(pilot, lambda: "zebra" not in text_of(pilot))
            assert app.screen is page
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is not page)


async def test_one_kind_of_lines_shows_alone(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=WIDE) as pilot:
            await app.push_screen(HistoryPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "project completed" in text_of(pilot))
            await pilot.press("f", "f", "f")
            await until(pilot, lambda: "only tools" in text_of(pilot))
            assert "project completed" not in text_of(pilot)
            assert "Write" in text_of(pilot)


async def test_a_line_with_more_to_say_is_shown_in_full_below(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=SMALL) as pilot:
            page = HistoryPage(context(run.engine, tmp_path), run.project_id)
            await app.push_screen(page)
            await until(pilot, lambda: "project completed" in text_of(pilot))
            await pilot.press("home")
            await until(pilot, lambda: "workspace/demo" in "".join(text_of(pilot).split()))


def test_a_failed_phase_is_an_error_and_says_why() -> None:
    failed = events.PhaseStatusChanged(
        phase=PhaseName.TESTING, old=PhaseStatus.RUNNING, new=PhaseStatus.FAILED, round=1, reason="two red checks"
    )
    line = line_of(recorded(1, failed))
    assert line is not None
    assert (line.kind, line.sign, line.text) == (Kind.ERROR, "×", "testing failed: two red checks")
