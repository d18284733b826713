"""Time and identity, in one place so that every record agrees on them."""

import asyncio
import time
import uuid
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


_STEADY: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC_RAW", None))
"""The clock that goes on while the machine sleeps: on Linux, and on macOS, where that of `time.monotonic` does not."""


def elapsed_seconds() -> float:
    """Seconds since a moment that is the same for as long as the machine runs: nobody can set this clock, and where the
    system can tell, the time that the machine slept counts."""
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


def new_id() -> str:
    """A fresh random identity (UUID 4, lower-case text with dashes)."""
    return str(uuid.uuid4())


class Clock(Protocol):
    """What long waits go by; a test puts its own in place."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raises TimeoutError from what is inside when it takes longer."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's."""

    def now(self) -> datetime:
        return now()

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


LOOK_SECONDS = 20.0
"""How often a long wait looks at the clock: a machine that slept, or whose clock was set, is noticed so soon."""


async def wait_until(moment: datetime, clock: Clock) -> None:
    """Return once it is `moment`, or once so much time as there was until then has gone by: a clock that was set back
    makes nobody wait longer."""
    left = (moment - clock.now()).total_seconds()
    while left > 0:
        pause = min(left, LOOK_SECONDS)
        await clock.sleep(pause)
        left = min(left - pause, (moment - clock.now()) / timedelta(seconds=1))
