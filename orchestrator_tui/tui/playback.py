"""A project's stored events as something to play: shortened waits, speeds, phase boundaries; pure, time comes in."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, WorkItemStatus
from orchestrator_tui.tui.happenings import Happening, Names, line_of

LONGEST_WAIT = 2.0
"""Seconds; longer waits between two events are cut to this."""
SPEEDS = (1, 4, 16, 64)
FASTEST = len(SPEEDS)
"""The speed after the last number: as fast as lines can be watched."""
EVENTS_A_SECOND = 1000
"""How fast the fastest is."""
GRACE_SECONDS = 1.0
"""Just after a boundary, going back means the one before it."""


@dataclass(frozen=True, slots=True)
class Tape:
    """What there is to play.

    Attributes:
        offsets: when each event comes, in seconds from the first one. bounds: the events that begin a phase.
        lines, line_at: the lines to show, and the event of each. changes: every change of a phase.
        dollars, done: money spent and items done before each event, and after the last.
    """

    offsets: Sequence[float] = ()
    bounds: Sequence[int] = ()
    lines: Sequence[Happening] = ()
    line_at: Sequence[int] = ()
    changes: Sequence[tuple[int, PhaseName, PhaseStatus]] = ()
    dollars: Sequence[float] = (0.0,)
    done: Sequence[int] = (0,)

    @property
    def seconds(self) -> float:
        """How long it all is."""
        return self.offsets[-1] if self.offsets else 0.0

    def phases(self, count: int) -> Mapping[PhaseName, PhaseStatus]:
        """How the phases stand after so many events."""
        found = dict.fromkeys(PHASE_ORDER, PhaseStatus.PENDING)
        found.update({phase: status for index, phase, status in self.changes if index < count})
        return found

    def lines_until(self, count: int) -> Sequence[Happening]:
        """The lines of the first `count` events."""
        return self.lines[: bisect_left(self.line_at, count)]


@dataclass(frozen=True, slots=True)
class Player:
    """Where a tape stands: `count` events have come by `position`, in seconds."""

    tape: Tape = Tape()
    position: float = 0.0
    count: int = 0
    speed: int = 1
    playing: bool = True

    @property
    def at_end(self) -> bool:
        return self.count >= len(self.tape.offsets)

    @property
    def speed_name(self) -> str:
        """Such as `×16`, or `max`."""
        return "max" if self.speed == FASTEST else f"×{SPEEDS[self.speed]}"

    def advance(self, seconds: float) -> "Player":
        """After so many seconds on the clock; it stops by itself at the end."""
        if not self.playing or seconds <= 0:
            return self
        if self.speed == FASTEST:
            moved = self._at_event(self.count + max(1, round(seconds * EVENTS_A_SECOND)))
        else:
            moved = self._at_second(self.position + seconds * SPEEDS[self.speed])
        return replace(moved, playing=not moved.at_end)

    def toggle(self) -> "Player":
        """Plays on or pauses; from the end it starts again. Without events there is nothing to play."""
        if not self.tape.offsets:
            return self
        start = replace(self, position=0.0, count=0) if self.at_end and not self.playing else self
        return replace(start, playing=not self.playing)

    def faster(self, steps: int) -> "Player":
        """At another speed, slower if negative."""
        return replace(self, speed=max(0, min(self.speed + steps, FASTEST)))

    def jump(self, forward: bool) -> "Player":
        """At the next boundary of a phase, or the one before; the ends count as boundaries."""
        if forward:
            later = [bound for bound in self.tape.bounds if bound >= self.count]
            return self._at_event(later[0] + 1 if later else len(self.tape.offsets))
        grace = GRACE_SECONDS * (SPEEDS[self.speed] if self.speed < FASTEST else 0) if self.playing else 0.0
        earlier = [b for b in self.tape.bounds if b < self.count - 1 and self.tape.offsets[b] <= self.position - grace]
        return self._at_event(earlier[-1] + 1 if earlier else 1)

    def seek(self, share: float) -> "Player":
        """At a part of the whole, from 0 to 1."""
        return self._at_second(self.tape.seconds * max(0.0, min(share, 1.0)))

    def _at_second(self, position: float) -> "Player":
        position = min(position, self.tape.seconds)
        return replace(self, position=position, count=bisect_right(self.tape.offsets, position))

    def _at_event(self, count: int) -> "Player":
        count = max(0, min(count, len(self.tape.offsets)))
        return replace(self, count=count, position=self.tape.offsets[count - 1] if count else 0.0)


def tape_of(recorded: Sequence[Recorded], names: Names) -> Tape:
    """The tape of a project's events, which are in order."""
    lines = [(at, line) for at, one in enumerate(recorded) if (line := line_of(one, names))]
    changes = [
        (at, one.event.phase, one.event.new)
        for at, one in enumerate(recorded)
        if isinstance(one.event, events.PhaseStatusChanged)
    ]
    return Tape(
        offsets=_offsets(recorded),
        bounds=[at for at, _, status in changes if status is PhaseStatus.RUNNING],
        lines=[line for _, line in lines],
        line_at=[at for at, _ in lines],
        changes=changes,
        dollars=list(accumulate((_dollars(one.event) for one in recorded), initial=0.0)),
        done=list(accumulate((_done(one.event) for one in recorded), initial=0)),
    )


def clock(seconds: float) -> str:
    """`1:23`, or `2:07:09`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _offsets(recorded: Sequence[Recorded]) -> Sequence[float]:
    waits = (
        min(max(0.0, (after.at - before.at).total_seconds()), LONGEST_WAIT) for before, after in pairwise(recorded)
    )
    return list(accumulate(waits, initial=0.0)) if recorded else []


def _dollars(event: Event) -> float:
    return event.usage.cost_usd if isinstance(event, events.AgentFinished) else 0.0


def _done(event: Event) -> int:
    if not isinstance(event, events.WorkItemStatusChanged):
        return 0
    return (event.new is WorkItemStatus.DONE) - (event.old is WorkItemStatus.DONE)
