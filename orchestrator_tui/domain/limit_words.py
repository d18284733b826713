"""What people are told of limits and forecasts, alike in every front end."""

from orchestrator_tui.domain import words
from orchestrator_tui.domain.events import LimitNear, LimitSet
from orchestrator_tui.domain.limits import OF_OWNER, Bounds, Forecast, LimitUse, Resource, Scope, Spending


def amount(resource: Resource, value: float) -> str:
    """An amount with its unit, such as `$50.00`, `1.2M tok`, `1 session`, `8h00m`."""
    match resource:
        case Resource.MONEY:
            return words.money(value)
        case Resource.TOKENS:
            return words.tokens(round(value))
        case Resource.SESSIONS:
            return words.plural(round(value), "session")
        case Resource.HOURS:
            return words.duration(value * 3600)


def amount_or_none(resource: Resource, value: float | None) -> str:
    return "none" if value is None else amount(resource, value)


def key(scope: Scope, resource: Resource) -> str:
    """The setting of a limit, such as `limits.project.money`."""
    return f"limits.{scope}.{resource}"


def name(scope: Scope, resource: Resource, subject: str = "") -> str:
    """Such as `money limit of the implement phase`."""
    whose = subject or "nobody that is known"
    of = {
        Scope.OWNER: f"all projects of {whose}",
        Scope.OWNER_DAY: f"all projects of {whose} on one day",
        Scope.PROJECT: "the project",
        Scope.DAY: "the day",
        Scope.PHASE: f"the {words.title(subject)} phase" if subject else "each phase",
        Scope.ITEM: subject or "each work item",
    }
    kinds = {Resource.MONEY: "money", Resource.TOKENS: "token", Resource.SESSIONS: "session", Resource.HOURS: "time"}
    return f"{kinds[resource]} limit of {of[scope]}"


def reached(use: LimitUse) -> str:
    """That a limit is used up, as a sentence."""
    used = amount(use.resource, use.used)
    return f"The {name(use.scope, use.resource, use.subject)} is reached: {used} of {_limit(use)} used."


def how_to_raise(use: LimitUse, number: int) -> str:
    """What to type so that project `number` may go on."""
    more = f"{2 * max(use.limit, use.used):.6g}" if use.resource is Resource.MONEY else _whole(use)
    if use.scope in OF_OWNER:
        return (
            f"Raise {key(use.scope, use.resource)} to {more} in the settings where projects run, and go on: "
            f"orchestrator-tui --resume {number}, or /resume in the dashboard."
        )
    return (
        f"Raise it and go on: orchestrator-tui --resume {number} --set {key(use.scope, use.resource)}={more}, "
        f"or /limit {use.scope} {use.resource} {more} in the dashboard."
    )


def _whole(use: LimitUse) -> str:
    twice = 2 * max(use.limit, use.used)
    return f"{twice:.6g}" if use.resource is Resource.HOURS else str(round(twice))


def told(event: LimitNear | LimitSet) -> str:
    """What an event about a limit says."""
    match event:
        case LimitSet():
            return changed(event.scope, event.resource, event.old, event.new)
        case LimitNear():
            use = LimitUse(
                scope=event.scope, resource=event.resource, subject=event.subject, used=event.used, limit=event.limit
            )
            return near(use, event.expected)


def near(use: LimitUse, expected: float | None = None) -> str:
    """That a limit will soon be used up, or is going to be passed with the work that is left."""
    what = name(use.scope, use.resource, use.subject)
    if expected is not None:
        return (
            f"the {what}, {_limit(use)}, will not do: with the work left it comes to {amount(use.resource, expected)}"
        )
    return f"{int(use.share * 100 + 1e-6)}% of the {what} used: {amount(use.resource, use.used)} of {_limit(use)}"


def changed(scope: Scope, resource: Resource, old: float | None, new: float | None) -> str:
    """That somebody changed a limit."""
    return f"{name(scope, resource)}: {amount_or_none(resource, new)} (was {amount_or_none(resource, old)})"


def left_to_do(forecast: Forecast) -> str:
    """What the items that are left will take, such as `12 items: $3.40  1.2M tok  2h10m`."""
    return f"{words.plural(forecast.items_left, 'item')}: {together(forecast.left)}"


def facts(bounds: Bounds) -> list[tuple[str, str, bool]]:
    """What a page about a project says: name, words, whether that is a warning. Limits far away are left out."""
    found: list[tuple[str, str, bool]] = []
    if bounds.forecast is not None and bounds.forecast.items_left:
        found.append(("Left to do", left_to_do(bounds.forecast), False))
    found += [("Limit", near(use), True) for use in bounds.near]
    found += [("Forecast", near(use, use.used), True) for use in bounds.passed]
    return found


def together(spending: Spending) -> str:
    return "  ".join((words.money(spending.dollars), words.tokens(spending.tokens), words.duration(spending.seconds)))


def _limit(use: LimitUse) -> str:
    return amount(use.resource, use.limit)
