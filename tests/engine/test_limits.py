import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.base import AgentOutput
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import SystemClock, now
from orchestrator_tui.domain.commands import ResumeProject, SetLimit
from orchestrator_tui.domain.errors import MustWait, SettingsError
from orchestrator_tui.domain.limits import OF_PROJECT, Resource, Scope
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.standing import pause_problem
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine import accounts
from orchestrator_tui.engine.accounts import AccountLimits
from orchestrator_tui.engine.allowances import Budget, Place
from orchestrator_tui.engine.guard import Guard
from tests.conftest import make_project
from tests.engine.spending_runtime import DOLLARS, TOKENS, SpendingRuntime
from tests.lives import light_scenario
from tests.running import NO_PLANNING, Watched, launch

ITEMS = 3
# One session does an item here, and no limit is lower than one.
ALL = [
    (scope, resource)
    for scope in OF_PROJECT
    for resource in Resource
    if (scope, resource) != (Scope.ITEM, Resource.SESSIONS)
]
SOON = 1e-6
"""Hours: a few milliseconds, which are over before anything is done."""


def limits(scope: Scope, resource: Resource, amount: float) -> dict[str, Any]:
    return {"limits": {scope.value: {resource.value: amount}}}


def amount_of(resource: Resource) -> float:
    """So little that a few responses use it up in the middle of something; sessions count where they begin."""
    little = {Resource.MONEY: 1.5 * DOLLARS, Resource.TOKENS: 1.5 * TOKENS, Resource.SESSIONS: 1.0}
    return little.get(resource, SOON)


def start_in(home: Path, **settings: Any) -> Launch:
    return launch(home, None, **{**NO_PLANNING, **settings})


def claimed(run: Watched) -> list[events.WorkItemStatusChanged]:
    return [one for one in run.all(events.WorkItemStatusChanged) if one.new is WorkItemStatus.IN_PROGRESS]


async def raised(run: Watched, scope: Scope, resource: Resource, amount: float | None) -> None:
    await run.engine.submit(SetLimit(project_id=run.project_id, scope=scope, resource=resource, amount=amount))


@pytest.mark.parametrize(("scope", "resource"), ALL)
async def test_a_project_pauses_at_each_limit_and_goes_on_after_a_raise_in_another_process(
    tmp_path: Path, scope: Scope, resource: Resource
) -> None:
    start = start_in(tmp_path / "home", **limits(scope, resource, amount_of(resource)))
    runtime = SpendingRuntime(light_scenario(ITEMS))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        overview = await engine.overview(run.project_id)
        assert overview.state.shutdown_reason == "budget"
        assert overview.running == ()
        [error] = run.all(events.ErrorOccurred)
        assert f"--set limits.{scope}.{resource}=" in error.hint
        assert f"/limit {scope} {resource} " in error.hint
        assert await engine.items(run.project_id, status=WorkItemStatus.IN_PROGRESS) == []
        sessions = len(runtime.started)
    async with open_engine(start_in(tmp_path / "home"), runtime=runtime) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        # Nothing changed, nothing begins.
        claims = len(claimed(run))
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert len(runtime.started) == sessions
        assert len(claimed(run)) == claims, "an item was claimed for which nothing is left"
        await raised(run, scope, resource, None)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        items = await engine.items(run.project_id)
    assert {item.status for item in items} == {WorkItemStatus.DONE}
    assert len(items) == ITEMS


@pytest.mark.parametrize("resource", [Resource.MONEY, Resource.TOKENS])
async def test_what_is_ended_at_a_limit_goes_on_with_its_conversation_and_its_files(
    tmp_path: Path, resource: Resource
) -> None:
    start = start_in(tmp_path / "home", **limits(Scope.ITEM, resource, amount_of(resource)))
    runtime = SpendingRuntime(light_scenario(1))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        ended = (await engine.sessions(run.project_id))[-1]
        assert (ended.role, ended.status) == ("developer", AgentStatus.INTERRUPTED)
        [item] = await engine.items(run.project_id)
        assert item.status is WorkItemStatus.TODO
        assert item.metadata["patch"]
        await raised(run, Scope.ITEM, resource, 1_000_000)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
    developers = [request for request in runtime.started if request.role == "developer"]
    assert [request.resume for request in developers] == [None, ended.id]
    assert "again" in next(e.text for e in run.all(events.AgentPrompted) if e.kind == "resumed")


async def test_a_pause_at_a_limit_is_no_failure_and_a_resume_that_changes_nothing_leaves_the_items_alone(
    tmp_path: Path,
) -> None:
    start = start_in(tmp_path / "home", **limits(Scope.PROJECT, Resource.SESSIONS, 2))
    runtime = SpendingRuntime(light_scenario(ITEMS))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        items = await engine.items(run.project_id)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert await engine.items(run.project_id) == items
        overview = await engine.overview(run.project_id)
    assert overview.state.phases[PhaseName.IMPLEMENT].status is PhaseStatus.PENDING
    assert "limits.project.sessions" in (pause_problem(overview) or "")
    assert PhaseStatus.FAILED not in {event.new for event in run.all(events.PhaseStatusChanged)}


async def test_a_raise_counts_at_once_for_a_session_at_work(tmp_path: Path) -> None:
    """The money that its CLI was given is used up before it has done anything; by then there is more."""
    start = start_in(tmp_path / "home", **limits(Scope.PROJECT, Resource.MONEY, 2.5 * DOLLARS))
    runtime = SpendingRuntime(light_scenario(ITEMS))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(lambda event: isinstance(event, events.AgentStarted))
        await raised(run, Scope.PROJECT, Resource.MONEY, 1000)
        assert await run.until_rest() is PipelineStatus.COMPLETED
    told = run.all(events.LimitSet)
    assert [(event.old, event.new) for event in told] == [(2.5, 1000)]


async def test_a_limit_that_comes_near_is_told_once(tmp_path: Path) -> None:
    start = start_in(tmp_path / "home", **limits(Scope.PROJECT, Resource.SESSIONS, 5))
    runtime = SpendingRuntime(light_scenario(ITEMS))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine, project_id=run.project_id, seen=run.seen)
        await raised(run, Scope.PROJECT, Resource.SESSIONS, 8)
        await engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
    near = [(event.used, event.limit) for event in run.all(events.LimitNear) if event.expected is None]
    assert near == [(4, 5), (7, 8)]


async def test_a_swarm_shares_what_is_left(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, **limits(Scope.PROJECT, Resource.MONEY, 30))
    runtime = SpendingRuntime(light_scenario(1))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
    trio = [request.max_budget_usd for request in runtime.started[:3]]
    assert trio == [10, 10, 10]
    assert {request.phase for request in runtime.started[:3]} == {PhaseName.IDEATION}


async def test_how_a_half_done_project_stands_is_told_with_a_forecast(tmp_path: Path) -> None:
    start = start_in(tmp_path / "home", **limits(Scope.PROJECT, Resource.MONEY, 30 * DOLLARS))
    runtime = SpendingRuntime(light_scenario(12))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        bounds = await engine.bounds(run.project_id)
        overview = await engine.overview(run.project_id)
    foretold = bounds.forecast
    assert foretold is not None
    assert foretold.items_done == overview.items.done
    assert foretold.items_left == 12 - overview.items.done
    each = foretold.done.dollars / foretold.items_done
    assert foretold.left.dollars == pytest.approx(each * foretold.items_left)
    [money] = [use for use in bounds.limits if (use.scope, use.resource) == (Scope.PROJECT, Resource.MONEY)]
    assert money.is_reached
    assert money.used == pytest.approx(overview.total_usage.cost_usd)
    assert [use.resource for use in bounds.passed] == [Resource.MONEY]
    foreseen = [event for event in run.all(events.LimitNear) if event.expected is not None]
    assert len(foreseen) == 1
    assert foreseen[0].used < foreseen[0].limit < float(foreseen[0].expected or 0)


@pytest.mark.parametrize("amount", [0, -1, float("nan"), float("inf"), 1.5])
async def test_what_is_no_limit_is_refused(tmp_path: Path, amount: float) -> None:
    async with open_engine(start_in(tmp_path / "home"), runtime=SpendingRuntime(light_scenario(1))) as engine:
        run = Watched(engine=engine)
        await run.create()
        with pytest.raises(SettingsError, match=r"limits\.project\.tokens cannot be"):
            await raised(run, Scope.PROJECT, Resource.TOKENS, amount)


class Waiting:
    """A session that does nothing until it is interrupted."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.over = asyncio.Event()

    @property
    def usage(self) -> Usage:
        return Usage()

    @property
    def cli_session_id(self) -> str | None:
        return None

    def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        raise NotImplementedError

    async def settle(self) -> None:
        self.calls.append("settle")

    async def interrupt(self) -> None:
        self.calls.append("interrupt")
        self.over.set()

    async def kill(self) -> None:
        """Nothing of it is at work by itself."""


async def test_a_session_that_does_nothing_is_ended_when_its_time_is_over(
    sqlite_store: SqlStore, tmp_path: Path
) -> None:
    project = await make_project(sqlite_store, "mdcheck")
    settings = SettingsModel.model_validate({"limits": {"item": {"hours": 0.2 / 3600}}})
    budget = Budget(sqlite_store, project.id, settings)
    allowance = await budget.open(Place(phase=PhaseName.IMPLEMENT, item_id="0" * 8, item_key="TASK-1"))
    told: list[events.Event] = []
    guard, session = Guard(budget, allowance, tell=told.append, settle_seconds=5), Waiting()
    async with guard.watching(session):
        await session.over.wait()
    assert session.calls == ["settle", "interrupt"]
    assert guard.reached is not None
    assert "The time limit of TASK-1 is reached" in guard.reached.message
    assert [type(event) for event in told] == [events.LimitNear]


async def test_a_session_at_work_is_ended_when_another_finds_its_account_used_up(
    sqlite_store: SqlStore, tmp_path: Path
) -> None:
    project = await make_project(sqlite_store, "mdcheck")
    budget = Budget(sqlite_store, project.id, SettingsModel())
    allowance = await budget.open(Place(phase=PhaseName.IMPLEMENT))
    known = AccountLimits(SystemClock())
    names = accounts.names_for("account", "claude-opus-4-5")
    guard, session = (
        Guard(budget, allowance, tell=lambda _: None, settle_seconds=5, used_up=lambda: known.reached(names)),
        Waiting(),
    )
    async with guard.watching(session):
        known.tell(accounts.name_of("account", "seven_day_sonnet"), now() + timedelta(hours=1))
        known.tell(accounts.name_of("another", "five_hour"), now() + timedelta(hours=1))
        known.tell(accounts.name_of("account", "five_hour"), now() - timedelta(hours=1))
        assert not session.over.is_set()
        until = now() + timedelta(hours=1)
        known.tell(accounts.name_of("account", "seven_day_opus"), until)
        await session.over.wait()
        with pytest.raises(MustWait) as told:
            await guard.before_turn()
    assert session.calls == ["settle", "interrupt"]
    assert (told.value.trouble, told.value.resets_at) == (Trouble.USAGE_LIMIT, until)
