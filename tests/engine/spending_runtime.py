"""A runtime without the CLI whose sessions cost something, heed their money, can be interrupted, and go on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_tui.agents.base import AgentOutput, AgentSession, SessionRequest, TurnEnded
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.domain.records import Usage
from tests.replay_runtime import ReplaySession, Scripted

DOLLARS = 1.0
TOKENS = 100
"""What each response costs."""


@dataclass(slots=True)
class SpendingSession(ReplaySession):
    responses: int = 0
    was_interrupted: bool = False

    @property
    def usage(self) -> Usage:
        return Usage(output_tokens=TOKENS * self.responses, cost_usd=DOLLARS * self.responses)

    @property
    def cli_session_id(self) -> str | None:
        return self.request.resume or self.request.agent_id

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        # Named, as a dataclass with slots has no cell for the plain form.
        async for output in ReplaySession.turn(self, prompt):
            if not isinstance(output, TurnEnded):
                self.responses += 1
            elif self.ends_early is None:
                self.responses += 1
                yield TurnEnded(
                    text="", structured=output.structured, usage=self.usage, cli_session_id=self.cli_session_id
                )
                return
            yield output
            if (kind := self.ends_early) is not None:
                yield TurnEnded(
                    text="", structured=None, usage=self.usage, error_kind=kind, cli_session_id=self.cli_session_id
                )
                return

    @property
    def ends_early(self) -> str | None:
        """Why the turn ends before its answer, as the CLI tells it."""
        if self.was_interrupted:
            return "interrupted"
        limit = self.request.max_budget_usd
        return "max_budget" if limit is not None and self.usage.cost_usd >= limit else None

    async def interrupt(self) -> None:
        self.was_interrupted = True

    async def kill(self) -> None:
        """Nothing of it is at work by itself."""


@dataclass(frozen=True, slots=True)
class SpendingRuntime(Scripted):
    scenario: Scenario
    started: list[SessionRequest] = field(default_factory=list)

    async def keeps(self, session_id: str, directory: Path) -> bool:
        return True

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        self.started.append(request)
        yield SpendingSession(scenario=self.scenario, request=request)
