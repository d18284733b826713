"""Routes that change something: each is one command, sent once under its Idempotency-Key."""

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from orchestrator_tui.api import wire
from orchestrator_tui.api.commands import Asked, check_key
from orchestrator_tui.api.routes.errands import BY, OPERATE, Empty, Errand, Key, TheErrand, sent
from orchestrator_tui.api.routes.parts import TheHouse
from orchestrator_tui.api.schemas import (
    Answer,
    AnyCommand,
    Approve,
    Done,
    Edit,
    NewProject,
    Reject,
    Stop,
)
from orchestrator_tui.domain.commands import (
    AnswerRequest,
    Command,
    CreateProject,
    EditArtifact,
    ResumeProject,
    StopProject,
)
from orchestrator_tui.domain.errors import IllegalTransition, RequestClosed
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import Choice, RequestKind
from orchestrator_tui.engine.client import EngineClient

router = APIRouter(tags=["do"])


@router.post("/projects", summary="Create new project with idea", status_code=201, response_model=Done, **OPERATE)
async def create_project(request: Request, house: TheHouse, body: NewProject, key: Key = None) -> Response:
    command = CreateProject(
        idea=body.idea, name=body.name, directory=body.directory, rehearsal=body.rehearsal, config=body.config
    )
    answered = await sent(request, house, command, key)
    if answered.status_code == 200:
        answered.status_code = 201
        answered.headers["Location"] = f"/projects/{json.loads(bytes(answered.body))['project_id']}"
    return answered


@router.post("/projects/{reference}/resume", summary="Resume paused project", response_model=Done, **OPERATE)
async def resume_project(errand: TheErrand, body: Empty = None) -> Response:
    return await errand.send(ResumeProject(project_id=await errand.project_id()))


@router.post("/projects/{reference}/stop", summary="Stop project gracefully", response_model=Done, **OPERATE)
async def stop_project(errand: TheErrand, body: Annotated[Stop | None, Body()] = None) -> Response:
    """Answers once it rests, or once another process was asked to stop it."""
    how = body or Stop()
    return await errand.send(StopProject(project_id=await errand.project_id(), reason=how.reason, force=how.force))


@router.post("/projects/{reference}/approve", summary="Approve checkpoint", response_model=Done, **OPERATE)
async def approve(errand: TheErrand, body: Approve) -> Response:
    def command(waiting: InputRequest) -> Command:
        return AnswerRequest(request_id=waiting.id, choice=Choice.APPROVE, content_hash=body.content_hash, by=BY)

    return await _answered(errand, body, RequestKind.APPROVAL, command)


@router.post("/projects/{reference}/reject", summary="Ask for changes", response_model=Done, **OPERATE)
async def reject(errand: TheErrand, body: Reject) -> Response:
    def command(waiting: InputRequest) -> Command:
        return AnswerRequest(
            request_id=waiting.id,
            choice=Choice.REQUEST_CHANGES,
            content_hash=body.content_hash,
            text=body.feedback,
            by=BY,
        )

    return await _answered(errand, body, RequestKind.APPROVAL, command)


@router.post("/projects/{reference}/edit", summary="Replace the document", response_model=Done, **OPERATE)
async def edit(errand: TheErrand, body: Edit) -> Response:
    def command(waiting: InputRequest) -> Command:
        return EditArtifact(request_id=waiting.id, content_hash=body.content_hash, markdown=body.markdown, by=BY)

    return await _answered(errand, body, RequestKind.APPROVAL, command)


@router.post("/projects/{reference}/answer", summary="Answer any question", response_model=Done, **OPERATE)
async def give_answer(errand: TheErrand, body: Answer) -> Response:
    def command(waiting: InputRequest) -> Command:
        return AnswerRequest(
            request_id=waiting.id, choice=body.choice, content_hash=body.content_hash, text=body.text, by=BY
        )

    return await _answered(errand, body, None, command)


@router.post("/commands", summary="Any command", response_model=Done, **OPERATE)
async def send_command(
    request: Request, house: TheHouse, body: Annotated[AnyCommand, Body()], key: Key = None
) -> Response:
    """What the dashboard sends. Some commands need the scope `admin`."""
    return await sent(request, house, wire.command_from(body.model_dump(mode="json")), key)


async def _answered(
    errand: Errand,
    body: Approve | Reject | Edit | Answer,
    kind: RequestKind | None,
    command: Callable[[InputRequest], Command],
) -> Response:
    """Carry out once what `command` makes of the question that is meant, which is looked for the first time only: once
    it is answered it waits no more."""
    check_key(errand.key)
    project_id = await errand.project_id()

    async def find() -> Command:
        return command(await _waiting(errand.house.client, project_id, body.content_hash, body.request_id, kind))

    return await errand.send_asked(
        Asked(
            find=find,
            kind=EditArtifact if isinstance(body, Edit) else AnswerRequest,
            said=wire.dumps([type(body).__name__, project_id, body.model_dump(mode="json")]),
        )
    )


async def _waiting(
    client: EngineClient, project_id: str, content_hash: str, request_id: str | None, kind: RequestKind | None
) -> InputRequest:
    """The question that is meant: the one named, or the one with that content.

    Raises:
        RequestClosed: none has that content now.
        IllegalTransition: nothing is asked.
    """
    asked = [one for one in await client.requests(project_id) if kind in (None, one.kind)]
    if request_id is not None:
        asked = [one for one in asked if one.id == request_id]
    if not asked:
        raise IllegalTransition("Nothing of that kind waits for an answer.", hint="GET …/requests tells what does.")
    meant = [one for one in asked if one.content_hash == content_hash]
    if not meant:
        raise RequestClosed(
            f"{asked[0].title}: its content changed.", hint="Read it again, then answer with its content_hash."
        )
    return meant[0]
