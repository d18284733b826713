"""The route for webhooks of trackers: they say that it is time to look, and are signed instead of having a token."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from orchestrator_tui.api.guard import HOOKS
from orchestrator_tui.api.routes.parts import TheHouse, answer, needs
from orchestrator_tui.api.schemas import Taken

router = APIRouter(tags=["webhooks"])

_HOOK = needs(None, refusals=(400, 401, 405, 408, 413, 415, 421, 422, 429, 500, 503))
_BODY = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}


@router.post(
    HOOKS + "{tracker}",
    summary="A tracker's webhook",
    response_model=Taken,
    openapi_extra={**_HOOK["openapi_extra"], "requestBody": _BODY},
    responses=_HOOK["responses"],
)
async def take_webhook(
    request: Request, house: TheHouse, tracker: Annotated[str, Path(pattern="^[a-z][a-z0-9_-]{0,49}$")]
) -> Response:
    """Every project that is at work with its items there looks at once what changed; others do so when they go on.

    The tracker's own signature is checked by whoever is told: 401 when it does not fit, or is not of now.
    """
    body = await request.body()
    return answer({"taken": await house.take_webhook(tracker, body, request.headers)})
