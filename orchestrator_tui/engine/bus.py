"""Hands stored events and live text to subscribers; a slow one never slows the engine."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import AgentDelta, Live, Recorded, Resync

CAPACITY = 2_000
PAGE = 500


class Subscription:
    """One subscriber's queue. When it is full, everything in it is dropped and the subscriber is told to resync."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._queue: deque[Recorded | AgentDelta] = deque()
        self._capacity = capacity
        self._overflowed = False
        self._failure: Exception | None = None
        self._ready = asyncio.Event()

    def fail(self, error: Exception) -> None:
        self._failure = error
        self._ready.set()

    def skip(self) -> None:
        """Something was left out: drop the rest, too, and have the subscriber resync."""
        self._queue.clear()
        self._overflowed = True
        self._ready.set()

    def put(self, item: Recorded | AgentDelta) -> None:
        if len(self._queue) >= self._capacity:
            self.skip()
        if not self._overflowed:
            self._queue.append(item)
        self._ready.set()

    async def take(self) -> Recorded | AgentDelta | None:
        """The next item; None when some were dropped since the last call.

        Raises:
            StoreUnavailable: the engine cannot store events any more, or they cannot be read.
        """
        while not self._queue and not self._overflowed:
            if self._failure is not None:
                raise self._failure
            self._ready.clear()
            await self._ready.wait()
        if self._overflowed:
            self._overflowed = False
            return None
        return self._queue.popleft()


class Bus:
    """The place where what was committed becomes known in this process.

    Every event up to the number `known` has been told here.
    """

    def __init__(self) -> None:
        self._own: list[Subscription] = []
        self._all: list[Subscription] = []
        self.known = 0

    @property
    def _subscriptions(self) -> Sequence[Subscription]:
        return (*self._own, *self._all)

    def publish(self, events: Sequence[Recorded]) -> None:
        """Tell what this process stored in one transaction."""
        self._tell(events, self._subscriptions)

    def relay(self, events: Sequence[Recorded]) -> None:
        """Tell what may have been stored by other processes: events without a gap, some of them told before."""
        self._tell(events, self._all)

    def _tell(self, events: Sequence[Recorded], subscriptions: Sequence[Subscription]) -> None:
        if events and events[0].seq <= self.known + 1:
            self.known = max(self.known, events[-1].seq)
        for subscription in subscriptions:
            for event in events:
                subscription.put(event)

    def fail(self, error: StoreUnavailable) -> None:
        """Tell every subscriber that nothing can be stored now; whoever wants to hear more subscribes again."""
        for subscription in self._subscriptions:
            subscription.fail(error)

    def publish_delta(self, delta: AgentDelta) -> None:
        for subscription in self._subscriptions:
            subscription.put(delta)

    @contextmanager
    def subscription(self, capacity: int = CAPACITY, *, from_all: bool = False) -> Iterator[Subscription]:
        """What this process stores; with `from_all` what any process does, now and then in another order or twice."""
        subscription = Subscription(capacity)
        place = self._all if from_all else self._own
        place.append(subscription)
        try:
            yield subscription
        finally:
            place.remove(subscription)


async def follow(
    store: Store,
    subscription: Subscription,
    after_seq: int,
    *,
    wanted: Callable[[str], bool] = lambda _: True,
) -> AsyncGenerator[Live, None]:
    """Every event after `after_seq` exactly once and in order, then live ones; `wanted` filters by project id.

    The order of `seq` is the order of commits and has no gaps, so a jump in it means that events were
    committed which this process has not been told of (yet): they are read from the store. The subscription is one
    `from_all` processes.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    last = after_seq
    while page := await store.events(after_seq=last, limit=PAGE):
        for recorded in page:
            last = recorded.seq
            if wanted(recorded.project_id):
                yield recorded
    while True:
        item = await subscription.take()
        match item:
            case AgentDelta():
                if wanted(item.project_id):
                    yield item
            case Recorded() if item.seq <= last:
                pass
            case Recorded() if item.seq == last + 1:
                last = item.seq
                if wanted(item.project_id):
                    yield item
            case _:
                if item is None:
                    yield Resync(after_seq=last)
                while page := await store.events(after_seq=last, limit=PAGE):
                    for recorded in page:
                        last = recorded.seq
                        if wanted(recorded.project_id):
                            yield recorded
