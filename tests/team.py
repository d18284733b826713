"""Developers side by side without the CLI: what each writes is told by the test, and so is who waits for whom."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentOutput, AgentSession, CalledTool, SessionRequest, ToolReturned, TurnEnded
from orchestrator_tui.agents.rehearsal.scenario import Scenario, Turn
from orchestrator_tui.domain.records import Usage
from tests.lives import light_scenario
from tests.replay_runtime import ReplaySession, Scripted
from tests.running import NO_PLANNING

Files = Mapping[str, str]
Work = Callable[[str, int, Path], Files]
"""What the developer of an item writes after its prompt of that number, by its `ref`; its folder is the last."""


def beside(parallel: int, **more: Any) -> dict[str, Any]:
    """Settings of so many implementers."""
    phases = {**NO_PLANNING["phases"], "implement": {"parallel": parallel, **more.pop("implement", {})}}
    return {"phases": phases, "agent": {"max_parallel": max(parallel, 3)}, **more}


def scenario_with(items: int, *, check: str | None = None, touches: Mapping[str, list[str]] | None = None) -> Scenario:
    """The light scenario, with another check in its scaffold, or items that say what they touch."""

    def changed(turn: Turn) -> Turn:
        values = dict(turn.input)
        if check is not None and str(values.get("file_path", "")).endswith("/verify.sh"):
            values["content"] = check
        if touches and "items" in values:
            values["items"] = [{**item, "touches": touches.get(item["ref"], [])} for item in values["items"]]
        return replace(turn, input=values)

    scenario = light_scenario(items)
    answers = tuple(replace(one, turns=tuple(map(changed, one.turns))) for one in scenario.answers)
    return replace(scenario, answers=answers)


def module_of(ref: str, number: int = 1, folder: Path = Path()) -> Files:
    """A module and its test, as the generated scenario has them."""
    return {f"{ref}.py": f"{ref}\n", f"test_{ref}.py": f"{ref}\n"}


@dataclass(slots=True)
class Team(Scripted):
    """Plays `scenario`, but for its developers: they do `work`, and each of `meeting` begins when all of it are there.

    `prompts` are what each was told by its `ref`, `most` is how many were at work at the same time, `pairs` are who was
    at work together with whom, and a prompt costs `dollars`.
    """

    scenario: Scenario
    work: Work = module_of
    meeting: frozenset[str] = frozenset()
    prompts: dict[str, list[str]] = field(default_factory=dict)
    started: list[SessionRequest] = field(default_factory=list)
    at_work: set[str] = field(default_factory=set)
    most: int = 0
    pairs: set[frozenset[str]] = field(default_factory=set)
    here: set[str] = field(default_factory=set)
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    dollars: float = 0.0

    async def keeps(self, session_id: str, directory: Path) -> bool:
        return True

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        self.started.append(request)
        made = ReplaySession if request.role != "developer" else TeamSession
        session = made(scenario=self.scenario, request=request)
        if isinstance(session, TeamSession):
            session.team = self
        yield session

    async def arrived(self, ref: str) -> None:
        if ref in self.meeting and not self.complete.is_set():
            self.here.add(ref)
            if self.here == self.meeting:
                self.complete.set()
            await self.complete.wait()


class TeamSession(ReplaySession):
    team: Team

    @property
    def usage(self) -> Usage:
        return Usage(output_tokens=self.prompts, cost_usd=self.team.dollars * self.prompts)

    @property
    def cli_session_id(self) -> str | None:
        return self.request.resume or self.request.agent_id

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        self.prompts += 1
        ref, team = self.request.subject, self.team
        team.prompts.setdefault(ref, []).append(prompt)
        team.pairs |= {frozenset({ref, other}) for other in team.at_work}
        team.at_work.add(ref)
        team.most = max(team.most, len(team.at_work))
        try:
            await team.arrived(ref)
            for number, (name, content) in enumerate(
                team.work(ref, len(team.prompts[ref]), self.request.directory).items()
            ):
                call = f"{self.request.agent_id}-{self.prompts}-{number}"
                arguments = {"file_path": str(self.request.directory / name), "content": content}
                yield CalledTool(call_id=call, tool="Write", arguments=arguments)
                (self.request.directory / name).write_text(content)
                yield ToolReturned(call_id=call, is_error=False, output="written")
        finally:
            team.at_work.discard(ref)
        answer = {"status": "done", "summary": f"Wrote {ref}.", "notes": ""}
        yield TurnEnded(text="", structured=answer, usage=self.usage, cli_session_id=self.cli_session_id)

    async def interrupt(self) -> None:
        """A turn takes no longer than the test wants."""
