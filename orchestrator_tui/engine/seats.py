"""The places of an installation whose agents are limited as a whole: one line for all of its processes, kept by the
database. A seat counts as long as the lease of its project, so that none is lost with a process."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import events, owner, words
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import LeaseLost, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import Lease, Project, SeatAsked, SeatedLease, SeatLine
from orchestrator_tui.domain.statuses import SeatScope
from orchestrator_tui.engine.allowances import Place
from orchestrator_tui.engine.bus import Bus, Subscription
from orchestrator_tui.engine.seat import Places
from orchestrator_tui.engine.silence import Silence, patience

AGAIN_SECONDS = 1.0
"""How long it takes until the line is looked at again after the database was away."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatLimits:
    """How many agents are at work at the same time, in the installation and in this process at most."""

    most: int
    most_here: int


@dataclass(slots=True)
class _Waiting:
    """A session of this process that stands in line, or is about to; `stands` once that is stored."""

    found: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    stands: bool = False


class Seats:
    """What this process knows of the line. An async context manager: while open, whoever waits is told of their seat.

    That is an event, so a database that tells (PostgreSQL) has them woken at once. Beside that, the line is looked at
    every `look_seconds` for as long as somebody waits here: a process that died gives nothing back, so the lease that
    it held its seats under is ended once it has been silent for longer than that lasts.
    """

    def __init__(
        self, store: Store, bus: Bus, limits: SeatLimits, *, lease_seconds: float, look_seconds: float
    ) -> None:
        self._store = store
        self._bus = bus
        self.limits = limits
        self.process = new_id()
        self._lease_seconds = lease_seconds
        self._look_seconds = look_seconds
        self._silence = Silence(grace=look_seconds)
        self._waiting: dict[str, _Waiting] = {}
        self._owed = set[str]()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch(), name="seats")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextmanager
    def waiting(self, seat_id: str) -> Iterator[_Waiting]:
        """Hear of the seat as long as this lasts, from before it is asked for."""
        waiting = self._waiting[seat_id] = _Waiting()
        try:
            yield waiting
        finally:
            del self._waiting[seat_id]

    def owe(self, seat_id: str) -> None:
        """The seat could not be given back; it is as soon as that can be stored."""
        self._owed.add(seat_id)

    async def _watch(self) -> None:
        while True:
            with self._bus.subscription(from_all=True) as news:
                try:
                    await self._look()
                    await self._follow(news)
                except StoreUnavailable as error:
                    self._silence.away()
                    logger.debug("the line for seats waits for the database: %s", error.message)
                except Exception:
                    logger.exception("the line for seats could not be looked at")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self, news: Subscription) -> None:
        """Raises StoreUnavailable."""
        clock = asyncio.get_running_loop().time
        look_at = clock() + self._look_seconds
        while True:
            one = None
            with suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    one = await news.take()
            match one:
                case Recorded(event=events.SeatWaitEnded(seat_id=seat_id, given=True)):
                    self._found(seat_id)
                case None:
                    await self._look()
                    look_at = clock() + self._look_seconds
                case _:
                    pass

    def _found(self, seat_id: str) -> None:
        waiting = self._waiting.get(seat_id)
        if waiting is not None and not waiting.found.done():
            waiting.found.set_result(None)

    async def _look(self) -> None:
        """Give back what is owed, and have the line move on where somebody left it without a word."""
        if not self._waiting:
            # Nobody is watched meanwhile.
            self._silence.away()
            if not self._owed:
                return
        else:
            await self._end_silent_leases()
        owed, asking = frozenset(self._owed), {name for name, one in self._waiting.items() if one.stands}
        async with self._store.transaction() as unit:
            line = await unit.leave_seats(owed)
            tell_given(unit, line)
        self._owed -= owed
        for seat_id in line.held:
            self._found(seat_id)
        for seat_id in asking - line.held - line.awaited.keys():
            waiting = self._waiting.get(seat_id)
            if waiting is not None and not waiting.found.done():
                waiting.found.set_exception(LeaseLost())

    async def _end_silent_leases(self) -> None:
        leases = await self._store.seated_leases()
        self._silence.look(leases)
        for lease in filter(self._is_over, leases):
            async with self._store.transaction() as unit:
                if await unit.end_silent_lease(lease):
                    logger.warning("%s gave no sign: its agents count no more", words.owner(lease.owner))

    def _is_over(self, lease: SeatedLease) -> bool:
        # Who takes the project over is given the first try.
        longest = patience(lease, self._lease_seconds) + self._look_seconds
        return owner.is_gone(lease.owner) or self._silence.seconds(lease) >= longest


class RunSeats(Places):
    """The seats of one run, each asked for with the project's priority as it is then. `store` holds on to its lease."""

    def __init__(self, seats: Seats, store: Store, lease: Lease, priority_of: Callable[[Project], int]) -> None:
        self._seats = seats
        self._store = store
        self._lease = lease
        self._priority_of = priority_of

    async def take(self, place: Place, role: str) -> str:
        """
        Raises:
            LeaseLost: another process has the project. StoreUnavailable: the line broke off.
        """
        limits = self._seats.limits
        project = await self._store.find_project(self._lease.project_id)
        asked = SeatAsked(
            id=new_id(),
            project_id=self._lease.project_id,
            epoch=self._lease.epoch,
            process=self._seats.process,
            priority=self._priority_of(project),
            most=limits.most,
            most_here=limits.most_here,
        )
        try:
            await self._stand(asked, place, role)
        except StoreUnavailable:
            self._seats.owe(asked.id)
            raise
        except BaseException:
            await finish(self._leave(asked.id, waited=True))
            raise
        return asked.id

    async def give(self, name: str) -> None:
        await self._leave(name, waited=False)

    async def _stand(self, asked: SeatAsked, place: Place, role: str) -> None:
        with self._seats.waiting(asked.id) as waiting:
            async with self._store.transaction() as unit:
                line = await unit.ask_seat(asked)
                tell_given(unit, line)
                scope = line.awaited.get(asked.id)
                if scope is not None:
                    unit.record(asked.project_id, _awaited(asked, scope, place, role))
            if scope is not None:
                waiting.stands = True
                await waiting.found

    async def _leave(self, seat_id: str, *, waited: bool) -> None:
        try:
            async with self._store.transaction() as unit:
                tell_given(unit, await unit.leave_seats((seat_id,)))
                if waited:
                    ended = events.SeatWaitEnded(seat_id=seat_id, given=False)
                    unit.record(self._lease.project_id, ended)
        except LeaseLost:
            # It counts no more.
            pass
        except StoreUnavailable:
            self._seats.owe(seat_id)


def tell_given(unit: UnitOfWork, line: SeatLine) -> None:
    """Tell of those that wait no more, in the transaction that gave them their seats."""
    for seat_id, project_id in line.given.items():
        unit.record(project_id, events.SeatWaitEnded(seat_id=seat_id, given=True))


def _awaited(asked: SeatAsked, scope: SeatScope, place: Place, role: str) -> events.SeatAwaited:
    return events.SeatAwaited(
        seat_id=asked.id,
        scope=scope,
        most=asked.most if scope is SeatScope.INSTALLATION else asked.most_here,
        phase=place.phase,
        role=role,
        work_item_id=place.item_id,
        work_item_key=place.item_key or None,
    )
