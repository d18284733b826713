"""Workers of a cluster in tests: several in one process, each under the name of a host of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentRuntime
from orchestrator_tui.compose import Service, open_service
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.worker import Worker
from tests.running import NO_PLANNING, Watched, launch

QUICK: dict[str, Any] = {"enabled": True, "heartbeat_seconds": 0.3, "stall_seconds": 60}
"""On a busy machine nobody counts as gone."""


def part_of_cluster(
    home: Path, url: str, *, autonomy: str = "full", remote: Path | None = None, **cluster: Any
) -> Launch:
    """A start that shares the database at `url`, and the folders in `home`; or with a `remote` nothing but what is in
    the folder of this name."""
    shared = {} if remote is None else {"workspace": {"sync": "git", "remote": str(remote)}}
    start = launch(home, None, autonomy=autonomy, cluster={**QUICK, **cluster}, **NO_PLANNING, **shared)
    return replace(start, environ={**start.environ, "DATABASE_URL": url})


@dataclass
class Working:
    """A worker at work; `ended` ends it in order, `hurry` without waiting for agents."""

    worker: Worker
    service: Service
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def process(self) -> str:
        return self.worker.record.process


@asynccontextmanager
async def working(
    start: Launch, runtime: AgentRuntime, host: str, *, concurrency: int | None = None
) -> AsyncIterator[Working]:
    """A worker on a host of that name, which ends in order on leaving."""
    async with open_service(start, runtime=runtime, wakes=True) as service:
        service.engine._runs._taking_up.owner = f"process 7 on {host} since 1"
        assert service.worker is not None
        one = Working(service.worker(concurrency), service)
        task = asyncio.create_task(one.worker.run(one.ended, one.hurry), name=host)
        try:
            yield one
        finally:
            one.ended.set()
            await task


async def until_completed(run: Watched) -> None:
    await run.until(
        lambda event: isinstance(event, events.PipelineStatusChanged) and event.new is PipelineStatus.COMPLETED
    )
