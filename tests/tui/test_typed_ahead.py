import os
import pty
import subprocess
import sys
from pathlib import Path

from orchestrator_tui.tui.driver import TerminalDriver, driver_of

ROOT = Path(__file__).parent.parent.parent
STARTING = """
import sys, termios
from orchestrator_tui.tui.typed_ahead import unseen

def echoes():
    return bool(termios.tcgetattr(0)[3] & termios.ECHO)

told = [echoes()]
with unseen(0) as seen:
    told.append(echoes())
    sys.stderr.write("starting\\n"); sys.stderr.flush()
    read = sys.stdin.readline()
    if "seen" in sys.argv:
        seen()
        told.append(echoes())
told.append(echoes())
print(told, read.strip(), file=sys.stderr)
"""


def started(*arguments: str) -> tuple[str, str]:
    """What a start in a terminal of its own says at its end, and all that the terminal showed."""
    own, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", "import os; os.setsid(); import fcntl, termios; "
             f"fcntl.ioctl(0, termios.TIOCSCTTY, 0); exec({STARTING!r})", *arguments],
            stdin=terminal, stdout=terminal, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert process.stderr is not None
        with process:
            assert process.stderr.readline() == "starting\n"
            os.write(own, b"typed\n")
            told = process.stderr.read().strip()
        os.write(terminal, b"end")
        shown = os.read(own, 10_000).decode()
    finally:
        os.close(own)
        os.close(terminal)
    return told, shown


def test_what_is_typed_during_a_start_is_read_and_not_shown() -> None:
    told, shown = started()
    assert told == "[True, False, True] typed"
    assert "typed" not in shown


def test_typing_is_shown_again_once_the_terminal_is_taken_over() -> None:
    told, _ = started("seen")
    assert told == "[True, False, True, True] typed"


def test_what_is_no_terminal_is_left_alone() -> None:
    process = subprocess.run(
        [sys.executable, "-c", "from orchestrator_tui.tui.typed_ahead import unseen\nwith unseen(0): print('fine')"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    assert process.stdout == "fine\n"


def test_the_dashboard_s_driver_tells_right_before_it_takes_the_terminal() -> None:
    told: list[str] = []
    driver = driver_of({}, lambda: told.append("taken"))
    assert driver is not None
    assert issubclass(driver, TerminalDriver)
    driver.on_terminal()
    assert told == ["taken"]
