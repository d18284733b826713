from dataclasses import replace
from pathlib import Path

import pytest
from rich.text import Text

from orchestrator_tui.domain.records import Usage
from orchestrator_tui.tui import costs
from orchestrator_tui.tui.columns import columns
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.cost import CostPage
from orchestrator_tui.tui.view import Dashboard
from tests.tui.stage import SMALL, WIDE, Stage, context, played_project, text_of, until


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_money_and_tokens_are_told_by_phase_kind_and_session(tmp_path: Path, size: tuple[int, int]) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=size) as pilot:
            await app.push_screen(CostPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "By phase" in text_of(pilot))
            shown = text_of(pilot)
            await pilot.press("tab", "pagedown", "pagedown")
            await until(pilot, lambda: "tester" in text_of(pilot))
            shown += text_of(pilot)
            for small in ((1, 1), (9, 4), size):
                await pilot.resize_terminal(*small)
                await pilot.pause()
    for words in ("Pretended, you pay 0", "implement", "cache read", "developer", "TASK-1", "total"):
        assert words in shown, words


async def test_sums_stand_below_their_columns(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=WIDE) as pilot:
            await app.push_screen(CostPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "By session" in text_of(pilot))
            lines = text_of(pilot).splitlines()
    heads = [line for line in lines if "tokens" in line]
    totals = [line for line in lines if line.startswith(" total")]
    ends = {head.index("tokens") + len("tokens") for head in heads}
    assert len(heads) == len(totals) == 3 and len(ends) == 1
    end = ends.pop()
    assert all(total[end - 1].isalnum() and (len(total) == end or total[end] == " ") for total in totals)


async def test_without_a_project_it_shows_all_and_keeps_pretended_money_apart(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=WIDE) as pilot:
            await app.push_screen(CostPage(context(run.engine, tmp_path), None))
            await until(pilot, lambda: "Rehearsals" in text_of(pilot))
            shown = text_of(pilot)
    assert "Cost · all projects · 0 tok  $0.00" in shown
    assert "1 demo" in shown and "100%" in shown


async def test_it_reads_again_when_a_session_ends(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        app = Stage()
        async with app.run_test(size=WIDE) as pilot:
            page = CostPage(context(run.engine, tmp_path), run.project_id)
            await app.push_screen(page)
            await until(pilot, lambda: "analyst" in text_of(pilot))
            assert "architect " not in text_of(pilot)
            before = run.seen[-1].seq
            await run.answer((await run.request()).choices[0])
            await run.until_rest()
            while "architect " not in text_of(pilot):
                page.post_message(Happened(Dashboard(), tuple(one for one in run.seen if one.seq > before)))
                await pilot.pause(0.05)


async def test_there_is_something_to_read_when_nothing_was_spent(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        overview = replace(await run.engine.overview(run.project_id), usage={})
    assert costs.by_phase(overview) == []
    assert [row.share for row in costs.by_kind(Usage())] == [0, 0, 0, 0]
    assert [row.share for row in costs.by_project([overview])] == [0]


def test_models_and_counts_are_short() -> None:
    assert costs.short_model("claude-opus-4-5-20251101") == "opus-4-5"
    assert costs.short_model("sonnet") == "sonnet"
    assert costs.count(12_345) == "12.3k"


def test_columns_align_and_give_way() -> None:
    rows = [[Text("a long name of a thing"), Text("1")], [Text("b"), Text("22")]]
    assert [line.plain for line in columns(rows, right=(1,), width=80)] == [
        "a long name of a thing   1",
        "b                       22",
    ]
    assert [line.plain for line in columns(rows, right=(1,), width=12)] == ["a long …   1", "b         22"]
