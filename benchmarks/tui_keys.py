"""How long it takes from a key press to its letter on the screen while logs are fed."""

import json
import math
import random
import string
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tui_child import PROMPT
from benchmarks.tui_terminal import Terminal

LINES = 100_000
"""Loaded before the feed begins, in all panes together."""

PATIENCE = 30.0
"""Seconds after which a key counts as never answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What one run told: times in milliseconds, one a key, sorted; shares of 1."""

    times: Sequence[float]
    kept_up: float
    processor: float
    bytes_a_line: float

    def percentile(self, percent: int) -> float:
        """The least time that so many percent of the keys did not exceed (nearest rank)."""
        return self.times[max(0, math.ceil(len(self.times) * percent / 100) - 1)]


def typed(widget: str, panes: int, rate: int, *, keys: int, seconds: float) -> Typed:
    """Presses `keys` keys at irregular moments, fewer when that takes longer than `seconds` (but five at least).

    Raises:
        NotPainted: a key was never answered.
    """
    with tempfile.TemporaryDirectory(prefix="keys-") as folder:
        report = Path(folder) / "report.json"
        arguments = {"widget": widget, "panes": panes, "rate": rate, "lines": LINES, "report": report}
        given = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
        with Terminal(Path(folder), "benchmarks.tui_child", given) as terminal:
            terminal.wait_for(PROMPT, 120)
            times = _press(terminal, keys, seconds)
            terminal.press("\r")
            terminal.wait_for_end()
        return Typed(times=sorted(times), **json.loads(report.read_text(encoding="utf-8")))


def _press(terminal: Terminal, keys: int, seconds: float) -> list[float]:
    chance, until = random.Random(keys), time.perf_counter() + seconds
    text, times = PROMPT, list[float]()
    while len(times) < keys and (len(times) < 5 or time.perf_counter() < until):
        terminal.watch(chance.uniform(0.03, 0.15))
        letter = chance.choice(string.ascii_lowercase)
        text += letter
        pressed = terminal.press(letter)
        times.append(1000 * (terminal.wait_for(text, PATIENCE) - pressed))
    return times
