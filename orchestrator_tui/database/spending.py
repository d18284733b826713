"""What sessions have used, summed by the database: one statement a question, however many sessions there are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Double, Row, Select, String, and_, case, cast, func, select, true, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from orchestrator_tui.database.models import projects, session_logs, work_items
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.limits import NOTHING, Spending, SpentByProject
from orchestrator_tui.domain.statuses import WorkItemStatus

_COLUMN = session_logs.c
_TOKENS = _COLUMN.input_tokens + _COLUMN.output_tokens + _COLUMN.cache_read_tokens + _COLUMN.cache_write_tokens


class seconds_between(GenericFunction[float]):
    """Seconds from one moment to a later one."""

    type = Double()
    inherit_cache = True


@compiles(seconds_between, "sqlite")
def _sqlite(element: seconds_between, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"((julianday({end}) - julianday({start})) * 86400.0)"


@compiles(seconds_between, "postgresql")
def _postgresql(element: seconds_between, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXTRACT(EPOCH FROM ({end} - {start}))"


_LASTED = seconds_between(_COLUMN.started_at, _COLUMN.ended_at)


async def spent(
    runner: Runner, project_id: str, since: datetime, item_id: str | None, *, of_owner: bool = False
) -> SpentByProject:
    """What the ended sessions of a project used: by phase, since a moment, on an item. Two statements, and one more
    for all projects of its owner."""
    today = _COLUMN.ended_at > since
    parts = [*_sums("", None), *_sums("day_", today)]
    if item_id is not None:
        mine = _COLUMN.work_item_id == item_id
        parts += [*_sums("item_", mine), _sum_if(_LASTED, mine).label("item_seconds")]
    query = select(_COLUMN.phase, *parts).where(_COLUMN.project_id == project_id, _COLUMN.ended_at.is_not(None))
    phases: dict[str, Spending] = {}
    day = item = NOTHING
    for row in await runner.run(query.group_by(_COLUMN.phase)):
        phases[row.phase] = _spending(row, "")
        day += _spending(row, "day_")
        if item_id is not None:
            item += _spending(row, "item_") + Spending(seconds=float(row.item_seconds))
    seconds = (await runner.run(_seconds_at_work(project_id, since))).scalar_one()
    owner, owner_day = await _spent_by_owner(runner, project_id, since) if of_owner else (NOTHING, NOTHING)
    day += Spending(seconds=float(seconds or 0.0))
    return SpentByProject(phases=phases, day=day, item=item, owner=owner, owner_day=owner_day)


async def _spent_by_owner(runner: Runner, project_id: str, since: datetime) -> tuple[Spending, Spending]:
    """In all, and since a moment. What sessions at work in the project itself use is known to whoever runs it.

    Of each project the sum of its ended sessions is kept, so that only sessions of the day are looked at one by one."""
    this, other = projects.alias("this"), projects.alias("other")
    same_owner = this.join(other, and_(other.c.created_by == this.c.created_by, other.c.rehearsal == this.c.rehearsal))
    kept = select(
        func.sum(other.c.spent_usd).label("kept_dollars"),
        func.sum(other.c.spent_tokens).label("kept_tokens"),
        func.sum(other.c.spent_sessions).label("kept_sessions"),
    ).select_from(same_owner)
    sessions = same_owner.join(session_logs, _COLUMN.project_id == other.c.id)
    today = select(*_sums("day_", None)).select_from(sessions).where(_COLUMN.ended_at > since)
    elsewhere = (_COLUMN.ended_at.is_(None), _COLUMN.project_id != project_id)
    at_work = select(*_sums("", None)).select_from(sessions).where(*elsewhere)
    # In one statement: a session that ends in this moment counts once.
    first, second, third = (query.where(this.c.id == project_id).subquery() for query in (kept, today, at_work))
    query = select(first, second, third).select_from(first.join(second, true()).join(third, true()))
    row = (await runner.run(query)).one()
    running = _spending(row, "")
    return _spending(row, "kept_") + running, _spending(row, "day_") + running


async def keep_spent(runner: Runner, project_id: str) -> None:
    """Keep with a project what its ended sessions have used together. Whoever calls it keeps others from ending some
    meanwhile."""
    query = select(*_sums("", None)).where(_COLUMN.project_id == project_id, _COLUMN.ended_at.is_not(None))
    spent = _spending((await runner.run(query)).one(), "")
    kept = {"spent_usd": spent.dollars, "spent_tokens": spent.tokens, "spent_sessions": spent.sessions}
    await runner.run(update(projects).where(projects.c.id == project_id).values(kept))


async def finished_items(runner: Runner, project_id: str, limit: int) -> Sequence[Spending]:
    """What the newest finished work items took. One statement."""
    newest = func.max(work_items.c.completed_at)
    query = (
        select(*_sums("", None), func.sum(_LASTED).label("seconds"))
        .select_from(session_logs.join(work_items, _same_item()))
        .where(
            _COLUMN.project_id == project_id,
            _COLUMN.ended_at.is_not(None),
            work_items.c.project_id == project_id,
            work_items.c.status == WorkItemStatus.DONE.value,
        )
        .group_by(_COLUMN.work_item_id)
        .order_by(newest.desc(), _COLUMN.work_item_id)
        .limit(limit)
    )
    return [_spending(row, "") + Spending(seconds=float(row.seconds)) for row in await runner.run(query)]


def _same_item() -> ColumnElement[bool]:
    # An item's id is of another type where a session names it, as it may be kept by another tracker.
    return _COLUMN.work_item_id == cast(work_items.c.id, String)


def _seconds_at_work(project_id: str, since: datetime) -> Select[Any]:
    """Seconds since a moment in which at least one session was at work: parallel ones count once."""
    start = case((_COLUMN.started_at < since, since), else_=_COLUMN.started_at)
    before = func.max(_COLUMN.ended_at).over(order_by=(_COLUMN.started_at, _COLUMN.session_number), rows=(None, -1))
    days = (
        select(start.label("start"), _COLUMN.ended_at.label("end"), before.label("before"))
        .where(_COLUMN.project_id == project_id, _COLUMN.ended_at > since)
        .subquery()
    )
    lasted = case(
        (days.c.before >= days.c.end, 0.0),
        (days.c.before > days.c.start, seconds_between(days.c.before, days.c.end)),
        else_=seconds_between(days.c.start, days.c.end),
    )
    return select(func.sum(lasted)).select_from(days)


def _sums(prefix: str, condition: ColumnElement[bool] | None) -> list[ColumnElement[Any]]:
    one: ColumnElement[Any] = case((condition, 1), else_=0) if condition is not None else func.count()
    sessions = func.sum(one) if condition is not None else one
    return [
        _sum_if(_COLUMN.cost_usd, condition).label(f"{prefix}dollars"),
        _sum_if(_TOKENS, condition).label(f"{prefix}tokens"),
        sessions.label(f"{prefix}sessions"),
    ]


def _sum_if(amount: ColumnElement[Any], condition: ColumnElement[bool] | None) -> ColumnElement[Any]:
    return func.sum(amount if condition is None else case((condition, amount), else_=0))


def _spending(row: Row[Any], prefix: str) -> Spending:
    found = row._mapping
    return Spending(
        dollars=float(found[f"{prefix}dollars"] or 0.0),
        tokens=int(found[f"{prefix}tokens"] or 0),
        sessions=int(found[f"{prefix}sessions"] or 0),
    )
