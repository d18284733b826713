"""What is said in one session: prompts, what its agent does as events, an answer that is asked for until it fits."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator_tui.agents.base import (
    AgentOutput,
    AgentSession,
    ApiRetried,
    CalledTool,
    LimitChanged,
    Said,
    TextDelta,
    ToolReturned,
    TurnEnded,
    Working,
)
from orchestrator_tui.database.base import UnitOfWork
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.clock import Clock, now
from orchestrator_tui.domain.errors import AgentFailed
from orchestrator_tui.domain.records import Project, SessionLog, ToolCall, Usage, WorkItem
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine import classification, detection, failures
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.detection import Finding, Pattern, StuckDetector, Thresholds
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.guard import Guard
from orchestrator_tui.engine.hearing import Heard, Hearing
from orchestrator_tui.engine.progress import changed_since
from orchestrator_tui.engine.seat import Seat
from orchestrator_tui.engine.shortening import shorten, shorten_value, summarize_call

A = TypeVar("A", bound=BaseModel)

DELTA_SECONDS = 1 / 30
SHOWN_PROMPT = 4_000
SHOWN_OUTPUT = 8_000
KEPT_TOOL_CALLS = 500
SUMMARIZED_CALLS = 20
SUMMARIZED_WORDS = 2_000
LEAST_REFUSALS = 2
"""Refused calls of an agent that runs in circles after which that is what it runs against."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What one agent is to do: its place in the pipeline, what it may use, what it must answer.

    `resume` is the interrupted session whose conversation goes on; `resume_prompt` is said to it in place of `prompt`.
    `sharers` is how many sessions at a time share what may be used, this one included.
    `hint` follows either, when the task was tried before. Only a session that began after `not_before` is gone on with.
    """

    project: Project
    phase: PhaseName
    role: str
    system_prompt: str
    prompt: str
    model: str
    tools: tuple[str, ...]
    answer: type[BaseModel]
    directory: Path
    subject: str = ""
    attempt: int = 1
    item: WorkItem | None = None
    max_turns: int | None = None
    resume: SessionLog | None = None
    resume_prompt: str = ""
    sharers: int = 1
    hint: str = ""
    not_before: datetime | None = None

    @property
    def opening(self) -> str:
        """The first message of a new session."""
        return f"{self.prompt}\n\n{self.hint}" if self.hint else self.prompt

    @property
    def prompt_hash(self) -> str:
        """The same for the same task, given to the same kind of agent."""
        # On another machine its folder may lie elsewhere.
        system_prompt = self.system_prompt.replace(str(self.directory), "")
        return sha256(f"{system_prompt}\0{self.model}\0{self.prompt}".encode()).hexdigest()

    @property
    def asked_by(self) -> str:
        """Who asks when this task's agent does; the same for every session at it."""
        return f"{self.role}/{self.subject}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What is said to agents besides their tasks.

    Attributes:
        reask: asks for an answer again, with what is wrong with it. say: what a person said, as an agent is told it.
        interrupted: lets an interrupted agent go on. interrupt_seconds: how long a person has to say something first.
        settle: stores that an agent has heard something.
    """

    reask: Callable[[list[str]], str]
    say: Callable[[Sequence[Heard]], str]
    interrupted: Callable[[], str]
    settle: Callable[[str, Heard], Awaitable[None]]
    interrupt_seconds: float


@dataclass(kw_only=True, slots=True)
class Account:
    """What a running session has done so far. `running` are the calls without a result, `refusals` what those calls
    were told that were not carried out, `turns` how many ended well, `last_call` the last one that succeeded."""

    log: SessionLog
    task: Task
    guard: Guard
    session: AgentSession | None = None
    hearing: Hearing = field(default_factory=Hearing)
    last_activity: datetime = field(default_factory=now)
    began: float = field(default_factory=time.monotonic)
    last_call: str = ""
    calls: dict[str, ToolCall] = field(default_factory=dict)
    called_at: dict[str, float] = field(default_factory=dict)
    running: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    limit: LimitChanged | None = None
    turns: int = 0
    last_text: str = ""
    usage: Usage = field(default_factory=Usage)
    cli_session_id: str | None = None
    answer: Mapping[str, Any] | None = None


class Conversation:
    """One open session: say something, get a validated answer back."""

    def __init__(
        self,
        session: AgentSession,
        task: Task,
        account: Account,
        *,
        log: EventLog,
        bus: Bus,
        words: Words,
        stall_seconds: float,
        max_reasks: int,
        clock: Clock,
        thresholds: Thresholds,
        seat: Seat,
        keep: Callable[[Mapping[str, Any] | None], Awaitable[None]],
    ) -> None:
        """`keep` stores the answer that stands; None when none does."""
        self._session = session
        self._task = task
        self._account = account
        self._log = log
        self._bus = bus
        self._words = words
        self._stall_seconds = stall_seconds
        self._max_reasks = max_reasks
        self._clock = clock
        self._stuck = StuckDetector(thresholds)
        self._seat = seat
        self._keep = keep
        self._resume_prompt = task.resume_prompt
        self._used = Usage()
        self._delta = ""
        self._delta_at = 0.0
        self._delta_later: asyncio.TimerHandle | None = None

    async def ask(self, prompt: str, answer: type[A], *, kind: str = "task") -> A:
        """Say `prompt`; the structured answer, asked for again with the validation errors until it fits.

        Raises:
            AgentFailed: the session ended with an error, stalled, ran in circles, or never answered as asked. After
                `looping` and `blocked_command` it can still be spoken to.
            LimitReached: nothing is left for another turn.
            MustWait: the API takes no requests for now.
        """
        if self._account.answer is not None:
            await self._keep(None)
            self.refused()
        if self._resume_prompt:
            prompt, kind, self._resume_prompt = self._resume_prompt, "resumed", ""
        for _ in range(self._max_reasks + 1):
            ended = await self._uninterrupted(prompt, kind)
            try:
                valid = answer.model_validate(ended.structured)
                await self._stands(valid)
                return valid
            except ValidationError as error:
                if (finding := self._stuck.end_turn()) is not None:
                    raise self._looping(finding) from error
                prompt, kind = self._words.reask(complaints(error, ended)), "invalid_answer"
        raise self._failed(
            f"The {self._task.role} agent gave no valid answer in {self._max_reasks + 1} tries.", kind="invalid_answer"
        )

    async def given(self, answer: type[A]) -> A | None:
        """What the agent had answered when it was interrupted, if nobody has refused that: it is not asked again."""
        found = answer_of(self._task.resume, answer)
        if found is not None:
            self._resume_prompt = ""
        return found

    async def refuse_in(self, unit: UnitOfWork) -> None:
        """With `unit` the answer stands no more: a session that is taken up after that is asked for another one."""
        if self._account.answer is not None:
            await unit.save_answer(self._account.log.id, None)

    def refused(self) -> None:
        """That is committed."""
        self._account.answer = None

    async def _stands(self, answer: BaseModel) -> None:
        self._account.answer = answer.model_dump(mode="json")
        await self._keep(self._account.answer)

    async def _uninterrupted(self, prompt: str, kind: str) -> TurnEnded:
        """The end of a turn. One that a person interrupts goes on with what they say next, or in a while by itself."""
        hearing = self._account.hearing
        while True:
            hearing.interrupted = False
            try:
                return await self._turn(prompt, kind)
            except AgentFailed as error:
                if error.kind != "interrupted" or not hearing.interrupted:
                    raise
            hearing.cut_short()
            await hearing.arrival(self._words.interrupt_seconds)
            prompt, kind = self._words.interrupted(), "interrupted"

    async def step_aside(self) -> None:
        """Keep no place among the sessions at work until the agent is spoken to again."""
        await self._seat.give()

    @property
    def opening(self) -> str:
        """The first message, as this session is told its task."""
        return self._task.opening

    @property
    def refusals(self) -> list[str]:
        """What the agent was told about calls that were not carried out, oldest first."""
        return self._account.refusals

    def summary(self) -> str:
        """What the session has done so far, for one that follows it."""
        account = self._account
        calls = [f"- {call.tool} {call.summary}" for call in list(account.calls.values())[-SUMMARIZED_CALLS:]]
        said = ["", "Its last words:", shorten(account.last_text, SUMMARIZED_WORDS)] if account.last_text else []
        return "\n".join(["Its last calls:", *(calls or ["- none"]), *said])

    async def _turn(self, prompt: str, kind: str) -> TurnEnded:
        agent_id, guard = self._account.log.id, self._account.guard
        await self._seat.take()
        await guard.before_turn()
        if said := self._account.hearing.prompt():
            prompt = f"{prompt}\n\n{self._words.say(said)}"
        self._emit(events.AgentPrompted(agent_id=agent_id, kind=kind, text=shorten(prompt, SHOWN_PROMPT)))
        self._stuck.begin_turn()
        self._account.running.clear()
        outputs = aiter(self._session.turn(prompt))
        fault: AgentFailed | None = None
        while True:
            output = await self._next(outputs)
            if isinstance(output, TurnEnded):
                if fault is not None and output.error_kind == "interrupted":
                    self._flush_delta()
                    self._account.refusals.clear()
                    raise fault
                return self._end_turn(output)
            finding = self._take(output)
            if not isinstance(output, TextDelta):
                self._count()
                await guard.look()
            await self._notice(output)
            if fault is None and (fault := self._fault(output, finding)) is not None:
                await self._session.interrupt()

    def _count(self) -> None:
        """Keep what the session has used by now; only its end would tell it otherwise, and that may never come."""
        if (used := self._session.usage) != self._used:
            self._used = used
            self._log.add_usage(self._account.log.id, used)

    async def _notice(self, output: AgentOutput) -> None:
        """What the agent has heard by now."""
        hearing = self._account.hearing
        match output:
            case ToolReturned(call_id=call_id):
                hearing.returned(call_id)
            case TextDelta() | Said() | CalledTool():
                for heard in hearing.heard():
                    await self._words.settle(self._account.log.id, heard)
            case _:
                pass

    async def _next(self, outputs: AsyncIterator[AgentOutput]) -> AgentOutput:
        """What the agent does next.

        Raises:
            AgentFailed: it gives no sign of life: no token, no call, no result, no change of a file.
        """
        seconds, since = detection.patience(self._stall_seconds, self._account.running.values()), now()
        coming = asyncio.create_task(_following(outputs), name="agent-output")
        try:
            while True:
                try:
                    async with self._clock.timeout(seconds):
                        return await asyncio.shield(coming)
                except TimeoutError as error:
                    if coming.done():
                        return coming.result()
                    looked_at = now()
                    if not await asyncio.to_thread(changed_since, self._task.directory, since):
                        text = f"The {self._task.role} agent gave no sign of life for {words.duration(seconds)}."
                        raise self._failed(text, kind="stalled") from error
                    since = looked_at
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    def _failed(self, text: str, *, kind: str) -> AgentFailed:
        trouble = classification.of_session(kind, None, text, None)
        return AgentFailed(text, kind=kind, trouble=trouble, summary=self.summary())

    def _fault(self, output: AgentOutput, finding: Finding | None) -> AgentFailed | None:
        """What the turn is not to go on for, as it would lead nowhere; told as it was before the turn is ended."""
        if finding is not None:
            return self._looping(finding)
        if isinstance(output, ApiRetried):
            return failures.of_retry(output, summary=self.summary())
        return None

    def _looping(self, finding: Finding) -> AgentFailed:
        """An agent that ran in circles; when it ran against refusals, these are the trouble."""
        kind, text = "looping", finding.text.rstrip(".")
        if len(refusals := self._account.refusals) >= LEAST_REFUSALS:
            kind = "blocked_command"
            if finding.pattern is not Pattern.SAME_ERROR:
                text = f"{text}. It was refused: {refusals[-1].rstrip('.')}"
        return self._failed(f"{text}.", kind=kind)

    def _end_turn(self, ended: TurnEnded) -> TurnEnded:
        self._flush_delta()
        self._count()
        self._account.cli_session_id = ended.cli_session_id or self._account.cli_session_id
        if ended.error_kind is not None:
            account = self._account
            raise failures.of_turn(ended, account.limit, now=self._clock.now(), summary=self.summary())
        self._account.turns += 1
        return ended

    def _take(self, output: AgentOutput) -> Finding | None:
        account, agent_id = self._account, self._account.log.id
        account.last_activity = now()
        match output:
            case TextDelta(text=text):
                self._add_delta(text)
            case Said(text=text):
                self._flush_delta()
                account.last_text = text
                self._emit(events.AgentSaid(agent_id=agent_id, text=text))
            case CalledTool():
                self._called(output)
            case ToolReturned():
                return self._returned(output)
            case ApiRetried():
                self._emit(
                    events.AgentRetried(
                        agent_id=agent_id,
                        attempt=output.attempt,
                        delay_seconds=output.delay_seconds,
                        status=output.status,
                        error=output.error,
                    )
                )
            case LimitChanged():
                account.limit = output
            case Working() | TurnEnded():
                pass
        return None

    def _called(self, output: CalledTool) -> None:
        self._flush_delta()
        account, call_id = self._account, output.call_id
        call = ToolCall(call_id=call_id, tool=output.tool, summary=self._summary(output.tool, output.arguments))
        if len(account.calls) < KEPT_TOOL_CALLS:
            account.calls[call_id] = call
        account.called_at[call_id] = time.monotonic()
        account.running[call_id] = (output.tool, output.arguments)
        self._stuck.called(call_id, output.tool, output.arguments)
        shown = {key: shorten_value(value) for key, value in output.arguments.items()}
        self._emit(
            events.AgentCalledTool(
                agent_id=account.log.id, call_id=call_id, tool=output.tool, summary=call.summary, arguments=shown
            )
        )

    def _returned(self, output: ToolReturned) -> Finding | None:
        account, call_id = self._account, output.call_id
        seconds = round(time.monotonic() - account.called_at.pop(call_id, time.monotonic()), 3)
        tool, arguments = account.running.pop(call_id, ("", {}))
        if tool and not output.is_error:
            summary = self._summary(tool, arguments)
            account.last_call = f"{tool} ({summary})" if summary else tool
        if call_id in account.calls:
            account.calls[call_id] = replace(account.calls[call_id], is_error=output.is_error, seconds=seconds)
        if output.refused:
            account.refusals.append(one_line(output.output, 300))
        self._emit(
            events.AgentToolReturned(
                agent_id=account.log.id,
                call_id=call_id,
                is_error=output.is_error,
                output=shorten(output.output, SHOWN_OUTPUT),
                seconds=seconds,
            )
        )
        return self._stuck.returned(call_id, output.output, is_error=output.is_error)

    def _summary(self, tool: str, arguments: Mapping[str, Any]) -> str:
        return summarize_call(tool, arguments).replace(f"{self._task.directory}/", "")

    def _emit(self, event: events.Event) -> None:
        self._log.add(self._task.project.id, event)

    def _add_delta(self, text: str) -> None:
        self._delta += text
        if time.monotonic() - self._delta_at >= DELTA_SECONDS:
            self._flush_delta()
        elif self._delta_later is None:
            # The next piece may be minutes away.
            self._delta_later = asyncio.get_running_loop().call_later(DELTA_SECONDS, self._flush_delta)

    def _flush_delta(self) -> None:
        if self._delta_later is not None:
            self._delta_later.cancel()
            self._delta_later = None
        if self._delta:
            self._bus.publish_delta(
                events.AgentDelta(project_id=self._task.project.id, agent_id=self._account.log.id, text=self._delta)
            )
            self._delta = ""
            self._delta_at = time.monotonic()


async def _following(outputs: AsyncIterator[AgentOutput]) -> AgentOutput:
    return await anext(outputs)


def answer_of(session: SessionLog | None, answer: type[A]) -> A | None:
    """What a session answered; None when it did not, or to another version of the program, which asked otherwise."""
    if session is None or session.answer is None:
        return None
    try:
        return answer.model_validate(session.answer)
    except ValidationError:
        return None


def complaints(error: ValidationError, ended: TurnEnded) -> list[str]:
    """What is wrong with a structured answer, a line each, in words an agent can act on."""
    if ended.structured is None:
        return ["There was no structured answer at all: call the StructuredOutput tool with the whole answer."]
    lines = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the answer'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return lines[:20]
