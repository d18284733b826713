"""Routes by which a person steps in: words for agents, an interrupt, another limit, the tracker synced now."""

from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from orchestrator_tui.api.routes.doing import BY, OPERATE, Key, id_of, sent
from orchestrator_tui.api.routes.parts import Reference, TheHouse
from orchestrator_tui.api.schemas import Done, Interrupt, Limit, Note, Nothing, Steer
from orchestrator_tui.domain.commands import InterruptAgent, LeaveNote, SetLimit, SteerAgent, SyncTracker

router = APIRouter(tags=["step in"])


@router.post("/projects/{reference}/steer", summary="Say something to an agent", response_model=Done, **OPERATE)
async def steer(request: Request, house: TheHouse, reference: Reference, body: Steer, key: Key = None) -> Response:
    """One that has ended leaves it to the next session as a note."""
    command = SteerAgent(project_id=await id_of(house, reference), agent_id=body.agent_id, text=body.text, by=BY)
    return await sent(request, house, command, key)


@router.post("/projects/{reference}/note", summary="Leave a note for agents", response_model=Done, **OPERATE)
async def leave_note(request: Request, house: TheHouse, reference: Reference, body: Note, key: Key = None) -> Response:
    project_id = await id_of(house, reference)
    command = LeaveNote(project_id=project_id, text=body.text, work_item_id=body.item_id, by=BY)
    return await sent(request, house, command, key)


@router.post("/projects/{reference}/interrupt", summary="Interrupt agents", response_model=Done, **OPERATE)
async def interrupt(
    request: Request,
    house: TheHouse,
    reference: Reference,
    body: Annotated[Interrupt | None, Body()] = None,
    key: Key = None,
) -> Response:
    """They wait for a while for what you say, then go on."""
    agent_id = body.agent_id if body is not None else None
    command = InterruptAgent(project_id=await id_of(house, reference), agent_id=agent_id, by=BY)
    return await sent(request, house, command, key)


@router.post("/projects/{reference}/limits", summary="Change a limit", response_model=Done, **OPERATE)
async def set_limit(request: Request, house: TheHouse, reference: Reference, body: Limit, key: Key = None) -> Response:
    """It counts at once and is kept with the project."""
    project_id = await id_of(house, reference)
    command = SetLimit(project_id=project_id, scope=body.scope, resource=body.resource, amount=body.amount, by=BY)
    return await sent(request, house, command, key)


@router.post("/projects/{reference}/tracker/sync", summary="Sync its tracker now", response_model=Done, **OPERATE)
async def sync_tracker(
    request: Request,
    house: TheHouse,
    reference: Reference,
    body: Annotated[Nothing | None, Body()] = None,
    key: Key = None,
) -> Response:
    return await sent(request, house, SyncTracker(project_id=await id_of(house, reference)), key)
