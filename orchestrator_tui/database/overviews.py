"""Reads overviews of many projects at once: one statement for each kind of record, however many projects there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, select

from orchestrator_tui.database import rows
from orchestrator_tui.database.models import (
    agent_seats,
    input_requests,
    missing_folders,
    pipeline_states,
    projects,
    session_logs,
    work_items,
    workers,
)
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.records import (
    InputRequest,
    ItemCounts,
    Project,
    ProjectOverview,
    SeatWait,
    SessionLog,
    Usage,
)
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PipelineStatus, RequestStatus, SeatScope

NEEDS_ATTENTION = (PipelineStatus.RUNNING, PipelineStatus.PAUSED, PipelineStatus.STOPPING)
NUMBERS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_usd")

Ids = Sequence[str]


async def unfinished(runner: Runner, limit: int) -> Sequence[ProjectOverview]:
    """Projects that run or wait for somebody, the newest first."""
    names = [status.value for status in NEEDS_ATTENTION]
    query = select(projects).where(projects.c.status.in_(names)).order_by(projects.c.number.desc()).limit(limit)
    return await _overviews(runner, query)


async def page(runner: Runner, before: int | None, limit: int) -> Sequence[ProjectOverview]:
    """Projects with a number below `before` (all of them without it), the newest first."""
    query = select(projects).order_by(projects.c.number.desc()).limit(limit)
    return await _overviews(runner, query if before is None else query.where(projects.c.number < before))


async def one(runner: Runner, project_id: str) -> ProjectOverview:
    """The overview of one project.

    Raises:
        KeyError: there is none with this id.
    """
    found = await _overviews(runner, select(projects).where(projects.c.id == project_id))
    if not found:
        raise KeyError(project_id)
    return found[0]


async def count(runner: Runner) -> int:
    """How many projects there are."""
    return int((await runner.run(select(func.count()).select_from(projects))).scalar_one())


async def _overviews(runner: Runner, query: Select[Any]) -> Sequence[ProjectOverview]:
    found = [rows.project(row) for row in await runner.run(query)]
    ids = [project.id for project in found]
    if not ids:
        return []
    states = {row.project_id: rows.pipeline_state(row) for row in await runner.run(_states(ids))}
    usage, items = await _usage(runner, ids), await _items(runner, ids)
    waiting, running = await _waiting(runner, ids), await _running(runner, ids)
    seats, missing = await _seats(runner, ids), await _missing(runner, ids)

    def overview(project: Project) -> ProjectOverview:
        return ProjectOverview(
            project=project,
            state=states[project.id],
            usage=usage.get(project.id, {}),
            items=ItemCounts(**items.get(project.id, {})),
            waiting_for=waiting.get(project.id),
            running=tuple(running.get(project.id, ())),
            seats=tuple(seats.get(project.id, ())),
            folder_missing_on=tuple(missing.get(project.id, ())),
        )

    return [overview(project) for project in found]


def _states(ids: Ids) -> Select[Any]:
    return (
        select(pipeline_states, projects.c.status, projects.c.current_phase)
        .select_from(pipeline_states.join(projects))
        .where(pipeline_states.c.project_id.in_(ids))
    )


async def _usage(runner: Runner, ids: Ids) -> Mapping[str, Mapping[PhaseName, Usage]]:
    """What ended sessions have used; whoever follows the events adds what each other one has at its end."""
    query = (
        select(
            session_logs.c.project_id,
            session_logs.c.phase,
            *(func.sum(session_logs.c[name]).label(name) for name in NUMBERS),
        )
        .where(session_logs.c.project_id.in_(ids), session_logs.c.status != AgentStatus.RUNNING.value)
        .group_by(session_logs.c.project_id, session_logs.c.phase)
    )
    found: dict[str, dict[PhaseName, Usage]] = {}
    for row in await runner.run(query):
        found.setdefault(row.project_id, {})[PhaseName(row.phase)] = rows.usage(row)
    return found


async def _items(runner: Runner, ids: Ids) -> Mapping[str, Mapping[str, int]]:
    query = (
        select(work_items.c.project_id, work_items.c.status, func.count().label("how_many"))
        .where(work_items.c.project_id.in_(ids))
        .group_by(work_items.c.project_id, work_items.c.status)
    )
    found: dict[str, dict[str, int]] = {}
    for row in await runner.run(query):
        found.setdefault(row.project_id, {})[row.status] = row.how_many
    return found


async def _waiting(runner: Runner, ids: Ids) -> Mapping[str, InputRequest]:
    """The oldest open request of each project."""
    requests = input_requests.c
    query = (
        select(input_requests)
        .where(requests.project_id.in_(ids), requests.status == RequestStatus.OPEN.value)
        .order_by(requests.created_at.desc(), requests.id.desc())
    )
    return {row.project_id: rows.input_request(row) for row in await runner.run(query)}


async def _running(runner: Runner, ids: Ids) -> Mapping[str, Sequence[SessionLog]]:
    sessions = session_logs.c
    query = (
        select(session_logs)
        .where(sessions.project_id.in_(ids), sessions.status == AgentStatus.RUNNING.value)
        .order_by(sessions.session_number)
    )
    found: dict[str, list[SessionLog]] = {}
    for row in await runner.run(query):
        found.setdefault(row.project_id, []).append(rows.session_log(row))
    return found


async def _seats(runner: Runner, ids: Ids) -> Mapping[str, Sequence[SeatWait]]:
    """The sessions that wait for a seat under the present lease of their project."""
    query = (
        select(agent_seats)
        .join(pipeline_states, pipeline_states.c.project_id == agent_seats.c.project_id)
        .where(
            agent_seats.c.project_id.in_(ids),
            agent_seats.c.awaits.is_not(None),
            agent_seats.c.epoch == pipeline_states.c.epoch,
            pipeline_states.c.owner.is_not(None),
        )
        .order_by(agent_seats.c.number)
    )
    found: dict[str, list[SeatWait]] = {}
    for row in await runner.run(query):
        scope = SeatScope(row.awaits)
        most = row.most if scope is SeatScope.INSTALLATION else row.most_here
        found.setdefault(row.project_id, []).append(SeatWait(id=row.id, scope=scope, most=most))
    return found


async def _missing(runner: Runner, ids: Ids) -> Mapping[str, Sequence[str]]:
    """The workers, by name, that do not find a project's folder."""
    query = (
        select(missing_folders.c.project_id, workers.c.name)
        .join(workers, workers.c.id == missing_folders.c.worker_id)
        .where(missing_folders.c.project_id.in_(ids))
        .order_by(workers.c.name)
    )
    found: dict[str, list[str]] = {}
    for row in await runner.run(query):
        found.setdefault(row.project_id, []).append(row.name)
    return found
