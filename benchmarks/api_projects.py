"""Many projects in rehearsal at once, each to its end, in a process of its own: what the engine takes for them.

Run with `python -m benchmarks.api_projects HOME PROJECTS ITEMS`; it writes one JSON line.
"""

import asyncio
import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.api_child import launch
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.events import PipelineStatusChanged, Recorded
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime

ENDS = (PipelineStatus.COMPLETED, PipelineStatus.FAILED)


async def run(home: Path, projects: int, items: int) -> dict[str, float]:
    """Wall and processor seconds from the first command to the last project's end, and how many were completed."""
    start = replace(launch(home), overrides={"autonomy": {"mode": "full"}, "agent": {"max_parallel": 20}})
    began, processor = time.monotonic(), time.process_time()
    completed = ended = 0
    async with (
        open_engine(start, runtime=ReplayRuntime(light_scenario(items))) as engine,
        engine.subscribe(0) as stream,
    ):
        for number in range(projects):
            await engine.submit(CreateProject(idea="Small modules", name=f"small {number}", rehearsal=True))
        while ended < projects:
            live = await anext(stream)
            if isinstance(live, Recorded) and isinstance(live.event, PipelineStatusChanged) and live.event.new in ENDS:
                ended += 1
                completed += live.event.new is PipelineStatus.COMPLETED
        seconds, processor = time.monotonic() - began, time.process_time() - processor
    return {
        "seconds": seconds,
        "processor": processor,
        "completed": completed,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    home, projects, items = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(run(Path(home), int(projects), int(items)))) + "\n")
