"""How long the owners of projects have been silent, on this process's own clock: those of two hosts may differ."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol


class Leased(Protocol):
    """A lease as it was read, with the last sign of life of its owner."""

    @property
    def project_id(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    @property
    def heartbeat(self) -> datetime | None: ...

    @property
    def lease_seconds(self) -> float | None: ...


def patience(lease: Leased, seconds: float) -> float:
    """For how many seconds an owner has to be silent until its lease is another's: for those of ours, and for as long
    as the lease lasts by the owner's own settings, who counts on it until then."""
    return max(seconds, lease.lease_seconds or 0.0)


@dataclass(frozen=True, slots=True)
class _Sign:
    """A sign of life, and when it was seen here first."""

    epoch: int
    heartbeat: datetime | None
    since: float


LATE = 2
"""So many times the usual time after the last look, a look is late."""


class Silence:
    """Watches the leases of all projects that are at work, for as long as their heartbeats can be stored at all.

    `grace` is how many seconds there are between two looks, and how many an owner has for its next heartbeat, at
    least, after the database was away. A look that comes late says no more than one in time: the database may have
    hung, or this machine slept, and what owners sent meanwhile may come in right after it.
    """

    def __init__(self, grace: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace = grace
        self._clock = clock
        self._seen: dict[str, _Sign] = {}
        self._looked_at = clock()
        self._away = False

    def look(self, wanted: Iterable[Leased]) -> None:
        """These are the leases now."""
        moment = self._clock()
        gap = moment - self._looked_at
        excused = gap + self._grace if self._away else gap - self._grace if gap > LATE * self._grace else 0.0
        before = self._excused(moment, excused) if excused else self._seen
        self._seen, self._looked_at, self._away = {}, moment, False
        for one in wanted:
            sign = before.get(one.project_id)
            if sign is None or (sign.epoch, sign.heartbeat) != (one.epoch, one.heartbeat):
                sign = _Sign(one.epoch, one.heartbeat, moment)
            self._seen[one.project_id] = sign

    def away(self) -> None:
        """The database could not be asked: that nobody gives a sign until it can says nothing."""
        self._away = True

    def _excused(self, moment: float, seconds: float) -> dict[str, _Sign]:
        return {of: replace(sign, since=min(moment, sign.since + seconds)) for of, sign in self._seen.items()}

    def seconds(self, of: Leased) -> float:
        """How long at least the owner of a project had given no sign at the last look; 0 when that is not known."""
        sign = self._seen.get(of.project_id)
        if sign is None or (sign.epoch, sign.heartbeat) != (of.epoch, of.heartbeat):
            return 0.0
        return self._looked_at - sign.since
