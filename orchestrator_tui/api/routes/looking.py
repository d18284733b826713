"""Routes that only look: projects, and what belongs to them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from orchestrator_tui.api import wire
from orchestrator_tui.api.routes.parts import (
    FIRST_SEQ_AFTER_ALL,
    After,
    AfterId,
    AfterSeq,
    Before,
    Identity,
    Limit,
    Reference,
    TheHouse,
    answer,
    answer_again,
    needs,
)
from orchestrator_tui.api.schemas import EventOut, Patch, Text
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    SyncState,
    WorkItem,
)
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.engine.client import as_they_are, overview_as_it_is

router = APIRouter(tags=["look"])
READ = needs(Scope.READ)


@router.get("/projects", summary="List all projects", response_model=list[Project], **READ)
async def list_projects(house: TheHouse, after: After = 0, limit: Limit = 100) -> Response:
    """In order of number; the next page begins after the last number."""
    return answer_again(house, await house.client.projects(after=after, limit=limit))


@router.get("/projects/{reference}", summary="How a project stands", response_model=ProjectOverview, **READ)
async def get_project(house: TheHouse, reference: Reference) -> Response:
    """State, phases, items, costs, and what waits for a person, with the `content_hash` an answer needs."""
    return answer_again(house, await overview_as_it_is(house.client, await _id(house, reference)))


@router.get("/projects/{reference}/limits", summary="What it may use, and has used", response_model=Bounds, **READ)
async def get_limits(house: TheHouse, reference: Reference) -> Response:
    """Each limit with what is used of it, and what the work left to do will take."""
    return answer(await house.client.bounds(await _id(house, reference)))


@router.get("/projects/{reference}/tracker", summary="Where its work items are kept", response_model=SyncState, **READ)
async def get_tracker(house: TheHouse, reference: Reference) -> Response:
    return answer(await house.client.tracker(await _id(house, reference)))


@router.get("/projects/{reference}/tracker/plan", summary="What a move would do", response_model=list[str], **READ)
async def get_tracker_plan(
    house: TheHouse, reference: Reference, kind: Annotated[str, Query(pattern="^[a-z][a-z0-9_-]{0,49}$")]
) -> Response:
    """A line each; nothing is done."""
    return answer(await house.client.tracker_plan(await _id(house, reference), kind))


@router.get("/snapshot", summary="How all projects stand, as of one moment", response_model=Snapshot, **READ)
async def get_snapshot(house: TheHouse, before: Before = None, limit: Limit = 100) -> Response:
    """All that run or wait, and the newest others; follow on with `/events?after_seq=` its `seq`."""
    snapshot = await house.client.snapshot(before=before, limit=limit)
    projects = tuple(await as_they_are(house.client, snapshot.projects))
    return answer(Snapshot(seq=snapshot.seq, projects=projects, total=snapshot.total))


@router.get("/projects/{reference}/items", summary="Its work items", response_model=list[WorkItem], **READ)
async def list_items(
    house: TheHouse,
    reference: Reference,
    status: WorkItemStatus | None = None,
    after: After = 0,
    limit: Limit = 200,
) -> Response:
    return answer(await house.client.items(await _id(house, reference), status=status, after=after, limit=limit))


@router.get("/items/{item_id}/comments", summary="The notes on a work item", response_model=list[Comment], **READ)
async def list_comments(house: TheHouse, item_id: Identity, after: AfterId = None, limit: Limit = 200) -> Response:
    """The oldest first."""
    return answer(await house.client.comments(item_id, after=after, limit=limit))


@router.get("/items/{item_id}/diff", summary="What a work item changed", response_model=Patch, **READ)
async def get_item_diff(house: TheHouse, item_id: Identity) -> Response:
    return answer({"patch": await house.client.item_diff(item_id)})


@router.get("/projects/{reference}/commits", summary="Its newest commits", response_model=list[CommitEntry], **READ)
async def list_commits(house: TheHouse, reference: Reference, limit: Limit = 500) -> Response:
    return answer(await house.client.commits(await _id(house, reference), limit=limit))


@router.get("/projects/{reference}/commits/{commit}", summary="What a commit changed", response_model=Patch, **READ)
async def get_commit_diff(
    house: TheHouse, reference: Reference, commit: Annotated[str, Path(pattern="^[0-9a-f]{4,64}$")]
) -> Response:
    return answer({"patch": await house.client.commit_diff(await _id(house, reference), commit)})


@router.get("/projects/{reference}/diff", summary="What is changed in its folder now", response_model=Patch, **READ)
async def get_diff(house: TheHouse, reference: Reference) -> Response:
    return answer({"patch": await house.client.commit_diff(await _id(house, reference), None)})


@router.get("/projects/{reference}/artifacts", summary="Its documents", response_model=list[Artifact], **READ)
async def list_artifacts(house: TheHouse, reference: Reference, after: AfterId = None, limit: Limit = 50) -> Response:
    """The oldest first."""
    return answer(await house.client.artifacts(await _id(house, reference), after=after, limit=limit))


@router.get("/artifacts/{artifact_id}/text", summary="A document as Markdown", response_model=Text, **READ)
async def get_artifact_text(house: TheHouse, artifact_id: Identity) -> Response:
    return answer({"text": await house.client.artifact_text(artifact_id)})


@router.get("/projects/{reference}/sessions", summary="Its Claude sessions", response_model=list[SessionLog], **READ)
async def list_sessions(house: TheHouse, reference: Reference, after: After = 0, limit: Limit = 200) -> Response:
    return answer(await house.client.sessions(await _id(house, reference), after=after, limit=limit))


@router.get("/requests", summary="All that waits for a person", response_model=list[InputRequest], **READ)
async def list_all_requests(house: TheHouse, after: AfterId = None, limit: Limit = 200) -> Response:
    """The oldest first."""
    return answer(await house.client.requests(after=after, limit=limit))


@router.get("/projects/{reference}/requests", summary="What it asks", response_model=list[InputRequest], **READ)
async def list_requests(house: TheHouse, reference: Reference, after: AfterId = None, limit: Limit = 200) -> Response:
    """The oldest first."""
    return answer(await house.client.requests(await _id(house, reference), after=after, limit=limit))


@router.get("/logs", summary="What happened in all projects", response_model=list[EventOut], **READ)
async def list_all_events(house: TheHouse, after_seq: AfterSeq = 0, limit: Limit = 500) -> Response:
    found = await house.client.events(after_seq=after_seq, limit=limit)
    return answer([wire.recorded_plain(one) for one in found])


@router.get("/projects/{reference}/logs", summary="What happened in it", response_model=list[EventOut], **READ)
async def list_events(
    house: TheHouse,
    reference: Reference,
    after_seq: Annotated[int | None, Query(ge=0, le=FIRST_SEQ_AFTER_ALL)] = None,
    before_seq: Annotated[int | None, Query(ge=0, le=FIRST_SEQ_AFTER_ALL)] = None,
    limit: Limit = 500,
) -> Response:
    """Those after `after_seq`, or without it the newest before `before_seq`; the oldest first either way."""
    project_id = await _id(house, reference)
    if after_seq is not None:
        found = await house.client.events(after_seq=after_seq, project_id=project_id, limit=limit)
    else:
        found = await house.client.latest_events(project_id, before_seq=before_seq, limit=limit)
    return answer([wire.recorded_plain(one) for one in found])


async def _id(house: TheHouse, reference: str) -> str:
    return (await house.client.find_project(reference)).id
