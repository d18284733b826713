"""Routes about the processes that run the projects of a cluster."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from orchestrator_tui.api.routes.errands import Empty, Key, sent
from orchestrator_tui.api.routes.parts import TheHouse, answer, needs
from orchestrator_tui.api.schemas import Drained
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.commands import DrainWorker
from orchestrator_tui.domain.records import WorkerRecord

router = APIRouter(tags=["workers"])


@router.get("/workers", summary="Who runs what", response_model=list[WorkerRecord], **needs(Scope.READ))
async def list_workers(house: TheHouse) -> Response:
    """Each with its load and its last heartbeat; none where projects are not left to workers."""
    return answer(await house.client.workers())


@router.post("/workers/{worker}/drain", summary="Drain a worker", response_model=Drained, **needs(Scope.ADMIN))
async def drain_worker(
    request: Request,
    house: TheHouse,
    worker: Annotated[str, Path(max_length=300, description="A worker's name or id.")],
    body: Empty = None,
    key: Key = None,
) -> Response:
    """It hands over what it runs at safe points, and takes nothing more until it is started again."""
    return await sent(request, house, DrainWorker(worker=worker), key)
