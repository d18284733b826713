"""Hands stored events and live text to subscribers; a slow one never slows the engine."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import AgentDelta, Live, Recorded, Resync

CAPACITY = 2_000
PAGE = 500

LOOK_SECONDS = 1.0
"""How often the store is looked at while this process stores nothing: another one may."""


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
    """The place where what was committed becomes known in this process."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def publish(self, events: Sequence[Recorded]) -> None:
        for subscription in self._subscriptions:
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
    def subscription(self, capacity: int = CAPACITY) -> Iterator[Subscription]:
        subscription = Subscription(capacity)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)


async def follow(
    store: Store,
    subscription: Subscription,
    after_seq: int,
    *,
    wanted: Callable[[str], bool] = lambda _: True,
    look_seconds: float | None = LOOK_SECONDS,
) -> AsyncGenerator[Live, None]:
    """Every event after `after_seq` exactly once and in order, then live ones; `wanted` filters by project id.

    The order of `seq` is the order of commits and has no gaps, so a jump in it means that events were
    committed which this process has not been told of (yet): they are read from the store. What other processes
    store is found within `look_seconds`; None is for a subscription that is told of it.

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
        item = await _next(subscription, look_seconds)
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


class _Quiet(Enum):
    """Nothing was told for a while."""

    QUIET = 1


async def _next(subscription: Subscription, look_seconds: float | None) -> Recorded | AgentDelta | _Quiet | None:
    """What `subscription` has next, or that it has had nothing for a while."""
    try:
        async with asyncio.timeout(look_seconds):
            return await subscription.take()
    except TimeoutError:
        return _Quiet.QUIET
