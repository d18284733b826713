"""Models for tests of the dashboard: what they play can be changed while a project runs, and they can speak."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from orchestrator_tui.agents.base import AgentOutput, AgentSession, Said, SessionRequest, TextDelta
from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.agents.rehearsal.scenario import Scenario, Turn
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import PhaseName
from tests.replay_runtime import ReplaySession, Scripted


@dataclass
class Playing(Scripted):
    """Plays `scenario`, which may be another one for the next session. `prompts` are what sessions were told."""

    scenario: Scenario
    prompts: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        self.prompts.append(request.prompt)
        yield ReplaySession(scenario=self.scenario, request=request)


@dataclass
class Speaking(Playing):
    """Says `words` piece by piece before anything else, and goes on when `go_on` is set."""

    words: Sequence[str] = ()
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    spoke: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        async with super().session(request) as session:
            yield SpeakingSession(session, self)


@dataclass
class SpeakingSession:
    session: AgentSession
    runtime: Speaking

    @property
    def usage(self) -> Usage:
        return self.session.usage

    async def settle(self) -> None:
        await self.session.settle()

    @property
    def cli_session_id(self) -> str | None:
        return self.session.cli_session_id

    async def interrupt(self) -> None:
        await self.session.interrupt()

    async def kill(self) -> None:
        await self.session.kill()

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        for words in self.runtime.words:
            yield TextDelta(text=words)
        self.runtime.spoke()
        await self.runtime.go_on.wait()
        if self.runtime.words:
            yield Said(text="".join(self.runtime.words))
        async for output in self.session.turn(prompt):
            yield output


def without_plan(items: int = 2) -> Scenario:
    """Its planner names work that does not exist, so the task breakdown fails."""
    good = generated_scenario(items)
    item = {
        "ref": "a",
        "title": "Module a",
        "description": "Write it.",
        "acceptance": ["it is there"],
        "depends_on": ["ghost"],
    }
    wrong = Turn(tool="StructuredOutput", input={"items": [item], "complete": True})
    breakdown = PhaseName.TASK_BREAKDOWN
    answers = (replace(one, turns=(wrong,)) if one.phase is breakdown else one for one in good.answers)
    return replace(good, answers=tuple(answers))
