from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.compose import open_store_for
from orchestrator_tui.domain.events import InstructionGiven
from orchestrator_tui.domain.records import permissions_of
from orchestrator_tui.domain.statuses import PipelineStatus, RequestKind
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.tui.context import BY
from orchestrator_tui.tui.screens import main_keys
from orchestrator_tui.tui.values import agent_name
from orchestrator_tui.tui.view import AgentView
from tests.counselled import COMMAND, GATE, LISTEN, CounselledRuntime, own, scenario
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, launch
from tests.scenarios import bash
from tests.tui.asked import Hand
from tests.tui.board import REHEARSED, Board, board
from tests.tui.clients import Opening, on_both_clients

DONE = PipelineStatus.COMPLETED
SMALL: dict[str, Any] = {
    "first": REHEARSED,
    "autonomy": "full",
    "settings": NO_PLANNING,
    "runtime": ReplayRuntime(light_scenario(1)),
}


async def agent_at(it: Board, command: str) -> str:
    """What the agent is called that is at this command."""
    found: list[AgentView] = []

    def look() -> object:
        agents = it.app.selected.agents.values() if it.app.selected else ()
        found[:] = [one for one in agents if one.doing == f"Bash {command}"]
        return it.app.bridge.feed is not None and found

    await it.until(look)
    return agent_name(found[0])


@on_both_clients
async def test_a_person_speaks_to_a_running_agent_by_its_name(tmp_path: Path, client: Opening) -> None:
    runtime = CounselledRuntime(scenario(bash(LISTEN)))
    async with board(
        tmp_path / "home", opening=client, first=REHEARSED, runtime=runtime, autonomy="full", notifications=True
    ) as it:
        name = await agent_at(it, LISTEN)
        await it.refused("@nobody hello", "There is no agent 'nobody'.", name)
        await it.send(f"@{name} use SQLite")
        await it.shows(f"{name} takes it in at its next step.")
        await it.rests(DONE)
        assert "use SQLite" in runtime.heard.words[0]


@on_both_clients
async def test_a_key_that_is_pressed_twice_interrupts_and_words_let_it_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Opening
) -> None:
    # However long this machine takes from key to key, only the clock of the test counts.
    hand = Hand()
    monkeypatch.setattr(main_keys, "monotonic", hand)
    runtime = CounselledRuntime(scenario(bash(GATE)))
    async with board(
        tmp_path / "home", opening=client, first=REHEARSED, runtime=runtime, autonomy="full", notifications=True
    ) as it:
        name = await agent_at(it, GATE)
        it.app.main_screen.focus_projects()
        await it.press("b")
        await it.shows("Interrupt every agent at work? b again to interrupt.")
        hand.seconds += 1
        await it.press("b")
        await it.shows("Its step is stopped.")
        runtime.scenario.answers[0].turns[0].input["command"] = "true"  # type: ignore[index]
        await it.send(f"@{name} leave it out")
        await it.rests(DONE)
        assert any("leave it out" in prompt for prompt in runtime.heard.prompts)


@on_both_clients
async def test_a_question_of_an_agent_is_answered_in_its_window(tmp_path: Path, client: Opening) -> None:
    runtime = CounselledRuntime(scenario(own("ask_user", question="Which colour?", choices=["blue"])))
    async with board(tmp_path / "home", opening=client, first=REHEARSED, runtime=runtime) as it:
        await approve_until(it, RequestKind.CLARIFICATION)
        await it.question("Which colour?", "- blue")
        await it.look()
        await it.type("green")
        await it.press("ctrl+s")
        await it.until(lambda: "green" in runtime.heard.results)


@on_both_clients
async def test_a_command_is_denied_with_words_or_allowed_for_good(tmp_path: Path, client: Opening) -> None:
    runtime = CounselledRuntime(scenario(bash(COMMAND), bash(COMMAND)))
    async with board(tmp_path / "home", opening=client, first=REHEARSED, runtime=runtime) as it:
        await approve_until(it, RequestKind.PERMISSION)
        await it.question(COMMAND, "It is outside.", "this very command")
        await it.look()
        await it.press("w")
        await it.type("not now")
        await it.press("ctrl+s")
        await it.until(lambda: any("not now" in one for one in runtime.heard.results))
        await it.question(COMMAND)
        await it.look()
        await it.press("p")
        await it.until(lambda: "ran" in runtime.heard.results)
        assert permissions_of((await it.client.find_project("1")).config) == (COMMAND,)


@on_both_clients
async def test_words_and_notes_for_agents_that_have_ended_are_kept_for_the_next_session(
    tmp_path: Path, client: Opening
) -> None:
    async with board(tmp_path / "home", opening=client, **SMALL, notifications=True) as it:
        await it.rests(DONE)
        await it.send("@agent-1 use tabs")
        await it.shows("agent-1 has ended: the next session is told.")
        await it.until(lambda: it.app.bridge.feed is not None and it.app.bridge.feed.items)
        await it.send("/note task-1 mind the ö")
        await it.shows("The next session of TASK-1 is told.")
        given = [one.event for one in await it.client.events(project_id=it.project.id, limit=1000)]
        notes = [one for one in given if isinstance(one, InstructionGiven)]
        assert [(one.text, one.by) for one in notes] == [("use tabs", BY), ("mind the ö", BY)]
        assert notes[1].work_item_id is not None


@on_both_clients
async def test_an_allowed_command_is_listed_and_taken_back(tmp_path: Path, client: Opening) -> None:
    async with board(tmp_path / "home", opening=client, **SMALL) as it:
        await it.until(lambda: it.app.selected)
        await it.send("/permissions")
        await it.shows("No command is allowed for good in this project.")
        await it.leave()
        start = launch(tmp_path / "home", None)
        async with open_store_for(start, Bus()) as store, store.transaction() as unit:
            await unit.set_permission(it.project.id, "npm ci --offline", allowed=True)
        await it.send("/permissions")
        await it.shows("1 allowed command", "npm ci --offline")
        await it.press("enter")
        await it.shows("Shall this command not be allowed any more?")
        await it.press("y")
        await it.shows("0 allowed commands")
        assert permissions_of((await it.client.find_project("1")).config) == ()


async def approve_until(it: Board, kind: RequestKind) -> None:
    """Approve as a person does, until something of another kind is asked."""
    while True:
        await it.until(lambda: it.app.asker.ready)
        screen = it.app.asker.screen
        assert screen is not None
        if screen.request.kind is kind:
            return
        await it.look()
        await it.press("a")
        await it.until(partial(lambda shown: it.app.asker.screen is not shown, screen))
