"""What is said in one session: prompts, what its agent does as events, an answer that is asked for until it fits."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
)
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import AgentFailed
from orchestrator_tui.domain.records import Project, SessionLog, ToolCall, Usage, WorkItem
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.guard import Guard
from orchestrator_tui.engine.hearing import Heard, Hearing

A = TypeVar("A", bound=BaseModel)

DELTA_SECONDS = 1 / 30
SHOWN_PROMPT = 4_000
SHOWN_OUTPUT = 8_000
SHOWN_ARGUMENT = 4_000
KEPT_TOOL_CALLS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What one agent is to do: its place in the pipeline, what it may use, what it must answer.

    `resume` is the interrupted session whose conversation goes on; `resume_prompt` is said to it in place of `prompt`.
    `sharers` is how many sessions at a time share what may be used, this one included.
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

    @property
    def prompt_hash(self) -> str:
        """The same for the same task, given to the same kind of agent."""
        return sha256(f"{self.system_prompt}\0{self.model}\0{self.prompt}".encode()).hexdigest()

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
    """What a running session has done so far."""

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
    ) -> None:
        self._session = session
        self._task = task
        self._account = account
        self._log = log
        self._bus = bus
        self._words = words
        self._stall_seconds = stall_seconds
        self._max_reasks = max_reasks
        self._resume_prompt = task.resume_prompt
        self._delta = ""
        self._delta_at = 0.0
        self._delta_later: asyncio.TimerHandle | None = None

    async def ask(self, prompt: str, answer: type[A], *, kind: str = "task") -> A:
        """Say `prompt`; the structured answer, asked for again with the validation errors until it fits.

        Raises:
            AgentFailed: the session ended with an error, stalled, or never answered as asked.
            LimitReached: nothing is left for another turn.
        """
        if self._resume_prompt:
            prompt, kind, self._resume_prompt = self._resume_prompt, "resumed", ""
        for _ in range(self._max_reasks + 1):
            ended = await self._uninterrupted(prompt, kind)
            try:
                valid = answer.model_validate(ended.structured)
                self._account.answer = valid.model_dump(mode="json")
                return valid
            except ValidationError as error:
                prompt, kind = self._words.reask(complaints(error, ended)), "invalid_answer"
        raise AgentFailed(
            f"The {self._task.role} agent gave no valid answer in {self._max_reasks + 1} tries.", kind="invalid_answer"
        )

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

    async def _turn(self, prompt: str, kind: str) -> TurnEnded:
        agent_id, guard = self._account.log.id, self._account.guard
        await guard.before_turn()
        if said := self._account.hearing.prompt():
            prompt = f"{prompt}\n\n{self._words.say(said)}"
        self._emit(events.AgentPrompted(agent_id=agent_id, kind=kind, text=shorten(prompt, SHOWN_PROMPT)))
        outputs = aiter(self._session.turn(prompt))
        while True:
            try:
                async with asyncio.timeout(self._stall_seconds):
                    output = await anext(outputs)
            except TimeoutError as error:
                raise AgentFailed(
                    f"The {self._task.role} agent gave no sign of life for {self._stall_seconds / 60:.0f} minutes.",
                    kind="stalled",
                ) from error
            if isinstance(output, TurnEnded):
                return self._end_turn(output)
            self._take(output)
            if not isinstance(output, TextDelta):
                await guard.look()
            await self._notice(output)

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

    def _end_turn(self, ended: TurnEnded) -> TurnEnded:
        self._flush_delta()
        self._account.cli_session_id = ended.cli_session_id or self._account.cli_session_id
        if ended.error_kind is not None:
            raise failure_of(ended)
        return ended

    def _take(self, output: AgentOutput) -> None:
        account, agent_id = self._account, self._account.log.id
        account.last_activity = now()
        match output:
            case TextDelta(text=text):
                self._add_delta(text)
            case Said(text=text):
                self._flush_delta()
                account.last_text = text
                self._emit(events.AgentSaid(agent_id=agent_id, text=text))
            case CalledTool(call_id=call_id, tool=tool, arguments=arguments):
                self._flush_delta()
                call = ToolCall(call_id=call_id, tool=tool, summary=self._summary(tool, arguments))
                account.last_call = f"{tool} ({call.summary})" if call.summary else tool
                if len(account.calls) < KEPT_TOOL_CALLS:
                    account.calls[call_id] = call
                account.called_at[call_id] = time.monotonic()
                shown = {key: shorten_value(value) for key, value in arguments.items()}
                self._emit(
                    events.AgentCalledTool(
                        agent_id=agent_id, call_id=call_id, tool=tool, summary=call.summary, arguments=shown
                    )
                )
            case ToolReturned(call_id=call_id, is_error=is_error, output=text):
                seconds = round(time.monotonic() - account.called_at.pop(call_id, time.monotonic()), 3)
                if call_id in account.calls:
                    account.calls[call_id] = replace(account.calls[call_id], is_error=is_error, seconds=seconds)
                self._emit(
                    events.AgentToolReturned(
                        agent_id=agent_id,
                        call_id=call_id,
                        is_error=is_error,
                        output=shorten(text, SHOWN_OUTPUT),
                        seconds=seconds,
                    )
                )
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
            case LimitChanged() | TurnEnded():
                pass

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


HINTS = {
    "authentication_failed": "Correct CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY in the environment, then resume.",
    "billing_error": "Look at the account's plan and balance, then resume.",
    "rate_limit": "The account's limit is reached. Resume when it has been reset.",
    "store": "The database did not take the conversation; it is tried again once it can be written.",
    "max_turns": "Raise agent.max_turns, or make the work items smaller.",
}


def failure_of(ended: TurnEnded) -> AgentFailed:
    """The error of a turn that ended with one."""
    assert ended.error_kind is not None
    text = ended.error or ended.text or ended.error_kind
    if ended.error_kind == "authentication_failed":
        text = f"Claude refused the credentials: {text}."
    return AgentFailed(text, kind=ended.error_kind, status=ended.status, hint=HINTS.get(ended.error_kind, ""))


def complaints(error: ValidationError, ended: TurnEnded) -> list[str]:
    """What is wrong with a structured answer, a line each, in words an agent can act on."""
    if ended.structured is None:
        return ["There was no structured answer at all: call the StructuredOutput tool with the whole answer."]
    lines = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the answer'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return lines[:20]


def shorten(text: str, limit: int) -> str:
    """`text` with its middle left out when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = (limit - 40) // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def shorten_value(value: Any) -> Any:
    """A tool's argument, short enough to be stored with the event."""
    if isinstance(value, str):
        return shorten(value, SHOWN_ARGUMENT)
    if isinstance(value, dict | list):
        return value if len(str(value)) <= SHOWN_ARGUMENT else shorten(str(value), SHOWN_ARGUMENT)
    return value


def summarize_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """A tool call in one line: its file, command or pattern."""
    for key in ("file_path", "command", "pattern", "path", "summary", "question", "key", "text"):
        value = arguments.get(key)
        if isinstance(value, str):
            return one_line(value, 400)
    return ""
