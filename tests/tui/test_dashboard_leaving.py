import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import ServeFailed, StoreUnavailable
from orchestrator_tui.domain.statuses import PauseReason, PipelineStatus
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.tui import leaving
from tests.engine.test_hand_over import nobody
from tests.running import launch
from tests.terminal import ROOT, left_in, needs_tmux, terminal
from tests.tui.board import REHEARSED, board
from tests.tui.played import Speaking
from tests.tui.showcase import PORTFOLIO, Showcase, showcase


async def test_leaving_while_an_agent_speaks_stops_it_and_the_project_can_be_resumed(tmp_path: Path) -> None:
    runtime = Speaking(generated_scenario(2), words=("Still at it.",))
    async with board(tmp_path / "home", first=REHEARSED, runtime=runtime) as it:
        await it.shows("Still at it.")
        await it.command("/quit")
        await it.shows("small is running.", "Stop and leave")
        await it.press("escape")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.press("ctrl+q", "l")
        await it.until(lambda: it.app.return_code == 0)
    runtime.go_on.set()
    async with board(tmp_path / "home", runtime=runtime) as it:
        await it.rests(PipelineStatus.STOPPED)
        await it.press("escape", "r")
        await it.question("small waits for you")


async def test_leaving_while_a_project_waits_for_the_person_asks_nothing(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("ctrl+q")
        await it.until(lambda: it.app.return_code == 0)
    async with board(tmp_path / "home") as it:
        await it.question("small waits for you", "a Approve")


async def hands_over(engine: EngineClient, hurry: asyncio.Event) -> None:
    """To whoever comes."""
    assert isinstance(engine, LocalEngine)
    await engine.hand_over(nobody, hurry)


async def refuses(engine: EngineClient, hurry: asyncio.Event) -> None:
    raise ServeFailed("The background server did not start: Port 8080 is in use.")


async def test_what_is_kept_running_is_handed_over_and_not_stopped(tmp_path: Path) -> None:
    runtime = Speaking(generated_scenario(1), words=("Still at it.",))
    async with board(tmp_path / "home", first=REHEARSED, runtime=runtime, keep=hands_over) as it:
        await it.shows("Still at it.")
        await it.command("/quit")
        await it.shows("Keep running")
        await it.press("k")
        await it.until(lambda: it.app.return_code == 0)
        assert it.app.leaving.is_kept
    async with open_engine(launch(tmp_path / "home", None), runtime=runtime) as engine:
        [project] = await engine.projects()
        state = (await engine.overview(project.id)).state
        assert (project.status, state.shutdown_reason) == (PipelineStatus.PAUSED, PauseReason.HAND_OVER)
        assert state.owner is None


async def test_a_hand_over_that_fails_leaves_everything_as_it_is_and_says_why(tmp_path: Path) -> None:
    runtime = Speaking(generated_scenario(1), words=("Still at it.",))
    async with board(tmp_path / "home", first=REHEARSED, runtime=runtime, keep=refuses, notifications=True) as it:
        await it.shows("Still at it.")
        await it.press("ctrl+q")
        await it.shows("Keep running")
        await it.press("k")
        await it.says("Not handed over, it goes on here.")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        assert it.project.status is PipelineStatus.RUNNING
        await it.press("ctrl+q")
        await it.shows("Keep running", "Stop and leave")


async def test_a_hand_over_can_be_hurried_then_left_at_once(tmp_path: Path) -> None:
    client = Showcase()
    client.may_hand_over.clear()
    async with showcase(tmp_path, client=client) as it:
        await it.press("ctrl+q")
        await it.shows("Keep running")
        await it.press("k")
        await it.shows("Handing over", "^q again does not wait for the agents")
        assert not client.hurry.is_set()
        await it.press("ctrl+q")
        await it.shows("No agent is waited for any more", "^q once more leaves at once")
        assert client.hurry.is_set()
        assert client.submitted == []
        await it.press("ctrl+q")
        await it.until(lambda: it.app.return_code == 0)
        assert it.app.leaving.is_abrupt
        assert not it.app.leaving.is_kept


@pytest.mark.parametrize("on_hangup", ["stop", "keep"])
async def test_a_closed_terminal_does_with_what_runs_as_the_settings_say(tmp_path: Path, on_hangup: str) -> None:
    client = Showcase()
    settings = launch(tmp_path / "o", None, background={"on_hangup": on_hangup}).settings
    async with showcase(tmp_path, client=client, load_settings=settings) as it:
        it.app.leaving.unseen()
        it.app.leaving.unseen()
        await it.until(lambda: it.app.return_code == 0)
        assert it.app.leaving.is_kept == (on_hangup == "keep")
        assert not client.hurry.is_set()


async def test_what_a_closed_terminal_cannot_hand_over_is_stopped(tmp_path: Path) -> None:
    client = Showcase()
    client.may_end.clear()
    settings = launch(tmp_path / "o", None, background={"on_hangup": "keep"}).settings
    async with showcase(tmp_path, client=client, load_settings=settings, keep=refuses) as it:
        it.app.leaving.unseen()
        await it.shows("Stopping")
        client.may_end.set()
        await it.until(lambda: it.app.return_code == 0)
        assert not it.app.leaving.is_kept


async def test_leaving_asks_when_projects_only_wait_until_they_may_go_on(tmp_path: Path) -> None:
    client = Showcase()
    async with showcase(tmp_path, client=client) as it:
        for project in it.app.leaving._running_here():
            await client.happens(project.id, UNTIL_LATER)
        await it.until(lambda: not it.app.leaving._running_here())
        await it.press("ctrl+q")
        await it.shows("when it is time", "It does so only where something runs", "Leave")
        await it.press("k")
        await it.until(lambda: it.app.return_code == 0)
        assert it.app.leaving.is_kept


async def test_who_is_attached_is_told_so_and_leaves_without_a_question(tmp_path: Path) -> None:
    async with showcase(tmp_path, workspace=None, keep=None, is_attached=True, place="background") as it:
        await it.shows("background")
        await it.press("ctrl+q")
        await it.until(lambda: it.app.return_code == 0)


UNTIL_LATER = events.PipelineStatusChanged(
    old=PipelineStatus.RUNNING,
    new=PipelineStatus.PAUSED,
    reason=PauseReason.USAGE_LIMIT,
    resumes_at=now() + timedelta(hours=1),
)
SIGNALED = events.StopProgressed(step=1, text="Stop signal received")
WAITING = events.StopProgressed(step=2, text="Waiting for 3 agents to reach a safe point (at most 30 s)")
STOPPING = events.PipelineStatusChanged(old=PipelineStatus.RUNNING, new=PipelineStatus.STOPPING)


async def test_leaving_tells_the_steps_then_forces_the_stop_then_leaves_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "HURRY_SECONDS", 600)
    client = Showcase()
    client.may_end.clear()
    async with showcase(tmp_path, client=client, selected=PORTFOLIO) as it:
        await it.press("ctrl+q")
        await it.shows("Stop and leave")
        await it.press("l")
        await it.shows("^q again does not wait for the agents")
        await client.happens(PORTFOLIO, STOPPING, SIGNALED, WAITING)
        await it.shows("✓ 1/5 Stop signal received", "◌ 2/5 Waiting for 3 agents")
        await it.press("ctrl+q")
        await it.shows("^q once more leaves at once")
        await it.until(lambda: StopProject(project_id=PORTFOLIO, force=True) in client.submitted)
        assert it.app.return_code is None
        await it.press("ctrl+q")
        await it.until(lambda: it.app.return_code == 0)
        assert it.app.leaving.is_abrupt
        client.may_end.set()


async def test_who_is_in_a_hurry_leaves_although_the_engine_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "HURRY_SECONDS", 0.05)
    client = Showcase()
    client.may_end.clear()
    async with showcase(tmp_path, client=client) as it:
        it.app.leaving.at_once()
        it.app.leaving.at_once()
        await it.until(lambda: it.app.return_code == 0)
        assert it.app.leaving.is_abrupt
        client.may_end.set()


async def test_a_terminal_that_goes_away_twice_is_in_no_hurry(tmp_path: Path) -> None:
    client = Showcase()
    client.may_end.clear()
    async with showcase(tmp_path, client=client) as it:
        it.app.leaving.unseen()
        it.app.leaving.unseen()
        await it.shows("Stopping", "does not wait for the agents")
        assert client.submitted == []
        client.may_end.set()
        await it.until(lambda: it.app.return_code == 0)
        assert not it.app.leaving.is_abrupt


async def test_the_main_screen_tells_how_far_a_stop_is(tmp_path: Path) -> None:
    client = Showcase()
    async with showcase(tmp_path, client=client, selected=PORTFOLIO) as it:
        await client.happens(PORTFOLIO, STOPPING, SIGNALED, WAITING)
        await it.shows("◌ stopping", "Stopping 2/5 Waiting for 3 agents to reach a safe point")


async def test_a_run_that_cannot_be_stored_is_said_to_wait_and_to_go_on_by_itself(tmp_path: Path) -> None:
    async with showcase(tmp_path, selected=PORTFOLIO) as it:
        it.app.bridge.trouble = StoreUnavailable("The disk is full.")
        it.app.main_screen.redraw()
        await it.says("The disk is full. What ran waits: nothing is lost, and it goes on by itself.")


def console(home: Path, *arguments: str) -> str:
    """What the program says on the console, with the home of `terminal`."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ORCHESTRATOR_HOME": str(home / "o"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-P", "-m", "orchestrator_tui", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, check=True, text=True, timeout=200).stdout


def standing(home: Path) -> Any:
    return json.loads(console(home, "--status", "--json"))[0]


@needs_tmux
def test_what_is_kept_running_is_there_again_with_the_next_start_and_ends_when_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    try:
        with terminal(home, "--rehearsal") as window:
            window.shows("agent-1")
            window.press("C-q")
            window.shows("Keep running")
            window.press("k")
            window.shows("goes on in the background. Look at it with: orchestrator-tui", "ended with 0")
        with terminal(home) as window:
            window.shows("mdcheck")
            window.press("C-q")
            window.shows("ended with 0")
        assert "handed over to another process" in console(home, "--logs")
    finally:
        told = console(home, "--stop", "--all")
    assert "The background server has ended." in told
    assert left_in(home / "o" / "workspace") == []


@needs_tmux
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the kernel does not tell of processes in /proc")
def test_a_signal_to_end_stops_the_agents_gracefully_and_leaves_none_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with terminal(home, "--rehearsal") as window:
        window.shows("agent-1")
        os.kill(window.process(), signal.SIGTERM)
        shown = window.shows("ended with")
        assert "ended with 0" in shown
        assert "Traceback" not in shown
        assert left_in(home / "o" / "workspace") == []
    told = standing(home)
    assert (told["status"], told["reason"]) == ("stopped", "shutdown")


@needs_tmux
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the kernel does not tell of processes in /proc")
def test_the_signal_to_quit_leaves_at_once_with_the_terminal_restored_and_no_agent_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with terminal(home, "--rehearsal") as window:
        window.shows("agent-1")
        os.kill(window.process(), signal.SIGQUIT)
        shown = window.shows("ended with")
        assert "ended with 130" in shown
        assert "Go on with: orchestrator-tui --resume 1" in shown
        assert "core dumped" not in shown
        assert left_in(home / "o" / "workspace") == []
