"""The engine's own time per work item over a run of many: real CLI, real git, scripted model.

Own time is what lies between two claims less the session between them: claiming, prompts, git, the store, the
state file, and looking whether the tree is still green. The session (CLI, model, the project's check) is not in it.
The processor time of this process per item holds everything the engine and the SDK do in it, sessions included.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from benchmarks.report import Metric, report
from orchestrator_tui.agents.rehearsal.generate import write_generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus, WorkItemStatus

FLAT = 1.25
"""How much the last items may cost beside the first ones to count as flat."""


@dataclass(kw_only=True, slots=True)
class Item:
    """What one item took; moments from the stored events, processor seconds of this process."""

    claimed: datetime
    processor_at_claim: float
    session_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    own_milliseconds: list[float]
    processor_milliseconds: list[float]
    seconds: float
    done: int


async def measure(items: int, home: Path) -> Measured:
    """Run a generated project of `items` work items to its end."""
    scenario = write_generated_scenario(home / "scenario", items)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home)}
    launch = Launch(
        paths=find_paths(environ),
        environ=environ,
        cwd=home,
        overrides={
            "autonomy": {"mode": "full"},
            "agent": {"max_sessions": items * 3 + 100},
            "phases": {"task_breakdown": {"target_items": items}},
        },
        scenario=str(scenario),
    )
    seen: list[Item] = []
    sessions: dict[str, datetime] = {}
    started = time.monotonic()
    async with open_engine(launch) as engine:
        project_id = await engine.submit(CreateProject(idea=f"{items} modules", name="many", rehearsal=True))
        async with engine.subscribe(0, project_id=project_id) as stream:
            async for live in stream:
                if isinstance(live, Recorded):
                    _take(live, seen, sessions)
                    if _rests(live.event):
                        break
        counts = (await engine.overview(project_id)).items
    pairs = list(pairwise(seen))
    return Measured(
        own_milliseconds=[
            1000 * ((after.claimed - item.claimed).total_seconds() - item.session_seconds) for item, after in pairs
        ],
        processor_milliseconds=[1000 * (after.processor_at_claim - item.processor_at_claim) for item, after in pairs],
        seconds=time.monotonic() - started,
        done=counts.done,
    )


def _take(recorded: Recorded, seen: list[Item], sessions: dict[str, datetime]) -> None:
    match recorded.event:
        case events.WorkItemStatusChanged(new=WorkItemStatus.IN_PROGRESS):
            seen.append(Item(claimed=recorded.at, processor_at_claim=time.process_time()))
        case events.AgentStarted(agent_id=agent_id, phase=PhaseName.IMPLEMENT):
            sessions[agent_id] = recorded.at
        case events.AgentFinished(agent_id=agent_id) if agent_id in sessions and seen:
            seen[-1].session_seconds += (recorded.at - sessions.pop(agent_id)).total_seconds()
        case events.WorkItemStatusChanged(new=WorkItemStatus.DONE) if len(seen) % 20 == 0:
            sys.stderr.write(f"{len(seen)} items\n")


def _rests(event: events.Event) -> bool:
    return isinstance(event, events.PipelineStatusChanged) and event.new is not PipelineStatus.RUNNING


def main() -> int:
    """Measure, print a table, write `benchmarks/results/items.json`; 1 when an item was not done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200)
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory(prefix="items-") as folder:
        measured = asyncio.run(measure(items, Path(folder)))
    part = max(1, min(20, len(measured.own_milliseconds) // 4))

    def flat(values: list[float]) -> Metric:
        first, last = statistics.median(values[:part]), statistics.median(values[-part:])
        return Metric(value=last, baseline=first, target=FLAT, unit="ms")

    report(
        "items",
        {
            f"engine's own time, last {part} items beside first {part}": flat(measured.own_milliseconds),
            f"processor time, last {part} items beside first {part}": flat(measured.processor_milliseconds),
            "engine's own time, median of all": Metric(value=statistics.median(measured.own_milliseconds), unit="ms"),
            "work items done": Metric(value=measured.done, baseline=items, target=1, unit="items", more_is_better=True),
            "whole run": Metric(value=measured.seconds, unit="s"),
        },
    )
    return 0 if measured.done == items else 1


if __name__ == "__main__":
    sys.exit(main())
