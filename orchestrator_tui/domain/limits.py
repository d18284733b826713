"""What may be limited, what was spent, and how a project stands between the two."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator_tui.domain.records import Usage


class Scope(StrEnum):
    """What a limit holds for. Each is inside all before it: a session gets the least that any of them has left.

    `OWNER` is all projects of the person who made the project, `OWNER_DAY` the same on one day.
    """

    OWNER = "owner"
    OWNER_DAY = "owner_day"
    PROJECT = "project"
    DAY = "day"
    PHASE = "phase"
    ITEM = "item"


OF_OWNER = (Scope.OWNER, Scope.OWNER_DAY)
"""What several projects share; the settings of the installation alone say how much that is."""

OF_PROJECT = tuple(scope for scope in Scope if scope not in OF_OWNER)
"""What each project may have limits of its own for."""


class Resource(StrEnum):
    """What is limited: US dollars, tokens (cached ones included), sessions, hours at work."""

    MONEY = "money"
    TOKENS = "tokens"
    SESSIONS = "sessions"
    HOURS = "hours"


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What was used of everything that may be limited. `seconds` are time at work, pauses and downtime not counted."""

    dollars: float = 0.0
    tokens: int = 0
    sessions: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            dollars=self.dollars + other.dollars,
            tokens=self.tokens + other.tokens,
            sessions=self.sessions + other.sessions,
            seconds=self.seconds + other.seconds,
        )

    def of(self, resource: Resource) -> float:
        """The amount in the unit of its limit."""
        match resource:
            case Resource.MONEY:
                return self.dollars
            case Resource.TOKENS:
                return float(self.tokens)
            case Resource.SESSIONS:
                return float(self.sessions)
            case Resource.HOURS:
                return self.seconds / 3600


NOTHING = Spending()

LimitKey = tuple[Scope, Resource]
Limits = Mapping[LimitKey, float]
"""The amount by what it limits; what is not in it has no limit."""


def spent_by(usage: Usage, *, sessions: int = 0, seconds: float = 0.0) -> Spending:
    """A usage of tokens and money as spending."""
    return Spending(dollars=usage.cost_usd, tokens=usage.tokens, sessions=sessions, seconds=seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitUse:
    """One limit and what is used of it. `subject` says which day, phase or item, or whose; "" for the project."""

    scope: Scope
    resource: Resource
    subject: str
    used: float
    limit: float

    @property
    def share(self) -> float:
        """1.0 when it is used up."""
        return self.used / self.limit

    @property
    def is_reached(self) -> bool:
        """Amounts that were added up in another order may differ far behind the point."""
        return self.used >= self.limit * (1 - 1e-9)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpentByProject:
    """What the sessions of a project that ended used. `seconds` are only known of the day and the item: phases keep
    their own time. `item` is of the one that was asked for.

    `owner` and `owner_day` are what all projects of the person who made it used, sessions at work in other projects
    included: those that are rehearsals for a rehearsal, the others for any other. Only money and tokens of them.
    """

    phases: Mapping[str, Spending]
    day: Spending
    item: Spending
    owner: Spending = NOTHING
    owner_day: Spending = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What work items took so far, and what those that are left will take if they are like them."""

    items_done: int
    items_left: int
    done: Spending
    left: Spending


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How a project stands at a moment: each limit with what is used of it, the forecast (None while too few items
    are finished), and the limits that the work left to do would pass, `used` being what it would come to."""

    at: datetime
    limits: tuple[LimitUse, ...]
    forecast: Forecast | None
    passed: tuple[LimitUse, ...] = ()
    warn_at: float = 0.8

    @property
    def near(self) -> tuple[LimitUse, ...]:
        """The limits of which more than the share `warn_at` is used."""
        return tuple(use for use in self.limits if use.share >= self.warn_at)
