import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import LimitReached
from orchestrator_tui.domain.limits import NOTHING, Limits, Resource, Scope, Spending, SpentByProject, spent_by
from orchestrator_tui.domain.records import ItemCounts, PhaseState, PipelineState, Project, Usage
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PipelineStatus
from orchestrator_tui.engine import budget
from orchestrator_tui.engine.allowances import Allowance, Budget, Place
from orchestrator_tui.engine.bounds import limits_of
from orchestrator_tui.engine.budget import left, reached, seconds_to, share, uses
from orchestrator_tui.engine.forecast import forecast, passed, typical

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLANNING = Place(phase=PhaseName.IDEATION)

amounts = st.floats(0, 1000)
spendings = st.builds(
    Spending, dollars=amounts, tokens=st.integers(0, 10**9), sessions=st.integers(0, 10**4), seconds=amounts
)
all_limits = st.dictionaries(st.tuples(st.sampled_from(Scope), st.sampled_from(Resource)), st.floats(0.01, 2000))
all_spent = st.dictionaries(st.sampled_from(Scope), spendings, min_size=1)


@given(all_limits, all_spent, st.sampled_from(Resource))
def test_a_child_never_gets_more_than_any_of_its_parents_has_left(
    limits: Limits, spent: dict[Scope, Spending], resource: Resource
) -> None:
    got = left(limits, spent, resource)
    assert got >= 0
    for scope, spending in spent.items():
        if (limit := limits.get((scope, resource))) is not None:
            assert got <= max(0.0, limit - spending.of(resource))


@given(all_limits, all_spent)
def test_a_limit_is_reached_exactly_when_nothing_is_left(limits: Limits, spent: dict[Scope, Spending]) -> None:
    for resource in Resource:
        use = reached(uses(limits, spent), [resource])
        remaining = left(limits, spent, resource)
        assert (use is not None) or remaining > 0
        assert use is None or remaining <= use.limit * 1e-9


@given(st.floats(0.01, 1000), st.integers(1, 20))
def test_shares_taken_one_after_another_are_alike_and_come_to_what_is_left(free: float, sharers: int) -> None:
    shares: list[float] = []
    for already in range(sharers):
        shares.append(share(free - sum(shares), sharers - already))
    assert sum(shares) == pytest.approx(free)
    assert shares == pytest.approx([free / sharers] * sharers)


def test_time_is_looked_at_when_it_comes_near_and_when_it_is_over() -> None:
    limits = {(Scope.PROJECT, Resource.HOURS): 10.0, (Scope.DAY, Resource.MONEY): 1.0}
    assert seconds_to(limits, {Scope.PROJECT: Spending(seconds=3600)}, 0.8) == pytest.approx(7 * 3600)
    assert seconds_to(limits, {Scope.PROJECT: Spending(seconds=9 * 3600)}, 0.8) == pytest.approx(3600)
    assert seconds_to(limits, {Scope.PROJECT: Spending(seconds=11 * 3600)}, 0.8) == math.inf
    assert seconds_to({}, {Scope.PROJECT: NOTHING}, 0.8) == math.inf


# Which limits hold


def project(*, rehearsal: bool = False, **own: Any) -> Project:
    return Project(
        id="p",
        number=3,
        name="shop",
        slug="shop",
        description="",
        status=PipelineStatus.RUNNING,
        current_phase=PhaseName.IDEATION,
        directory="/p",
        rehearsal=rehearsal,
        config={"settings": {"limits": own}},
        created_at=NOON,
        updated_at=NOON,
    )


def test_a_project_has_a_money_limit_by_default_and_its_own_limits_go_over_the_settings() -> None:
    settings_ = SettingsModel()
    defaults = limits_of(project(), settings_)
    assert defaults[Scope.PROJECT, Resource.MONEY] > 0
    assert defaults[Scope.PROJECT, Resource.SESSIONS] == settings_.agent.max_sessions
    own = limits_of(project(project={"money": 7, "sessions": "12"}, item={"hours": 0.5}), settings_)
    assert own == {
        (Scope.PROJECT, Resource.MONEY): 7,
        (Scope.PROJECT, Resource.SESSIONS): 12,
        (Scope.ITEM, Resource.HOURS): 0.5,
    }
    assert (Scope.PROJECT, Resource.MONEY) not in limits_of(project(project={"money": "none"}), settings_)


def test_pretended_money_is_limited_only_where_the_rehearsal_itself_says_so() -> None:
    settings_ = SettingsModel.model_validate({"limits": {"day": {"money": 1}, "phase": {"tokens": 5}}})
    assert limits_of(project(rehearsal=True), settings_) == {
        (Scope.PROJECT, Resource.SESSIONS): 1000,
        (Scope.PHASE, Resource.TOKENS): 5,
    }
    own = limits_of(project(rehearsal=True, project={"money": 2}), settings_)
    assert own[Scope.PROJECT, Resource.MONEY] == 2


# Sessions side by side


@dataclass
class Books:
    """A store that knows what ended sessions have used, and nothing else."""

    project: Project
    ended: Spending = NOTHING
    looks: int = 0
    items: list[Spending] = field(default_factory=list)

    async def find_project(self, reference: str) -> Project:
        self.looks += 1
        await asyncio.sleep(0)
        return self.project

    async def pipeline_state(self, project_id: str) -> PipelineState:
        return PipelineState(
            project_id=project_id,
            status=PipelineStatus.RUNNING,
            current_phase=PhaseName.IDEATION,
            phases={name: PhaseState(phase=name) for name in PHASE_ORDER},
            last_checkpoint=NOON,
            heartbeat=None,
        )

    async def spent(
        self, project_id: str, *, since: datetime, item_id: str | None = None, of_owner: bool = False
    ) -> SpentByProject:
        found = SpentByProject(phases={"ideation": self.ended}, day=self.ended, item=NOTHING)
        await asyncio.sleep(0)
        return found

    async def standing(
        self, project_id: str, *, since: datetime, item_id: str | None = None, of_owner: bool = False
    ) -> tuple[Project, PipelineState, SpentByProject]:
        project_, state = await self.find_project(project_id), await self.pipeline_state(project_id)
        return project_, state, await self.spent(project_id, since=since, item_id=item_id)

    async def finished_items(self, project_id: str, *, limit: int) -> Sequence[Spending]:
        return self.items[:limit]

    async def item_counts(self, project_id: str) -> ItemCounts:
        return ItemCounts(todo=7, done=len(self.items))


def budget_of(books: Books, **limits: Any) -> Budget:
    settings_ = SettingsModel.model_validate({"limits": limits})
    return Budget(cast(Store, books), "p", settings_, clock=lambda: NOON, ticks=lambda: 0.0)


def usage_of(paid: list[float]) -> Usage:
    return Usage(cost_usd=sum(paid))


async def works(books: Books, budget_: Budget, responses: list[float], sharers: int) -> None:
    """A planner as the CLI is: after each response it stops if its money is used up, and goes on with what it is given
    then, until its work is done or nothing is left."""
    while responses:
        try:
            allowance = await budget_.open(PLANNING, sharers=sharers)
        except LimitReached:
            if await budget_.is_used_up(PLANNING):
                return
            continue
        paid: list[float] = []
        allowance.used = partial(usage_of, paid)
        while responses and not (allowance.dollars is not None and sum(paid) >= allowance.dollars):
            paid.append(responses.pop())
            await asyncio.sleep(0)
        books.ended += spent_by(usage_of(paid), sessions=1)
        await asyncio.sleep(0)
        budget_.close(allowance)
        sharers = 1


@given(
    st.floats(0.5, 20),
    st.lists(st.lists(st.floats(0.01, 1), min_size=1, max_size=30), min_size=3, max_size=3),
    st.sampled_from(["project", "day", "phase"]),
)
@settings(deadline=None)
def test_a_parallel_trio_never_passes_a_limit_by_more_than_one_response_each(
    limit: float, planners: list[list[float]], scope: str
) -> None:
    dearest = max(max(responses) for responses in planners)
    wanted = sum(sum(responses) for responses in planners)
    books = Books(project())
    limits: dict[str, Any] = {"project": {"money": "none"}}
    limits[scope] = {"money": limit}

    async def swarm() -> None:
        budget_ = budget_of(books, **limits)
        async with asyncio.TaskGroup() as group:
            for responses in planners:
                group.create_task(works(books, budget_, responses, 3))

    asyncio.run(swarm())
    assert books.ended.dollars <= limit + 3 * dearest
    # Nobody is left without while there is something: all is done, or all is used.
    assert books.ended.dollars == pytest.approx(wanted) or books.ended.dollars >= limit * (1 - 1e-6)


async def test_one_that_used_its_share_waits_for_what_the_others_give_back() -> None:
    books = Books(project())
    budget_ = budget_of(books, project={"money": 9})
    first, second = [await budget_.open(PLANNING, sharers=2) for _ in range(2)]
    assert (first.dollars, second.dollars) == (4.5, 4.5)
    first.used = lambda: Usage(cost_usd=4.5)
    books.ended += Spending(dollars=4.5, sessions=1)
    budget_.close(first)
    waiting = asyncio.create_task(budget_.open(PLANNING))
    looks = books.looks
    while books.looks == looks:  # noqa: ASYNC110
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    second.used = lambda: Usage(cost_usd=1)
    books.ended += Spending(dollars=1, sessions=1)
    budget_.close(second)
    assert (await waiting).dollars == pytest.approx(3.5)


async def test_sessions_at_work_count_before_they_are_stored() -> None:
    budget_ = budget_of(Books(project(), Spending(sessions=1)), project={"sessions": 2, "money": "none"})
    await budget_.open(PLANNING)
    with pytest.raises(LimitReached, match="session limit of the project is reached: 2 sessions of 2 sessions") as told:
        await budget_.open(PLANNING)
    assert "--resume 3 --set limits.project.sessions=4" in told.value.hint
    assert "/limit project sessions 4" in told.value.hint


async def test_tokens_are_watched_over_all_sessions_and_a_raise_counts_at_once() -> None:
    books = Books(project())
    budget_ = budget_of(books, project={"tokens": 100})
    one, other = await budget_.open(PLANNING, sharers=2), await budget_.open(PLANNING, sharers=2)
    one.used = lambda: Usage(input_tokens=70)
    other.used = lambda: Usage(input_tokens=20)
    assert budget_.reached(one) is None
    other.used = lambda: Usage(input_tokens=30)
    assert budget_.reached(one) is not None
    assert budget_.reached(other) is not None
    books.project = project(project={"tokens": 200})
    assert await budget_.confirmed(one) is None
    assert budget_.reached(one) is None


async def test_each_limit_that_comes_near_is_told_once_and_not_again_by_the_next_run() -> None:
    books = Books(project(), Spending(dollars=3))
    budget_ = budget_of(books, project={"money": 10}, phase={"money": 100})

    def told(allowance: Allowance) -> list[tuple[Scope, Resource, float]]:
        return [(event.scope, event.resource, event.used) for event in budget_.warnings(allowance)]

    allowance = await budget_.open(PLANNING)
    assert told(allowance) == []
    allowance.used = lambda: Usage(cost_usd=5.5)
    assert told(allowance) == [(Scope.PROJECT, Resource.MONEY, 8.5)]
    allowance.used = lambda: Usage(cost_usd=6)
    assert told(allowance) == []
    books.ended += Spending(dollars=6)
    budget_ = budget_of(books, project={"money": 10}, phase={"money": 100})
    assert told(await budget_.open(PLANNING)) == []


def test_a_day_begins_at_midnight_where_the_program_runs() -> None:
    began = budget.day_began(NOON)
    assert (began.hour, began.minute, began.second) == (0, 0, 0)
    assert 0 <= (NOON - began).total_seconds() < 25 * 3600
    assert budget.day_ends(began) == budget.day_ends(NOON) > NOON
    assert budget.day_began(budget.day_ends(NOON)) == budget.day_ends(NOON)


async def test_a_limit_is_over_by_itself_only_when_it_is_a_day_s_alone() -> None:
    for more, resumes_at in (({}, budget.day_ends(NOON)), ({"phase": {"money": 5}}, None)):
        books = Books(project(), Spending(dollars=6))
        with pytest.raises(LimitReached) as reached:
            await budget_of(books, day={"money": 5}, **more).open(PLANNING)
        assert reached.value.resumes_at == resumes_at


# What is left to do


def spendings_of(*dollars: float) -> list[Spending]:
    return [Spending(dollars=one, tokens=round(one * 1000), sessions=1, seconds=one * 60) for one in dollars]


def test_a_half_done_project_foretells_the_other_half() -> None:
    counts = ItemCounts(todo=9, in_progress=1, done=10, blocked=4)
    outlook = forecast(counts, spendings_of(*[1.0] * 10))
    assert outlook is not None
    assert (outlook.items_done, outlook.items_left) == (10, 10)
    assert (outlook.left.dollars, outlook.left.tokens, outlook.left.seconds) == (10, 10_000, 600)
    limits = {(Scope.PROJECT, Resource.MONEY): 15.0, (Scope.PROJECT, Resource.TOKENS): 50_000.0}
    [use] = passed(limits, Spending(dollars=10, tokens=10_000), outlook.left)
    assert (use.resource, use.used, use.limit) == (Resource.MONEY, 20, 15)


def test_the_first_few_items_foretell_nothing_and_one_that_went_astray_little() -> None:
    counts = ItemCounts(todo=10, done=2)
    assert forecast(counts, spendings_of(1, 1)) is None
    astray = forecast(counts, spendings_of(1, 1, 1, 1, 100))
    assert astray is not None
    assert astray.left.dollars == pytest.approx(10 * 7 / 5)


@given(st.lists(amounts, min_size=1, max_size=60))
def test_what_is_typical_lies_among_what_was_seen(seen: list[float]) -> None:
    tolerance = 1e-6 * (1 + max(seen))
    assert min(0.0, min(seen)) - tolerance <= typical(seen) <= max(seen) + tolerance


async def test_a_limit_that_the_work_left_to_do_passes_is_told_once_before_it_bites() -> None:
    books = Books(project(), Spending(dollars=3), items=spendings_of(1, 1, 1))
    budget_ = budget_of(books, project={"money": 8})
    [near] = await budget_.foreseen()
    assert (near.used, near.limit, near.expected) == (3, 8, 10)
    assert await budget_.foreseen() == ()
    books.project = project(project={"money": 20})
    assert await budget_.foreseen() == ()
