"""Everything that is read, one function a question; each runs on a connection it is given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, func, select, tuple_

from orchestrator_tui.database import rows
from orchestrator_tui.database.models import (
    account_limits,
    input_requests,
    instructions,
    phase_outputs,
    pipeline_states,
    projects,
    session_logs,
    tracker_syncs,
    work_item_comments,
    work_items,
)
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    InputRequest,
    Instruction,
    ItemCounts,
    PipelineState,
    Project,
    SessionLog,
    SyncState,
    Usage,
    WorkItem,
)
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    InstructionStatus,
    PhaseName,
    PipelineStatus,
    RequestStatus,
    WorkItemStatus,
)


def pipeline_query(project_id: str) -> Select[Any]:
    """The pipeline state with the status kept on its project."""
    return (
        select(pipeline_states, projects.c.status, projects.c.current_phase)
        .select_from(pipeline_states.join(projects))
        .where(pipeline_states.c.project_id == project_id)
    )


async def list_projects(runner: Runner, after: int, limit: int) -> Sequence[Project]:
    query = select(projects).where(projects.c.number > after).order_by(projects.c.number).limit(limit)
    return [rows.project(row) for row in await runner.run(query)]


async def _page(
    runner: Runner, query: Select[Any], table: Table, order: Sequence[str], after: str | None, limit: int | None
) -> Sequence[Row[Any]]:
    """At most `limit` rows in this order, behind the row with the id `after`; none behind an unknown one."""
    columns = [table.c[name] for name in order]
    if after is not None:
        place = (await runner.run(select(*columns).where(table.c.id == after))).one_or_none()
        if place is None:
            return []
        query = query.where(tuple_(*columns) > tuple(place))
    return (await runner.run(query.order_by(*columns).limit(limit))).all()


async def pipeline_state(runner: Runner, project_id: str) -> PipelineState:
    row = (await runner.run(pipeline_query(project_id))).one_or_none()
    if row is None:
        raise KeyError(project_id)
    return rows.pipeline_state(row)


async def account_limit(runner: Runner, names: Sequence[str]) -> datetime | None:
    query = select(func.max(account_limits.c.resets_at)).where(account_limits.c.name.in_(names))
    found: datetime | None = (await runner.run(query)).scalar_one()
    return found


async def limited_accounts(runner: Runner, until: datetime) -> Mapping[str, datetime]:
    query = select(account_limits).where(account_limits.c.resets_at >= until)
    return {row.name: row.resets_at for row in await runner.run(query)}


async def usage_by_phase(runner: Runner, project_id: str) -> Mapping[PhaseName, Usage]:
    numbers = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_usd")
    query = (
        select(session_logs.c.phase, *(func.sum(session_logs.c[name]).label(name) for name in numbers))
        .where(session_logs.c.project_id == project_id, session_logs.c.status != AgentStatus.RUNNING.value)
        .group_by(session_logs.c.phase)
    )
    return {PhaseName(row.phase): rows.usage(row) for row in await runner.run(query)}


async def item_counts(runner: Runner, project_id: str) -> ItemCounts:
    query = (
        select(work_items.c.status, func.count().label("how_many"))
        .where(work_items.c.project_id == project_id)
        .group_by(work_items.c.status)
    )
    return ItemCounts(**{row.status: row.how_many for row in await runner.run(query)})


async def sync_state(runner: Runner, project_id: str) -> SyncState | None:
    query = select(tracker_syncs).where(tracker_syncs.c.project_id == project_id)
    row = (await runner.run(query)).one_or_none()
    return None if row is None else rows.sync_state(row)


async def get_item(runner: Runner, item_id: str) -> WorkItem:
    row = (await runner.run(select(work_items).where(work_items.c.id == item_id))).one_or_none()
    if row is None:
        raise KeyError(item_id)
    return rows.work_item(row)


async def list_items(
    runner: Runner, project_id: str, status: WorkItemStatus | None, after: int, limit: int
) -> Sequence[WorkItem]:
    query = select(work_items).where(work_items.c.project_id == project_id, work_items.c.number > after)
    if status is not None:
        query = query.where(work_items.c.status == status.value)
    return [rows.work_item(row) for row in await runner.run(query.order_by(work_items.c.number).limit(limit))]


async def list_comments(
    runner: Runner, item_id: str, after: str | None = None, limit: int | None = None
) -> Sequence[Comment]:
    query = select(work_item_comments).where(work_item_comments.c.work_item_id == item_id)
    found = await _page(runner, query, work_item_comments, ("created_at", "id"), after, limit)
    return [rows.comment(row) for row in found]


async def latest_artifact(
    runner: Runner, project_id: str, phase: PhaseName, output_type: str | None
) -> Artifact | None:
    query = select(phase_outputs).where(phase_outputs.c.project_id == project_id, phase_outputs.c.phase == phase.value)
    if output_type is not None:
        query = query.where(phase_outputs.c.output_type == output_type)
    newest = query.order_by(phase_outputs.c.created_at.desc(), phase_outputs.c.round.desc()).limit(1)
    row = (await runner.run(newest)).one_or_none()
    return None if row is None else rows.artifact(row)


async def get_artifact(runner: Runner, artifact_id: str) -> Artifact:
    row = (await runner.run(select(phase_outputs).where(phase_outputs.c.id == artifact_id))).one_or_none()
    if row is None:
        raise KeyError(artifact_id)
    return rows.artifact(row)


async def list_artifacts(
    runner: Runner, project_id: str, after: str | None = None, limit: int | None = None
) -> Sequence[Artifact]:
    query = select(phase_outputs).where(phase_outputs.c.project_id == project_id)
    found = await _page(runner, query, phase_outputs, ("created_at", "round", "id"), after, limit)
    return [rows.artifact(row) for row in found]


async def list_sessions(runner: Runner, project_id: str, after: int, limit: int) -> Sequence[SessionLog]:
    query = (
        select(session_logs)
        .where(session_logs.c.project_id == project_id, session_logs.c.session_number > after)
        .order_by(session_logs.c.session_number)
        .limit(limit)
    )
    return [rows.session_log(row) for row in await runner.run(query)]


async def last_session(
    runner: Runner, project_id: str, phase: PhaseName, role: str, work_item_id: str | None
) -> SessionLog | None:
    return await _newest_session(
        runner, project_id, phase, role, session_logs.c.work_item_id.is_not_distinct_from(work_item_id)
    )


async def answered_session(
    runner: Runner, project_id: str, phase: PhaseName, role: str, prompt_hash: str
) -> SessionLog | None:
    completed = session_logs.c.status == AgentStatus.COMPLETED.value
    return await _newest_session(runner, project_id, phase, role, session_logs.c.prompt_hash == prompt_hash, completed)


async def _newest_session(
    runner: Runner, project_id: str, phase: PhaseName, role: str, *further: ColumnElement[bool]
) -> SessionLog | None:
    column = session_logs.c
    query = select(session_logs).where(
        column.project_id == project_id, column.phase == phase.value, column.role == role, *further
    )
    row = (await runner.run(query.order_by(column.session_number.desc()).limit(1))).one_or_none()
    return None if row is None else rows.session_log(row)


async def waiting_projects(runner: Runner) -> Sequence[str]:
    query = (
        select(projects.c.id)
        .select_from(projects.join(pipeline_states))
        .where(projects.c.status == PipelineStatus.PAUSED.value, pipeline_states.c.resumes_at.is_not(None))
        .order_by(projects.c.number)
    )
    return list((await runner.run(query)).scalars())


async def open_requests(
    runner: Runner, project_id: str | None, limit: int | None = None, after: str | None = None
) -> Sequence[InputRequest]:
    query = select(input_requests).where(input_requests.c.status == RequestStatus.OPEN.value)
    if project_id is not None:
        query = query.where(input_requests.c.project_id == project_id)
    found = await _page(runner, query, input_requests, ("created_at", "id"), after, limit)
    return [rows.input_request(row) for row in found]


async def get_request(runner: Runner, request_id: str) -> InputRequest:
    row = (await runner.run(select(input_requests).where(input_requests.c.id == request_id))).one_or_none()
    if row is None:
        raise KeyError(request_id)
    return rows.input_request(row)


async def open_instructions(runner: Runner, project_id: str) -> Sequence[Instruction]:
    column = instructions.c
    query = select(instructions).where(column.project_id == project_id, column.status == InstructionStatus.OPEN.value)
    return [rows.instruction(row) for row in await runner.run(query.order_by(column.created_at, column.id))]
