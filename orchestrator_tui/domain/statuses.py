"""The closed sets of names a pipeline, a phase, a work item, an agent or a request can be in."""

from enum import StrEnum


class PhaseName(StrEnum):
    """The seven phases, in the order they run."""

    IDEATION = "ideation"
    ARCHITECTURE = "architecture"
    TASK_BREAKDOWN = "task_breakdown"
    INITIALIZE = "initialize"
    IMPLEMENT = "implement"
    TESTING = "testing"
    DEPLOY = "deploy"


PHASE_ORDER: tuple[PhaseName, ...] = tuple(PhaseName)

EDITABLE = frozenset({PhaseName.IDEATION, PhaseName.ARCHITECTURE})
"""Phases whose document is text that a person may edit; the others are plans, changed by words only."""


class PipelineStatus(StrEnum):
    NOT_STARTED = "not_started"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    COMPLETED = "completed"


AT_WORK = (PipelineStatus.RUNNING, PipelineStatus.STOPPING)
"""A process has the project, or had it and is gone."""


class PhaseStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"


class WorkItemStatus(StrEnum):
    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    BLOCKED = "blocked"


class AgentStatus(StrEnum):
    """How one Claude session stands or ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class MergeStep(StrEnum):
    """What the merge queue does with an item; it ends with the item's commit, or with a failed attempt."""

    WAITING = "waiting"
    """Others are before it."""
    MERGING = "merging"
    """Main is brought to its commit."""


class PauseReason(StrEnum):
    """Why a pipeline is paused or stopped; shown to people, so each says it by itself."""

    APPROVAL = "approval"
    CLARIFICATION = "clarification"
    PERMISSION = "permission"
    ERROR = "error"
    BUDGET = "budget"
    USAGE_LIMIT = "usage_limit"
    API_UNAVAILABLE = "api_unavailable"
    HAND_OVER = "hand_over"
    USER_REQUEST = "user_request"


class RequestKind(StrEnum):
    """What a person is asked for."""

    APPROVAL = "approval"
    CLARIFICATION = "clarification"
    PERMISSION = "permission"
    ERROR_DECISION = "error_decision"


ASKED_BY_AGENTS = frozenset({RequestKind.CLARIFICATION, RequestKind.PERMISSION})
"""What agents ask while they are at work."""


class RequestStatus(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class InstructionKind(StrEnum):
    """What a person says to agents unasked."""

    STEER = "steer"
    NOTE = "note"
    INTERRUPT = "interrupt"


class InstructionStatus(StrEnum):
    """`void`: it was for an agent that had ended by then."""

    OPEN = "open"
    TAKEN = "taken"
    VOID = "void"


class Choice(StrEnum):
    """An answer a person can give; each request lists which of them it takes."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    ANSWER = "answer"
    RETRY = "retry"
    RETRY_WITH_HINT = "retry_with_hint"
    SKIP = "skip"
    ALLOW_ONCE = "allow_once"
    ALLOW_PROJECT = "allow_project"
    DENY = "deny"
    STOP = "stop"


class Pattern(StrEnum):
    """How a planning phase asks: three agents at once, or one."""

    SWARM = "swarm"
    SINGLE = "single"


class Autonomy(StrEnum):
    FULL = "full"
    CHECKPOINT = "checkpoint"


class SeatScope(StrEnum):
    """Whose limit of agents at work at the same time a session waits for."""

    INSTALLATION = "installation"
    WORKER = "worker"
