"""What a person types to change a limit, such as `project money 100`; pure."""

import math
from dataclasses import dataclass

from orchestrator_tui.domain.limits import OF_PROJECT, Resource, Scope
from orchestrator_tui.tui.slash import CommandProblem

USAGE = (
    f"Usage: /limit <scope> <what> <amount>, with {', '.join(OF_PROJECT)}; {', '.join(Resource)}; a number or none. "
    "For example: /limit project money 100."
)


@dataclass(frozen=True, slots=True)
class LimitChange:
    """`amount` is in the unit of the resource, None for no limit."""

    scope: Scope
    resource: Resource
    amount: float | None


def parse_limit(text: str) -> LimitChange:
    """The change that a line describes; without a scope it is the project's.

    Raises:
        CommandProblem: it says none.
    """
    words = text.lower().replace("$", " ").replace("=", " ").split()
    if len(words) == 2:
        words = [Scope.PROJECT.value, *words]
    if len(words) != 3:
        raise CommandProblem("That is no limit.", hint=USAGE)
    scope, resource, amount = words
    if scope not in OF_PROJECT:
        raise CommandProblem(f"There are no limits of {scope!r}.", hint=USAGE)
    if resource not in list(Resource):
        raise CommandProblem(f"{resource!r} is not limited.", hint=USAGE)
    return LimitChange(Scope(scope), Resource(resource), _amount(amount))


def _amount(text: str) -> float | None:
    if text == "none":
        return None
    try:
        amount = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        amount = math.nan
    if not 0 < amount < math.inf:
        raise CommandProblem(f"{text!r} is no amount.", hint=USAGE)
    return amount
