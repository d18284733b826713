"""Who of those that wait for a seat among the agents at work gets one; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator_tui.domain.statuses import SeatScope

AGED = timedelta(minutes=10)
"""After so long a session goes before all that have waited less, whatever their priority: nobody waits for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InLine:
    """A seat that is held, or waited for; see `SeatAsked`. `number` is the order in which they were asked for."""

    id: str
    process: str
    number: int
    priority: int
    most: int
    most_here: int
    asked_at: datetime
    held: bool


def seated(line: Iterable[InLine], moment: datetime) -> tuple[frozenset[str], Mapping[str, SeatScope]]:
    """The ids of those that get a seat now, and of those that go on waiting with the limit that they wait for.

    The highest priority first, then who asked first. Nobody overtakes whom the installation has no seat for; whoever
    only waits for a seat in their own process keeps no other process from theirs. Each limit is that of who asks, so
    that processes with different settings keep to their own.
    """
    known = list(line)
    at_work = sum(one.held for one in known)
    here = Counter(one.process for one in known if one.held)
    given: set[str] = set()
    waiting: dict[str, SeatScope] = {}
    is_full = False
    for one in sorted((one for one in known if not one.held), key=lambda one: _turn(one, moment)):
        is_full = is_full or at_work >= one.most
        if is_full:
            waiting[one.id] = SeatScope.INSTALLATION
        elif here[one.process] >= one.most_here:
            waiting[one.id] = SeatScope.WORKER
        else:
            given.add(one.id)
            at_work += 1
            here[one.process] += 1
    return frozenset(given), waiting


def _turn(one: InLine, moment: datetime) -> tuple[bool, int, int]:
    if moment - one.asked_at >= AGED:
        return False, 0, one.number
    return True, -one.priority, one.number
