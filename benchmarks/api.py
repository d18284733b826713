"""The REST API beside a bare FastAPI handler that sends the same statements to the driver; events; many projects.

Run with `python -m benchmarks.api`. Everything beside a baseline is measured in turns, in the same run.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.api_child import PAUSE_SECONDS, launch
from benchmarks.api_load import Load, ask, listen_to, percentile
from benchmarks.report import Metric, report
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain.clock import new_id

TARGET = 0.8
CONNECTIONS = 16
ROUNDS = 5
PATHS = {"GET /projects": "/projects?limit=100", "GET /projects/{id}": "/projects/1"}


@dataclass(frozen=True)
class Child:
    """A server in a process of its own."""

    process: "subprocess.Popen[str]"
    origin: str
    headers: Mapping[str, str]

    def tick(self, count: int) -> None:
        """Have it commit so many events."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()

    def committed(self, count: int) -> dict[int, float]:
        """When they were committed, on the monotonic clock. Blocks until they are."""
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline().split() for _ in range(count)]
        return {int(number): float(moment) for _, number, moment in lines}


@contextmanager
def child(kind: str, home: Path) -> Iterator[Child]:
    arguments = [sys.executable, "-m", "benchmarks.api_child", kind, str(home)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield Child(process, told["origin"], {"Authorization": f"Bearer {told['token']}"})
        finally:
            process.kill()


async def seed(home: Path, projects: int) -> None:
    """Projects that rest."""
    async with open_engine(launch(home)) as engine:
        for first in range(0, projects, 500):
            async with engine._store.transaction() as unit:
                for number in range(first, min(first + 500, projects)):
                    await unit.create_project(
                        project_id=new_id(),
                        name=f"Project {number}",
                        slug=f"project-{number}",
                        description="A checker for links in Markdown files. " * 4,
                        directory=f"/work/project-{number}",
                        rehearsal=True,
                        config={"settings": {"autonomy": {"mode": "full"}}},
                    )


def requests(home: Path, projects: int, seconds: float) -> Iterator[tuple[str, Metric]]:
    """Requests a second and p99 of both paths, with so many projects; medians over rounds in turns."""
    asyncio.run(seed(home, projects))
    with child("ours", home) as ours, child("bare", home) as bare:
        for (title, path), at_work in product(PATHS.items(), (False, True)):
            rounds: dict[str, list[Load]] = {"ours": [], "bare": []}
            for _ in range(ROUNDS + 1):
                for name, one in (("ours", ours), ("bare", bare)):
                    rounds[name].append(_asked(one, path, seconds, round(seconds / PAUSE_SECONDS) if at_work else 0))

            def median(name: str, of: Callable[[Load], float], rounds: dict[str, list[Load]] = rounds) -> float:
                # The first round warms up.
                return statistics.median(of(one) for one in rounds[name][1:])

            def rate(load: Load) -> float:
                return load.rate

            def p99(load: Load) -> float:
                return load.percentile(99)

            named = f"{title}, {projects:,} projects{', 20 events a second' if at_work else ''}"
            yield (
                f"{named}: answered",
                Metric(
                    value=median("ours", rate),
                    baseline=median("bare", rate),
                    target=TARGET,
                    unit="requests/s",
                    more_is_better=True,
                ),
            )
            yield f"{named}: p99", Metric(value=median("ours", p99), baseline=median("bare", p99), unit="ms")


def _asked(one: Child, path: str, seconds: float, events: int) -> Load:
    """What came of asking for so long while so many events are committed (the bare one only says so)."""
    one.tick(events)
    load = asyncio.run(ask(one.origin, path, one.headers, connections=CONNECTIONS, seconds=seconds))
    one.committed(events)
    return load


def delivery(home: Path, streams: int, events: int) -> Iterator[tuple[str, Metric]]:
    """From the commit of an event to its arrival at so many streams; the baseline hands frames to queues."""
    found = {}
    for kind in ("ours", "bare"):
        with child(kind, home) as one:
            found[kind] = asyncio.run(_delivered(one, streams, events))
    for percent in (50, 99):
        value, baseline = (percentile(found[kind], percent) * 1_000 for kind in ("ours", "bare"))
        yield f"commit to {streams} streams, p{percent}", Metric(value=value, baseline=baseline, unit="ms")


async def _delivered(one: Child, streams: int, events: int) -> list[float]:
    listening = asyncio.create_task(listen_to(one.origin, one.headers, streams=streams, events=events, tick=one.tick))
    committed = await asyncio.to_thread(one.committed, events)
    arrived = await listening
    return [moment - committed[number] for number, moments in arrived.items() for moment in moments]


def at_once(folder: Path, projects: int, items: int) -> Iterator[tuple[str, Metric]]:
    """What the engine takes for so many projects in rehearsal at once, beside one alone."""
    alone, many = (_rehearsed(folder / f"of-{count}", count, items) for count in (1, projects))
    per_project = many["processor"] / projects
    title = f"{projects} projects in rehearsal at once"
    yield (
        f"{title}: processor for each, beside one alone",
        Metric(value=per_project, baseline=alone["processor"], target=1.0, unit="s"),
    )
    yield f"{title}: memory, beside one alone", Metric(value=many["megabytes"], baseline=alone["megabytes"], unit="MB")
    yield (
        f"{title}: completed",
        Metric(value=many["completed"], baseline=projects, target=1.0, unit="projects", more_is_better=True),
    )
    yield f"{title}: whole run", Metric(value=many["seconds"], unit="s")


def _rehearsed(home: Path, projects: int, items: int) -> dict[str, float]:
    arguments = [sys.executable, "-m", "benchmarks.api_projects", str(home), str(projects), str(items)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def main() -> None:
    """Measure everything, print a table, write `benchmarks/results/api.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, nargs="*", default=[10, 10_000], help="projects in the database")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of asking in each round")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=50, help="projects in rehearsal at once")
    parser.add_argument("--items", type=int, default=3, help="work items of each of them")
    wanted = parser.parse_args()
    metrics: dict[str, Metric] = {}
    with tempfile.TemporaryDirectory(prefix="api-") as name:
        folder = Path(name)
        for projects in wanted.projects:
            metrics.update(requests(folder / f"with-{projects}", projects, wanted.seconds))
        metrics.update(delivery(folder / f"with-{wanted.projects[0]}", wanted.streams, wanted.events))
        metrics.update(at_once(folder, wanted.at_once, wanted.items))
    report("api", metrics)


if __name__ == "__main__":
    main()
