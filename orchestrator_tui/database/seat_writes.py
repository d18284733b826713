"""The seats of agents at work, where an installation limits how many there are: one line for all of its processes."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, and_, delete, exists, insert, select, text, update

from orchestrator_tui.database.models import agent_seats, pipeline_states
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.database.writes import Writes
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.records import SeatAsked, SeatedLease, SeatLine
from orchestrator_tui.domain.seating import InLine, seated

# Any number will do; it only has to be the same in every process.
_LINE_LOCK = 7_203_411_912


class SeatWrites(Writes):
    """The part of a unit of work that concerns seats. Whoever has the line waits for no row lock of others."""

    async def ask_seat(self, asked: SeatAsked) -> SeatLine:
        return await self._settled(asked=asked)

    async def leave_seats(self, ids: Collection[str]) -> SeatLine:
        return await self._settled(left=ids)

    async def hurry_seats(self, project_id: str, priority: int) -> SeatLine:
        return await self._settled(hurried=(project_id, priority))

    async def settle_seats(self) -> SeatLine:
        return await self._settled()

    async def _settled(
        self,
        *,
        asked: SeatAsked | None = None,
        left: Collection[str] = (),
        hurried: tuple[str, int] | None = None,
    ) -> SeatLine:
        """The line as it is once those are in it, or out of it, and all have a seat for whom there is one."""
        if not self._one_writer:
            await self._runner.run(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LINE_LOCK})
        if left:
            await self._runner.run(delete(agent_seats).where(agent_seats.c.id.in_(left)))
        if hurried is not None:
            project_id, priority = hurried
            of_project = update(agent_seats).where(agent_seats.c.project_id == project_id)
            await self._runner.run(of_project.values(priority=priority))
        projects, line = await self._line()
        moment = now()
        if asked is not None:
            projects[asked.id] = asked.project_id
            line.append(
                InLine(
                    id=asked.id,
                    process=asked.process,
                    number=max((one.number for one in line), default=0) + 1,
                    priority=asked.priority,
                    most=asked.most,
                    most_here=asked.most_here,
                    asked_at=moment,
                    held=False,
                )
            )
        given, awaited = seated(line, moment)
        if asked is not None:
            awaits = awaited.get(asked.id)
            new = {**asdict(asked), "number": line[-1].number, "awaits": awaits, "asked_at": moment}
            await self._runner.run(insert(agent_seats).values(new))
            given -= {asked.id}
        if given:
            await self._runner.run(update(agent_seats).where(agent_seats.c.id.in_(given)).values(awaits=None))
        held = frozenset(one.id for one in line if one.id not in awaited)
        return SeatLine(held=held, awaited=awaited, given={one: projects[one] for one in given})

    async def _line(self) -> tuple[dict[str, str], list[InLine]]:
        """Whose each seat is, and all of them that count; those of lost leases are taken out."""
        column = agent_seats.c
        rows = (await self._runner.run(select(agent_seats, exists().where(_counts()).label("counts")))).all()
        void = [row.id for row in rows if not row.counts]
        if void:
            await self._runner.run(delete(agent_seats).where(column.id.in_(void)))
        counting = [row for row in rows if row.counts]
        line = [
            InLine(
                id=row.id,
                process=row.process,
                number=row.number,
                priority=row.priority,
                most=row.most,
                most_here=row.most_here,
                asked_at=row.asked_at,
                held=row.awaits is None,
            )
            for row in counting
        ]
        return {row.id: row.project_id for row in counting}, line

    async def end_silent_lease(self, lease: SeatedLease) -> bool:
        same = pipeline_states.c
        ended = await self._runner.run(
            update(pipeline_states)
            .where(
                same.project_id == lease.project_id,
                same.owner == lease.owner,
                same.epoch == lease.epoch,
                same.heartbeat.is_(None) if lease.heartbeat is None else same.heartbeat == lease.heartbeat,
            )
            .values(epoch=same.epoch + 1, lapsed=True)
        )
        return ended.rowcount == 1


def _counts() -> ColumnElement[bool]:
    """Whether the lease of a seat is still held."""
    lease = pipeline_states.c
    return and_(
        lease.project_id == agent_seats.c.project_id, lease.epoch == agent_seats.c.epoch, lease.owner.is_not(None)
    )


async def seated_leases(runner: Runner) -> Sequence[SeatedLease]:
    """The leases that seats are held or waited for under."""
    lease = pipeline_states.c
    query = select(lease.project_id, lease.owner, lease.epoch, lease.heartbeat, lease.lease_seconds)
    found = await runner.run(query.where(lease.owner.is_not(None), exists().where(_counts())))
    return [SeatedLease(**row._mapping) for row in found]
