"""Reads everything of one project, or what of it may have changed."""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, or_, select, true

from orchestrator_tui.database import queries, rows
from orchestrator_tui.database.models import (
    input_requests,
    phase_outputs,
    projects,
    session_logs,
    work_item_comments,
    work_items,
)
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.records import Dossier
from orchestrator_tui.domain.statuses import AgentStatus, RequestStatus

# Parsing the tool calls of each session would cost more than all the rest.
_SESSION = [column for column in session_logs.c if column.name != "tool_calls"]


async def read(runner: Runner, project_id: str, since: datetime | None) -> Dossier:
    """Everything of a project; with `since` only the records that may have changed since then, and all open
    instructions.

    Raises:
        KeyError: no such project.
    """
    state = await queries.pipeline_state(runner, project_id)
    project = (await runner.run(select(projects).where(projects.c.id == project_id))).one()
    return Dossier(
        project=rows.project(project),
        state=state,
        items=tuple(rows.work_item(row) for row in await runner.run(_items(project_id, since))),
        comments=tuple(rows.comment(row) for row in await runner.run(_comments(project_id, since))),
        artifacts=tuple(rows.artifact(row) for row in await runner.run(_artifacts(project_id, since))),
        sessions=tuple(rows.session_outline(row) for row in await runner.run(_sessions(project_id, since))),
        requests=tuple(rows.input_request(row) for row in await runner.run(_requests(project_id, since))),
        instructions=tuple(await queries.open_instructions(runner, project_id)),
    )


def _items(project_id: str, since: datetime | None) -> Select[tuple[object, ...]]:
    item = work_items.c
    changed = true() if since is None else item.updated_at >= since
    return select(work_items).where(item.project_id == project_id, changed).order_by(item.number)


def _comments(project_id: str, since: datetime | None) -> Select[tuple[object, ...]]:
    comment = work_item_comments.c
    made = true() if since is None else comment.created_at >= since
    return (
        select(work_item_comments)
        .join(work_items)
        .where(work_items.c.project_id == project_id, made)
        .order_by(comment.created_at, comment.id)
    )


def _artifacts(project_id: str, since: datetime | None) -> Select[tuple[object, ...]]:
    artifact = phase_outputs.c
    made = true() if since is None else artifact.created_at >= since
    return (
        select(phase_outputs)
        .where(artifact.project_id == project_id, made)
        .order_by(artifact.created_at, artifact.round, artifact.id)
    )


def _sessions(project_id: str, since: datetime | None) -> Select[tuple[object, ...]]:
    session = session_logs.c
    changed: ColumnElement[bool] = true()
    if since is not None:
        running = session.status == AgentStatus.RUNNING.value
        changed = or_(session.started_at >= since, session.ended_at >= since, running)
    return select(*_SESSION).where(session.project_id == project_id, changed).order_by(session.session_number)


def _requests(project_id: str, since: datetime | None) -> Select[tuple[object, ...]]:
    request = input_requests.c
    changed: ColumnElement[bool] = true()
    if since is not None:
        # When a question was withdrawn is not kept.
        withdrawn = request.status == RequestStatus.WITHDRAWN.value
        changed = or_(request.created_at >= since, request.answered_at >= since, request.taken_at >= since, withdrawn)
    return (
        select(input_requests).where(request.project_id == project_id, changed).order_by(request.created_at, request.id)
    )
