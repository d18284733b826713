"""What people, agents and crashes may do to a project, as data; and a process that has it done to itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentOutput, AgentSession, Said, SessionRequest, TurnEnded
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import (
    AnswerRequest,
    Command,
    EditArtifact,
    ResumeProject,
    StopProject,
)
from orchestrator_tui.domain.errors import AgentFailed, OrchestratorError, RequestClosed
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.owner import this_process
from orchestrator_tui.domain.records import InputRequest, Usage
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, RequestKind
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.client import EngineClient
from tests.crash.child import die, die_after
from tests.crash.lineage import broken_history
from tests.crash.retold import contradictions, item_contradictions
from tests.lives import light_scenario
from tests.replay_runtime import ReplaySession, Scripted
from tests.running import RESTING, Watched, launch

ITEMS = 1
MOST_ROUNDS = 40
SETTINGS: Mapping[str, Any] = {
    "phases": {"ideation": {"pattern": "single"}, "architecture": {"enabled": False}},
    "error_recovery": {"max_consecutive_errors": 1},
}


class Fate(StrEnum):
    """How a session goes: as it should, with an error, or with the agent finding that it cannot be done."""

    WORKS = auto()
    BREAKS = auto()
    OBJECTS = auto()


class Act(StrEnum):
    """What somebody asks of the engine; whatever does not fit is refused."""

    APPROVE = auto()
    CHANGES = auto()
    EDIT = auto()
    LATE_ANSWER = auto()
    RETRY = auto()
    HINT = auto()
    SKIP = auto()
    STOP_ANSWER = auto()
    STOP = auto()
    FORCED_STOP = auto()
    RESUME = auto()


class End(StrEnum):
    """How a life ends."""

    LEFT = auto()
    KILLED = auto()
    KILLED_BEFORE_COMMIT = auto()


@dataclass(frozen=True, slots=True)
class Move:
    """An act after so many more events, or once nothing moves any more. Only the last of a life is waited for."""

    after: int
    act: Act


@dataclass(frozen=True, slots=True)
class Life:
    """Its sessions go as `fates` say, later ones well; a kill comes `after` events from its last act on."""

    moves: tuple[Move, ...]
    fates: tuple[Fate, ...] = ()
    end: End = End.LEFT
    after: int = 1


@dataclass(frozen=True, slots=True)
class Moment:
    """Right after the commit of the `nth` event of a kind that has these fields, or right before it."""

    kind: str
    fields: Mapping[str, str]
    nth: int = 1
    before_commit: bool = False

    def fits(self, event: events.Event) -> bool:
        named = type(event).__name__ == self.kind
        return named and all(getattr(event, name) == value for name, value in self.fields.items())


@dataclass(slots=True)
class FatedSession(ReplaySession):
    fate: Fate = Fate.WORKS

    @property
    def usage(self) -> Usage:
        return Usage(input_tokens=10 * self.prompts, output_tokens=self.prompts, cost_usd=0.1 * self.prompts)

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        # Whoever waits for something meanwhile gets a turn.
        await asyncio.sleep(0)
        match self.fate, self.request.role:
            case Fate.WORKS, role:
                yield Said(text=f"At work as {role}.")
                if role == "tester":
                    (self.request.directory / "tested.txt").write_text("The whole program was tested.\n")
                async for output in super(FatedSession, self).turn(prompt):
                    yield output
            case Fate.OBJECTS, "developer":
                self.prompts += 1
                yield self._answer({"status": "blocked", "summary": "It cannot be done.", "notes": ""})
            case Fate.OBJECTS, "tester":
                self.prompts += 1
                failure = {"title": "It is too slow", "detail": "It takes a second."}
                yield self._answer({"summary": "Slow.", "passed": 1, "failed": 1, "failures": [failure]})
            case _:
                self.prompts += 1
                yield TurnEnded(text="", structured=None, usage=self.usage, error_kind="unknown", error="Broken.")

    def _answer(self, structured: object) -> TurnEnded:
        return TurnEnded(text="", structured=structured, usage=self.usage)


@dataclass(slots=True)
class FatedRuntime(Scripted):
    scenario: Scenario
    fates: list[Fate] = field(default_factory=list)

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        if request.resume is not None:
            raise AgentFailed("Nothing is kept of a conversation here.", kind="resume")
        fate = self.fates.pop(0) if self.fates else Fate.WORKS
        yield FatedSession(scenario=self.scenario, request=request, fate=fate)


def live(home: Path, life: Life) -> None:
    """One life of the project in `home`, which its first life begins."""
    asyncio.run(_live(home, life))


def killed_at(home: Path, moment: Moment, fates: tuple[Fate, ...]) -> None:
    """A project without people in `home`, killed at a moment that must come."""
    die_at(moment)
    asyncio.run(_alone(home, fates))


async def _alone(home: Path, fates: tuple[Fate, ...]) -> None:
    start = launch(home, None, **{**SETTINGS, "error_recovery": {"max_consecutive_errors": 2}})
    async with open_engine(start, runtime=FatedRuntime(light_scenario(ITEMS), list(fates))) as engine:
        run = Watched(engine=engine)
        await run.create()
        raise AssertionError(f"it came to rest as {await run.until_rest()}")


def die_at(moment: Moment) -> None:
    left = moment.nth
    if moment.before_commit:
        store_events = SqlUnitOfWork.store_events

        async def storing(self: SqlUnitOfWork) -> tuple[Recorded, ...]:
            nonlocal left
            recorded = await store_events(self)
            left -= sum(moment.fits(one.event) for one in recorded)
            if left <= 0:
                die()
            return recorded

        SqlUnitOfWork.store_events = storing  # type: ignore[method-assign]
        return
    publish = Bus.publish

    def publishing(self: Bus, recorded: Sequence[Recorded]) -> None:
        nonlocal left
        left -= sum(moment.fits(one.event) for one in recorded)
        if left <= 0:
            die()
        publish(self, recorded)

    Bus.publish = publishing  # type: ignore[assignment,method-assign]


def finish(home: Path) -> None:
    """The last life: everything is approved and tried again until the project is completed."""
    asyncio.run(_finish(home))


@asynccontextmanager
async def _watched(home: Path, fates: tuple[Fate, ...]) -> AsyncIterator[Watched]:
    start = launch(home, None, autonomy="checkpoint", **SETTINGS)
    async with open_engine(start, runtime=FatedRuntime(light_scenario(ITEMS), list(fates))) as engine:
        run = Watched(engine=engine)
        projects = await engine.projects()
        if projects:
            run.project_id = projects[0].id
            run.seen = list(await engine.events(limit=100_000))
            await check(run, at_rest=True)
        else:
            await run.create()
        yield run


async def _live(home: Path, life: Life) -> None:
    async with _watched(home, life.fates) as run, asyncio.TaskGroup() as acts:
        for move in life.moves[:-1]:
            await happened(run, move.after)
            acts.create_task(act(run, move.act), name=move.act)
            await check(run)
        for move in life.moves[-1:]:
            await happened(run, move.after)
        if life.end is not End.LEFT:
            die_after(life.after, before_commit=life.end is End.KILLED_BEFORE_COMMIT)
        for move in life.moves[-1:]:
            await act(run, move.act)
        if life.end is not End.LEFT:
            await happened(run, life.after + 1)
            os.kill(os.getpid(), signal.SIGKILL)
        await check(run)


async def _finish(home: Path) -> None:
    async with _watched(home, ()) as run:
        for _ in range(MOST_ROUNDS):
            status = (await run.project()).status
            if status is PipelineStatus.COMPLETED:
                await check(run)
                return
            requests = await run.engine.requests(run.project_id)
            if status is PipelineStatus.PAUSED and requests:
                choice = Choice.APPROVE if requests[0].kind is RequestKind.APPROVAL else Choice.RETRY
                # Its file may have been edited: then it is asked about again.
                with suppress(RequestClosed):
                    await run.engine.submit(_answer(requests[0], choice))
            elif status is not PipelineStatus.RUNNING or not await at_work(run):
                await run.engine.submit(ResumeProject(project_id=run.project_id))
            await happened(run, 100_000)
            await check(run)
        raise AssertionError(f"it is still {status}")


async def at_work(run: Watched) -> bool:
    return (await run.engine.overview(run.project_id)).state.owner == this_process()


async def happened(run: Watched, count: int) -> None:
    """Wait for so many more events, or until nothing moves."""
    project = await run.project()
    if count == 0 or project.status in RESTING or not await at_work(run):
        return
    goal = len(run.seen) + count

    def reached(event: events.Event) -> bool:
        rests = isinstance(event, events.PipelineStatusChanged) and event.new in RESTING
        return rests or len(run.seen) >= goal

    await run.until(reached)


async def act(run: Watched, what: Act) -> None:
    """Ask it of the engine; a refusal is an answer as good as any."""
    with suppress(OrchestratorError):
        command = await command_of(run.engine, run.project_id, what)
        if command is not None:
            await run.engine.submit(command)


async def command_of(engine: EngineClient, project_id: str, what: Act) -> Command | None:
    match what:
        case Act.STOP:
            return StopProject(project_id=project_id)
        case Act.FORCED_STOP:
            return StopProject(project_id=project_id, force=True)
        case Act.RESUME:
            return ResumeProject(project_id=project_id)
        case _:
            requests = await engine.requests(project_id)
            return _about(requests[0], what) if requests else None


def _about(request: InputRequest, what: Act) -> Command:
    match what:
        case Act.EDIT:
            text = f"# Modules\n\nEdited after {request.content_hash[:8]}.\n"
            return EditArtifact(request_id=request.id, content_hash=request.content_hash, markdown=text)
        case Act.LATE_ANSWER:
            return AnswerRequest(request_id=request.id, choice=Choice.APPROVE, content_hash="of another document")
        case Act.CHANGES:
            return _answer(request, Choice.REQUEST_CHANGES)
        case Act.HINT:
            return _answer(request, Choice.RETRY_WITH_HINT)
        case Act.RETRY:
            return _answer(request, Choice.RETRY)
        case Act.SKIP:
            return _answer(request, Choice.SKIP)
        case Act.STOP_ANSWER:
            return _answer(request, Choice.STOP)
        case _:
            return _answer(request, Choice.APPROVE)


def _answer(request: InputRequest, choice: Choice) -> AnswerRequest:
    return AnswerRequest(request_id=request.id, choice=choice, content_hash=request.content_hash, text="More of it.")


async def check(run: Watched, *, at_rest: bool = False) -> None:
    """The stored events go by the table, and what is stored is what they tell."""
    snapshot = await run.engine.snapshot()
    recorded = await run.engine.events(limit=100_000)
    wrong = contradictions(snapshot, recorded)
    wrong += [one for one in broken_history(recorded) if "never finished" not in one]
    if at_rest:
        wrong += item_contradictions(await run.engine.items(run.project_id, limit=5000), recorded)
    assert not wrong, "\n".join(wrong)
