"""Errors as answers: problem details (RFC 9457), which a client turns into the same errors again."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from orchestrator_tui.api import wire
from orchestrator_tui.domain import errors
from orchestrator_tui.domain.errors import OrchestratorError

MEDIA_TYPE = "application/problem+json"
logger = logging.getLogger(__name__)

# The first that fits counts.
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (errors.ProjectNotFound, 404),
    (errors.WorkerNotFound, 404),
    (KeyError, 404),
    (errors.WebhookRejected, 401),
    (errors.AccessDenied, 403),
    (errors.ProjectKnown, 409),
    (errors.DiskFull, 507),
    # The server itself can be asked again at once.
    (errors.RemoteUnavailable, 409),
    (errors.StoreUnavailable, 503),
    (errors.ServerBroken, 500),
    (errors.UsageError, 422),
    (OrchestratorError, 409),
)


class Refused(Exception):
    """A request that is not answered; `headers` go with the answer."""

    def __init__(
        self, status: int, error: OrchestratorError, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = dict(headers or {})
        self.members = members


def status_of(error: Exception) -> int:
    """The HTTP status that says best what kind of error this is."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def problem_of(error: Exception) -> dict[str, Any]:
    """The members of the problem that tells of an error; of one nobody planned for only the log has the details."""
    status = status_of(error)
    if isinstance(error, Refused):
        return {"type": "about:blank", "status": status, **wire.error_plain(error.error), **error.members}
    if status == 500:
        logger.error("a request broke the server's part", exc_info=error)
    return {"type": "about:blank", "status": status, **wire.error_plain(error)}


def answer_to(error: Exception) -> Response:
    """The answer that tells of an error."""
    problem = problem_of(error)
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if problem["status"] in (429, 503):
        headers.setdefault("Retry-After", "1")
    return Response(wire.dumps(problem), problem["status"], headers, MEDIA_TYPE)
