"""A whole run with its items in Linear, and how many requests that took."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentSession, SessionRequest
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.settings import LinearSettings
from orchestrator_tui.domain.records import ItemCounts
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.engine.client import EngineClient
from tests.backends.linear.fake import KEY, FakeLinear
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched, launch

HOUR = 3_600.0
LOOKS = round(HOUR / LinearSettings().poll_seconds)
"""How often people's changes are looked for in an hour in which nothing else happens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What a run was, and took.

    Attributes:
        making: requests until Linear had all issues, their labels, parents and relations.
        requests: in all. busiest_hour: the most of them in one hour. refused: as too many. points: of complexity.
    """

    status: PipelineStatus
    items: ItemCounts
    issues: int
    completed: int
    making: int
    requests: int
    busiest_hour: int
    refused: int
    points: int
    seconds: float

    @property
    def each(self) -> float:
        """Requests for one item, from its claim to its end."""
        return (self.requests - self.making) / max(1, self.items.total)


@dataclass(frozen=True, slots=True)
class Slow(ReplayRuntime):
    """Its developers begin once Linear knows of all that was before: as if each was at work for minutes, so that
    nothing of one item goes with the next one's requests."""

    fake: FakeLinear = field(default_factory=FakeLinear)
    engines: list[EngineClient] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    """Requests so far, when each of them began."""

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        if request.phase is PhaseName.IMPLEMENT:
            done = (await self.engines[0].overview(request.project_id)).items.done
            world = self.fake.world
            await self.fake.until(lambda: world.count("completed") == done and world.count("started") == 1)
            self.made.append(len(self.fake.asked))
        async with ReplayRuntime.session(self, request) as session:
            yield session


async def counted_run(
    home: Path, fake: FakeLinear, items: int, *, poll_seconds: float = LinearSettings().poll_seconds, **settings: Any
) -> Counted:
    """Run a rehearsal of `items` work items, from the idea to the end, as fast as this machine can."""
    phases = {**settings.pop("phases", {}), "task_breakdown": {"target_items": items}}
    given: dict[str, Any] = {
        "agent": {"max_sessions": 3 * items + 100},
        "backend": {"type": "linear", "linear": {"api_url": fake.url, "poll_seconds": poll_seconds}},
        "phases": phases,
        **settings,
    }
    start = launch(home, None, **given)
    start = replace(start, environ={**start.environ, "LINEAR_API_KEY": KEY})
    played = Slow(light_scenario(items), fake=fake)
    began = time.monotonic()
    async with open_engine(start, runtime=played) as engine:
        played.engines.append(engine)
        run = Watched(engine=engine)
        await run.create(idea=f"{items} modules", name="many")
        status = await run.until_rest()
        counts = (await engine.overview(run.project_id)).items
    return Counted(
        status=status,
        items=counts,
        issues=len(fake.world.issues),
        completed=fake.world.count("completed"),
        making=played.made[0] if played.made else len(fake.asked),
        requests=len(fake.asked),
        busiest_hour=max(sum(0 <= other - moment < HOUR for other in fake.moments) for moment in fake.moments),
        refused=fake.refused,
        points=fake.used,
        seconds=time.monotonic() - began,
    )
