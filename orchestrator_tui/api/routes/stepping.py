"""Routes by which a person steps in: words for agents, an interrupt, another limit or priority, the tracker synced."""

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import Response

from orchestrator_tui.api.routes.errands import BY, OPERATE, Empty, TheErrand
from orchestrator_tui.api.schemas import Done, Interrupt, Limit, Note, Prioritized, Priority, Steer
from orchestrator_tui.domain import standing
from orchestrator_tui.domain.commands import InterruptAgent, LeaveNote, SetLimit, SetPriority, SteerAgent, SyncTracker

router = APIRouter(tags=["step in"])


@router.post("/projects/{reference}/steer", summary="Say something to an agent", response_model=Done, **OPERATE)
async def steer(errand: TheErrand, body: Steer) -> Response:
    """One that has ended leaves it to the next session as a note."""
    project_id = await errand.project_id()
    return await errand.send(SteerAgent(project_id=project_id, agent_id=body.agent_id, text=body.text, by=BY))


@router.post("/projects/{reference}/note", summary="Leave a note for agents", response_model=Done, **OPERATE)
async def leave_note(errand: TheErrand, body: Note) -> Response:
    project_id = await errand.project_id()
    return await errand.send(LeaveNote(project_id=project_id, text=body.text, work_item_id=body.item_id, by=BY))


@router.post("/projects/{reference}/interrupt", summary="Interrupt agents", response_model=Done, **OPERATE)
async def interrupt(errand: TheErrand, body: Annotated[Interrupt | None, Body()] = None) -> Response:
    """They wait for a while for what you say, then go on."""
    agent_id = body.agent_id if body is not None else None
    return await errand.send(InterruptAgent(project_id=await errand.project_id(), agent_id=agent_id, by=BY))


@router.post("/projects/{reference}/limits", summary="Change a limit", response_model=Done, **OPERATE)
async def set_limit(errand: TheErrand, body: Limit) -> Response:
    """It counts at once and is kept with the project."""
    project_id = await errand.project_id()
    return await errand.send(
        SetLimit(project_id=project_id, scope=body.scope, resource=body.resource, amount=body.amount, by=BY)
    )


@router.post("/projects/{reference}/priority", summary="Change its priority", response_model=Prioritized, **OPERATE)
async def set_priority(errand: TheErrand, body: Priority) -> Response:
    """It counts at once where the project waits for a worker, or sessions of it for others to end, and is kept with
    the project; `note` says what it changes now."""
    project_id = await errand.project_id()

    async def note() -> str:
        return standing.priority_counts(await errand.house.client.overview(project_id))

    return await errand.send_noted(SetPriority(project_id=project_id, priority=body.priority, by=BY), note)


@router.post("/projects/{reference}/tracker/sync", summary="Sync its tracker now", response_model=Done, **OPERATE)
async def sync_tracker(errand: TheErrand, body: Empty = None) -> Response:
    return await errand.send(SyncTracker(project_id=await errand.project_id()))
