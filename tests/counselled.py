"""An agent runtime without the CLI whose agents turn to their counsel, hear words, and go on with conversations."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.base import (
    AgentOutput,
    AgentSession,
    CalledTool,
    Counsel,
    PermissionAsk,
    Said,
    SessionRequest,
    ToolReturned,
    TurnEnded,
)
from orchestrator_tui.agents.rehearsal.scenario import STRUCTURED_TOOL, Scenario, Turn, scenario_from
from orchestrator_tui.domain.errors import ToolRefused
from orchestrator_tui.domain.records import Usage
from tests.lives import light_scenario
from tests.rehearsal.replay import Session
from tests.replay_runtime import Scripted
from tests.scenarios import answer, structured, write

LISTEN, GATE, ASK = "listen", "gate", "curl "
"""Commands: wait until a person says something; wait until it is interrupted; what begins so is left to a person."""
COMMAND = f"{ASK}https://example.org"
DONE = structured(status="done", summary="Done.", notes="")


def scenario(*turns: Mapping[str, Any], items: int = 2) -> Scenario:
    """The light one; its first developer plays `turns`, writes a file and is done."""
    return scenario_of({"item00001": turns}, items=items)


def scenario_of(turns: Mapping[str, Sequence[Mapping[str, Any]]], *, items: int) -> Scenario:
    """The light one; the first developer of each of these items plays its turns, writes a file and is done."""
    answers = [
        answer("implement", "developer", *own, write(f"{item}.txt", "more"), DONE, subject=item, attempt=1)
        for item, own in turns.items()
    ]
    usage = {"input_tokens": 10, "output_tokens": 1}
    tables = {"name": "t", "title": "t", "idea": "i", "project_name": "p", "usage": usage, "answers": answers}
    first = scenario_from(tables, folder=Path(), source="test")
    light = light_scenario(items)
    return replace(light, answers=(*first.answers, *light.answers))


def own(name: str, **arguments: Any) -> Mapping[str, Any]:
    """A turn that calls a tool of the program's own."""
    return {"tool": f"mcp__{gate.COUNSEL_SERVER}__{name}", "input": arguments}


@dataclass
class Conversation:
    """What is kept of one: the prompt it is at, and the turn of that prompt that comes next."""

    prompt: int = 0
    turn: int | None = None


@dataclass
class Heard:
    """What all agents of a runtime were told, and what their tools returned; in order."""

    prompts: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


@dataclass
class CounselledSession:
    scenario: Scenario
    request: SessionRequest
    conversation: Conversation
    heard: Heard
    tools: Session
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def usage(self) -> Usage:
        return Usage(input_tokens=10, output_tokens=1)

    @property
    def cli_session_id(self) -> str | None:
        return self.request.resume or self.request.agent_id

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        self.heard.prompts.append(prompt)
        self.interrupted.clear()
        at = self.conversation
        if at.turn is None:
            at.prompt, at.turn = at.prompt + 1, 0
        yield Said(text="I go on.")
        turns = self.scenario.turns(self.request, at.prompt)
        while True:
            turn = turns[at.turn]
            call_id = f"{self.request.agent_id}-{at.prompt}-{at.turn}-{len(self.heard.results)}"
            if turn.tool is not None:
                yield CalledTool(call_id=call_id, tool=turn.tool, arguments=turn.input)
                calling = asyncio.create_task(self._call(turn, call_id))
                cut = asyncio.create_task(self.interrupted.wait())
                try:
                    await asyncio.wait({calling, cut}, return_when=asyncio.FIRST_COMPLETED)
                    if not calling.done():
                        calling.cancel()
                        await asyncio.gather(calling, return_exceptions=True)
                        yield TurnEnded(text="", structured=None, usage=self.usage, error_kind="interrupted")
                        return
                    output = calling.result()
                finally:
                    calling.cancel()
                    cut.cancel()
                yield ToolReturned(call_id=call_id, is_error=output.startswith("denied"), output=output)
                self.heard.results.append(output)
                if turn.tool == STRUCTURED_TOOL and output:
                    # It is told something in place of having its answer taken, and gives it once more.
                    yield Said(text="I answer again.")
                    continue
            if at.turn == len(turns) - 1:
                at.turn = None
                yield TurnEnded(text="", structured=turn.input, usage=self.usage)
                return
            at.turn += 1

    async def _call(self, turn: Turn, call_id: str) -> str:
        counsel = self.request.counsel
        assert counsel is not None
        command = str(turn.input.get("command", ""))
        if turn.tool == STRUCTURED_TOOL:
            return self._words(counsel, call_id)
        if command.startswith(ASK):
            decision = await counsel.permit(PermissionAsk(command=command, reason="It is outside.", pattern=command))
            return "ran" if decision.allowed else f"denied: {decision.reason}"
        if command == GATE:
            await asyncio.Event().wait()
        if command == LISTEN:
            while not self._words(counsel, call_id):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return "heard"
        self._words(counsel, call_id)
        name = str(turn.tool).rpartition("__")[2]
        try:
            match name:
                case "ask_user":
                    return await counsel.ask_user(turn.input["question"], turn.input.get("choices", ()))
                case "read_work_item":
                    return await counsel.read_work_item(turn.input["key"])
                case "comment_on_work_item":
                    return await counsel.comment_on_work_item(turn.input["key"], turn.input["text"])
                case "report_progress":
                    return await counsel.report_progress(turn.input["text"])
        except ToolRefused as error:
            return error.line()
        (effect,), _ = self.tools.play([turn])
        return effect.output

    def _words(self, counsel: Counsel, call_id: str) -> str:
        if said := counsel.next_words(call_id):
            self.heard.words.append(said)
        return said

    async def settle(self) -> None:
        """What waits for a person changes nothing, and everything else here is over at once."""

    async def interrupt(self) -> None:
        self.interrupted.set()

    async def kill(self) -> None:
        """Nothing of it is at work by itself."""


@dataclass(frozen=True)
class CounselledRuntime(Scripted):
    """Conversations are kept as long as the runtime, as a database would keep them."""

    scenario: Scenario
    heard: Heard = field(default_factory=Heard)
    conversations: dict[str, Conversation] = field(default_factory=lambda: defaultdict(Conversation))

    async def keeps(self, session_id: str, directory: Path) -> bool:
        return session_id in self.conversations

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        conversation = self.conversations[request.resume or request.agent_id]
        tools = Session(request.directory)
        yield CounselledSession(self.scenario, request, conversation, self.heard, tools)
