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


@dataclass(frozen=True, slots=True)
class _Sign:
    """A sign of life, and when it was seen here first."""

    epoch: int
    heartbeat: datetime | None
    since: float


class Silence:
    """Watches the leases of all projects that are at work, for as long as their heartbeats can be stored at all.

    `grace` is how many seconds an owner has for its next heartbeat, at least, after the database was away.
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
        before = self._excused(moment) if self._away else self._seen
        self._seen, self._looked_at, self._away = {}, moment, False
        for one in wanted:
            sign = before.get(one.project_id)
            if sign is None or (sign.epoch, sign.heartbeat) != (one.epoch, one.heartbeat):
                sign = _Sign(one.epoch, one.heartbeat, moment)
            self._seen[one.project_id] = sign

    def away(self) -> None:
        """The database could not be asked: that nobody gives a sign until it can says nothing."""
        self._away = True

    def _excused(self, moment: float) -> dict[str, _Sign]:
        lost = moment - self._looked_at + self._grace
        return {of: replace(sign, since=min(moment, sign.since + lost)) for of, sign in self._seen.items()}

    def seconds(self, of: Leased) -> float:
        """How long at least the owner of a project had given no sign at the last look; 0 when that is not known."""
        sign = self._seen.get(of.project_id)
        if sign is None or (sign.epoch, sign.heartbeat) != (of.epoch, of.heartbeat):
            return 0.0
        return self._looked_at - sign.since
