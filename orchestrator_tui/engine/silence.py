"""How long the owners of projects have been silent, on this process's own clock: those of two hosts may differ."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestrator_tui.domain.records import PipelineState, Wanted


@dataclass(frozen=True, slots=True)
class _Sign:
    """A sign of life, and when it was seen here first."""

    epoch: int
    heartbeat: datetime | None
    since: float


class Silence:
    """Watches the leases of all projects that are at work, for as long as their heartbeats can be stored at all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, _Sign] = {}
        self._looked_at = 0.0

    def look(self, wanted: Iterable[Wanted]) -> None:
        """These are the leases now."""
        before, self._seen, self._looked_at = self._seen, {}, self._clock()
        for one in wanted:
            sign = before.get(one.project_id)
            if sign is None or (sign.epoch, sign.heartbeat) != (one.epoch, one.heartbeat):
                sign = _Sign(one.epoch, one.heartbeat, self._looked_at)
            self._seen[one.project_id] = sign

    def forget(self) -> None:
        """The database was away: that nobody gave a sign meanwhile says nothing."""
        self._seen = {}

    def seconds(self, of: Wanted | PipelineState) -> float:
        """How long at least the owner of a project has given no sign since that one; 0 when that is not known."""
        sign = self._seen.get(of.project_id)
        if sign is None or (sign.epoch, sign.heartbeat) != (of.epoch, of.heartbeat):
            return 0.0
        return self._looked_at - sign.since
