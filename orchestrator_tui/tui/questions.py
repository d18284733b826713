"""Which question is the same as another, which events concern it, and how it ended, in words; pure."""

from collections.abc import Sequence

from orchestrator_tui.domain import events
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import RequestKind
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.words import title
from orchestrator_tui.tui.context import BY

Ended = events.InputAnswered | events.InputWithdrawn


def still_asked(request: InputRequest, asked: Sequence[InputRequest]) -> InputRequest | None:
    """The request among those a project asks now: itself, or the one about a newer version of the same document."""
    if itself := next((one for one in asked if one.id == request.id), None):
        return itself
    if request.kind is not RequestKind.APPROVAL:
        return None
    return next((one for one in asked if (one.kind, one.phase) == (request.kind, request.phase)), None)


def touches(event: events.Event, request: InputRequest) -> bool:
    """Whether a request may stand differently after an event of its project."""
    match event:
        case events.InputAnswered(request_id=request_id) | events.InputWithdrawn(request_id=request_id):
            return request_id == request.id
        case events.InputRequested(kind=kind, phase=phase):
            return kind is request.kind and phase is request.phase
        case _:
            return False


def how_it_ended(ended: Ended | None) -> str:
    """Who answered what, as far as it is known."""
    match ended:
        case events.InputAnswered(choice=choice, by=by, text=text):
            words = f": “{one_line(text, 200)}”" if text else ""
            who = "Another dashboard" if by == BY else one_line(by, 60)
            return f"{who} answered meanwhile with {title(choice)}{words}."
        case events.InputWithdrawn():
            return "This is not asked any more: the project went on without an answer."
        case None:
            return "This was answered meanwhile."
