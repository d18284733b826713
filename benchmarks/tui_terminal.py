"""A pseudo-terminal with a program in it, seen as a person would: keys go in, and what is painted comes out."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator_tui.__main__ import FRAMES

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, ROWS = 200, 50
CHUNK = 1 << 16
TICKS = os.sysconf("SC_CLK_TCK")


class NotPainted(Exception):
    """What was waited for did not come onto the screen in time."""


class Terminal:
    """Runs `python -m <module> <arguments>` in a terminal of 200×50 that answers no questions and reads everything.

    The program sees none of our environment but `PATH`; `home` is its home and the folder it is started in.
    """

    def __init__(self, home: Path, module: str, arguments: Sequence[str] = ()) -> None:
        self._seen = b""
        self._fd, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=home,
            env=environment(home),
            start_new_session=True,
        )
        os.close(inside)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._fd)

    def press(self, keys: str) -> float:
        """Types `keys`; returns the moment (of `time.perf_counter`) just before."""
        self._seen = b""
        moment = time.perf_counter()
        os.write(self._fd, keys.encode())
        return moment

    def wait_for(self, text: str, seconds: float = 30.0) -> float:
        """Reads until `text` was painted since the last key, in one piece; returns the moment it arrived.

        Raises:
            NotPainted: it was not in time, or the program ended.
        """
        wanted, until = text.encode(), time.perf_counter() + seconds
        at = 0
        while (found := self._seen.find(wanted, at)) < 0:
            at = max(0, len(self._seen) - len(wanted))
            if not self._read(until):
                raise NotPainted(f"{text!r} was not painted; last came {self._seen[-2000:]!r}")
        moment = time.perf_counter()
        self._seen = self._seen[found:]
        return moment

    def watch(self, seconds: float) -> None:
        """Reads whatever is painted for so long."""
        until = time.perf_counter() + seconds
        while self._read(until):
            self._seen = b""

    def wait_for_end(self, seconds: float = 60.0) -> None:
        """Reads until the program has ended by itself.

        Raises:
            NotPainted: it did not end in time, or not well.
        """
        until = time.perf_counter() + seconds
        while self._read(until):
            self._seen = self._seen[-CHUNK:]
        if self._process.wait(max(0.1, until - time.perf_counter())) != 0:
            raise NotPainted(f"the program ended with {self._process.returncode}; last came {self._seen[-2000:]!r}")

    def processor_seconds(self) -> float:
        """What the program has taken of the processor so far, with its threads and the children it waited for."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii", errors="replace")
        fields = stat[stat.rindex(")") + 2 :].split()
        return sum(int(field) for field in fields[11:15]) / TICKS

    def _read(self, until: float) -> bool:
        """Takes what has come, or waits for it; False when time is up or nothing more can come."""
        left = until - time.perf_counter()
        if left <= 0 or not select.select([self._fd], [], [], left)[0]:
            return False
        try:
            data = os.read(self._fd, CHUNK)
        except OSError:
            # Linux's way to say that nobody holds the other end any more.
            return False
        self._seen += data
        return bool(data)


def environment(home: Path) -> dict[str, str]:
    """What a program in the terminal gets to see."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "ORCHESTRATOR_HOME": str(home),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        # As the program sets it for itself.
        "TEXTUAL_FPS": FRAMES,
    }
