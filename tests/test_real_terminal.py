import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.scenarios import write_scenario
from tests.terminal import ROOT, Terminal, left_in, needs_tmux, terminal

PAUSE_SECONDS = 1.0
"""What a person looks before the next key."""

pytestmark = [needs_tmux, pytest.mark.timeout(400)]


def status(home: Path) -> Any:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ORCHESTRATOR_HOME": str(home / "o"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "orchestrator_tui", "--status", "--json"]
    (told,) = json.loads(subprocess.run(command, env=environ, capture_output=True, check=True, timeout=60).stdout)
    return told


def check_that_it_was_stopped(told: Mapping[str, Any]) -> None:
    """In order: one whose process is gone is told as stopped, too, but for another reason."""
    assert told["status"] == "stopped"
    assert told["reason"] in ("shutdown", "user_request")


def insist(window: Terminal, key: str, reached: Callable[[str], object]) -> None:
    """Press a key until it counts: one that comes together with a question, or is held down, decides nothing."""
    pressed_at = monotonic()

    def pressed(shown: str) -> bool:
        nonlocal pressed_at
        if not reached(shown) and monotonic() - pressed_at >= PAUSE_SECONDS:
            window.press(key)
            pressed_at = monotonic()
        return bool(reached(window.screen()))

    window.until(pressed)


def approve(window: Terminal, document: str) -> None:
    window.shows("waits for you", document, "a Approve")
    insist(window, "a", lambda shown: not (document in shown and "a Approve" in shown))


QUICK = ("--set", "phases.ideation.pattern=single", "--set", "phases.architecture.pattern=single")


@pytest.mark.parametrize(("width", "height", "of_two"), [(120, 40, False), (80, 24, True)])
def test_a_new_user_plays_the_rehearsal_edits_stops_resumes_and_reads_that_it_is_finished(
    tmp_path: Path, width: int, height: int, of_two: bool
) -> None:
    # The shipped rehearsal, begun by its key; on the small terminal a short one, given on the command line.
    home, name, count = tmp_path / "home", "mdcheck", 17
    arguments: tuple[str, ...] = ()
    if of_two:
        name, count = "generated-2", 2
        arguments = ("--rehearsal", str(write_scenario(tmp_path / "s", items=count)), *QUICK)
    with terminal(home, *arguments, width=width, height=height) as window:
        if not of_two:
            window.shows("Type what you want built", "F5")
            window.press("F5")
        window.shows("Ideation", "a Approve")
        window.press("e")
        window.shows("^s Save", "# Requirements")
        window.type("Links of bees too. ")
        insist(window, "C-s", lambda shown: "edited text" in shown)
        window.shows("edited text", "Links of bees too.")
        approve(window, "Ideation")
        window.shows("Architecture", "a Approve")
        insist(window, "s", lambda shown: "a Approve" not in shown)
        window.shows("stopped")
        window.press("C-q")
        window.shows(f"{name}: stopped at architecture. Go on with: orchestrator-tui --resume 1", "ended with 0")
    check_that_it_was_stopped(status(home))
    with terminal(home, "--resume", "1", width=width, height=height) as window:
        approve(window, "Architecture")
        approve(window, "breakdown")
        window.until(lambda shown: f"{name}  ✓ completed" in shown, seconds=240)
        window.shows("done", str(count))
        window.press("C-q")
        window.shows(f"{name}: completed, in", "ended with 0")
    told = status(home)
    assert (told["status"], told["items"]) == ("completed", {"done": count, "total": count})
    requirements = home / "o" / "workspace" / name / ".orchestrator" / "requirements.md"
    assert "Links of bees too." in requirements.read_text()


def test_what_is_pasted_into_an_open_question_presses_none_of_its_keys(tmp_path: Path) -> None:
    with terminal(tmp_path / "home", "--rehearsal") as window:
        window.shows("Ideation", "a Approve", "esc later")
        window.tmux("set-buffer", "see log: \x1b[32ma green banana\x1b[0m \x1b[A and more")
        window.tmux("paste-buffer", "-p", "-t", "it")
        # A key behind the paste: what it held is dealt with once that one has worked.
        window.press("d")
        window.shows("This is the first round", "Ideation", "a Approve")


def test_resizing_in_a_storm_leaves_the_dashboard_as_it_was(tmp_path: Path) -> None:
    with terminal(tmp_path / "home", "--rehearsal") as window:
        window.shows("Ideation", "a Approve")
        for width, height in ((80, 24), (200, 60), (40, 10), (1, 1), (300, 90), (81, 23), (50, 14), (120, 40)) * 5:
            window.resize(width, height)
        window.shows("Ideation", "a Approve")
        window.press("Escape")
        window.shows("Projects", "Phases", "Work items", "› Describe")


def test_a_terminal_that_is_too_small_is_told_and_is_enough_again_later(tmp_path: Path) -> None:
    with terminal(tmp_path / "home", width=40, height=10) as window:
        window.shows("too small")
        window.resize(80, 24)
        window.shows("Type what you want built")


def test_without_colours_every_state_can_still_be_read(tmp_path: Path) -> None:
    with terminal(tmp_path / "home", "--rehearsal", NO_COLOR="1") as window:
        window.shows("● paused", "Ideation", "a Approve")
        assert "\x1b[38;" not in window.tmux("capture-pane", "-e", "-p", "-t", "it")


def test_console_asks_for_lines_in_place_of_the_dashboard(tmp_path: Path) -> None:
    with terminal(tmp_path / "home", "--console") as window:
        window.shows("What would you like to build?")


def test_what_the_settings_have_wrong_is_told_before_the_dashboard_opens(tmp_path: Path) -> None:
    with terminal(tmp_path / "home", "--set", "tui.theme=3 bees") as window:
        window.shows("orchestrator-tui: Settings:", "tui.theme", "ended with 2")


def test_a_terminal_that_vanishes_ends_the_run_in_order(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with terminal(home, "--rehearsal", "--autonomy", "full") as window:
        window.shows("running", "agent")
        ended = os.pidfd_open(window.process())
        window.tmux("kill-server")
        ready, _, _ = select.select([ended], [], [], 60)
        os.close(ended)
        assert ready, "the program is still there"
    check_that_it_was_stopped(status(home))

    assert left_in(home / "o" / "workspace") == []


def test_a_terminal_that_is_resized_and_hung_up_while_a_project_runs_is_given_back_and_the_project_can_be_resumed(
    tmp_path: Path,
) -> None:
    home, scenario = tmp_path / "home", write_scenario(tmp_path / "s", items=1)
    with scenario.open("a") as file:
        file.write("\n[pace]\ndelta_characters = 1\ndelta_seconds = 0.5\n")
    with terminal(home, "--rehearsal", str(scenario), "--set", "phases.ideation.pattern=single") as window:
        window.shows("running", "agent-1")
        window.resize(90, 30)
        window.shows("running", "agent-1")
        os.kill(window.process(), signal.SIGHUP)
        shown = window.shows("ended with")
        assert "ended with 0" in shown
        assert "Go on with: orchestrator-tui --resume 1" in shown
        given_back = {"alternate_on": "0", "cursor_flag": "1", "mouse_any_flag": "0"}
        assert window.manners() == given_back | dict.fromkeys(("icanon", "echo", "isig"), "on")
        assert left_in(home / "o" / "workspace") == []
    check_that_it_was_stopped(status(home))
    write_scenario(tmp_path / "s", items=1)
    with terminal(home, "--resume", "1", "--no-interactive") as window:
        window.shows("waits for you: Approve the requirements", "ended with 3")
    assert status(home)["waiting_for"]["phase"] == "ideation"
