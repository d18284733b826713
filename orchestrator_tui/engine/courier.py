"""Tells receivers what calls for a person. The stored events are the outbox: each receiver has a place in them."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from orchestrator_tui.domain import owner
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import ProjectNotFound, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.notices import KINDS, Place, happening_of, notice_of
from orchestrator_tui.domain.records import Project
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.webhooks.base import NotDelivered, Receiver

LOOK_SECONDS = 5.0
"""How often it is looked for what other processes stored, and whether one that was telling is gone."""
TURN_SECONDS = 60.0
"""How long one process may take to tell one thing before another takes its place."""
LAST_SECONDS = 3.0
"""How long the end of the program waits for what has just happened to be told; the rest is told at the next start."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 3_600.0
PAGE = 100
FAR = 10_000
"""Events that call for nobody and are gone over again at a start, at most."""

logger = logging.getLogger(__name__)


class Delivery(StrEnum):
    """How a try to tell something ends: `failed` is tried again, `given_up` is not."""

    TOLD = "told"
    FAILED = "failed"
    GIVEN_UP = "given_up"


OnTried = Callable[[str, Delivery], None]
"""Hears how each try ends, by the receiver's name."""


class Places(Protocol):
    """Where receivers are in the stored events, by their names. All methods raise StoreUnavailable."""

    async def begin(self, name: str) -> None:
        """A new receiver is told what happens from now on; one that is known stays where it is."""
        ...

    async def find(self, name: str) -> Place: ...

    async def take_turn(self, name: str, by: str, until: datetime, *, is_gone: Callable[[str], bool]) -> Place | None:
        """Become the one process that tells this receiver, until then; None while another one is. It is no longer when
        its time is over, or when `is_gone` says so."""
        ...

    async def move(self, name: str, by: str, place: Place, until: datetime) -> bool:
        """Change a receiver's place, and keep the turn until then; False when it is another process's."""
        ...

    async def end_turn(self, name: str, by: str) -> None: ...

    async def to_tell(self, after_seq: int, kinds: Sequence[str], limit: int) -> tuple[Sequence[Recorded], int]:
        """Events of these kinds, in order, and the `seq` up to which there are no others."""
        ...


class Courier:
    """An async context manager: while open it tells each receiver what it wants to know, in order, at least once. A
    receiver that takes nothing is tried again, later and later, until a thing is `give_up` old."""

    def __init__(
        self,
        places: Places,
        find_project: Callable[[str], Awaitable[Project]],
        bus: Bus,
        receivers: Sequence[Receiver],
        *,
        give_up: timedelta,
        on_tried: OnTried = lambda name, delivery: None,
    ) -> None:
        self._places = places
        self._find_project = find_project
        self._bus = bus
        self._receivers = receivers
        self._give_up = give_up
        self._on_tried = on_tried
        self._me = owner.this_process()
        self._news = {one.name: asyncio.Event() for one in receivers}
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for receiver in self._receivers:
            await self._places.begin(receiver.name)
        self._tasks = [asyncio.create_task(self._serve(one), name=f"webhook-{one.name}") for one in self._receivers]
        self._listening = asyncio.create_task(self._listen(), name="webhooks")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._wake()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SECONDS)
        tasks = [*self._tasks, *([self._listening] if self._listening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self) -> None:
        for news in self._news.values():
            news.set()

    async def _listen(self) -> None:
        while True:
            with self._bus.subscription() as subscription, suppress(StoreUnavailable):
                while True:
                    item = await subscription.take()
                    if item is None or (isinstance(item, Recorded) and happening_of(item.event) is not None):
                        self._wake()

    async def _serve(self, receiver: Receiver) -> None:
        news = self._news[receiver.name]
        while True:
            news.clear()
            last = self._closing
            pause = LOOK_SECONDS
            try:
                pause = min(pause, await self._round(receiver))
            except StoreUnavailable as error:
                if error.final:
                    return
            except Exception:
                # The edge of a task: what nobody planned for keeps this receiver waiting, and nothing else.
                logger.exception("the webhook %s cannot be served", receiver.name)
            if last:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await news.wait()

    async def _round(self, receiver: Receiver) -> float:
        """Tell what there is to tell, up to the first that is not taken; seconds until it is time to look again."""
        place = await self._places.find(receiver.name)
        if left := _left(place):
            return left
        found, upto = await self._to_tell(place)
        if not found and upto - place.seq < FAR:
            return LOOK_SECONDS
        mine = await self._places.take_turn(receiver.name, self._me, _turn_ends(), is_gone=owner.is_gone)
        if mine is None:
            return LOOK_SECONDS
        try:
            return _left(await self._tell_all(receiver, mine)) or LOOK_SECONDS
        finally:
            with suppress(StoreUnavailable):
                await self._places.end_turn(receiver.name, self._me)

    async def _tell_all(self, receiver: Receiver, place: Place) -> Place:
        """Tell everything after `place`; how far it got."""
        while True:
            found, upto = await self._to_tell(place)
            for recorded in found:
                before, place = place, await self._tell(receiver, place, recorded)
                if not await self._move(receiver, place) or place.seq == before.seq:
                    return place
            if not found:
                await self._move(receiver, Place(seq=upto))
                return place

    async def _move(self, receiver: Receiver, place: Place) -> bool:
        return await self._places.move(receiver.name, self._me, place, _turn_ends())

    async def _tell(self, receiver: Receiver, place: Place, recorded: Recorded) -> Place:
        """Tell one thing; where the receiver is then: behind it, or still before it."""
        behind = Place(seq=recorded.seq)
        try:
            notice = notice_of(recorded, await self._find_project(recorded.project_id))
        except ProjectNotFound:
            return behind
        if notice is None or not receiver.wants(notice):
            return behind
        try:
            await receiver.tell(notice)
        except NotDelivered as error:
            late = now() - recorded.at >= self._give_up
            if error.final or late:
                why = "it will not have it" if error.final else "it has been tried for long enough"
                logger.warning("the webhook %s was not told %r; %s: %s", receiver.name, notice.text, why, error)
                self._on_tried(receiver.name, Delivery.GIVEN_UP)
                return behind
            attempts = place.attempts + 1
            pause = max(backoff(attempts), error.seconds)
            logger.info("the webhook %s is told again in %.0f s: %s", receiver.name, pause, error)
            self._on_tried(receiver.name, Delivery.FAILED)
            return Place(seq=place.seq, attempts=attempts, next_at=now() + timedelta(seconds=pause))
        self._on_tried(receiver.name, Delivery.TOLD)
        return behind

    async def _to_tell(self, place: Place) -> tuple[Sequence[Recorded], int]:
        return await self._places.to_tell(place.seq, [kind.__name__ for kind in KINDS], PAGE)


def _turn_ends() -> datetime:
    return now() + timedelta(seconds=TURN_SECONDS)


def _left(place: Place) -> float:
    """Seconds until the next try; 0 when it may be now."""
    return 0.0 if place.next_at is None else max(0.0, (place.next_at - now()).total_seconds())


def backoff(attempts: int) -> float:
    """Seconds until the next try after so many that failed: twice as long each time, and never quite the same."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempts - 1, 20))
    return float(longest * random.uniform(0.5, 1.0))
