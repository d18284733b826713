"""Everything that can happen, as one closed union of frozen values; each is stored before anybody is shown it.

`encode` and `decode` turn an event into JSON-safe data and back. `AgentDelta` and `Resync` are for live
subscribers only and are never stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from orchestrator_tui.domain import codec
from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    Choice,
    InstructionKind,
    MergeStep,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    SeatScope,
    WorkItemStatus,
)
from orchestrator_tui.domain.troubles import Rung, Trouble


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectCreated:
    number: int
    name: str
    slug: str
    directory: str
    idea: str
    rehearsal: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectImported:
    """A project was built again from its folder; the events after it in the same commit tell how it stands.

    `by_commit` of its items are done because their commit says so; `requeued` were being worked on and go back.
    """

    number: int
    name: str
    slug: str
    directory: str
    idea: str
    rehearsal: bool
    current_phase: PhaseName | None
    items: int
    done: int
    by_commit: int
    requeued: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectMoved:
    """A person has moved the project's folder, and told where it is now."""

    old: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineStatusChanged:
    """With `resumes_at` it goes on by itself then."""

    old: PipelineStatus
    new: PipelineStatus
    reason: str | None = None
    resumes_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseTaken:
    """A process became the one that runs the project; `over` is the owner it was taken from without being given."""

    owner: str
    epoch: int
    over: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueChanged:
    """The project waits for a worker of the cluster to take it up, or does not wait any more."""

    queued: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseStatusChanged:
    phase: PhaseName
    old: PhaseStatus
    new: PhaseStatus
    round: int
    seconds: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxChecked:
    """A run began: its programs are shut in (`active`), or not; `why` says why not, or what is missing."""

    active: bool
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeoverAwaited:
    """Its owner gave no sign; if it gives none for `seconds` more, another process takes the project over."""

    owner: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRequested:
    """Another process than the owner's wants the project to stop; the owner will see to it."""

    owner: str
    reason: str


STOP_STEPS = 5
"""Steps of a graceful stop (the seed's shutdown flow)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StopProgressed:
    """A graceful stop got to its next step; `details` are lines about what was found there."""

    step: int
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseProgressed:
    """How far a phase is, in its own units; `total` 0 means the end is not known yet."""

    phase: PhaseName
    done: int
    total: int
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactStored:
    artifact_id: str
    phase: PhaseName
    output_type: str
    content_hash: str
    file_path: str | None
    round: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatAwaited:
    """A session waits to begin, or to go on: `most` agents are at work already, in the installation or its worker."""

    seat_id: str
    scope: SeatScope
    most: int
    phase: PhaseName
    role: str
    work_item_id: str | None = None
    work_item_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatWaitEnded:
    """It has its seat (`given`), or does not want one any more."""

    seat_id: str
    given: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentStarted:
    agent_id: str
    phase: PhaseName
    role: str
    session_number: int
    model: str
    scripted: bool
    work_item_id: str | None = None
    work_item_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentPrompted:
    """The engine said something to a running session: its task, a validation error, a hint. Text is shortened."""

    agent_id: str
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSaid:
    """A whole message of an agent."""

    agent_id: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentCalledTool:
    agent_id: str
    call_id: str
    tool: str
    summary: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentToolReturned:
    agent_id: str
    call_id: str
    is_error: bool
    output: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentRetried:
    """The CLI asks the API again after an error."""

    agent_id: str
    attempt: int
    delay_seconds: float
    status: int | None
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentFinished:
    agent_id: str
    status: AgentStatus
    summary: str
    error: str | None
    usage: Usage
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentReported:
    """An agent told by itself how far it is."""

    agent_id: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AssumptionMade:
    """An agent asked where nobody is asked; `answer` is what it was told in place of a person's words."""

    agent_id: str
    question: str
    answer: str
    work_item_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionGiven:
    """A person said something unasked. `agent_id` is whom it is for; a note may be for a work item's next session."""

    instruction_id: str
    kind: InstructionKind
    text: str
    by: str
    agent_id: str | None = None
    work_item_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionTaken:
    """An agent has taken it in."""

    instruction_id: str
    kind: InstructionKind
    agent_id: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionKept:
    """The agent ended before it had heard this: it is a note for the next session now."""

    instruction_id: str
    agent_id: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionChanged:
    """From now on this very command is allowed in the project, or not any more."""

    pattern: str
    allowed: bool
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptFailed:
    """A try at a task failed, the `number`th of at most `most`; `then` is what follows."""

    phase: PhaseName
    role: str
    trouble: Trouble
    problem: str
    then: Rung
    number: int
    most: int
    work_item_id: str | None = None
    work_item_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SwarmMerged:
    """What the aggregator found before an agent writes the final document."""

    phase: PhaseName
    agreed: int
    single: int
    members: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItemCreated:
    work_item_id: str
    key: str
    title: str
    priority: int
    labels: tuple[str, ...]
    parent_id: str | None
    dependencies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItemStatusChanged:
    work_item_id: str
    key: str
    old: WorkItemStatus
    new: WorkItemStatus
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItemCommented:
    work_item_id: str
    key: str
    comment_id: str
    author: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItemEdited:
    """A person changed fields of an item in its tracker, `where` says in which; its status has an event of its own."""

    work_item_id: str
    key: str
    title: str
    fields: tuple[str, ...]
    by: str
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItemConflict:
    """A person and the program changed the same field of an item at the same time; the person's value counts."""

    work_item_id: str
    key: str
    field: str
    ours: str
    theirs: str
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackerMoved:
    """The project's items are kept in another tracker from now on; `link` is where people find them."""

    old: str
    new: str
    items: int
    link: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyStarted:
    work_item_id: str | None
    command: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyFinished:
    """The engine ran the project's own check. `output` is its end, shortened."""

    work_item_id: str | None
    command: str
    exit_code: int
    passed: bool
    seconds: float
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeProgressed:
    """An item that was worked on beside others is on its way to main; `onto` is the commit that it is put on."""

    work_item_id: str
    key: str
    step: MergeStep
    onto: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitMade:
    commit: str
    message: str
    work_item_id: str | None
    files: int
    insertions: int
    deletions: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRequested:
    request_id: str
    kind: RequestKind
    phase: PhaseName | None
    title: str
    content_hash: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class InputAnswered:
    request_id: str
    kind: RequestKind
    choice: Choice
    text: str | None
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InputWithdrawn:
    """Nobody needs to answer any more: the project goes on without."""

    request_id: str
    kind: RequestKind


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitSet:
    """Somebody changed a limit of the project; None is no limit. Amounts are in the unit of the resource."""

    scope: Scope
    resource: Resource
    old: float | None
    new: float | None
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PrioritySet:
    """Somebody changed how urgent the project is where it waits for a worker, or its sessions for seats."""

    old: int
    new: int
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitNear:
    """A limit is nearly used up, or (`expected`) will be: what the project comes to with the work left to do.

    `subject` says which day, phase or work item; "" for the project.
    """

    scope: Scope
    resource: Resource
    subject: str
    used: float
    limit: float
    expected: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorOccurred:
    """Something went wrong. `missing_on` is the worker that does not find the project's folder, when it is that."""

    title: str
    message: str
    hint: str
    phase: PhaseName | None = None
    work_item_id: str | None = None
    missing_on: str | None = None


Event = (
    ProjectCreated
    | ProjectImported
    | ProjectMoved
    | PipelineStatusChanged
    | LeaseTaken
    | SandboxChecked
    | TakeoverAwaited
    | StopRequested
    | QueueChanged
    | StopProgressed
    | PhaseStatusChanged
    | PhaseProgressed
    | ArtifactStored
    | SeatAwaited
    | SeatWaitEnded
    | AgentStarted
    | AgentPrompted
    | AgentSaid
    | AgentCalledTool
    | AgentToolReturned
    | AgentRetried
    | AgentFinished
    | AgentReported
    | AssumptionMade
    | InstructionGiven
    | InstructionTaken
    | InstructionKept
    | PermissionChanged
    | AttemptFailed
    | SwarmMerged
    | WorkItemCreated
    | WorkItemStatusChanged
    | WorkItemCommented
    | WorkItemEdited
    | WorkItemConflict
    | TrackerMoved
    | VerifyStarted
    | VerifyFinished
    | MergeProgressed
    | CommitMade
    | InputRequested
    | InputAnswered
    | InputWithdrawn
    | LimitSet
    | PrioritySet
    | LimitNear
    | ErrorOccurred
)

EVENT_TYPES: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A stored event. `seq` grows in the order of commits, over all projects."""

    seq: int
    at: datetime
    project_id: str
    event: Event


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentDelta:
    """A few characters of a message still being written; the whole message follows as `AgentSaid`."""

    project_id: str
    agent_id: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Resync:
    """The subscriber was too slow and missed events: read on from `after_seq` in the store."""

    after_seq: int


Live = Recorded | AgentDelta | Resync


def encode(event: Event) -> dict[str, Any]:
    """The event's fields as JSON-safe data; its type's name is stored beside them."""
    return codec.to_plain(event)  # type: ignore[no-any-return]


def decode(kind: str, data: Mapping[str, Any]) -> Event:
    """The event of type name `kind` from its stored fields.

    Raises:
        KeyError: for a type this version does not know.
    """
    return codec.from_plain(EVENT_TYPES[kind], data)  # type: ignore[no-any-return]
