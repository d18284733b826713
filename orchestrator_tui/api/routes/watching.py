"""Routes for whoever watches: the stream of events, health, numbers, and the audit log."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from orchestrator_tui import __version__
from orchestrator_tui.api import metrics
from orchestrator_tui.api.problems import Refused
from orchestrator_tui.api.routes.parts import (
    FIRST_SEQ_AFTER_ALL,
    Before,
    Findings,
    House,
    Limit,
    TheHouse,
    answer,
    needs,
    token_of,
)
from orchestrator_tui.api.schemas import Alive, Ready
from orchestrator_tui.api.stream import MEDIA_TYPE, EventStream
from orchestrator_tui.domain.access import AuditEntry, Scope
from orchestrator_tui.domain.errors import IllegalTransition, OrchestratorError, StoreUnavailable
from orchestrator_tui.engine.client import as_they_are

LOOK_SECONDS = 1.0

router = APIRouter(tags=["watch"])

_EXAMPLE = (
    'id: 17\ndata: {"seq":17,"at":"2026-01-01T12:00:00+00:00","project_id":"…","type":"PipelineStatusChanged",'
    '"data":{"old":"running","new":"paused","reason":"approval"}}\n\n'
    'event: delta\ndata: {"project_id":"…","agent_id":"…","text":"I will "}\n\n'
)
_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-Sent Events", "content": {MEDIA_TYPE: {"example": _EXAMPLE}}}
}
_STREAM = needs(Scope.READ)


@router.get(
    "/events",
    summary="What happens, as Server-Sent Events",
    response_class=Response,
    openapi_extra=_STREAM["openapi_extra"],
    responses={**_STREAM["responses"], **_STREAMED},
)
async def stream_events(
    request: Request,
    house: TheHouse,
    after_seq: Annotated[int | None, Query(ge=0, le=FIRST_SEQ_AFTER_ALL)] = None,
    project: Annotated[str | None, Query(max_length=200)] = None,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,18}$")] = None,
) -> Response:
    """What was stored after `Last-Event-ID` or `after_seq` (without either, from now on), then what happens.

    Stored events have their `seq` as id and come exactly once, in order. `delta` is text that is still being written;
    `resync` tells a reader that was too slow that text was left out, and stored events follow after that number;
    `trouble` is a problem that ends the stream. A comment is sent while nothing happens. A number that no event has yet
    is refused with 409.
    """
    token, doorkeeper = token_of(request), house.doorkeeper()
    project_id = None if project is None else (await house.client.find_project(project)).id
    if house.closing.is_set() or house.streams >= house.options.limits.streams:
        raise Refused(503, StoreUnavailable("No more event streams can be opened.", hint="Close one that is not read."))
    if last_event_id is not None:
        after_seq = int(last_event_id)
    if after_seq is None:
        after_seq = (await house.client.snapshot(limit=1)).seq
    elif after_seq and not await house.client.events(after_seq=after_seq - 1, limit=1):
        # Of a database that was restored since, perhaps: whoever waits for that number would miss all before it.
        hint = "Look at /snapshot again, and follow from its seq."
        raise Refused(409, IllegalTransition(f"There is no event {after_seq} here.", hint=hint))

    def count(change: int) -> None:
        house.streams += change
        house.metrics.streams.set(house.streams)

    async def allowed() -> bool:
        known = await doorkeeper.known(token.id)
        return known is not None and known.scope.allows(Scope.READ)

    return EventStream(
        house.client,
        after_seq,
        project_id,
        house.options.limits,
        allowed=allowed,
        closing=house.closing,
        opened=lambda: count(1),
        closed=lambda: count(-1),
        sent=house.metrics.events.inc,
    )


@router.get("/health", summary="Whether the server is there", response_model=Alive, **needs(None))
async def health() -> Response:
    return answer({"alive": True, "version": __version__})


_UNREADY = needs(None)


@router.get(
    "/ready",
    summary="Whether projects can be worked on",
    response_model=Ready,
    openapi_extra=_UNREADY["openapi_extra"],
    responses={**_UNREADY["responses"], 503: {"model": Ready, "description": "Something is wrong"}},
)
async def ready(house: TheHouse) -> Response:
    """503 as long as a check finds something wrong. What was found is good for a second."""
    # Whoever asks meanwhile waits for the same look: anybody may ask.
    async with house.looking:
        if house.found is None or house.looked_at is None or monotonic() - house.looked_at > LOOK_SECONDS:
            house.found, house.looked_at = await look(house), monotonic()
        found = house.found
    said = {"ready": found.ready, "checks": found.checks, "notes": found.notes}
    return answer(said, 200 if found.ready else 503)


async def look(house: House) -> Findings:
    """What all checks find now."""
    checks = {"engine": "" if house.is_open else "it is starting"}
    if house.is_open and house.commands.is_closing:
        checks["engine"] = "it is ending"
    for name, check in house.options.checks.items():
        checks[name] = await _result(check)
    checks |= house.awaited
    if house.is_open:
        checks["database"] = await _result(lambda: _database(house))
    notes = {name: await _result(note) for name, note in house.options.notes.items()}
    return Findings(checks, {name: note for name, note in notes.items() if note})


async def _database(house: House) -> str:
    await house.client.projects(limit=1)
    return ""


async def _result(check: Callable[[], Awaitable[str]]) -> str:
    """What a check finds; whoever is not known may ask, so only the kind of an error is told."""
    try:
        return await check()
    except OrchestratorError as error:
        return f"{error.title}: it cannot be used"


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response, **needs(Scope.READ))
async def get_metrics(house: TheHouse) -> Response:
    snapshot = await house.client.snapshot(limit=1)
    house.metrics.take(await as_they_are(house.client, snapshot.projects), total=snapshot.total)
    return Response(house.metrics.text(), media_type=metrics.MEDIA_TYPE)


@router.get("/audit", summary="Who sent which command", response_model=list[AuditEntry], **needs(Scope.ADMIN))
async def list_audit(house: TheHouse, before: Before = None, limit: Limit = 100) -> Response:
    """The newest first; the next page is before the last number."""
    return answer(await house.ledger.audit(before=before, limit=limit))
