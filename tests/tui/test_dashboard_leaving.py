import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.tui import leaving
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


def standing(home: Path) -> Any:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ORCHESTRATOR_HOME": str(home / "o"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "orchestrator_tui", "--status", "--json"]
    told = subprocess.run(command, env=environ, capture_output=True, check=True, timeout=60).stdout
    return json.loads(told)[0]


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
