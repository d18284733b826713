"""Killed between an agent's answer and the commit of its work: the answer counts, and is not asked for again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

from orchestrator_tui.agents.base import AgentSession, SessionRequest
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ResumeProject
from orchestrator_tui.domain.statuses import AgentStatus, PipelineStatus
from tests.crash.moves import Moment, die_at
from tests.lives import light_scenario, lived
from tests.replay_runtime import ReplaySession, Scripted
from tests.running import NO_PLANNING, Watched, launch


@dataclass(frozen=True, slots=True)
class Remembering(Scripted):
    """Plays a scenario, and goes on with a conversation behind its first prompt."""

    scenario: Scenario

    async def keeps(self, session_id: str, directory: Path) -> bool:
        return True

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        yield ReplaySession(scenario=self.scenario, request=request, prompts=int(request.resume is not None))


def killed_after_the_check(home: Path) -> None:
    die_at(Moment("VerifyFinished", {}, nth=2))
    asyncio.run(_begun(home))


async def _begun(home: Path) -> None:
    async with open_engine(launch(home, None, **NO_PLANNING), runtime=Remembering(light_scenario(1))) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()


async def test_an_answer_that_was_given_is_checked_again_and_not_asked_for(tmp_path: Path) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    assert await asyncio.to_thread(lived, killed_after_the_check, home, output=told) == -SIGKILL, told.read_text()
    async with open_engine(launch(home, None, **NO_PLANNING), runtime=Remembering(light_scenario(1))) as engine:
        (project,) = await engine.projects()
        run = Watched(engine=engine, project_id=project.id)
        await engine.submit(ResumeProject(project_id=project.id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        cut, resumed = [one for one in await engine.sessions(project.id) if one.role == "developer"]
        assert (cut.status, resumed.status) == (AgentStatus.INTERRUPTED, AgentStatus.COMPLETED)
        assert resumed.answer == cut.answer is not None
        assert [event for event in run.all(events.AgentPrompted) if event.agent_id == resumed.id] == []
        assert [event.message for event in run.all(events.CommitMade)].count("TASK-1: Module item00001") == 1
