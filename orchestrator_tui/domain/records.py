"""What the program knows, as frozen values: every row read from a store becomes one of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator_tui.domain.statuses import (
    AgentStatus,
    Choice,
    InstructionKind,
    InstructionStatus,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    RequestStatus,
    SeatScope,
    WorkItemStatus,
)
from orchestrator_tui.domain.troubles import Attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens and money one or many sessions used. Tokens are counts, `cost_usd` is US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """All tokens, cached ones included."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            cache_read_tokens=self.cache_read_tokens - other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens - other.cache_write_tokens,
            cost_usd=self.cost_usd - other.cost_usd,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """One idea on its way to a program. `number` is the short id people type, `directory` an absolute path;
    `created_by` is the name of the person whose it is, "" when nobody knows."""

    id: str
    number: int
    name: str
    slug: str
    description: str
    status: PipelineStatus
    current_phase: PhaseName | None
    directory: str
    rehearsal: bool
    config: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    created_by: str = ""

    @property
    def tracker(self) -> str:
        """Which tracker keeps the project's items, as in `backend.type`."""
        return str(self.config.get("backend") or "database")

    @property
    def leaving(self) -> str | None:
        """The tracker whose items have moved to the present one, as long as it has not been left in order."""
        found = self.config.get("leaving")
        return None if found is None else str(found)


PERMISSIONS = "permissions"
"""Where a project's config holds the commands that a person allowed for good."""


def permissions_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands allowed for good in a project with this config; whatever is no text there allows nothing."""
    stored = config.get(PERMISSIONS)
    return tuple(one for one in stored if isinstance(one, str)) if isinstance(stored, list) else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseState:
    """Where one phase stands. `seconds` is time spent running, waiting for people not counted. `asked_at` is when its
    round was asked for, or was again after it had failed; None in the first round that has not failed.
    `feedback` is what a person wants changed in the round that is to come or under way, `attempts` what has failed in
    it at tasks that are not done yet (those of work items are kept with the items)."""

    phase: PhaseName
    status: PhaseStatus = PhaseStatus.PENDING
    round: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    running_since: datetime | None = None
    seconds: float = 0.0
    asked_at: datetime | None = None
    error: str | None = None
    feedback: str | None = None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSnapshot:
    """What is kept of an agent when it is stopped (the seed's fields)."""

    agent_id: str
    phase: PhaseName
    started_at: datetime
    last_activity: datetime
    current_work_item: str | None
    last_tool_call: str | None
    conversation_summary: str
    can_resume: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineState:
    """The persisted state of one project's pipeline (the seed's fields, and who runs it).

    `lease_seconds` is how long the owner's lease lasts after each heartbeat, by the owner's settings; `lapsed` says
    that a worker has watched it run out without a heartbeat, which the next one would put right.

    A pipeline that is paused until `resumes_at` goes on by itself then; `waits` is how many such pauses came in a row
    without anything working in between. `queued_at` is since when it waits for a worker of a cluster.
    """

    project_id: str
    status: PipelineStatus
    current_phase: PhaseName | None
    phases: Mapping[PhaseName, PhaseState]
    last_checkpoint: datetime
    heartbeat: datetime | None
    shutdown_requested: bool = False
    shutdown_reason: str | None = None
    agent_snapshots: tuple[AgentSnapshot, ...] = ()
    interrupted_work_items: tuple[str, ...] = ()
    last_successful_step: str = ""
    owner: str | None = None
    epoch: int = 0
    lease_seconds: float | None = None
    lapsed: bool = False
    resumes_at: datetime | None = None
    waits: int = 0
    queued_at: datetime | None = None

    @property
    def last_sign_of_life(self) -> datetime:
        """When the process that ran the project last stored something or renewed its heartbeat."""
        return max(self.last_checkpoint, self.heartbeat or self.last_checkpoint)

    @property
    def stop_is_due(self) -> bool:
        """Whether a stop was asked of a run that has not come to its end yet."""
        return self.shutdown_requested and self.status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right of one process to run one project. `epoch` grows with every taking: the fencing token."""

    project_id: str
    owner: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunByWorker:
    """A project that a worker runs."""

    project_id: str
    number: int
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRecord:
    """A process that runs projects of a cluster.

    Attributes:
        process: its name as an owner of projects. concurrency: how many it runs at the same time.
        draining: it takes no more, and hands over what it has.
        load: runnable processes for each core of its machine, over the last minute.
        heartbeat: when it last said that it is there; by the clock of the database, as clocks of two hosts may differ.
        silent_seconds: how long that was ago by the same clock when this was read.
    """

    id: str
    name: str
    process: str
    concurrency: int
    load: float
    started_at: datetime
    heartbeat: datetime
    draining: bool = False
    silent_seconds: float = 0.0
    projects: tuple[RunByWorker, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A project that is to run: one that waits for a worker, or one that is said to be at work, with its lease."""

    project_id: str
    status: PipelineStatus
    number: int
    queued_at: datetime | None
    owner: str | None
    epoch: int
    heartbeat: datetime | None
    lease_seconds: float | None = None
    lapsed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatAsked:
    """What a session asks for before it is at work: to be one of at most so many agents.

    It counts for as long as the lease of `epoch` is held.

    Attributes:
        process: the process of the session, known by any text that no other has.
        priority: of those that wait, the highest goes first.
        most, most_here: agents at work at the same time in the installation, and in that process.
    """

    id: str
    project_id: str
    epoch: int
    process: str
    priority: int
    most: int
    most_here: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatWait:
    """A session that waits for its seat: for fewer than `most` agents of `scope` to be at work."""

    id: str
    scope: SeatScope
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatLine:
    """All seats by their ids: held, awaited with the limit that they wait for; `given` are those that were awaited
    until just now, with the ids of their projects."""

    held: frozenset[str]
    awaited: Mapping[str, SeatScope]
    given: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatedLease:
    """A lease that seats are held or waited for under. `lease_seconds` is how long it lasts after each heartbeat."""

    project_id: str
    owner: str
    epoch: int
    heartbeat: datetime | None
    lease_seconds: float | None


def is_complete(state: PipelineState) -> bool:
    """Whether every phase is completed or skipped (the seed's completion rule)."""
    return all(p.status in (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED) for p in state.phases.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItem:
    """One piece of work. `priority` runs from 1 (urgent) to 4 (low); `dependencies` are ids of other items."""

    id: str
    project_id: str
    number: int
    title: str
    description: str = ""
    acceptance: tuple[str, ...] = ()
    status: WorkItemStatus = WorkItemStatus.TODO
    priority: int = 3
    phase: PhaseName = PhaseName.IMPLEMENT
    parent_id: str | None = None
    dependencies: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def key(self) -> str:
        """The name people use for the item, such as `TASK-12`."""
        return f"TASK-{self.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """A note on a work item: handoff notes, verify output, what a person said."""

    id: str
    work_item_id: str
    author: str
    content: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackerLink:
    """What something of ours is called in an outside tracker, and how both last agreed on it.

    Attributes:
        kind: what it is, such as `issue` or `comment`; with `local_id` it is unique in a project's tracker, and so is
            `kind` with `remote_id`.
        data: JSON-safe; of an item the values that the tracker is known to have.
    """

    project_id: str
    tracker: str
    kind: str
    local_id: str
    remote_id: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxEntry:
    """A change that still has to reach an outside tracker; `seq` is their order, 0 until it is stored.

    Attributes:
        kind: what is to be done, such as `create` or `update`.
        data: JSON-safe, what the change is about; the values are those of the database when it is sent.
        attempts: how often it may have been sent without an answer. error: why the tracker will not have it.
    """

    project_id: str
    tracker: str
    kind: str
    work_item_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0
    attempts: int = 0
    error: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """What a phase hands on: structured `content`, and `file_path` of its Markdown face inside the project."""

    id: str
    project_id: str
    phase: PhaseName
    output_type: str
    content: Mapping[str, Any]
    content_hash: str
    file_path: str | None
    round: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitEntry:
    """One commit as a project's history lists it. `work_item_id` is the item it finished, if it names one."""

    hash: str
    subject: str
    author: str
    at: datetime
    work_item_id: str | None = None
    files: int = 0
    insertions: int = 0
    deletions: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """One tool call of a session, shortened for the log."""

    call_id: str
    tool: str
    summary: str
    is_error: bool | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionLog:
    """One Claude session: who, for what, how it ended, what it cost. `id` is the agent's id.

    Attributes:
        attempt: see `SessionRequest`. prompt_hash: SHA-256 of the task it was given.
        answer: the last structured answer that was valid.
    """

    id: str
    project_id: str
    phase: PhaseName
    session_number: int
    role: str
    work_item_id: str | None
    model: str
    started_at: datetime
    ended_at: datetime | None = None
    status: AgentStatus = AgentStatus.RUNNING
    summary: str = ""
    error: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    cli_session_id: str | None = None
    attempt: int = 1
    prompt_hash: str | None = None
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscriptKey:
    """Which conversation. `project_key` is the CLI's name for a folder; `subpath` is "" for the main conversation."""

    project_key: str
    session_id: str
    subpath: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRequest:
    """Something a person is asked for. An answer counts only with the `content_hash` it was shown.

    Attributes:
        asked_by: `role/subject` of the agent that asks; None when the engine does.
        pattern: what `allow_project` would allow from then on.
        taken_at: when the answer had reached the agent for sure.
    """

    id: str
    project_id: str
    kind: RequestKind
    phase: PhaseName | None
    title: str
    body: str
    choices: tuple[Choice, ...]
    content_hash: str
    artifact_id: str | None = None
    work_item_id: str | None = None
    status: RequestStatus = RequestStatus.OPEN
    choice: Choice | None = None
    text: str | None = None
    answered_by: str | None = None
    asked_by: str | None = None
    pattern: str | None = None
    created_at: datetime
    answered_at: datetime | None = None
    taken_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """What a person says to agents unasked, until one has taken it in.

    Attributes:
        agent_id: whom it is for; of a note, the agent that is being told it, None before.
        work_item_id: the item whose next session a note is for; None for the project's next session.
    """

    id: str
    project_id: str
    kind: InstructionKind
    text: str
    by: str
    agent_id: str | None = None
    work_item_id: str | None = None
    status: InstructionStatus = InstructionStatus.OPEN
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Dossier:
    """What a project can be built again from: all that is kept of it but its events, transcripts and tool calls.

    `instructions` are those that no agent has taken in yet.
    """

    project: Project
    state: PipelineState
    items: tuple[WorkItem, ...] = ()
    comments: tuple[Comment, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    sessions: tuple[SessionLog, ...] = ()
    requests: tuple[InputRequest, ...] = ()
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemCounts:
    """How many work items are in each state."""

    todo: int = 0
    in_progress: int = 0
    done: int = 0
    blocked: int = 0

    @property
    def total(self) -> int:
        return self.todo + self.in_progress + self.done + self.blocked


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncState:
    """How a project's work tracker stands.

    Attributes:
        kind: as in `backend.type`. link: where people find the items, a path or an address.
        pending: changes of the program that have not got there yet.
        last_error: what keeps it from working now. last_synced: when both sides were last the same.
    """

    kind: str
    link: str | None = None
    pending: int = 0
    last_error: str | None = None
    last_synced: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectOverview:
    """All a front end needs to draw one project: state, money per phase, items, what waits for a person, the sessions
    at work (`running`), and those that wait for agents of others to end (`seats`). While it waits for a worker
    `folder_missing_on` names those that do not find its folder."""

    project: Project
    state: PipelineState
    usage: Mapping[PhaseName, Usage]
    items: ItemCounts
    waiting_for: InputRequest | None
    running: tuple[SessionLog, ...] = ()
    seats: tuple[SeatWait, ...] = ()
    folder_missing_on: tuple[str, ...] = ()

    @property
    def total_usage(self) -> Usage:
        total = Usage()
        for usage in self.usage.values():
            total = total + usage
        return total


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Where everything stood right after event `seq`; follow on with the events after it.

    `projects` are those that run or wait for somebody, and the newest others; `total` is how many there are in all.
    """

    seq: int
    projects: tuple[ProjectOverview, ...]
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseResult:
    """What a phase returns when it ends. `content` becomes the artifact; an `error` says why it failed."""

    status: PhaseStatus
    output_type: str
    content: Mapping[str, Any]
    markdown: str = ""
    error: str | None = None
    new_items: int = 0
