"""An agent runtime without the CLI: a scenario's turns, played on the project's files by the replay's own tools."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_tui.agents.base import AgentOutput, AgentSession, CalledTool, SessionRequest, ToolReturned, TurnEnded
from orchestrator_tui.agents.rehearsal.scenario import STRUCTURED_TOOL, Scenario, load_scenario
from orchestrator_tui.domain.errors import AgentFailed
from orchestrator_tui.domain.records import Usage
from tests.rehearsal.replay import Session


@dataclass(slots=True)
class ReplaySession:
    scenario: Scenario
    request: SessionRequest
    prompts: int = 0
    tools: Session | None = None

    @property
    def usage(self) -> Usage:
        return Usage(input_tokens=10 * self.prompts, output_tokens=self.prompts)

    @property
    def cli_session_id(self) -> str | None:
        return None

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        self.prompts += 1
        tools = self.tools = self.tools or Session(self.request.directory)
        turns = self.scenario.turns(self.request, self.prompts)
        assert turns is not None
        for number, turn in enumerate(turns):
            if turn.tool in (None, STRUCTURED_TOOL):
                continue
            call_id = f"{self.prompts}-{number}"
            yield CalledTool(call_id=call_id, tool=str(turn.tool), arguments=turn.input)
            await self.request.lease_holds()
            (effect,), _ = tools.play([turn])
            yield ToolReturned(call_id=call_id, is_error=effect.exit_code != 0, output=effect.output)
        yield TurnEnded(text="", structured=turns[-1].input, usage=self.usage)

    async def settle(self) -> None:
        """Each tool call is over before anybody else gets a turn."""

    async def interrupt(self) -> None:
        raise AssertionError("nothing here takes long enough to be interrupted")

    async def kill(self) -> None:
        """Nothing of it is at work by itself."""


class Scripted:
    """What all runtimes without a model have in common: they play, and remember no conversation."""

    @property
    def scripted(self) -> bool:
        return True

    @property
    def account(self) -> str:
        return ""

    async def keeps(self, session_id: str, directory: Path) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class ReplayRuntime(Scripted):
    scenario: Scenario
    started: list[SessionRequest] = field(default_factory=list)

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        if request.resume is not None:
            raise AgentFailed("Nothing is kept of a conversation here.", kind="resume")
        self.started.append(request)
        yield ReplaySession(scenario=self.scenario, request=request)


def replaying(scenario: Path) -> ReplayRuntime:
    """Plays a scenario's file."""
    return ReplayRuntime(load_scenario(scenario))
