"""What follows a failed attempt: the ladder from a hint to a person, and how long the service is waited for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator_tui.domain.troubles import Attempt, Rung, Trouble
from orchestrator_tui.engine.detection import repeated

HOPELESS = frozenset({Trouble.AUTHENTICATION})
"""What no session can mend."""
AFTER_RESET_SECONDS = 5.0
"""Clocks differ: a limit is asked about again only so long after it is said to be over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ladder:
    """How failed attempts are followed up.

    Attributes:
        tries: attempts at a task with its own model before it is given up; the last of them is a fresh session.
        same_error: this many equal failures in a row end a rung early.
        stronger: the model of one more attempt after these; None for none.
    """

    tries: int
    same_error: int = 3
    stronger: str | None = None

    def after(
        self, attempts: Sequence[Attempt], trouble: Trouble, signature: str, model: str, *, can_hear: bool
    ) -> Rung:
        """What follows a failure, when these failed before; `model` is the task's own. `can_hear`: the session that
        failed can still be told something."""
        if trouble in HOPELESS:
            return Rung.ESCALATE
        rungs = self._rungs(model, can_hear=can_hear)
        place = len(attempts)
        beyond = repeated([*(one.signature for one in attempts), signature]) - self.same_error
        if beyond >= 0 and attempts:
            place = max(place, _another_kind(rungs, place - beyond - 1, beyond + 1))
        return rungs[place] if place < len(rungs) else Rung.ESCALATE

    def most(self, model: str) -> int:
        """How many attempts there are at most."""
        return len(self._rungs(model, can_hear=True)) + 1

    def _rungs(self, model: str, *, can_hear: bool) -> list[Rung]:
        again = Rung.HINT if can_hear else Rung.FRESH
        rungs = [again] * (self.tries - 2) + ([Rung.FRESH] if self.tries > 1 else [])
        return [*rungs, Rung.STRONGER] if self.stronger is not None and self.stronger != model else rungs


def _another_kind(rungs: Sequence[Rung], start: int, steps: int) -> int:
    """The place of the first rung so many kinds above the one at `start`; behind the last when there is none."""
    for _ in range(steps):
        if not 0 <= start < len(rungs):
            break
        kind = rungs[start]
        while start < len(rungs) and rungs[start] is kind:
            start += 1
    return start


@dataclass(frozen=True, kw_only=True, slots=True)
class Pauses:
    """How long the service is left alone when it does not say so itself: the first pause, twice as long each time."""

    first: timedelta
    longest: timedelta
    most: int

    def until(self, now: datetime, resets_at: datetime | None, number: int) -> datetime | None:
        """When to go on; `number` counts the waits in a row, from 1. None when it has been waited often enough."""
        if resets_at is not None and resets_at > now:
            return resets_at + timedelta(seconds=AFTER_RESET_SECONDS)
        if number > self.most:
            return None
        return now + min(self.longest, self.first * float(2 ** min(number - 1, 30)))
