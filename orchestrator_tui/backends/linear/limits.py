"""How fast Linear may be asked: its allowance by the headers of its answers, and growing pauses after failures."""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

REQUESTS_PER_HOUR = 1_500
"""What a personal API key is allowed (Linear's documentation); counts until an answer says otherwise."""
HOUR = 3_600.0
FREE_SHARE = 0.5
"""The share of an allowance that may be used as fast as one likes; the rest is spread over the time until its reset."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds; an allowance that is used up for longer is no pause any more but an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """What is left of a limit until it is reset at `resets_at` (Unix time, seconds)."""

    limit: float
    remaining: float
    resets_at: float

    def pause(self, now: float, cost: float = 1.0) -> float:
        """Seconds to wait before the next request of `cost`, so that what is left lasts until the reset."""
        left = max(0.0, self.resets_at - now)
        if self.remaining < cost:
            return left
        if self.remaining > self.limit * FREE_SHARE:
            return 0.0
        return left * cost / self.remaining


@dataclass(slots=True)
class Budget:
    """The allowances as far as they are known: counted here, corrected by every answer."""

    clock: Callable[[], float] = time.time
    requests: Allowance = field(init=False)
    complexity: Allowance | None = None
    costs: dict[str, float] = field(default_factory=dict)
    """Complexity points of the dearest request so far, by what was asked."""
    sent: int = 0
    """Requests sent in all."""

    def __post_init__(self) -> None:
        self.requests = self._fresh()

    def pause(self, asked: str = "") -> float:
        """Seconds to wait before the next request, which asks for `asked`."""
        now = self.clock()
        if now >= self.requests.resets_at:
            self.requests = self._fresh(self.requests.limit)
        points = self.complexity.pause(now, max(self.costs.get(asked, 0.0), 1.0)) if self.complexity else 0.0
        return max(self.requests.pause(now), points)

    def spend(self) -> None:
        """One request is about to be sent."""
        self.sent += 1
        left = self.requests
        self.requests = Allowance(limit=left.limit, remaining=max(0.0, left.remaining - 1), resets_at=left.resets_at)

    def learn(self, headers: Mapping[str, str], asked: str = "") -> None:
        """Take over what an answer says about the allowances (limit, remaining, reset in Unix milliseconds), and what
        it was that was asked for."""
        self.requests = _allowance(headers, "x-ratelimit-requests") or self.requests
        self.complexity = _allowance(headers, "x-ratelimit-complexity") or self.complexity
        self.costs[asked] = max(self.costs.get(asked, 0.0), _number(headers, "x-complexity") or 0.0)

    def until_reset(self, headers: Mapping[str, str]) -> float:
        """Seconds until a request that was too much may be sent again."""
        wanted = _number(headers, "retry-after")
        if wanted is not None:
            return max(0.0, min(wanted, HOUR))
        now = self.clock()
        resets = [
            allowance.resets_at - now
            for allowance in (self.requests, self.complexity)
            if allowance is not None and allowance.remaining < 1
        ]
        return max([0.0, *resets]) or LONGEST_PAUSE

    def _fresh(self, limit: float = REQUESTS_PER_HOUR) -> Allowance:
        return Allowance(limit=limit, remaining=limit, resets_at=self.clock() + HOUR)


def backoff(failures: int, *, first: float = FIRST_PAUSE) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, the half of it left to chance so that many
    clients do not come back at the same moment."""
    longest: float = min(LONGEST_PAUSE, first * 2 ** min(failures - 1, 20))
    return random.uniform(longest / 2, longest)


def _allowance(headers: Mapping[str, str], name: str) -> Allowance | None:
    limit, remaining, reset = (_number(headers, f"{name}-{part}") for part in ("limit", "remaining", "reset"))
    if limit is None or remaining is None or reset is None:
        return None
    return Allowance(limit=limit, remaining=remaining, resets_at=reset / 1_000)


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        number = float(headers[name])
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None
