"""What can be wrong with an agent's work, and what is done about it: closed sets of names, and a failed attempt."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Trouble(StrEnum):
    """The class of a failure; each has its hint in `prompts/recovery`."""

    RATE_LIMIT = "rate_limit"
    USAGE_LIMIT = "usage_limit"
    OVERLOAD = "overload"
    NETWORK = "network"
    CONTEXT_OVERFLOW = "context_overflow"
    BLOCKED_COMMAND = "blocked_command"
    AUTHENTICATION = "authentication"
    INVALID_ANSWER = "invalid_answer"
    FAILING_CHECK = "failing_check"
    TOOL_MISSING = "tool_missing"
    MERGE_CONFLICT = "merge_conflict"
    STALLED = "stalled"
    LOOPING = "looping"
    OUT_OF_TURNS = "out_of_turns"
    UNKNOWN = "unknown"


OF_THE_SERVICE = frozenset({Trouble.RATE_LIMIT, Trouble.USAGE_LIMIT, Trouble.OVERLOAD, Trouble.NETWORK})
"""Nobody's fault: the project waits and goes on with the same conversation."""


class Rung(StrEnum):
    """What follows a failed attempt, each more of a change than the one before."""

    HINT = "hint"
    """The same session is told what is wrong and what to do differently."""
    FRESH = "fresh"
    """A new session that knows what was tried."""
    STRONGER = "stronger"
    """A new session of the stronger model."""
    ESCALATE = "escalate"
    """A person decides, or it is left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A failed try at a task.

    Attributes:
        task: which task of its phase, such as `planner/2`; empty for a work item's.
        rung: how it was begun; None for the first try. then: what follows it.
        signature: the same for errors that differ in numbers, paths, ids and times only.
        problem: what was wrong, in a line.
    """

    task: str = ""
    trouble: Trouble
    rung: Rung | None
    then: Rung
    model: str
    signature: str
    problem: str
    at: datetime
