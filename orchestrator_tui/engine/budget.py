"""What is left for a session: the least that is left in its item, phase, day and project; arithmetic alone."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta

from orchestrator_tui.domain.limits import Limits, LimitUse, Resource, Scope, Spending

Spent = Mapping[Scope, Spending]
"""What is spent in each scope that a session is in; a session without a work item has none of an item."""

Subjects = Mapping[Scope, str]

WHILE_RUNNING = frozenset({Resource.MONEY, Resource.TOKENS, Resource.HOURS})
"""What a session uses up while it runs; sessions are counted where they begin."""


def uses(limits: Limits, spent: Spent, subjects: Subjects | None = None) -> tuple[LimitUse, ...]:
    """Every limit that concerns `spent`, the widest scope first."""
    names = subjects or {}
    return tuple(
        LimitUse(
            scope=scope,
            resource=resource,
            subject=names.get(scope, ""),
            used=spent[scope].of(resource),
            limit=limits[scope, resource],
        )
        for scope in Scope
        for resource in Resource
        if scope in spent and (scope, resource) in limits
    )


def reached(found: Iterable[LimitUse], resources: Iterable[Resource] = Resource) -> LimitUse | None:
    """The first limit that is used up."""
    wanted = frozenset(resources)
    return next((use for use in found if use.resource in wanted and use.is_reached), None)


def left(limits: Limits, spent: Spent, resource: Resource) -> float:
    """The least that is left in any scope, in the limit's unit; not below 0, infinite without a limit."""
    amounts = [use.limit - use.used for use in uses(limits, spent) if use.resource is resource]
    return max(0.0, min(amounts, default=math.inf))


def share(free: float, sharers: int) -> float:
    """What one of `sharers` sessions gets of what is left and promised to nobody, when the others shall get as much."""
    return free / max(1, sharers)


def seconds_to(limits: Limits, spent: Spent, warn_at: float) -> float:
    """How long until more time is at work than `warn_at` of a limit, or than a limit; infinite when it never is."""
    marks = [
        (mark - use.used) * 3600
        for use in uses(limits, spent)
        if use.resource is Resource.HOURS
        for mark in (use.limit * warn_at, use.limit)
        if mark > use.used
    ]
    return min(marks, default=math.inf)


def day_began(moment: datetime) -> datetime:
    """Midnight before `moment` where the program runs."""
    return _midnight(moment, days=0)


def day_ends(moment: datetime) -> datetime:
    """Midnight after `moment` where the program runs: from then on nothing is used of a day's limits."""
    return _midnight(moment, days=1)


def _midnight(moment: datetime, days: int) -> datetime:
    # By the calendar, as a day on which clocks are changed is not 24 hours long.
    day = moment.astimezone().date() + timedelta(days=days)
    return datetime.combine(day, time()).astimezone()


def is_over_tomorrow(found: Iterable[LimitUse]) -> bool:
    """Whether limits are used up, and each of them is a day's."""
    scopes = {use.scope for use in found if use.is_reached}
    return bool(scopes) and scopes <= {Scope.DAY, Scope.OWNER_DAY}
