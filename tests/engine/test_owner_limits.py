"""What all projects of one person may use together."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.settings import LimitsSettings, SettingsModel
from orchestrator_tui.console.status import as_json, detail
from orchestrator_tui.database.base import Store
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.commands import CreateProject, ResumeProject, SetLimit
from orchestrator_tui.domain.errors import LimitReached, SettingsError
from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.records import Project, Usage
from orchestrator_tui.domain.statuses import AgentStatus, PauseReason, PhaseName, PipelineStatus
from orchestrator_tui.engine import allowances, budget
from orchestrator_tui.engine.allowances import Budget, Place
from orchestrator_tui.engine.engine import LocalEngine
from tests.database.samples import session
from tests.engine.spending_runtime import TOKENS, SpendingRuntime
from tests.lives import light_scenario
from tests.running import NO_PLANNING, Watched, launch

ENOUGH = 30 * TOKENS
"""For one project of one item."""


def file_with(home: Path, limits: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "orchestrator.toml").write_text(limits)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[LocalEngine]:
    file_with(tmp_path / "home", f"[limits.owner]\ntokens = {ENOUGH}\n")
    runtime = SpendingRuntime(light_scenario(1))
    async with open_engine(launch(tmp_path / "home", None, **NO_PLANNING), runtime=runtime) as engine:
        yield engine


async def begun(engine: LocalEngine, name: str, by: str | None, **more: Any) -> Watched:
    run = Watched(engine=engine)
    run.project_id = await engine.submit(CreateProject(idea="Small modules", name=name, rehearsal=True, by=by, **more))
    return run


async def spent_before(engine: LocalEngine, tokens: int) -> None:
    """Another rehearsal of ada's has used so much."""
    project = await made(engine._store, "before", "ada", rehearsal=True)
    await spends(engine._store, project, Usage(output_tokens=tokens))


async def test_projects_of_one_owner_rest_at_what_they_may_use_together_and_others_do_not(
    engine: LocalEngine, tmp_path: Path
) -> None:
    before = ENOUGH - 3 * TOKENS
    await spent_before(engine, before)
    run = await begun(engine, "second", "ada")
    assert await run.until_rest() is PipelineStatus.PAUSED
    overview, bounds = await engine.overview(run.project_id), await engine.bounds(run.project_id)
    assert overview.state.shutdown_reason == PauseReason.BUDGET
    [error] = run.all(events.ErrorOccurred)
    assert error.message.startswith("The token limit of all projects of ada is reached: ")
    assert "Raise limits.owner.tokens to " in error.hint
    assert f"orchestrator-tui --resume {overview.project.number}" in error.hint
    [use] = [use for use in bounds.limits if use.scope is Scope.OWNER]
    assert (use.subject, use.used) == ("ada", before + overview.total_usage.tokens)
    assert any("all projects of ada" in line for line in detail(overview, now(), bounds))
    assert as_json(overview, now(), bounds)["created_by"] == "ada"
    other = await begun(engine, "third", "bob")
    assert await other.until_rest() is PipelineStatus.COMPLETED
    # A raise counts without a new start.
    file_with(tmp_path / "home", f"[limits.owner]\ntokens = {4 * ENOUGH}\n")
    await engine.submit(ResumeProject(project_id=run.project_id))
    assert await run.until_rest() is PipelineStatus.COMPLETED


async def test_no_project_can_give_its_owner_more(engine: LocalEngine) -> None:
    await spent_before(engine, ENOUGH)
    run = await begun(engine, "second", "ada", config={"settings": {"limits": {"owner": {"tokens": "none"}}}})
    assert await run.until_rest() is PipelineStatus.PAUSED
    change = SetLimit(project_id=run.project_id, scope=Scope.OWNER, resource=Resource.TOKENS, amount=None)
    with pytest.raises(SettingsError, match=r"limits\.owner\.tokens is no limit of one project"):
        await engine.submit(change)


async def test_a_project_is_whose_engine_it_is_unless_somebody_else_says_so(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, project={"owner": "grace"}, **NO_PLANNING)
    async with open_engine(start, runtime=SpendingRuntime(light_scenario(1))) as engine:
        mine, other = await begun(engine, "mine", None), await begun(engine, "other", "bob")
        assert [(await run.project()).created_by for run in (mine, other)] == ["grace", "bob"]


def of_real_money(dollars: float) -> SettingsModel:
    return SettingsModel.model_validate({"limits": {"owner": {"money": dollars}, "project": {"money": "none"}}})


async def made(store: Store, slug: str, by: str, *, rehearsal: bool = False) -> Project:
    async with store.transaction() as unit:
        return await unit.create_project(
            project_id=new_id(),
            name=slug,
            slug=slug,
            description="",
            directory=f"/w/{slug}",
            rehearsal=rehearsal,
            config={},
            created_by=by,
        )


async def spends(store: Store, project: Project, usage: Usage) -> None:
    async with store.transaction() as unit:
        log = await unit.start_session(session(project.id))
        await unit.end_session(replace(log, ended_at=now(), status=AgentStatus.COMPLETED, usage=usage))


def budget_of(store: SqlStore, project: Project, settings: SettingsModel, **more: Any) -> Budget:
    return Budget(store, project.id, settings, owner_limits=lambda: settings.limits, **more)


async def test_a_session_gets_what_is_left_to_its_owner(sqlite_store: SqlStore) -> None:
    one, other, foreign = [await made(sqlite_store, *who) for who in (("a", "ada"), ("b", "ada"), ("c", "bob"))]
    await spends(sqlite_store, other, Usage(cost_usd=7))
    await spends(sqlite_store, foreign, Usage(cost_usd=9))
    settings = of_real_money(10)
    allowance = await budget_of(sqlite_store, one, settings).open(Place(phase=PhaseName.IMPLEMENT))
    assert allowance.dollars == pytest.approx(3)
    await spends(sqlite_store, other, Usage(cost_usd=3))
    with pytest.raises(LimitReached, match=r"money limit of all projects of ada is reached: \$10\.00 of \$10\.00"):
        await budget_of(sqlite_store, one, settings).open(Place(phase=PhaseName.IMPLEMENT))


async def test_what_rehearsals_pretend_to_cost_is_nobody_s_money(sqlite_store: SqlStore) -> None:
    real, played = await made(sqlite_store, "a", "ada"), await made(sqlite_store, "b", "ada", rehearsal=True)
    await spends(sqlite_store, played, Usage(cost_usd=50))
    settings = of_real_money(10)
    for project, dollars in ((real, 10), (played, None)):
        allowance = await budget_of(sqlite_store, project, settings).open(Place(phase=PhaseName.IMPLEMENT))
        assert allowance.dollars == dollars


async def test_a_session_at_work_heeds_what_other_projects_use_meanwhile(sqlite_store: SqlStore) -> None:
    one, other = await made(sqlite_store, "a", "ada"), await made(sqlite_store, "b", "ada")
    ticks = 0.0
    watched = budget_of(sqlite_store, one, of_real_money(10), ticks=lambda: ticks)
    allowance = await watched.open(Place(phase=PhaseName.IMPLEMENT))
    assert watched.seconds_to(allowance) == allowances.OTHERS_SECONDS
    await spends(sqlite_store, other, Usage(cost_usd=10))
    assert watched.reached(allowance) is None
    ticks = allowances.OTHERS_SECONDS
    await watched.look_at_others()
    assert watched.reached(allowance) is not None
    assert await watched.confirmed(allowance) is not None


async def test_a_day_s_limit_of_an_owner_is_over_with_the_day(sqlite_store: SqlStore) -> None:
    project = await made(sqlite_store, "a", "ada")
    await spends(sqlite_store, project, Usage(cost_usd=5))
    limits = LimitsSettings.model_validate({"owner_day": {"money": 5}})
    used_up = await Budget(sqlite_store, project.id, SettingsModel(), owner_limits=lambda: limits).is_used_up(
        Place(phase=PhaseName.IMPLEMENT)
    )
    assert used_up is not None
    assert "all projects of ada on one day" in used_up.message
    assert used_up.resumes_at == budget.day_ends(now())
