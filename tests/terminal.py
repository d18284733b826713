"""A real terminal for tests: the program in tmux, started as a person would, typed at, and read from the screen."""

import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

ROOT = Path(__file__).parent.parent
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Terminal:
    """One tmux window on a server of its own."""

    socket: Path

    def tmux(self, *arguments: str) -> str:
        """What a tmux command prints."""
        command = ["tmux", "-S", str(self.socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout

    def programs(self) -> list[int]:
        """A descriptor for each process that runs in the window, readable once it has ended."""
        shell = self.tmux("display-message", "-p", "-t", "it", "#{pane_pid}").strip()
        listed = Path(f"/proc/{shell}/task/{shell}/children") if shell else Path("/nowhere")
        if not listed.exists():
            return []
        return [os.pidfd_open(int(child)) for child in listed.read_text().split()]

    def process(self) -> int:
        """The program in the window."""
        shell = self.tmux("display-message", "-p", "-t", "it", "#{pane_pid}").strip()
        (program,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(program)

    def manners(self) -> dict[str, str]:
        """What a program may have changed of the terminal and should put back: screen, cursor, mouse, line editing."""
        flags = ("alternate_on", "cursor_flag", "mouse_any_flag", "pane_tty")
        told = self.tmux("display-message", "-p", "-t", "it", " ".join(f"#{{{flag}}}" for flag in flags)).split(" ")
        line = subprocess.run(["stty", "-a", "-F", told[-1].strip()], capture_output=True, text=True, check=True).stdout
        words = line.replace(";", "").split()
        editing = {name: "off" if f"-{name}" in words else "on" for name in ("icanon", "echo", "isig")}
        return dict(zip(flags[:-1], told[:-1], strict=True)) | editing

    def screen(self) -> str:
        """What is on the screen now."""
        return self.tmux("capture-pane", "-p", "-t", "it")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names, such as `Enter`, `C-q`, `a`."""
        self.tmux("send-keys", "-t", "it", *keys)

    def type(self, text: str) -> None:
        """Text as it is."""
        self.tmux("send-keys", "-t", "it", "-l", "--", text)

    def resize(self, width: int, height: int) -> None:
        """Another size of the window, in cells."""
        self.tmux("resize-window", "-t", "it", "-x", str(width), "-y", str(height))

    def until(self, reached: Callable[[str], object], *, seconds: float = 90) -> str:
        """Look at the screen until something holds; the screen then."""
        end, pause = monotonic() + seconds, Event()
        while not reached(shown := self.screen()):
            if monotonic() > end:
                pytest.fail(f"not within {seconds} s; the screen is:\n{shown}")
            pause.wait(LOOK_SECONDS)
        return shown

    def shows(self, *texts: str, seconds: float = 90) -> str:
        """Wait until all of these are on the screen; the screen then."""
        return self.until(lambda shown: all(text in shown for text in texts), seconds=seconds)


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


@contextmanager
def terminal(home: Path, *arguments: str, width: int = 120, height: int = 40, **environ: str) -> Iterator[Terminal]:
    """The program with these arguments in a terminal, knowing nothing of this machine but PATH; its end ends it."""
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ORCHESTRATOR_HOME": str(home / "o"),
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
        "PYTHONPATH": str(ROOT),
        **environ,
    }
    home.mkdir(parents=True, exist_ok=True)
    command = shlex.join([sys.executable, "-m", "orchestrator_tui", *arguments])
    # The window stays when the program has ended, so that its last words can be read.
    shell = f"cd {shlex.quote(str(home))} && {command}; code=$?; echo; echo ended with $code; exec cat"
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="tmux") as folder:
        window = Terminal(Path(folder) / "s")
        size = ("-x", str(width), "-y", str(height))
        subprocess.run(
            ["tmux", "-S", str(window.socket), "-f", os.devnull, "new-session", "-d", "-s", "it", *size, shell],
            env=given,
            check=True,
            timeout=20,
        )
        try:
            yield window
        finally:
            programs = window.programs()
            window.tmux("kill-server")
            for program in programs:
                ready, _, _ = select.select([program], [], [], 60)
                os.close(program)
                assert ready, "the program goes on without its terminal"
