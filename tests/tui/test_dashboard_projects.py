from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.console.status import how_to_go_on
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PipelineStatus
from orchestrator_tui.engine.client import as_they_are
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.tui.values import agents_of
from orchestrator_tui.tui.widgets.project_list import ProjectList
from tests.api.test_workers import worker
from tests.conftest import make_project
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch
from tests.tui.board import REHEARSED, Board, board
from tests.tui.clients import Opening, on_both_clients
from tests.tui.elsewhere import running_elsewhere
from tests.tui.played import Speaking


@asynccontextmanager
async def beside(home: Path, name: str, autonomy: str) -> AsyncIterator[Watched]:
    """A project that another engine runs on the same data, at its first rest."""
    start = launch(home, None, autonomy=autonomy, **FAST)
    async with open_engine(start, runtime=ReplayRuntime(generated_scenario(2))) as engine:
        run = Watched(engine=engine)
        await run.create(name=name)
        await run.until_rest()
        yield run


def order(it: Board, *names: str) -> bool:
    """Whether the list shows these projects from above to below."""
    return [one.name for one in it.app.main_screen.query_one(ProjectList).rows] == [*names]


async def test_what_waits_comes_first_and_keys_and_mouse_select(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        async with beside(tmp_path / "home", "newer", "full"):
            await it.until(lambda: order(it, "small", "newer"))
            await it.shows("newer", "done")
            await it.press("escape", "down", "enter")
            await it.until(lambda: it.project.name == "newer")
            await it.shows("newer  ✓ completed", "2 done")
            await it.pilot.click(ProjectList, offset=(5, 1))
            await it.until(lambda: it.project.name == "small")
            await it.question("small waits for you", "a Approve")


async def test_another_project_that_begins_to_wait_is_told_of_and_one_key_away(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full", notifications=True) as it:
        await it.rests(PipelineStatus.COMPLETED)
        async with beside(tmp_path / "home", "other", "checkpoint"):
            await it.shows("● other waits for you: approval · n", "● 1 waits")
            await it.until(lambda: order(it, "other", "small"))
            assert it.project.name == "small"
            assert it.app.screen is it.app.main_screen
            await it.press("escape", "n")
            await it.question("other waits for you", "a Approve")
            assert it.project.name == "other"


async def test_a_project_that_another_process_runs_is_shown_live_says_so_and_is_stopped_by_asking_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    async with board(home, notifications=True) as it, running_elsewhere(home, "far") as program:
        process = f"in process {program.pid} on "
        await it.shows("far", "running", "analyst", process)
        await it.send("/status far")
        await it.shows("Status · far", f"running {process}")
        await it.leave()
        await it.refused("/resume far", "Running elsewhere", "or wait until it ends")
        await it.send("/stop far")
        await it.until(lambda: any("was asked to stop it" in told.message for told in it.app._notifications))
        await it.rests(PipelineStatus.STOPPED)
        await it.until(lambda: f"running · ideation  {process}" not in it.shown)


async def test_leaving_asks_nothing_about_a_project_that_another_process_runs(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it, running_elsewhere(tmp_path / "home", "far"):
        await it.shows("far", "running", "analyst")
        await it.press("ctrl+q")
        await it.until(lambda: it.app.return_code == 0)


async def test_a_project_whose_process_was_killed_is_stopped_everywhere_and_works_again_once_resumed(
    tmp_path: Path,
) -> None:
    async with running_elsewhere(tmp_path / "home", "far") as program:
        program.kill()
        await program.wait()
    runtime = Speaking(generated_scenario(2), words=("Back again.",))
    async with board(tmp_path / "home", runtime=runtime) as it:
        await it.shows("□ stopped", "agent-1 analyst")
        assert [agent.ended_at is None for agent in agents_of(it.app.bridge)] == [False]
        before = it.project.phases[PhaseName.IDEATION].seconds
        await it.send("/status")
        await it.shows("stopped (its process is gone)")
        await it.leave()
        await it.send("/resume 1")
        await it.shows("Back again.", "◐ running", "agent-2 analyst")
        assert before <= it.project.phases[PhaseName.IDEATION].seconds
        assert [agent.number for agent in it.project.running_agents] == [2]
        assert [agent.number for agent in agents_of(it.app.bridge) if agent.ended_at is None] == [2]
        await it.press("ctrl+q")
        await it.shows("far is running.")
        await it.press("l")
        await it.until(lambda: it.app.return_code == 0)


async def test_a_project_whose_worker_was_killed_waits_for_another_as_long_as_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "SILENT_SECONDS", 3600.0)
    async with board(tmp_path / "home") as it, running_elsewhere(tmp_path / "home", "far") as program:
        await it.shows("far", "running", "analyst")
        assert isinstance(it.client, LocalEngine)
        other, roster = worker("other-7"), it.client._store.roster
        await roster.join(other)
        program.kill()
        await it.shows("● paused", "waits to be taken over by another worker")
        await it.send("/status")
        await it.shows("paused (waits to be taken over by another worker)", "/workers")
        [told] = await as_they_are(it.client, [await it.client.overview(it.project.id)])
        assert not how_to_go_on(told, "Go on with")
        await it.leave()
        await roster.leave(other.id)
        await it.shows("□ stopped", "its process is gone")


async def test_a_project_says_which_workers_do_not_find_its_folder_until_it_waits_no_more(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with open_store(sqlite_url(launch(home, None).paths.database)) as store:
        project = await make_project(store, "small")
    async with board(home) as it:
        await it.shows("Small")
        assert isinstance(it.client, LocalEngine)
        other, its = worker("other-7"), it.client._store
        await its.roster.join(other)
        async with its.transaction() as unit:
            await unit.queue_project(project.id)
            unit.record(project.id, events.QueueChanged(queued=True))
            assert await unit.miss_folder(project.id, other.id)
            told = events.ErrorOccurred(title="Folder", message="Gone.", hint="Share it.", missing_on=other.name)
            unit.record(project.id, told)
        await it.says("waits for a worker that finds its folder")
        await it.says("a worker that finds its folder, which these do not: other-7. Share the workspace")
        async with its.transaction() as unit:
            await unit.unqueue_project(project.id)
            unit.record(project.id, events.QueueChanged(queued=False))
        await it.until(lambda: "finds its folder" not in it.shown)


@on_both_clients
async def test_a_process_that_is_killed_while_one_looks_on_is_seen_to_be_gone(client: Opening, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with board(home, opening=client) as it, running_elsewhere(home, "far") as program:
        await it.shows("far", "running", "analyst")
        program.kill()
        await it.shows("□ stopped", "its process is gone")
        assert not it.project.running_agents
        await it.press("escape", "r")
        await it.question("far waits for you")


async def test_the_agents_of_a_killed_process_have_ended_once_its_project_is_stopped(tmp_path: Path) -> None:
    async with running_elsewhere(tmp_path / "home", "far") as program:
        program.kill()
        await program.wait()
    async with board(tmp_path / "home") as it:
        await it.shows("□ stopped", "agent-1 analyst")
        await it.send("/stop 1")
        await it.until(lambda: it.typed == "")
        (session,) = await it.client.sessions(it.project.id)
        assert session.status is AgentStatus.INTERRUPTED


async def test_the_changes_of_a_project_without_a_repository_say_so(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.send("/diff")
        await it.shows("No commit yet.", "There is nothing to show.")
        assert "Reading" not in it.shown


async def test_a_project_chosen_from_the_list_of_all_is_shown(tmp_path: Path) -> None:
    async with beside(tmp_path / "home", "older", "full"), board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.command("/projects")
        await it.shows("Projects · 2", "older")
        await it.press("ctrl+f")
        await it.type("old")
        await it.shows("1 of 2")
        await it.press("enter")
        await it.until(lambda: it.app.screen is it.app.main_screen and it.project.name == "older")
        await it.send("/status small")
        await it.shows("Status · small")
        await it.leave()
        assert it.project.name == "older"


async def test_another_idea_starts_a_second_project_beside_the_first(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("ctrl+n")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.send("A second idea")
        await it.shows("Name", "Folder", "Run with")
        await it.look()
        await it.press("enter")
        await it.question("example waits for you", "Ideation")
        assert {one.name for one in it.app.bridge.dashboard.projects.values()} == {"small", "example"}
        assert it.project.phases[PhaseName.IDEATION].round == 1


@on_both_clients
async def test_a_folder_that_is_taken_is_told_and_what_was_typed_is_still_there(
    tmp_path: Path, client: Opening
) -> None:
    async with board(tmp_path / "home", opening=client) as it:
        taken = tmp_path / "taken"
        taken.mkdir()
        (taken / "mine.txt").write_text("mine")
        await it.send("An idea")
        await it.shows("Run with")
        await it.look()
        await it.press("tab", "end", "ctrl+u")
        await it.paste(str(taken))
        await it.press("enter")
        await it.shows("×", "taken")
        assert it.app.screen is not it.app.main_screen
        assert str(taken)[-30:] in it.shown
        assert not it.app.bridge.dashboard.projects


async def test_a_project_named_on_the_command_line_is_created_and_shown(tmp_path: Path) -> None:
    first = CreateProject(idea="[bold]Markup[/bold] is a word", name="mark [red]up", rehearsal=True)
    async with board(tmp_path / "home", first=first, autonomy="full") as it:
        await it.rests(PipelineStatus.COMPLETED)
        await it.shows("mark [red]up")


async def test_what_the_command_line_asked_for_comes_before_what_waits_already(tmp_path: Path) -> None:
    home, may_begin = tmp_path / "home", Event()

    def first() -> CreateProject:
        may_begin.wait()
        return REHEARSED

    async with beside(home, "older", "checkpoint"):
        pass
    async with board(home, first=first) as it:
        await it.shows("older", "● you", "● 1 waits")
        await it.until(lambda: it.app.is_quiet)
        it.app.asker.consider()
        await it.pilot.pause()
        asked_too_early = it.app.asker.is_open
        may_begin.set()
        assert not asked_too_early
        await it.question("small waits for you", "a Approve")
