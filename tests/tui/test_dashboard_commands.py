from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.tui.screens import main_keys
from tests.tui.asked import Hand
from tests.tui.board import REHEARSED, Board, board
from tests.tui.clients import Opening, on_both_clients
from tests.tui.played import Speaking

DONE = PipelineStatus.COMPLETED


async def opens(it: Board, command: str, screen: str, *texts: str) -> None:
    """The command opens this screen, which shows these texts; then back."""
    await it.send(command)
    await it.until(lambda: type(it.app.screen).__name__ == screen)
    await it.shows(*texts)
    await it.until(lambda: it.typed == "")
    await it.leave()


@on_both_clients
async def test_every_command_that_shows_something_opens_it_by_name_alias_and_argument(
    tmp_path: Path, client: Opening
) -> None:
    async with board(tmp_path / "home", opening=client, first=REHEARSED, autonomy="full") as it:
        await it.rests(DONE)
        await opens(it, "/ls", "ProjectsPage", "Projects · 1", "small (rehearsal)", "completed")
        await opens(it, "/status", "StatusPage", "Status · small", "2/2 (100%)")
        await opens(it, "/STATUS small", "StatusPage", "Status · small")
        await opens(it, "/view", "DocumentPage", "Test report, round 1")
        await opens(it, "/show arch", "DocumentPage", "Flat modules with a test beside each.")
        await opens(it, "/tasks", "ItemsPage", "Work items · small · 2/2", "TASK-1")
        await opens(it, "/items 2", "ItemPage", "TASK-2 · Module item00002")
        await opens(it, "/diff", "DiffPage", "Changes · small · 3 commits")
        await opens(it, "/diff TASK-1", "DiffPage", "Changes · TASK-1 Module item00001")
        await opens(it, "/costs 1", "CostPage", "Cost · small", "you pay 0")
        await opens(it, "/replay 1", "ReplayPage", "Replay · small")
        await it.send("/sync")
        await it.until(lambda: any(str(told.message) == "small: database" for told in it.app._notifications))
        await opens(it, "/help resume", "HelpPage", "/resume <id>", "Let a project go on.")
        await opens(it, "/set agent.mod", "SettingsPage", "Model for all phases that do not name their own.")
        await opens(it, "/themes", "ThemePicker", "high-contrast")


async def test_a_command_that_cannot_be_carried_out_says_what_would_be_possible_and_stays(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full") as it:
        await it.rests(DONE)
        await it.refused("/zzzz", "There is no command /zzzz.", "/help")
        await it.refused("/staus", "Did you mean /status [id]?")
        await it.refused("/resume", "/resume needs <id>.", "Usage: /resume <id>")
        await it.refused("/projects now", "does not take 'now' as well", "Usage: /projects")
        await it.refused("/replay 7", "There is no project '7'.", "There are: 1 (small)")
        await it.refused("/view nope", "There is no phase 'nope'.", "ideation, architecture, task_breakdown")
        await it.refused("/items 77", "There is no work item '77'.", "TASK-1 (Module item00001)")
        await it.refused("/diff TASK-77", "There is no work item 'TASK-77'.")
        await it.refused("/logs agent-99", "There is no agent 'agent-99'.")
        await it.refused("/config agent.modle", "There is no setting 'agent.modle'.", "Did you mean agent.model?")
        await it.refused("/theme drak", "There is no theme 'drak'.", "Did you mean dark?")
        await it.refused("/help zzzz", "There is no command /zzzz.")
        await it.refused("quit", "“quit” alone is a command.", "Type /quit for it")
        for command in ("/approve", "/reject too long", "/edit", "/retry", "/retry a hint", "/skip"):
            await it.refused(command, "small does not wait for that.", "/projects shows how every project stands.")
        await it.refused("/stop 1", "small is completed.", "There is nothing to stop.")
        await it.refused("@agent-1", "@agent-1 says nothing to an agent.", "Usage: @agent text")
        await it.refused("@agent-99 hello", "There is no agent 'agent-99'.")
        await it.refused("/note", "/note needs <words>.", "Usage: /note <words>")
        await it.refused("/note TASK-77: use tabs", "There is no work item 'TASK-77'.")
        await it.refused("/interrupt", "No agent is at work.", "/note leaves words")
        await it.refused("/interrupt agent-1", "That agent is not at work any more.")


async def test_commands_about_a_project_say_so_while_there_is_none(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        for command in ("/status", "/view", "/items", "/diff", "/stop", "/approve"):
            await it.refused(command, "There is no project yet.", "Type what you want built and press Enter.")
        await it.refused("/logs", "No agent has worked here yet.")
        await it.refused("/resume 1", "There is no project '1'.", "There is no project yet.")


async def test_tab_completes_commands_ids_items_agents_settings_and_themes(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full") as it:
        await it.rests(DONE)
        await it.until(lambda: it.app.bridge.feed is not None and it.app.bridge.feed.items)
        for typed, completed in (
            ("/resu", "/resume "),
            ("/resume sm", "/resume 1"),
            ("/items item00002", "/items TASK-2"),
            ("/diff 2", "/diff TASK-2"),
            ("/logs 3", "/logs agent-3"),
            ("/view impl", "/view implement"),
            ("/config tui.th", "/config tui.theme"),
            ("/theme hi", "/theme high-contrast"),
            ("/help rep", "/help replay"),
            ("@agent", "@agent-8 "),
        ):
            it.app.main_screen.input_bar.fill("")
            await it.paste(typed[:-1])
            await it.press(typed[-1], "tab")
            assert it.typed == completed
        it.app.main_screen.input_bar.fill("")


async def test_a_finished_project_is_not_said_to_go_on(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full", notifications=True) as it:
        await it.rests(DONE)
        await it.command("/resume 1")
        await it.shows("small is finished: nothing is left to do.")


async def test_a_project_is_named_by_its_slug_or_its_id_too(tmp_path: Path) -> None:
    named = replace(REHEARSED, name="Two words")
    async with board(tmp_path / "home", first=named, autonomy="full", notifications=True) as it:
        await it.rests(DONE)
        for name in ("two-words", it.project.id, it.project.id[:9]):
            await it.command(f"/resume {name}")
            await it.shows("Two words is finished: nothing is left to do.")
            it.app.clear_notifications()
        await it.command("/resume two-wor")
        await it.shows("There is no project 'two-wor'")


async def test_a_command_typed_right_behind_another_one_is_the_next(tmp_path: Path) -> None:
    runtime = Speaking(generated_scenario(2), words=("Still at it.",))
    async with board(tmp_path / "home", first=REHEARSED, runtime=runtime) as it:
        await it.shows("Still at it.")
        await it.command("/stop")
        await it.type("/help")
        assert it.typed == "/help"
        await it.press("enter")
        await it.shows("Keys: everywhere")
        await it.rests(PipelineStatus.STOPPED)


@on_both_clients
async def test_a_project_stopped_by_command_while_agents_work_says_where_and_goes_on(
    tmp_path: Path, client: Opening
) -> None:
    runtime = Speaking(generated_scenario(2), words=("Still at it.",))
    async with board(tmp_path / "home", opening=client, first=REHEARSED, runtime=runtime, notifications=True) as it:
        # What an agent is just saying is not told to who comes later, what it was told is.
        await it.shows("is given its task")
        await it.command("/stop")
        await it.says("small is stopped at ideation. /resume 1 goes on.")
        runtime.go_on.set()
        await it.command("/resume 1")
        await it.question("small waits for you", "Ideation")


async def test_a_letter_typed_beside_the_input_bar_stops_nothing_until_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long this machine takes from key to key, only the clock of the test counts.
    hand = Hand()
    monkeypatch.setattr(main_keys, "monotonic", hand)
    runtime = Speaking(generated_scenario(2), words=("Still at it.",))
    async with board(tmp_path / "home", first=REHEARSED, runtime=runtime, notifications=True) as it:
        await it.shows("Still at it.")
        await it.press("escape", "s", "s", "s")
        await it.shows("Stop small? s again to stop.")
        assert it.project.status is PipelineStatus.RUNNING
        hand.seconds += 1
        await it.press("s")
        await it.rests(PipelineStatus.STOPPED)
        await it.shows("r resume")


@on_both_clients
async def test_a_stopped_project_goes_on_by_its_name(tmp_path: Path, client: Opening) -> None:
    async with board(tmp_path / "home", opening=client, first=REHEARSED, notifications=True) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.command("/stop small")
        await it.shows("small is stopped at ideation. /resume 1 goes on.")
        await it.command("/continue small")
        await it.question("small waits for you", "Ideation")
        await it.press("a")
        await it.until(lambda: it.project.phases[PhaseName.ARCHITECTURE].round == 1)


async def test_logs_asked_for_from_another_screen_are_shown_at_once(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, autonomy="full") as it:
        await it.rests(DONE)
        await it.command("/help")
        await it.shows("Keys: everywhere")
        await it.press("ctrl+p")
        await it.shows("Commands, keys, projects, themes")
        await it.type("/logs")
        await it.shows("/logs [agent]")
        await it.press("enter")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.until(lambda: type(it.app.focused).__name__ == "LogView")


async def test_a_page_is_opened_once_however_often_its_key_is_pressed(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        for key, screen in (("f1", "HelpPage"), ("f2", "SettingsPage"), ("f3", "ThemePicker")):
            await it.press(key)
            await it.until(partial(lambda wanted: type(it.app.screen).__name__ == wanted, screen))
            await it.press(key, key)
            await it.pilot.pause()
            await it.leave()
            assert len(it.app.screen_stack) == 1


async def test_quit_leaves_at_once_while_nothing_runs(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.command("/q")
        await it.until(lambda: not it.app.is_running or it.app.return_code is not None)
        assert it.app.return_code == 0
