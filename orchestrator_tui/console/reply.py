"""What `--approve` and `--request-changes` mean for what waits; pure."""

from orchestrator_tui.domain import words
from orchestrator_tui.domain.commands import AnswerRequest
from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import Choice, RequestKind

APPROVING = {RequestKind.APPROVAL: Choice.APPROVE, RequestKind.PERMISSION: Choice.ALLOW_ONCE}
SAYING = {
    RequestKind.APPROVAL: Choice.REQUEST_CHANGES,
    RequestKind.CLARIFICATION: Choice.ANSWER,
    RequestKind.PERMISSION: Choice.DENY,
    RequestKind.ERROR_DECISION: Choice.RETRY_WITH_HINT,
}


def reply(request: InputRequest, changes: str | None) -> AnswerRequest:
    """The answer to `request`: a yes, or `changes` when there are some.

    Raises:
        UsageError: a plain yes does not answer it.
    """
    choice = APPROVING.get(request.kind) if changes is None else SAYING[request.kind]
    if choice is Choice.ALLOW_ONCE and choice not in request.choices:
        choice = Choice.ALLOW_PROJECT
    if choice is None:
        kind = words.title(request.kind)
        raise UsageError(
            f"What waits is no approval but a {kind}: {words.one_line(request.title)}.",
            hint='Answer it with --request-changes "words", or leave --approve out.',
        )
    return AnswerRequest(request_id=request.id, choice=choice, content_hash=request.content_hash, text=changes)
