"""What all routes share: the house they are served from, what a route needs, and how records are answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from orchestrator_tui.api import wire
from orchestrator_tui.api.access import Doorkeeper, need
from orchestrator_tui.api.base import Ledger, Options, TakeWebhook, no_webhook
from orchestrator_tui.api.commands import Commands, Sender
from orchestrator_tui.api.guard import address_of
from orchestrator_tui.api.metrics import Metrics
from orchestrator_tui.api.problems import MEDIA_TYPE, Refused
from orchestrator_tui.api.schemas import Problem
from orchestrator_tui.domain.access import Scope, Token
from orchestrator_tui.domain.errors import AccessDenied, StoreUnavailable
from orchestrator_tui.engine.client import EngineClient

SCOPE = "x-scope"
"""Where a route says what it needs, in the OpenAPI document too; one that says nothing needs `admin`."""

MOST = 1_000
ID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
FIRST_SEQ_AFTER_ALL = 2**62
"""No database counts that far; larger numbers it cannot hold."""

Reference = Annotated[str, Path(max_length=200, description="A project's number, id, start of its id, or slug.")]
Identity = Annotated[str, Path(max_length=100, description="An id, as lists give it.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="Only those with a higher number.")]
AfterId = Annotated[
    str | None, Query(pattern=ID, description="Only those that come after the one with this id; the next page.")
]
Before = Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Only those with a lower number.")]
AfterSeq = Annotated[int, Query(ge=0, le=FIRST_SEQ_AFTER_ALL, description="Only events with a higher `seq`.")]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and what is only worth knowing, by name; "" for what is fine."""

    checks: dict[str, str]
    notes: dict[str, str]

    @property
    def ready(self) -> bool:
        return not any(self.checks.values())


@dataclass(kw_only=True)
class House:
    """What the routes are served from, for as long as the engine is open; before that they answer 503.

    `found` is what the checks of readiness found, at `looked_at` on the monotonic clock, by one that was `looking` for
    all; `awaited` says by name what the engine still waits for.
    """

    options: Options
    metrics: Metrics = field(default_factory=Metrics)
    written: wire.Written = field(default_factory=wire.Written)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    found: Findings | None = None
    awaited: dict[str, str] = field(default_factory=dict)
    looked_at: float | None = None
    take_webhook: TakeWebhook = no_webhook
    _open: "tuple[EngineClient, Ledger, Doorkeeper, Commands] | None" = None

    def open(self, client: EngineClient, ledger: Ledger, take_webhook: TakeWebhook = no_webhook) -> None:
        """Answer from now on; `take_webhook` gets those of trackers."""
        commands = Commands(client, ledger, self.options, self._count_command)
        self.take_webhook = take_webhook
        self._open = client, ledger, Doorkeeper(ledger), commands

    def _count_command(self, command: str, status: int) -> None:
        self.metrics.commands.labels(command, str(status)).inc()

    @property
    def is_open(self) -> bool:
        return self._open is not None

    @property
    def client(self) -> EngineClient:
        return self._parts()[0]

    @property
    def ledger(self) -> Ledger:
        return self._parts()[1]

    def doorkeeper(self) -> Doorkeeper:
        return self._parts()[2]

    @property
    def commands(self) -> Commands:
        return self._parts()[3]

    def _parts(self) -> "tuple[EngineClient, Ledger, Doorkeeper, Commands]":
        if self._open is None:
            raise Refused(503, StoreUnavailable("The server is starting.", hint="Try again in a moment."))
        return self._open


async def house_of(request: Request) -> House:
    """The house of the application. Asynchronous, for anything else FastAPI runs in another thread."""
    house = request.app.state.house
    assert isinstance(house, House)
    return house


def token_of(request: Request) -> Token:
    """Who asks. Raises AccessDenied when the way here did not find out."""
    token = request.scope.get("state", {}).get("token")
    if not isinstance(token, Token):
        raise AccessDenied("A token is needed.")
    return token


def sender_of(request: Request) -> Sender:
    return Sender(token=token_of(request), address=address_of(request.scope))


async def check_scope(request: Request) -> None:
    """Every route asks this first.

    Raises:
        AccessDenied: the token allows less than the route needs.
    """
    extra = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    wanted = extra.get(SCOPE, Scope.ADMIN.value)
    if wanted != "none":
        need(token_of(request).scope, Scope(wanted))


TheHouse = Annotated[House, Depends(house_of)]


def needs(scope: Scope | None, refusals: Sequence[int] = ()) -> dict[str, Any]:
    """The keyword arguments of a route that needs `scope`; None for everybody, even without a token. `refusals` are the
    statuses of its problems, where they are not the usual ones."""
    extra: dict[str, Any] = {SCOPE: scope.value if scope else "none"}
    extra["security"] = [{"token": []}] if scope else []
    refusals = refusals or (_REFUSALS if scope else (421, 503))
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    responses = {status: {"description": _MEANINGS[status], "content": content} for status in refusals}
    return {"openapi_extra": extra, "responses": responses}


def answer(value: Any, status: int = 200) -> Response:
    """Records as JSON; they are not validated again, since they are ours."""
    return Response(wire.dumps(value), status, media_type="application/json")


def answer_again(house: House, value: Any) -> Response:
    """As `answer`, for records of which the store gives the very same objects while nothing changes."""
    return Response(house.written.text(value), media_type="application/json")


_REFUSALS = (400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 422, 429, 500, 503, 507)
_MEANINGS = {
    400: "It cannot be understood",
    401: "No token, or one that is not known",
    403: "The token does not allow it, or another site asks",
    404: "There is no such thing",
    405: "The address is not for that method",
    408: "The body did not arrive in time",
    409: "Not possible in the present state, or the content has changed",
    413: "The body is too large",
    415: "JSON is expected",
    421: "The server does not answer to that name",
    422: "A value cannot be used",
    429: "Too many requests; Retry-After says how long to wait",
    500: "The server's own fault",
    503: "The database cannot be used now, or the server is starting or ending",
    507: "No room is left on the disk of the project",
}
