"""Writes what happens to the log file: stored events, one line each, at the level they matter to whoever reads it."""

import logging
from collections.abc import Sequence

from orchestrator_tui.domain import codec, events
from orchestrator_tui.domain.events import Event, Recorded

logger = logging.getLogger(__name__)

_DEBUG = (
    events.AgentCalledTool,
    events.AgentToolReturned,
    events.AgentSaid,
    events.AgentPrompted,
    events.PhaseProgressed,
    events.WorkItemCreated,
    events.WorkItemCommented,
    events.AgentReported,
    events.VerifyStarted,
    events.MergeProgressed,
    events.SeatAwaited,
    events.SeatWaitEnded,
)
_TEXTS = frozenset({"idea", "text", "output", "arguments", "summary", "question"})
_LONGEST = 500


def write(recorded: Sequence[Recorded]) -> None:
    """Log stored events; long texts are cut, since the database has them whole."""
    for one in recorded:
        level = level_of(one.event)
        if logger.isEnabledFor(level):
            fields = {name: _short(name, value) for name, value in codec.to_plain(one.event).items()}
            logger.log(
                level, type(one.event).__name__, extra={"project": one.project_id, "seq": one.seq, **_safe(fields)}
            )


def level_of(event: Event) -> int:
    """How much an event matters in a log."""
    match event:
        case events.ErrorOccurred():
            return logging.ERROR
        case (
            events.LimitNear()
            | events.AttemptFailed()
            | events.AgentRetried()
            | events.VerifyFinished(passed=False)
            | events.AgentFinished(error=str())
        ):
            return logging.WARNING
        case _:
            return logging.DEBUG if isinstance(event, _DEBUG) else logging.INFO


def _short(name: str, value: object) -> object:
    if name not in _TEXTS:
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _safe(fields: dict[str, object]) -> dict[str, object]:
    """Names that a log record has for itself get an underscore."""
    taken = {"name", "message", "args", "module", "msg"}
    return {f"{name}_" if name in taken else name: value for name, value in fields.items()}
