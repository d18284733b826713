"""What other programs are told of: the few events that call for a person, as short notices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from orchestrator_tui.domain import codec, events, limit_words
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PauseReason, PipelineStatus
from orchestrator_tui.domain.text import one_line

LONGEST_TEXT = 500


class Happening(StrEnum):
    """A reason to call a person."""

    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"
    BUDGET = "budget"


KINDS: tuple[type[Any], ...] = (events.InputRequested, events.PipelineStatusChanged, events.LimitNear)
"""The types of the events that a notice can be made of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One thing to tell.

    Attributes:
        id: the same however often it is sent.
        text: what happened, in one line for people. detail: what the event says of it, JSON-safe.
    """

    id: str
    happening: Happening
    seq: int
    at: datetime
    project: Project
    text: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """How far a receiver has been told: everything up to `seq`; the next thing failed `attempts` times, and is tried
    again at `next_at`."""

    seq: int
    attempts: int = 0
    next_at: datetime | None = None


def happening_of(event: events.Event) -> Happening | None:
    """Why an event calls for a person; None when it does not."""
    match event:
        case events.InputRequested():
            return Happening.WAITING
        case events.LimitNear():
            return Happening.BUDGET
        case events.PipelineStatusChanged(old=old, new=new) if old is new:
            return None
        case events.PipelineStatusChanged(new=PipelineStatus.COMPLETED):
            return Happening.FINISHED
        case events.PipelineStatusChanged(new=PipelineStatus.FAILED):
            return Happening.FAILED
        case events.PipelineStatusChanged(new=PipelineStatus.PAUSED, reason=PauseReason.BUDGET):
            return Happening.BUDGET
        case _:
            return None


def notice_of(recorded: Recorded, project: Project) -> Notice | None:
    """What there is to tell of an event of `project`; None for most."""
    happening = happening_of(recorded.event)
    if happening is None:
        return None
    return Notice(
        id=f"msg_{uuid5(NAMESPACE_OID, f'{recorded.project_id}/{recorded.seq}').hex}",
        happening=happening,
        seq=recorded.seq,
        at=recorded.at,
        project=project,
        text=one_line(f"{one_line(project.name, 60)} {_words(recorded.event)}", LONGEST_TEXT),
        detail=codec.to_plain(recorded.event),
    )


def _words(event: events.Event) -> str:
    match event:
        case events.InputRequested(title=title):
            return f"waits for you: {title}"
        case events.LimitNear() as near:
            return f"comes to a limit: {limit_words.told(near)}"
        case events.PipelineStatusChanged(new=PipelineStatus.COMPLETED):
            return "is finished"
        case events.PipelineStatusChanged(new=PipelineStatus.FAILED, reason=reason):
            return f"failed: {reason}" if reason else "failed"
        case _:
            return "is paused: a limit is used up"
