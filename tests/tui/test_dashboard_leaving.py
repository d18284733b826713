import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.terminal import ROOT, Terminal, needs_tmux, terminal
from tests.tui.board import REHEARSED, board
from tests.tui.played import Speaking


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


def process_of(window: Terminal) -> int:
    """The program in the window."""
    shell = window.tmux("display-message", "-p", "-t", "it", "#{pane_pid}").strip()
    (program,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    return int(program)


def left_in(folder: Path) -> list[str]:
    """The programs that work in a folder or below."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


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
        os.kill(process_of(window), signal.SIGTERM)
        shown = window.shows("ended with")
        assert "ended with 0" in shown or "ended with 130" in shown
        assert "Traceback" not in shown
        assert left_in(home / "o" / "workspace") == []
    assert standing(home)["status"] in ("stopped", "paused")
