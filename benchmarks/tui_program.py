"""The whole program in a terminal, started as a person would: how soon it shows something, what it takes when idle."""

import asyncio
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import tui_bare
from benchmarks.report import Metric
from benchmarks.tui_seed import seed_projects, seed_quiet_agents
from benchmarks.tui_terminal import Terminal

PROGRAM = "orchestrator_tui"
NAME = "orchestrator"
"""The first thing the dashboard paints."""

OPENINGS = 7
AGENTS = 3
SETTLING_SECONDS = 5.0
IDLE_SECONDS = 10.0
MANY, FEW = 10_000, 10


def first_paint() -> Metric:
    """From starting the process to the first words on the screen, beside a bare Textual app's."""
    with tempfile.TemporaryDirectory(prefix="paint-") as folder:
        ours, bare = alternating(
            lambda: _seconds_until(Path(folder), PROGRAM, NAME),
            lambda: _seconds_until(Path(folder), "benchmarks.tui_bare", tui_bare.TEXT),
        )
    return Metric(value=1000 * ours, baseline=1000 * bare, target=1.6, unit="ms")


def many_projects() -> Metric:
    """From starting the process to the newest project's name, with many projects beside few."""
    with tempfile.TemporaryDirectory(prefix="many-") as many, tempfile.TemporaryDirectory(prefix="few-") as few:
        newest_of_many, newest_of_few = asyncio.run(_seed(Path(many), Path(few)))
        of_many, of_few = alternating(
            lambda: _seconds_until(Path(many), PROGRAM, newest_of_many),
            lambda: _seconds_until(Path(few), PROGRAM, newest_of_few),
        )
    return Metric(value=1000 * of_many, baseline=1000 * of_few, target=1.2, unit="ms")


async def _seed(many: Path, few: Path) -> tuple[str, str]:
    return await seed_projects(many, MANY), await seed_projects(few, FEW)


def idle() -> Metric:
    """Share of one processor that the dashboard takes while agents are at work and say nothing."""
    with tempfile.TemporaryDirectory(prefix="idle-") as folder:
        name = asyncio.run(seed_quiet_agents(Path(folder), AGENTS))
        with Terminal(Path(folder), PROGRAM) as terminal:
            terminal.wait_for(name)
            terminal.wait_for(f"agent-{AGENTS}")
            terminal.watch(SETTLING_SECONDS)
            before = terminal.processor_seconds()
            terminal.watch(IDLE_SECONDS)
            share = (terminal.processor_seconds() - before) / IDLE_SECONDS
    return Metric(value=100 * share, target=2, unit="%")


def alternating(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float]:
    """Medians of both over runs in turn, each as often the first of its pair, after one of each to warm up."""
    first(), second()
    times: dict[Callable[[], float], list[float]] = {first: [], second: []}
    for round in range(OPENINGS):
        for measured in (first, second) if round % 2 else (second, first):
            times[measured].append(measured())
    return statistics.median(times[first]), statistics.median(times[second])


def _seconds_until(home: Path, module: str, text: str) -> float:
    with Terminal(home, module) as terminal:
        return terminal.wait_for(text) - terminal.started
