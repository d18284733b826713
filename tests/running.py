"""Runs projects in tests as the program does: composed engine, real CLI, real git, scripted model."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orchestrator_tui.agents.base import AgentRuntime
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import AnswerRequest, CreateProject
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import InputRequest, Project
from orchestrator_tui.domain.statuses import Choice, PipelineStatus
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.run import CRASH

E = TypeVar("E")

FAST: Mapping[str, Any] = {"phases": {"ideation": {"pattern": "single"}, "architecture": {"pattern": "single"}}}
NO_PLANNING: Mapping[str, Any] = {"phases": {"ideation": {"enabled": False}, "architecture": {"enabled": False}}}
RESTING = frozenset({PipelineStatus.COMPLETED, PipelineStatus.FAILED, PipelineStatus.PAUSED, PipelineStatus.STOPPED})


def launch(home: Path, scenario: Path | None, *, autonomy: str = "full", **settings: Any) -> Launch:
    """A start of the program that knows nothing of this machine but PATH."""
    home.mkdir(exist_ok=True)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home)}
    return Launch(
        paths=find_paths(environ),
        environ=environ,
        cwd=home,
        overrides={"autonomy": {"mode": autonomy}, **settings},
        scenario=str(scenario) if scenario else None,
    )


@dataclass
class Watched:
    """An engine, and what one project of it has told so far."""

    engine: EngineClient
    project_id: str = ""
    seen: list[Recorded] = field(default_factory=list)

    async def create(self, *, idea: str = "Small modules", name: str = "demo") -> None:
        self.project_id = await self.engine.submit(CreateProject(idea=idea, name=name, rehearsal=True))

    async def until(self, reached: Callable[[events.Event], bool]) -> events.Event:
        """Wait for an event; everything up to it is in `seen`."""
        after = self.seen[-1].seq if self.seen else 0
        async with self.engine.subscribe(after, project_id=self.project_id) as stream:
            async for live in stream:
                if isinstance(live, Recorded):
                    self.seen.append(live)
                    if reached(live.event):
                        return live.event
        raise AssertionError("the stream of events ended")

    async def until_rest(self) -> PipelineStatus:
        """Wait until the pipeline rests; how. What is told for a process that is gone is no rest."""
        event = await self.until(
            lambda event: (
                isinstance(event, events.PipelineStatusChanged) and event.new in RESTING and event.reason != CRASH
            )
        )
        assert isinstance(event, events.PipelineStatusChanged)
        return event.new

    async def project(self) -> Project:
        return await self.engine.find_project(self.project_id)

    async def request(self) -> InputRequest:
        (request,) = await self.engine.requests(self.project_id)
        return request

    async def answer(self, choice: Choice, text: str | None = None) -> None:
        request = await self.request()
        await self.engine.submit(
            AnswerRequest(request_id=request.id, choice=choice, content_hash=request.content_hash, text=text)
        )

    def all(self, kind: type[E]) -> list[E]:
        """The events of one kind seen so far, in order."""
        return [recorded.event for recorded in self.seen if isinstance(recorded.event, kind)]


@asynccontextmanager
async def watched(
    start: Launch, project_id: str = "", *, runtime: AgentRuntime | None = None
) -> AsyncIterator[Watched]:
    """An engine of this start; `runtime` plays its sessions in place of the CLI."""
    async with open_engine(start, runtime=runtime) as engine:
        yield Watched(engine=engine, project_id=project_id)
