"""Killed between an agent's answer and the commit of its work: the answer counts, and is not asked for again, unless it
was refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGKILL

from orchestrator_tui.agents.base import AgentSession, SessionRequest
from orchestrator_tui.agents.rehearsal.scenario import Answer, Scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ResumeProject
from orchestrator_tui.domain.records import SessionLog
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


def killed_when_it_goes_on(home: Path) -> None:
    die_at(Moment("AgentStarted", {"role": "developer"}))
    asyncio.run(_gone_on(home))


def killed_before_the_red_check_is_stored(home: Path) -> None:
    die_at(Moment("AttemptFailed", {}, before_commit=True))
    asyncio.run(_begun(home, red_at_first()))


async def _begun(home: Path, scenario: Scenario | None = None) -> None:
    runtime = Remembering(scenario or light_scenario(1))
    async with open_engine(launch(home, None, **NO_PLANNING), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()


async def _gone_on(home: Path) -> None:
    async with resumed(home) as run:
        await run.until_rest()


@asynccontextmanager
async def resumed(home: Path, scenario: Scenario | None = None) -> AsyncIterator[Watched]:
    """The project of a life that was ended, gone on with."""
    runtime = Remembering(scenario or light_scenario(1))
    async with open_engine(launch(home, None, **NO_PLANNING), runtime=runtime) as engine:
        (project,) = await engine.projects()
        await engine.submit(ResumeProject(project_id=project.id))
        yield Watched(engine=engine, project_id=project.id)


async def completed(run: Watched) -> list[SessionLog]:
    """The developer's sessions, once the project is finished."""
    assert await run.until_rest() is PipelineStatus.COMPLETED
    return [one for one in await run.engine.sessions(run.project_id) if one.role == "developer"]


def prompts_of(run: Watched, session: SessionLog) -> list[str]:
    return [event.kind for event in run.all(events.AgentPrompted) if event.agent_id == session.id]


def red_at_first() -> Scenario:
    """The developer forgets the module's test until the check is red."""
    scenario = light_scenario(1)

    def versions(answer: Answer) -> tuple[Answer, ...]:
        if answer.role != "developer":
            return (answer,)
        forgetful = tuple(turn for turn in answer.turns if "/test_" not in str(turn.input.get("file_path", "")))
        assert len(forgetful) < len(answer.turns)
        return replace(answer, turns=forgetful, attempt=1), replace(answer, attempt=2)

    return replace(scenario, answers=tuple(one for answer in scenario.answers for one in versions(answer)))


async def test_an_answer_that_was_given_is_checked_again_and_not_asked_for(tmp_path: Path) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    assert await asyncio.to_thread(lived, killed_after_the_check, home, output=told) == -SIGKILL, told.read_text()
    async with resumed(home) as run:
        cut, last = await completed(run)
        assert (cut.status, last.status) == (AgentStatus.INTERRUPTED, AgentStatus.COMPLETED)
        assert last.answer == cut.answer is not None
        assert prompts_of(run, last) == []
        assert [event.message for event in run.all(events.CommitMade)].count("TASK-1: Module item00001") == 1


async def test_an_answer_is_not_asked_for_again_however_early_who_goes_on_with_it_ends_too(tmp_path: Path) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    for body in (killed_after_the_check, killed_when_it_goes_on):
        assert await asyncio.to_thread(lived, body, home, output=told) == -SIGKILL, told.read_text()
    async with resumed(home) as run:
        cut, cut_again, last = await completed(run)
        assert last.answer == cut_again.answer == cut.answer is not None
        assert prompts_of(run, last) == []


async def test_an_answer_is_refused_together_with_what_is_kept_of_why(tmp_path: Path) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    killed = await asyncio.to_thread(lived, killed_before_the_red_check_is_stored, home, output=told)
    assert killed == -SIGKILL, told.read_text()
    async with resumed(home, red_at_first()) as run:
        _, last = await completed(run)
        assert [event.number for event in run.all(events.AttemptFailed)] == [1]
        assert prompts_of(run, last) == ["verify_failed"]
