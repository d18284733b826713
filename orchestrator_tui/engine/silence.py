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
    """Watches the leases of all projects that are at work. It is shown them at least every `longest_gap` seconds; what
    happened in a longer one, such as a database that was away, is held against nobody."""

    def __init__(self, longest_gap: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_gap = longest_gap
        self._clock = clock
        self._seen: dict[str, _Sign] = {}
        self._looked_at = float("-inf")

    def look(self, wanted: Iterable[Wanted]) -> None:
        """These are the leases now."""
        moment = self._clock()
        before = self._seen if moment - self._looked_at <= self._longest_gap else {}
        self._looked_at = moment
        self._seen = {}
        for one in wanted:
            sign = before.get(one.project_id)
            if sign is None or (sign.epoch, sign.heartbeat) != (one.epoch, one.heartbeat):
                sign = _Sign(one.epoch, one.heartbeat, moment)
            self._seen[one.project_id] = sign

    def seconds(self, of: Wanted | PipelineState) -> float:
        """How long at least the owner of a project has given no sign since that one; 0 when that is not known."""
        sign = self._seen.get(of.project_id)
        if sign is None or (sign.epoch, sign.heartbeat) != (of.epoch, of.heartbeat):
            return 0.0
        return self._looked_at - sign.since
