"""Limits how often somebody may ask, by token buckets."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

MOST_KEPT = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """`burst` at once for each name, refilled by `per_second`. The names that asked longest ago are forgotten."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, name: str) -> float:
        """Seconds until `name` may ask again; 0 when it may now, which then counts."""
        wait = self.left(name)
        if not wait:
            self._buckets[name].left -= 1
        return wait

    def left(self, name: str) -> float:
        """Seconds until `name` may ask again; nothing counts."""
        bucket = self._filled(name)
        return 0.0 if bucket.left >= 1 else (1 - bucket.left) / self._per_second

    def _filled(self, name: str) -> _Bucket:
        moment = self._clock()
        bucket = self._buckets.pop(name, None) or _Bucket(self._burst, moment)
        bucket.left = min(self._burst, bucket.left + (moment - bucket.at) * self._per_second)
        bucket.at = moment
        self._buckets[name] = bucket
        if len(self._buckets) > MOST_KEPT:
            self._buckets.popitem(last=False)
        return bucket
