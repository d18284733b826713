"""The workers of a cluster, and the projects that there are for them, on SQLite or PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, cast, delete, insert, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from orchestrator_tui.database.columns import UtcDateTime
from orchestrator_tui.database.ledger import Read, Write
from orchestrator_tui.database.models import pipeline_states, projects, workers
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.records import RunByWorker, Wanted, WorkerRecord
from orchestrator_tui.domain.statuses import AT_WORK, PipelineStatus

_STATUSES = {status.value: status for status in PipelineStatus}
_AT_WORK = [status.value for status in AT_WORK]


class present_moment(GenericFunction[datetime]):
    """By the one clock that all workers share: the database's."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(present_moment, "sqlite")
def _sqlite(element: present_moment, compiler: SQLCompiler, **options: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(present_moment, "postgresql")
def _postgresql(element: present_moment, compiler: SQLCompiler, **options: Any) -> str:
    return "clock_timestamp()"


class SqlRoster:
    """The roster beside a store; `read` asks a question in a transaction, `write` opens one that commits."""

    def __init__(self, read: Read, write: Write) -> None:
        self._read = read
        self._write = write

    async def join(self, worker: WorkerRecord) -> None:
        values = {name: value for name, value in asdict(worker).items() if name in workers.c}
        async with self._write() as runner:
            await runner.run(delete(workers).where(workers.c.id == worker.id))
            await runner.run(insert(workers).values({**values, "heartbeat": present_moment()}))

    async def beat(self, worker_id: str, load: float) -> bool | None:
        async with self._write() as runner:
            beaten = update(workers).where(workers.c.id == worker_id).values(heartbeat=present_moment(), load=load)
            draining: bool | None = (await runner.run(beaten.returning(workers.c.draining))).scalar_one_or_none()
            return draining

    async def leave(self, worker_id: str) -> None:
        async with self._write() as runner:
            await runner.run(delete(workers).where(workers.c.id == worker_id))

    async def forget(self, silent: timedelta) -> None:
        async with self._write() as runner:
            await runner.run(delete(workers).where(workers.c.heartbeat < await _moment(runner) - silent))

    async def drain(self, worker_id: str) -> None:
        async with self._write() as runner:
            drained = await runner.run(update(workers).where(workers.c.id == worker_id).values(draining=True))
            if drained.rowcount == 0:
                raise KeyError(worker_id)

    async def workers(self) -> Sequence[WorkerRecord]:
        found: Sequence[WorkerRecord] = await self._read(_workers)
        return found

    async def wanted(self, *, after: int = 0, waiting: int = 1000) -> Sequence[Wanted]:
        found: Sequence[Wanted] = await self._read(lambda runner: _wanted(runner, after, waiting))
        return found

    async def lapse(self, seen: Wanted) -> None:
        column = pipeline_states.c
        unchanged = (
            column.project_id == seen.project_id,
            column.epoch == seen.epoch,
            column.heartbeat == seen.heartbeat,
        )
        async with self._write() as runner:
            await runner.run(update(pipeline_states).where(*unchanged).values(lapsed=True))


async def _moment(runner: Runner) -> datetime:
    moment: datetime = (await runner.run(select(present_moment()))).scalar_one()
    return moment


async def _workers(runner: Runner) -> Sequence[WorkerRecord]:
    owned = (
        select(pipeline_states.c.owner, projects.c.id, projects.c.number, projects.c.name)
        .select_from(pipeline_states.join(projects))
        .where(projects.c.status.in_(_AT_WORK), pipeline_states.c.owner.is_not(None))
        .order_by(projects.c.number)
    )
    of_owner: dict[str, list[RunByWorker]] = {}
    for row in await runner.run(owned):
        one = RunByWorker(project_id=row.id, number=row.number, name=row.name)
        of_owner.setdefault(row.owner, []).append(one)
    moment = await _moment(runner)
    found = await runner.run(select(workers).order_by(workers.c.name, workers.c.id))
    return [
        WorkerRecord(
            **row._mapping,
            silent_seconds=max(0.0, (moment - row.heartbeat).total_seconds()),
            projects=tuple(of_owner.get(row.process, ())),
        )
        for row in found
    ]


async def _wanted(runner: Runner, after: int, waiting: int) -> Sequence[Wanted]:
    column = pipeline_states.c
    query = select(
        # As text already by the database: in a large installation every worker reads thousands all the time.
        cast(column.project_id, String),
        projects.c.status,
        projects.c.number,
        column.queued_at,
        column.owner,
        column.epoch,
        column.heartbeat,
        column.lease_seconds,
        column.lapsed,
    ).select_from(pipeline_states.join(projects))
    at_work = projects.c.status.in_(_AT_WORK)
    in_line = query.where(~at_work, column.queued_at.is_not(None), projects.c.number > after)
    found = [*await runner.run(query.where(at_work))]
    found += await runner.run(in_line.order_by(projects.c.number).limit(waiting))
    return [
        Wanted(
            project_id=project_id,
            status=_STATUSES[status],
            number=number,
            queued_at=queued_at,
            owner=owner,
            epoch=epoch,
            heartbeat=heartbeat,
            lease_seconds=lease_seconds,
            lapsed=lapsed,
        )
        for project_id, status, number, queued_at, owner, epoch, heartbeat, lease_seconds, lapsed in found
    ]
