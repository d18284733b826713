"""The event table: rows with a `seq` that grows without gaps in the order of commits, over all processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, Row, String, bindparam, cast, func, insert, literal, select, update

from orchestrator_tui.database.columns import UtcDateTime, binder, dump_json
from orchestrator_tui.database.listening import CHANNEL
from orchestrator_tui.database.models import event_counter, events
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.events import Event, Recorded, decode, encode

_COUNT = (
    update(event_counter)
    .values(seq=event_counter.c.seq + bindparam("count", type_=BigInteger))
    .returning(event_counter.c.seq)
)
_COUNTED = _COUNT.cte("counted")
_COUNT_AND_TELL = select(_COUNTED.c.seq, func.pg_notify(literal(CHANNEL, String), cast(_COUNTED.c.seq, String)))
"""The same, and whoever listens is told the number when the transaction is committed."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that waits for the end of its transaction."""

    at: datetime
    project_id: str
    event: Event


class EventWriter:
    """Appends events. Its statements go to the driver as prepared text, since they carry nearly all rows we write."""

    def __init__(self, dialect: Dialect) -> None:
        self._on_sqlite = dialect.name == "sqlite"
        self._count = str(_COUNT.compile(dialect=dialect))
        self._insert = str(insert(events).compile(dialect=dialect))
        self._moment = binder(UtcDateTime(), dialect)

    async def append(self, runner: Runner, pending: Sequence[Pending]) -> tuple[Recorded, ...]:
        """Store events, in order; from here to the commit, all other writers of events wait."""
        last = await self._reserve(runner, len(pending))
        recorded = tuple(
            Recorded(seq=seq, at=waiting.at, project_id=waiting.project_id, event=waiting.event)
            for seq, waiting in enumerate(pending, start=last - len(pending) + 1)
        )
        moments = {waiting.at: self._moment(waiting.at) for waiting in pending}
        rows = [_row(stored, moments[stored.at]) for stored in recorded]
        await runner.drive(lambda driver: driver.executemany(self._insert, rows))
        return recorded

    async def _reserve(self, runner: Runner, count: int) -> int:
        """The last of `count` new numbers."""
        if self._on_sqlite:
            [(last,)] = await runner.drive(lambda driver: driver.execute_fetchall(self._count, (count,)))
        else:
            last = (await runner.run(_COUNT_AND_TELL, {"count": count})).scalar_one()
        return int(last)


def _row(stored: Recorded, moment: object) -> tuple[object, ...]:
    data = dump_json(encode(stored.event))
    return stored.seq, moment, stored.project_id, type(stored.event).__name__, data


async def read_events(runner: Runner, after_seq: int, project_id: str | None, limit: int) -> Sequence[Recorded]:
    """Events with a `seq` above `after_seq`, in order."""
    query = select(events).where(events.c.seq > after_seq).order_by(events.c.seq).limit(limit)
    if project_id is not None:
        query = query.where(events.c.project_id == project_id)
    return [_recorded(row) for row in await runner.run(query)]


async def read_kinds(
    runner: Runner, after_seq: int, up_to: int, kinds: Sequence[str], limit: int
) -> Sequence[Recorded]:
    """Events of some types with a `seq` above `after_seq` up to `up_to`, in order."""
    query = select(events).where(events.c.seq > after_seq, events.c.seq <= up_to, events.c.kind.in_(kinds))
    return [_recorded(row) for row in await runner.run(query.order_by(events.c.seq).limit(limit))]


async def read_latest_events(runner: Runner, project_id: str, before_seq: int | None, limit: int) -> Sequence[Recorded]:
    """A project's newest events with a `seq` below `before_seq`, the oldest first."""
    query = select(events).where(events.c.project_id == project_id)
    if before_seq is not None:
        query = query.where(events.c.seq < before_seq)
    newest_first = [_recorded(row) for row in await runner.run(query.order_by(events.c.seq.desc()).limit(limit))]
    return newest_first[::-1]


def _recorded(row: Row[Any]) -> Recorded:
    return Recorded(seq=row.seq, at=row.at, project_id=row.project_id, event=decode(row.kind, row.data))


async def last_seq(runner: Runner) -> int:
    """The newest `seq`, 0 when there is none."""
    result = await runner.run(select(event_counter.c.seq))
    return int(result.scalar_one())
