import json
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain.commands import CreateProject, SyncTracker
from orchestrator_tui.domain.statuses import Choice
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.projects import ProjectsPage
from orchestrator_tui.tui.screens.status import StatusPage, ago
from orchestrator_tui.tui.view import Dashboard
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch
from tests.tui.stage import NOON, SMALL, WIDE, Stage, context, played_project, text_of, until


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_waiting_project_says_how_to_answer_before_all_else(tmp_path: Path, size: tuple[int, int]) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        app = Stage()
        async with app.run_test(size=size) as pilot:
            await app.push_screen(StatusPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "Waits for you" in text_of(pilot))
            shown = text_of(pilot)
            for small in ((1, 1), (9, 4), size):
                await pilot.resize_terminal(*small)
                await pilot.pause()
    for words in ("1 demo", "paused", "ideation", "awaiting approval", "Folder", "rehearsal", "Backend", "total"):
        assert words in shown, words
    assert "a approve   c request changes" in shown
    assert shown.index("Waits for you") < shown.index("Progress")
    assert [line for line in shown.splitlines() if "…" in line and "Folder" not in line] == []


async def test_it_says_where_the_items_are_kept_and_what_is_wrong_there(tmp_path: Path) -> None:
    runtime = ReplayRuntime(light_scenario(1))
    settings = {**NO_PLANNING, "backend": {"type": "json"}}
    async with open_engine(launch(tmp_path / "home", None, **settings), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        file = Path((await run.project()).directory) / ".orchestrator" / "work_items.json"
        content = json.loads(file.read_text())
        content["items"].append({"title": "Added by a person"})
        for edited in (json.dumps(content), "{"):
            file.write_text(edited)
            await engine.submit(SyncTracker(project_id=run.project_id))
        app = Stage()
        async with app.run_test(size=(SMALL[0], 60)) as pilot:
            await app.push_screen(StatusPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "json · in sync" in text_of(pilot))
            assert "/resume 1 begins with what was added: 1 item" in text_of(pilot)
            shown = "".join(text_of(pilot).split())
    assert f"Itemsat{file}" in shown
    assert f"Problem{file},line1:Expecting" in shown, "to its end, also on a narrow terminal"


async def test_it_follows_what_happens(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        app = Stage()
        async with app.run_test(size=WIDE) as pilot:
            page = StatusPage(context(run.engine, tmp_path), run.project_id)
            await app.push_screen(page)
            await until(pilot, lambda: "● ideation" in text_of(pilot))
            await run.answer(Choice.APPROVE)
            await run.until_rest()
            while "● architecture" not in text_of(pilot):
                page.post_message(Happened(Dashboard(), tuple(run.seen)))
                await pilot.pause(0.05)
            assert "✓ ideation" in text_of(pilot)


async def test_a_finished_project_shows_its_table_and_what_can_be_done(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        app = Stage()
        async with app.run_test(size=SMALL) as pilot:
            await app.push_screen(StatusPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "✓ completed" in text_of(pilot))
            assert "/replay 1 plays once more what happened" in text_of(pilot)
            assert "3/3 (100%)" in text_of(pilot)


def test_how_long_ago_is_told_without_fractions() -> None:
    assert ago(NOON, NOON) == "0s"
    assert ago(NOON, NOON.replace(hour=14, minute=7)) == "2h07m"


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_projects_stand_in_a_table(tmp_path: Path, size: tuple[int, int]) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        app = Stage()
        async with app.run_test(size=size) as pilot:
            await app.push_screen(ProjectsPage(context(run.engine, tmp_path)))
            await until(pilot, lambda: "awaiting approval" in text_of(pilot))
            lines = text_of(pilot).splitlines()
            head = next(line for line in lines if "Progress" in line)
            row = next(line for line in lines if "demo" in line)
            for name, words in (
                ("ID", "1"),
                ("Name", "demo"),
                ("Phase", "ideation"),
                ("Progress", "awaiting approval"),
            ):
                assert head.index(name) == row.index(words), name
            for small in ((1, 1), (9, 4), (40, 10), size):
                await pilot.resize_terminal(*small)
                await pilot.pause()


async def test_a_project_is_chosen_filtered_resumed_and_stopped(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        other = await run.engine.submit(CreateProject(idea="Another thing", name="other", rehearsal=True))
        app = Stage(kept=(ProjectsPage.Picked,))
        async with app.run_test(size=SMALL) as pilot:
            await app.push_screen(ProjectsPage(context(run.engine, tmp_path)))
            await until(pilot, lambda: "other" in text_of(pilot) and "demo" in text_of(pilot))
            await pilot.press("r", "s")
            await until(pilot, lambda: app.commands == ["/resume 2", "/stop 2"])
            await pilot.press("ctrl+f", *"dem")
            await until(pilot, lambda: "1 of 2" in text_of(pilot))
            await pilot.press("down", "s")
            await until(pilot, lambda: app.commands[2:] == ["/stop 1"])
            await pilot.press("escape")
            await until(pilot, lambda: "other" in text_of(pilot))
            await pilot.press("ctrl+f", *"oth", "enter")
            await until(pilot, lambda: len(app.screen_stack) == 1)
            assert [message.project_id for message in app.seen if isinstance(message, ProjectsPage.Picked)] == [other]


async def test_without_projects_it_says_how_to_begin(tmp_path: Path) -> None:

    async with open_engine(launch(tmp_path / "home", None)) as engine:
        app = Stage()
        async with app.run_test(size=SMALL) as pilot:
            await app.push_screen(ProjectsPage(context(engine, tmp_path)))
            await until(pilot, lambda: "There are no projects yet." in text_of(pilot))
            await pilot.press("enter", "r", "s", "down")
            await pilot.pause()
            assert app.commands == []
