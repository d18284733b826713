"""The limits of a project: which hold, how it stands against them, and how a person changes one."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from orchestrator_tui.config.settings import NO_LIMIT, LimitsSettings, SettingsModel
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events, limit_words
from orchestrator_tui.domain.commands import SetLimit
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.limits import (
    NOTHING,
    OF_OWNER,
    OF_PROJECT,
    Bounds,
    LimitKey,
    Limits,
    Resource,
    Scope,
    Spending,
    SpentByProject,
    spent_by,
)
from orchestrator_tui.domain.records import PipelineState, Project
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.engine import budget, forecast

COUNTED = frozenset({Resource.TOKENS, Resource.SESSIONS})
"""Resources that come in whole numbers."""


OwnerLimitsNow = Callable[[], LimitsSettings]
"""The limits of the installation, in which those of owners are, as its settings say at this moment."""


def limits_of(project: Project, settings: SettingsModel, shared: LimitsSettings | None = None) -> Limits:
    """The limits of a project: its own over those of the settings, and those of its owner, which `shared` has.

    Its own are those it was started with and those that were changed since; they count in every process. Money of a
    rehearsal is pretended, and a demonstration must not stop for it: only the project's own limits on it hold.
    """
    own = _own(project)
    found = {
        (scope, resource): amount
        for scopes, limits in ((OF_OWNER, shared), (OF_PROJECT, settings.limits))
        if limits is not None
        for scope in scopes
        for resource in Resource
        if (amount := limits.of(scope).of(resource)) is not None
        and not (project.rehearsal and resource is Resource.MONEY)
    }
    for key, amount in own.items():
        if amount is not None:
            found[key] = amount
        else:
            found.pop(key, None)
    found.setdefault((Scope.PROJECT, Resource.SESSIONS), _most_sessions(project, settings))
    return found


def limit_owners(shared: LimitsSettings) -> bool:
    """Whether what an owner's projects use together is limited at all."""
    return any(shared.of(scope).of(resource) is not None for scope in OF_OWNER for resource in Resource)


def _most_sessions(project: Project, settings: SettingsModel) -> float:
    """`agent.max_sessions`, as the project was started with it."""
    stored = _table(_table(project.config, "settings"), "agent").get("max_sessions")
    return _number(stored) or float(settings.agent.max_sessions)


def _own(project: Project) -> Mapping[LimitKey, float | None]:
    """The limits kept with the project; None is no limit. What is no amount is passed over."""
    stored = _table(_table(project.config, "settings"), "limits")
    found: dict[LimitKey, float | None] = {}
    for scope in OF_PROJECT:
        for resource in Resource:
            amount = _table(stored, scope.value).get(resource.value)
            if amount == NO_LIMIT:
                found[scope, resource] = None
            elif (number := _number(amount)) is not None:
                found[scope, resource] = number
    return found


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = data.get(name)
    return inner if isinstance(inner, Mapping) else {}


def _number(amount: object) -> float | None:
    """Text too: the command line may write a number so."""
    try:
        number = float(amount) if isinstance(amount, int | float | str) else 0.0
    except ValueError:
        return None
    return number if number > 0 else None


async def set_limit(store: Store, command: SetLimit, settings: SettingsModel) -> None:
    """Keep a changed limit with its project; nothing happens when it is that already.

    Raises:
        SettingsError: the amount is no limit, or the limit is none of one project.
    """
    amount, resource = command.amount, command.resource
    name = limit_words.key(command.scope, resource)
    if command.scope in OF_OWNER:
        raise SettingsError(
            f"{name} is no limit of one project.", hint="It is set in the settings where projects run, for all owners."
        )
    if amount is not None and not (0 < amount < float("inf") and (resource not in COUNTED or amount == int(amount))):
        kind = "a whole number from 1" if resource in COUNTED else "a number above 0"
        raise SettingsError(f"{name} cannot be {amount:g}; expected {kind}, or none.")
    stored: float | int | str = NO_LIMIT if amount is None else int(amount) if resource in COUNTED else amount
    key = (command.scope, resource)
    async with store.transaction() as unit:
        changed = {"limits": {command.scope.value: {resource.value: stored}}}
        before, after = await unit.change_settings(command.project_id, changed)
        old, new = (limits_of(project, settings).get(key) for project in (before, after))
        if old != new:
            told = events.LimitSet(scope=command.scope, resource=resource, old=old, new=new, by=command.by)
            unit.record(command.project_id, told)


def spent_in(
    state: PipelineState,
    ended: SpentByProject,
    at: datetime,
    *,
    phase: PhaseName | None = None,
    has_item: bool = False,
    of_owner: bool = False,
) -> dict[Scope, Spending]:
    """What a project has spent in every scope that concerns a session of `phase`; sessions at work not counted."""
    seconds = {name: _seconds(state, name, at) for name in state.phases}
    sessions = sum(ended.phases.values(), NOTHING)
    spent = {Scope.PROJECT: sessions + Spending(seconds=sum(seconds.values())), Scope.DAY: ended.day}
    if of_owner:
        spent |= {Scope.OWNER: ended.owner, Scope.OWNER_DAY: ended.owner_day}
    if phase is not None:
        spent[Scope.PHASE] = ended.phases.get(phase.value, NOTHING) + Spending(seconds=seconds[phase])
    if has_item:
        spent[Scope.ITEM] = ended.item
    return spent


def _seconds(state: PipelineState, name: PhaseName, at: datetime) -> float:
    phase = state.phases[name]
    running = (at - phase.running_since).total_seconds() if phase.running_since else 0.0
    return phase.seconds + max(0.0, running)


def subjects_of(project: Project, at: datetime) -> dict[Scope, str]:
    """Whose limits they are, and of which day."""
    owner = dict.fromkeys(OF_OWNER, project.created_by)
    return {**owner, Scope.DAY: at.astimezone().date().isoformat()}


async def read_bounds(
    store: Store, project: Project, settings: SettingsModel, shared: LimitsSettings, at: datetime
) -> Bounds:
    """How a project stands at the moment `at`; what it used is summed by the database."""
    limits, of_owner = limits_of(project, settings, shared), limit_owners(shared)
    overview = await store.overview(project.id)
    phase = project.current_phase
    ended = await store.spent(project.id, since=budget.day_began(at), of_owner=of_owner)
    spent = spent_in(overview.state, ended, at, phase=phase, of_owner=of_owner)
    for session in overview.running:
        for scope in spent:
            if scope is not Scope.PHASE or session.phase is phase:
                spent[scope] += spent_by(session.usage, sessions=1)
    subjects = {**subjects_of(project, at), Scope.PHASE: phase.value if phase else ""}
    outlook = forecast.forecast(overview.items, await store.finished_items(project.id, limit=forecast.NEWEST))
    return Bounds(
        at=at,
        limits=budget.uses(limits, spent, subjects),
        forecast=outlook,
        passed=forecast.passed(limits, spent[Scope.PROJECT], outlook.left) if outlook else (),
        warn_at=settings.limits.warn_at,
    )
