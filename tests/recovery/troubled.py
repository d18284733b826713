"""Sessions that go wrong as they are told, without the CLI, and a clock whose hours take no time."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import (
    AgentOutput,
    AgentSession,
    ApiRetried,
    CalledTool,
    LimitChanged,
    Said,
    SessionRequest,
    ToolReturned,
    TurnEnded,
)
from orchestrator_tui.agents.rehearsal.scenario import Scenario, Turn
from orchestrator_tui.domain.errors import AgentFailed
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.engine.detection import ANSWER_TOOL
from tests.lives import light_scenario
from tests.replay_runtime import ReplaySession, Scripted

BROKEN = "broken.txt"
CHECK = f"if test -e {BROKEN}; then cat {BROKEN}; exit 1; fi\n"
START = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)


class FakeClock:
    """`sleep` takes no time, and the clock is later then; with `holds` it ends only when `advance` gets that far."""

    def __init__(self, *, holds: bool = False) -> None:
        self.at = START
        self.slept = timedelta()
        self.asleep = asyncio.Event()
        self._holds = holds
        self.sleepers: list[tuple[datetime, asyncio.Future[None]]] = []
        self.patient = asyncio.Event()
        self._timeouts: list[tuple[datetime, asyncio.Timeout]] = []

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        due = [future for moment, future in self.sleepers if moment <= self.at and not future.done()]
        self.sleepers = [one for one in self.sleepers if one[0] > self.at]
        for future in due:
            future.set_result(None)

    async def sleep(self, seconds: float) -> None:
        self.slept += timedelta(seconds=seconds)
        if not self._holds:
            self.at += timedelta(seconds=seconds)
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.at + timedelta(seconds=seconds), future))
        self.asleep.set()
        await future

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return self._timeout(seconds)

    @asynccontextmanager
    async def _timeout(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as timeout:
            entry = (self.at + timedelta(seconds=seconds), timeout)
            self._timeouts.append(entry)
            self.patient.set()
            try:
                yield
            finally:
                self._timeouts.remove(entry)

    async def hang(self) -> None:
        """Give no sign of life until somebody's patience is over."""
        self.lose_patience()
        await asyncio.Event().wait()

    def lose_patience(self) -> None:
        """Let the shortest patience be over; `patient` is set when the next begins."""
        moment, timeout = min(self._timeouts, key=lambda one: one[0])
        self.at = max(self.at, moment)
        self.patient.clear()
        timeout.reschedule(asyncio.get_running_loop().time())


@dataclass(slots=True)
class TroubledSession(ReplaySession):
    """Plays one fault a turn while there are any, then its scenario."""

    clock: FakeClock = field(default_factory=FakeClock)
    faults: list["Fault"] = field(default_factory=list)
    interrupted: bool = False
    prompts_heard: list[str] = field(default_factory=list)
    requests: list[datetime] = field(default_factory=list)
    number: int = 0

    @property
    def usage(self) -> Usage:
        return Usage(input_tokens=10 * self.prompts, output_tokens=self.prompts, cost_usd=0.01 * self.prompts)

    @property
    def cli_session_id(self) -> str | None:
        return self.request.resume or self.request.agent_id

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        self.prompts_heard.append(prompt)
        self.requests.append(self.clock.now())
        self.interrupted = False
        await asyncio.sleep(0)
        if self.faults:
            self.prompts += 1
            async for output in self.faults.pop(0)(self):
                yield output
            return
        await asyncio.to_thread((self.request.directory / BROKEN).unlink, missing_ok=True)
        async for output in super(TroubledSession, self).turn(prompt):
            yield output

    async def interrupt(self) -> None:
        self.interrupted = True

    async def kill(self) -> None:
        """Nothing of it is at work by itself."""

    def ended(self, **fields: Any) -> TurnEnded:
        return TurnEnded(**{"text": "", "structured": None, "usage": self.usage, **fields})

    def call(self, number: int, command: str, answer: str, **fields: Any) -> list[AgentOutput]:
        call_id = f"{self.prompts}-{number}"
        return [
            CalledTool(call_id=call_id, tool="Bash", arguments={"command": command}),
            ToolReturned(call_id=call_id, output=answer, **{"is_error": False, **fields}),
        ]


Fault = Callable[[TroubledSession], AsyncIterator[AgentOutput]]


def ends(**fields: Any) -> Fault:
    """The turn ends with this error."""

    async def fault(session: TroubledSession) -> AsyncIterator[AgentOutput]:
        yield session.ended(**fields)

    return fault


def usage_limit(hours: float) -> Fault:
    async def fault(session: TroubledSession) -> AsyncIterator[AgentOutput]:
        resets_at = (session.clock.now() + timedelta(hours=hours)).timestamp()
        yield LimitChanged(status="rejected", resets_at=resets_at, kind="five_hour")
        yield session.ended(error_kind="rate_limit", status=429, error="You have hit your limit")

    return fault


async def refuses(session: TroubledSession) -> AsyncIterator[AgentOutput]:
    """The API refuses the credentials again and again, until nobody waits for it any longer."""
    for attempt in range(1, 100):
        yield ApiRetried(attempt=attempt, max_attempts=99, delay_seconds=0.5, status=401, error="authentication_failed")
        if session.interrupted:
            yield session.ended(error_kind="interrupted", error="interrupted")
            return
    raise AssertionError("nobody interrupted it")


async def stall(session: TroubledSession) -> AsyncIterator[AgentOutput]:
    yield Said(text="Let me think.")
    await session.clock.hang()


async def builds(session: TroubledSession) -> AsyncIterator[AgentOutput]:
    """Says nothing for very long while a file grows, then goes on."""
    yield Said(text="This takes a while.")
    product = session.request.directory / "product.txt"
    for minute in range(3):
        later = time.time() + minute
        await asyncio.to_thread(product.write_text, "x" * minute)
        os.utime(product, (later, later))
        session.clock.lose_patience()
        await session.clock.patient.wait()
    async for output in super(TroubledSession, session).turn("go on"):
        yield output


def calls(*steps: tuple[str, str], **fields: Any) -> Fault:
    """Makes these calls (command and answer) over and over until somebody interrupts it."""

    async def fault(session: TroubledSession) -> AsyncIterator[AgentOutput]:
        for number in range(100):
            for output in session.call(number, *steps[number % len(steps)], **fields):
                yield output
            if session.interrupted:
                yield session.ended(error_kind="interrupted", error="interrupted")
                return
        raise AssertionError("nobody interrupted it")

    return fault


def answers(structured: Any) -> Fault:
    """Answers by the tool that is there for that."""

    async def fault(session: TroubledSession) -> AsyncIterator[AgentOutput]:
        call_id = f"{session.prompts}-answer"
        yield CalledTool(call_id=call_id, tool=ANSWER_TOOL, arguments={"answer": structured})
        yield ToolReturned(call_id=call_id, is_error=False, output="taken")
        yield session.ended(structured=structured)

    return fault


def breaks(output: str) -> Fault:
    """Claims to be done, and leaves the check red with this output."""

    async def fault(session: TroubledSession) -> AsyncIterator[AgentOutput]:
        await asyncio.to_thread((session.request.directory / BROKEN).write_text, output)
        yield session.ended(structured={"status": "done", "summary": "Done.", "notes": ""})

    return fault


RATE_LIMIT = ends(error_kind="rate_limit", status=429, error="slow down")
OVERLOAD = ends(error_kind="server_error", status=529, error="Overloaded")
NETWORK = ends(error_kind="unknown", error="API Error: Connection error.")
OVERFLOW = ends(error_kind="invalid_request", status=400, error="prompt is too long: 210000 tokens > 200000 maximum")
REFUSED = ends(error_kind="authentication_failed", status=401, error="invalid x-api-key")
LOST = ends(error_kind="process", error="The Claude process was lost: it exited with code 1")
OUT_OF_TURNS = ends(error_kind="max_turns", error="Reached the maximum number of turns")
TALK = ends(text="I would rather talk about it.")
INVALID = answers({"status": "perhaps"})
LOOP = calls(("make test", "1 failed"))
BACK_AND_FORTH = calls(("cat a", "a"), ("cat b", "b"))
BLOCKED = calls(("curl http://example.org", "curl is not allowed: there is no network"), is_error=True, refused=True)
RED = breaks("FAILED tests: 1 of 3")
MISSING_TOOL = breaks("/bin/sh: 1: pytest: not found")
CONFLICT = breaks("CONFLICT (content): Merge conflict in item00001.py")


@dataclass(slots=True)
class TroubledRuntime(Scripted):
    """`faults_of` says what goes wrong in a session; `heard` are the prompts of each, `asked` the times of requests,
    `paid_by` is the account."""

    clock: FakeClock
    faults_of: Callable[[SessionRequest], Iterable[Fault]]
    scenario: Scenario
    keeps_conversations: bool = True
    paid_by: str = ""
    started: list[SessionRequest] = field(default_factory=list)
    heard: list[list[str]] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        if request.resume is not None and not self.keeps_conversations:
            raise AgentFailed("Nothing is kept of a conversation here.", kind="resume")
        self.started.append(request)
        self.heard.append([])
        yield TroubledSession(
            scenario=self.scenario,
            request=request,
            clock=self.clock,
            faults=list(self.faults_of(request)),
            prompts_heard=self.heard[-1],
            requests=self.asked,
        )

    @property
    def account(self) -> str:
        return self.paid_by

    async def keeps(self, session_id: str, directory: Path) -> bool:
        return self.keeps_conversations

    def of(self, role: str) -> list[SessionRequest]:
        return [request for request in self.started if request.role == role]

    def heard_by(self, role: str) -> list[list[str]]:
        pairs = zip(self.started, self.heard, strict=True)
        return [prompts for request, prompts in pairs if request.role == role]


def in_turn(
    *faults: Iterable[Fault], role: str = "developer", subject: str | None = None
) -> Callable[[SessionRequest], Iterable[Fault]]:
    """The first session of the role (and subject) has the first faults, and so on; later ones have none."""
    left = list(faults)

    def faults_of(request: SessionRequest) -> Iterable[Fault]:
        fits = request.role == role and subject in (None, request.subject)
        return left.pop(0) if fits and left else ()

    return faults_of


def breakable_scenario(items: int) -> Scenario:
    """The light scenario, whose check is also red while there is a file that says so."""

    def breakable(turn: Turn) -> Turn:
        if not str(turn.input.get("file_path", "")).endswith("/verify.sh"):
            return turn
        return replace(turn, input={**turn.input, "content": CHECK + str(turn.input["content"])})

    scenario = light_scenario(items)
    return replace(
        scenario,
        answers=tuple(replace(one, turns=tuple(breakable(turn) for turn in one.turns)) for one in scenario.answers),
    )
