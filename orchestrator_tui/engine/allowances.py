"""What each session of a running project may use: a share of what is left, watched while the session runs."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator_tui.config.settings import LimitsSettings, SettingsModel
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events, limit_words
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import LimitReached
from orchestrator_tui.domain.limits import Limits, LimitUse, Resource, Scope, Spending, spent_by
from orchestrator_tui.domain.records import Project, Usage
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.engine import budget, forecast
from orchestrator_tui.engine.bounds import OwnerLimitsNow, limit_owners, limits_of, spent_in, subjects_of
from orchestrator_tui.engine.budget import WHILE_RUNNING


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in a project a session works. `item_key` is what people call its work item."""

    phase: PhaseName
    item_id: str | None = None
    item_key: str = ""

    def shares(self, scope: Scope, other: "Place") -> bool:
        """Whether what a session at `other` uses counts for this one's limit of `scope`."""
        match scope:
            case Scope.OWNER | Scope.OWNER_DAY | Scope.PROJECT | Scope.DAY:
                return True
            case Scope.PHASE:
                return self.phase is other.phase
            case Scope.ITEM:
                return self.item_id is not None and self.item_id == other.item_id


@dataclass(kw_only=True, eq=False)
class Allowance:
    """What one session may use.

    `dollars` is the most that its CLI may spend, None without a limit. `base` is what ended sessions have spent in
    each of its scopes; `used` tells what the session itself has used so far. One that `rests` uses nothing for now.
    """

    place: Place
    limits: Limits
    base: dict[Scope, Spending]
    subjects: dict[Scope, str]
    began: float
    dollars: float | None = None
    used: Callable[[], Usage] = field(default=Usage)
    rests: bool = False

    @property
    def promised(self) -> float:
        """Dollars that it may still use, beside what it has used."""
        return 0.0 if self.rests else max(0.0, (self.dollars or 0.0) - self.used().cost_usd)


OTHERS_SECONDS = 10.0
"""How old may be what is known of the other projects of the same person, while sessions are at work."""


class Budget:
    """The allowances of one project at work here. Only its owner spends anything of it, so that they are all there are;
    what other projects of the same person use meanwhile is read again every `OTHERS_SECONDS`.

    `owner_limits` tells what all of those may use together. `clock` gives aware UTC, `ticks` seconds that only go
    forward.
    """

    def __init__(
        self,
        store: Store,
        project_id: str,
        settings: SettingsModel,
        *,
        owner_limits: OwnerLimitsNow = LimitsSettings,
        clock: Callable[[], datetime] = now,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._project_id = project_id
        self._settings = settings
        self._owner_limits = owner_limits
        self._others_read = 0.0
        self._clock = clock
        self._ticks = ticks
        self._open: list[Allowance] = []
        self._closings = 0
        self._closed = asyncio.Event()
        self._seen: set[tuple[Scope, str]] = set()
        self._told: set[tuple[Scope, Resource, str, float]] = set()

    @property
    def warn_at(self) -> float:
        return self._settings.limits.warn_at

    async def open(self, place: Place, *, sharers: int = 1) -> Allowance:
        """What a session at `place` may use. One of `sharers` gets as much as each of the others; when all that is
        left is promised to them, it waits until one of them gives something back.

        Raises:
            LimitReached: nothing is left.
        """
        while True:
            closings = self._closings
            allowance, project = await self._measured(place)
            if closings != self._closings:
                # One that ended meanwhile may be missing from what was read.
                continue
            uses = self._uses(allowance)
            if limit := self._limit_reached(uses, place, project):
                raise limit
            free = self._free_dollars(allowance)
            if free <= 0:
                self._closed.clear()
                await self._closed.wait()
                continue
            if free < math.inf:
                others = sum(other.dollars is not None for other in self._open)
                allowance.dollars = budget.share(free, sharers - others)
            self._told_before(uses)
            self._open.append(allowance)
            return allowance

    def close(self, allowance: Allowance) -> None:
        """The session has ended and is stored: what it used is now among what ended sessions have used."""
        self._open.remove(allowance)
        final = spent_by(allowance.used(), sessions=1)
        for other in self._open:
            for scope in other.base:
                if other.place.shares(scope, allowance.place):
                    other.base[scope] += final
        self._closings += 1
        self._closed.set()

    def rest(self, allowance: Allowance) -> None:
        """What is promised to a session may be promised to others while it uses nothing; limits are kept all the same,
        as what all of them use is watched."""
        allowance.rests = True
        self._closed.set()

    async def is_used_up(self, place: Place) -> LimitReached | None:
        """Whether another session at `place` would find nothing left, by the limits that are in force now."""
        allowance, project = await self._measured(place)
        return self._limit_reached(self._uses(allowance), place, project)

    async def limits_items(self) -> bool:
        """Whether any limit is one of each work item."""
        limits = limits_of(await self._store.find_project(self._project_id), self._settings)
        return any(scope is Scope.ITEM for scope, _ in limits)

    def reached(self, allowance: Allowance) -> LimitUse | None:
        """The limit that a running session has come to, as far as is known here."""
        return budget.reached(self._uses(allowance), WHILE_RUNNING)

    async def confirmed(self, allowance: Allowance) -> LimitReached | None:
        """The same, once the limits were read again: somebody may have raised one."""
        project = await self._store.find_project(self._project_id)
        allowance.limits = limits_of(project, self._settings, self._owner_limits())
        at_work = [use for use in self._uses(allowance) if use.resource in WHILE_RUNNING]
        return self._limit_reached(at_work, allowance.place, project)

    def seconds_to(self, allowance: Allowance) -> float:
        """How long until time alone, or what others use, may make something to tell of."""
        seconds = budget.seconds_to(allowance.limits, self._spent(allowance), self.warn_at)
        return min(seconds, OTHERS_SECONDS) if Scope.OWNER in allowance.base else seconds

    async def look_at_others(self) -> None:
        """Read again what other projects of the same person have used, where that counts and is old."""
        shared = [one for one in self._open if Scope.OWNER in one.base]
        if not shared or self._ticks() - self._others_read < OTHERS_SECONDS / 2:
            return
        self._others_read, closings = self._ticks(), self._closings
        since = budget.day_began(self._clock())
        spent = await self._store.spent(self._project_id, since=since, of_owner=True)
        if closings != self._closings:
            # One that ended meanwhile may be missing from what was read.
            return
        for allowance in shared:
            allowance.base |= {Scope.OWNER: spent.owner, Scope.OWNER_DAY: spent.owner_day}

    def warnings(self, allowance: Allowance) -> Iterator[events.LimitNear]:
        """Limits that have come near since they were last looked at; each is told once."""
        for use in self._uses(allowance):
            key = (use.scope, use.resource, use.subject, use.limit)
            if use.share >= self.warn_at and key not in self._told:
                self._told.add(key)
                yield _near(use)

    async def foreseen(self) -> tuple[events.LimitNear, ...]:
        """Limits that the work left to do would pass; each is told once in a run."""
        found = await self._store.finished_items(self._project_id, limit=forecast.NEWEST)
        outlook = forecast.forecast(await self._store.item_counts(self._project_id), found)
        if outlook is None:
            return ()
        spent, _ = await self._measured(Place(phase=PhaseName.IMPLEMENT))
        project_spent = spent.base[Scope.PROJECT]
        told: list[events.LimitNear] = []
        for use in forecast.passed(spent.limits, project_spent, outlook.left):
            key = (use.scope, use.resource, "expected", use.limit)
            if key not in self._told:
                self._told.add(key)
                told.append(_near(use, used=project_spent.of(use.resource)))
        return tuple(told)

    async def _measured(self, place: Place) -> tuple[Allowance, Project]:
        """An allowance with nothing used of it yet, and the project with the limits that are in force."""
        at, shared = self._clock(), self._owner_limits()
        of_owner = limit_owners(shared)
        project, state, ended = await self._store.standing(
            self._project_id, since=budget.day_began(at), item_id=place.item_id, of_owner=of_owner
        )
        has_item = place.item_id is not None
        allowance = Allowance(
            place=place,
            limits=limits_of(project, self._settings, shared),
            base=spent_in(state, ended, at, phase=place.phase, has_item=has_item, of_owner=of_owner),
            subjects={
                **subjects_of(project, at),
                Scope.PHASE: place.phase.value,
                Scope.ITEM: place.item_key,
            },
            began=self._ticks(),
        )
        return allowance, project

    def _spent(self, allowance: Allowance) -> dict[Scope, Spending]:
        lasted = Spending(seconds=self._ticks() - allowance.began)
        return {
            scope: sum(
                (
                    spent_by(other.used(), sessions=1)
                    for other in self._open
                    if allowance.place.shares(scope, other.place)
                ),
                base + lasted,
            )
            for scope, base in allowance.base.items()
        }

    def _uses(self, allowance: Allowance) -> tuple[LimitUse, ...]:
        return budget.uses(allowance.limits, self._spent(allowance), allowance.subjects)

    def _free_dollars(self, allowance: Allowance) -> float:
        """What is left in every scope once all that is promised is taken off."""
        promised = {
            scope: sum(
                (
                    Spending(dollars=other.promised)
                    for other in self._open
                    if allowance.place.shares(scope, other.place)
                ),
                spent,
            )
            for scope, spent in self._spent(allowance).items()
        }
        return budget.left(allowance.limits, promised, Resource.MONEY)

    def _told_before(self, uses: tuple[LimitUse, ...]) -> None:
        """What was near before this run began was told by an earlier one."""
        for use in uses:
            if (use.scope, use.subject) not in self._seen and use.share >= self.warn_at:
                self._told.add((use.scope, use.resource, use.subject, use.limit))
        self._seen |= {(use.scope, use.subject) for use in uses}

    def _limit_reached(self, uses: Sequence[LimitUse], place: Place, project: Project) -> LimitReached | None:
        """The error about the first of the limits that is used up; None when none is."""
        use = budget.reached(uses)
        if use is None:
            return None
        return LimitReached(
            limit_words.reached(use),
            hint=limit_words.how_to_raise(use, project.number),
            phase=place.phase.value,
            item_id=place.item_id,
            resumes_at=budget.day_ends(self._clock()) if budget.is_over_tomorrow(uses) else None,
        )


def _near(use: LimitUse, *, used: float | None = None) -> events.LimitNear:
    """`used` makes it a forecast: the use is what it would come to."""
    return events.LimitNear(
        scope=use.scope,
        resource=use.resource,
        subject=use.subject,
        used=use.used if used is None else used,
        limit=use.limit,
        expected=None if used is None else use.used,
    )
