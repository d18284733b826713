"""What is left to do will cost, from what finished work items took; arithmetic alone."""

from collections.abc import Sequence
from statistics import fmean, median

from orchestrator_tui.domain.limits import NOTHING, Forecast, Limits, LimitUse, Resource, Scope, Spending
from orchestrator_tui.domain.records import ItemCounts

LEAST_ITEMS = 3
"""As long as fewer are finished, nothing is foretold."""
NEWEST = 50
"""How many of the newest finished items say what the next ones will take."""
HIGHEST = 3.0
"""How many times the median one item counts at most: a single one that went astray must not foretell the others."""


def forecast(counts: ItemCounts, finished: Sequence[Spending]) -> Forecast | None:
    """What the items that are left will take; `finished` are the newest finished ones.

    None while too few are finished. Blocked items are not left to do: nobody works on them.
    """
    if len(finished) < LEAST_ITEMS:
        return None
    remaining = counts.todo + counts.in_progress
    done = sum(finished, NOTHING)
    left = Spending(
        dollars=remaining * typical([item.dollars for item in finished]),
        tokens=round(remaining * typical([item.tokens for item in finished])),
        sessions=round(remaining * typical([item.sessions for item in finished])),
        seconds=remaining * typical([item.seconds for item in finished]),
    )
    return Forecast(items_done=counts.done, items_left=remaining, done=done, left=left)


def typical(amounts: Sequence[float]) -> float:
    """The mean, with no amount counting for more than `HIGHEST` times the median."""
    most = HIGHEST * median(amounts)
    return fmean(min(amount, most) for amount in amounts)


def passed(limits: Limits, project: Spending, left: Spending) -> tuple[LimitUse, ...]:
    """The limits of the whole project that it would pass, with what it would come to."""
    total = project + left
    return tuple(
        LimitUse(
            scope=Scope.PROJECT,
            resource=resource,
            subject="",
            used=total.of(resource),
            limit=limits[Scope.PROJECT, resource],
        )
        for resource in Resource
        if (Scope.PROJECT, resource) in limits and total.of(resource) > limits[Scope.PROJECT, resource]
    )
