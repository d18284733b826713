"""Several implementers in one project: how long 60 items take, beside the best that is possible.

The model is scripted and takes its time for each item; that time and the dependencies alone make the best possible one.
What is taken more is ours: sessions that start, checks that run, the merge queue, and implementers that have nothing to
do because of what was begun before: nobody knows beforehand how long an item will take.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from benchmarks.report import Metric, report
from orchestrator_tui.agents.base import AgentOutput, AgentRuntime, AgentSession, SessionRequest
from orchestrator_tui.agents.rehearsal.generate import dependencies, generated_scenario, write_generated_scenario
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.agents.rehearsal.schema import StallFault
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus, PipelineStatus
from tests.replay_runtime import ReplaySession, Scripted

TARGET, TARGET_AT = 0.8, 4
SPREAD = 0.5
"""Of the logarithm of the seconds: most items take half to twice as long as the middle one."""


@dataclass(frozen=True, slots=True)
class Run:
    """`seconds` of the implement phase, and the hash of the files it left."""

    seconds: float
    tree: str


class ThinkingSession(ReplaySession):
    """Takes as long as the scenario says that its model thinks."""

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        turns = self.scenario.turns(self.request, self.prompts + 1) or ()
        faults = [fault for turn in turns for fault in turn.faults if isinstance(fault, StallFault)]
        await asyncio.sleep(sum(fault.seconds for fault in faults))
        async for output in super().turn(prompt):
            yield output


@dataclass(frozen=True, slots=True)
class ThinkingRuntime(Scripted):
    scenario: Scenario

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        yield ThinkingSession(scenario=self.scenario, request=request)


PRECISION = 0.05
"""Of the best possible time, in seconds."""


def best(thinking: Sequence[float], implementers: int) -> float:
    """Seconds that so many implementers need at the least, to whom it is known how long each item takes.

    That is the longest path through the dependencies, or all work shared without a gap, and usually longer than both:
    at first and at last there is not enough that could be done side by side. The bound of Fernández and Bussell (1973)
    counts that: whatever the order, so much of the work falls into an interval, and no more than all can do in it may.
    """
    begins, after = _earliest(thinking), _left_after(thinking)
    path = max(map(sum, zip(begins, thinking, strict=True)))
    low, high = max(path, sum(thinking) / implementers), sum(thinking)
    while high - low > PRECISION:
        middle = (low + high) / 2
        if _may_do(thinking, begins, [middle - one for one in after], implementers):
            high = middle
        else:
            low = middle
    return high


def _earliest(thinking: Sequence[float]) -> list[float]:
    """When each item can begin at the earliest."""
    begins: list[float] = []
    for number, _ in enumerate(thinking, 1):
        begins.append(max((begins[one - 1] + thinking[one - 1] for one in dependencies(number)), default=0.0))
    return begins


def _left_after(thinking: Sequence[float]) -> list[float]:
    """How long it takes at least from the end of each item to the end of all that waits for it."""
    left = [0.0] * len(thinking)
    for number in range(len(thinking), 0, -1):
        for earlier in dependencies(number):
            left[earlier - 1] = max(left[earlier - 1], thinking[number - 1] + left[number - 1])
    return left


def _may_do(thinking: Sequence[float], begins: Sequence[float], ends: Sequence[float], implementers: int) -> bool:
    """Whether in no interval there is more to do than they can, when items begin and end not before and after these."""
    items = list(zip(thinking, begins, ends, strict=True))
    moments = sorted({*begins, *ends, *(b + t for t, b, _ in items), *(e - t for t, _, e in items)})
    return not any(
        sum(min(_shared(b, b + t, start, end), _shared(e - t, e, start, end)) for t, b, e in items)
        > implementers * (end - start) + PRECISION / 10
        for at, start in enumerate(moments)
        for end in moments[at + 1 :]
    )


def _shared(one: float, one_end: float, other: float, other_end: float) -> float:
    return max(0.0, min(one_end, other_end) - max(one, other))


def times(items: int, seconds: float) -> list[float]:
    """How long the model takes for each item, `seconds` in the middle; the same in every run."""
    source = random.Random(7)
    return [round(seconds * source.lognormvariate(0, SPREAD), 2) for _ in range(items)]


async def measure(home: Path, thinking: Sequence[float], implementers: int, *, cli: bool) -> Run:
    """Build the project with so many implementers."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home)}
    scenario = write_generated_scenario(home / "scenario", len(thinking), thinking)
    launch = Launch(
        paths=find_paths(environ),
        environ=environ,
        cwd=home,
        overrides={
            "autonomy": {"mode": "full"},
            "agent": {"max_parallel": max(3, implementers)},
            "phases": {
                "ideation": {"enabled": False},
                "architecture": {"enabled": False},
                "task_breakdown": {"target_items": len(thinking)},
                "implement": {"parallel": implementers},
            },
        },
        scenario=str(scenario),
    )
    runtime: AgentRuntime | None = None if cli else ThinkingRuntime(generated_scenario(len(thinking), thinking))
    began: datetime | None = None
    seconds = 0.0
    async with open_engine(launch, runtime=runtime) as engine:
        project_id = await engine.submit(CreateProject(idea="Small modules", name="parallel", rehearsal=True))
        async with engine.subscribe(0, project_id=project_id) as stream:
            async for live in stream:
                match live:
                    case Recorded(event=events.PhaseStatusChanged(phase=PhaseName.IMPLEMENT, new=new), at=at):
                        began = at if new is PhaseStatus.RUNNING else began
                        if new is PhaseStatus.AWAITING_APPROVAL and began is not None:
                            seconds = (at - began).total_seconds()
                    case Recorded(event=events.PipelineStatusChanged(new=PipelineStatus.COMPLETED)):
                        break
                    case Recorded(event=events.PipelineStatusChanged(new=PipelineStatus.FAILED, reason=reason)):
                        raise SystemExit(f"the run failed: {reason}")
        folder = (await engine.find_project(project_id)).directory
    shown = await asyncio.to_thread(_tree, folder)
    return Run(seconds, shown)


def _tree(folder: str) -> str:
    command = ["git", "rev-parse", "main^{tree}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=8.0, help="what the model takes for an item in the middle")
    parser.add_argument("--implementers", type=int, action="append", help="1, 2, 4 and 8 when not given")
    parser.add_argument("--without-cli", action="store_true", help="sessions without the CLI: all else as it is")
    given = parser.parse_args()
    thinking = times(given.items, given.seconds)
    metrics: dict[str, Metric] = {}
    trees: dict[int, str] = {}
    for implementers in given.implementers or (1, 2, 4, 8):
        with tempfile.TemporaryDirectory(prefix="parallel-") as folder:
            run = asyncio.run(measure(Path(folder) / "home", thinking, implementers, cli=not given.without_cli))
        trees[implementers] = run.tree
        taken = Metric(value=best(thinking, implementers), baseline=run.seconds, unit="s at best / s taken")
        if implementers == TARGET_AT:
            taken = replace(taken, target=TARGET, more_is_better=True)
        metrics[f"{implementers} implementers, {given.items} items"] = taken
        sys.stdout.write(f"{implementers}: {run.seconds:.1f} s, tree {run.tree[:12]}\n")
        sys.stdout.flush()
    report("parallel", metrics)
    if len(set(trees.values())) > 1:
        sys.stdout.write(f"The final files differ: {trees}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
