"""What the engine knows of agents: one Claude session, what it is asked, what it tells."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from orchestrator_tui.agents.decision import Decision
from orchestrator_tui.domain.records import TranscriptKey, Usage
from orchestrator_tui.domain.statuses import PhaseName


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionAsk:
    """A command that is left to a person: why, and the pattern that would be allowed from then on ("" for none)."""

    command: str
    reason: str
    pattern: str = ""


class Counsel(Protocol):
    """What an agent can turn to while it works: a person, and the work items of its project.

    Texts that come in are an agent's, so they are checked before and never trusted; texts that go out are for it.
    Nothing here approves a result or changes a status.
    """

    @property
    def patience_seconds(self) -> float:
        """How long an answer of a person may take while the agent waits."""
        ...

    def next_words(self, call_id: str) -> str:
        """What a person wants the agent to hear with the result of this tool call, "" for nothing. Given once."""
        ...

    async def permit(self, ask: PermissionAsk) -> Decision:
        """Whether a command may run, as a person decides; never `ASK`."""
        ...

    async def ask_user(self, question: str, choices: Sequence[str]) -> str:
        """The answer to a question."""
        ...

    async def read_work_item(self, key: str) -> str:
        """A work item of the agent's own project with its notes, as text.

        Raises:
            ToolRefused: there is none with that key.
        """
        ...

    async def comment_on_work_item(self, key: str, text: str) -> str:
        """Leave a note on a work item of the agent's own project; what to tell the agent.

        Raises:
            ToolRefused: there is none with that key.
        """
        ...

    async def report_progress(self, text: str) -> str:
        """Tell people how far the agent is; what to tell the agent."""
        ...


async def _always() -> None:
    """For sessions whose project nobody else can have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRequest:
    """One session to start.

    Attributes:
        agent_id: identity of the session in our records.
        role: what the agent is in its phase, such as `requirements`, `developer`, `aggregator`.
        subject: what it works on inside the role (a work item's `ref`, a pass), or "".
        attempt: 1 for the first try at this subject, one more for each failed verify before this session.
        prompt: the first message. system_prompt: who the agent is and its rules.
        tools: names of the CLI's tools the session may use.
        output_schema: JSON schema of the structured answer; None for plain text.
        max_budget_usd: money this session may use, in US dollars; None for no limit of its own.
        resume: the `cli_session_id` of the conversation to go on with; None for a new one.
        counsel: what it can turn to; without it the session has no tools for that, and what would be asked is denied.
        transcripts: where its conversation is kept while its project is ours; None for where the runtime keeps all.
        lease_holds: returns once the project is ours for certain; each tool call waits for that before it runs.
    """

    agent_id: str
    project_id: str
    phase: PhaseName
    role: str
    subject: str
    attempt: int
    model: str
    prompt: str
    system_prompt: str
    directory: Path
    tools: tuple[str, ...]
    output_schema: Mapping[str, Any] | None = None
    max_turns: int | None = None
    max_budget_usd: float | None = None
    resume: str | None = None
    counsel: Counsel | None = None
    transcripts: "TranscriptStore | None" = None
    lease_holds: Callable[[], Awaitable[None]] = _always


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A whole message of the agent."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CalledTool:
    call_id: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Working:
    """A sign of life that nobody is shown: the model thinks, or types the arguments of a call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolReturned:
    """The result of a call. `refused`: it was not carried out, `output` says why."""

    call_id: str
    is_error: bool
    output: str
    refused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRetried:
    """The API answered with an error and is asked again. `delay_seconds` until then."""

    attempt: int
    max_attempts: int
    delay_seconds: float
    status: int | None
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitChanged:
    """The account's usage limit. `resets_at` is a Unix time in seconds."""

    status: str
    resets_at: float | None
    kind: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnEnded:
    """The session answered and waits for the next message.

    Attributes:
        error_kind: None when all went well; otherwise `rate_limit`, `server_error`, `authentication_failed`,
            `billing_error`, `invalid_request`, `max_turns`, `max_budget`, `interrupted`, `process`, `store` (the turn
            went well, but its conversation could not be kept), `unknown`.
        structured: the structured answer, unvalidated, or None.
        usage: what the whole session has used so far.
    """

    text: str
    structured: Any
    usage: Usage
    error_kind: str | None = None
    error: str | None = None
    status: int | None = None
    cli_session_id: str | None = None


AgentOutput = TextDelta | Working | Said | CalledTool | ToolReturned | ApiRetried | LimitChanged | TurnEnded


class AgentSession(Protocol):
    """A live session. Use from one task; `interrupt` may be called from another."""

    @property
    def usage(self) -> Usage:
        """What the session has used so far, a turn under way included as far as it is known."""
        ...

    @property
    def cli_session_id(self) -> str | None:
        """What `SessionRequest.resume` takes to go on with this conversation; None before the CLI has told it."""
        ...

    def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        """Say `prompt` and yield what the agent does; the last value is a `TurnEnded`, always exactly one."""
        ...

    async def settle(self) -> None:
        """Let no further tool call begin, and wait until none is under way: a safe point to end the session at."""
        ...

    async def interrupt(self) -> None:
        """Stop the current step; the turn ends with `error_kind="interrupted"`."""
        ...

    async def kill(self) -> None:
        """End everything of the session at once, whatever it is at; closing it then waits for nothing."""
        ...


class TranscriptStore(Protocol):
    """Where conversations are kept, entry by entry as the CLI writes them, so that any process can go on with them."""

    async def append_transcript(self, key: TranscriptKey, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add entries at the end, in order; one whose `uuid` is there already is left out."""
        ...

    async def load_transcript(self, key: TranscriptKey) -> Sequence[dict[str, Any]]:
        """All entries in order; none when there is no such conversation."""
        ...

    async def list_transcripts(self, project_key: str) -> Mapping[str, datetime]:
        """The session ids of a folder's main conversations, each with the moment of its last entry."""
        ...

    async def list_subpaths(self, project_key: str, session_id: str) -> Sequence[str]:
        """The subpaths that a conversation has beside the main one."""
        ...

    async def delete_transcript(self, key: TranscriptKey) -> None:
        """Forget a conversation; the main one takes everything below it along."""
        ...


class Endpoint(Protocol):
    """Where the model is. `scripted` says that it is a rehearsal's."""

    @property
    def scripted(self) -> bool: ...

    @property
    def account(self) -> str:
        """See `AgentRuntime.account`."""
        ...

    def environment(self, request: SessionRequest) -> Mapping[str, str]:
        """The variables that lead the CLI of this session to the model, credentials included."""
        ...


class AgentRuntime(Protocol):
    """Starts sessions. `scripted` says that the model behind it is a rehearsal's."""

    @property
    def scripted(self) -> bool: ...

    @property
    def account(self) -> str:
        """Names the account whose usage limits its sessions share with others, the same in every process; "" for none.
        It tells nothing about the credentials."""
        ...

    def session(self, request: SessionRequest) -> AbstractAsyncContextManager[AgentSession]:
        """A session for `request`; leaving the context ends its process.

        The caller says the first `turn(request.prompt)` itself.

        Raises:
            AgentFailed: the session could not be started; `kind` says why. It is `resume` when `request.resume` names
                a conversation that cannot be gone on with: a new one may still start.
            StoreUnavailable: the conversation to resume cannot be read.
        """
        ...

    async def keeps(self, session_id: str, directory: Path) -> bool:
        """Whether anything is kept of a conversation in `directory`; an agent that was stopped before its first word
        has none.

        Raises:
            StoreUnavailable: that cannot be read.
        """
        ...
