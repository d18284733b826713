import pytest

from orchestrator_tui.backends.linear import limits
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.documents import load
from orchestrator_tui.backends.linear.errors import LinearAway, LinearDenied, LinearRefused, RateLimited
from orchestrator_tui.backends.linear.limits import Budget, backoff
from orchestrator_tui.domain.errors import LeaseLost
from tests.backends.linear.fake import BUSY, CUT_AFTER, KEY, LIMITED, FakeLinear
from tests.backends.linear.world import refuse


def headers(name: str, limit: int, remaining: int, reset: float) -> dict[str, str]:
    prefix = f"x-ratelimit-{name}"
    return {
        f"{prefix}-limit": str(limit),
        f"{prefix}-remaining": str(remaining),
        f"{prefix}-reset": str(int(reset * 1_000)),
    }


def test_the_first_half_is_free_and_the_rest_is_spread_until_the_reset() -> None:
    budget = Budget(clock=lambda: 1_000.0)
    assert budget.pause() == 0
    budget.learn(headers("requests", 1_500, 800, 2_800.0))
    assert budget.pause() == 0
    budget.learn(headers("requests", 1_500, 600, 2_800.0))
    assert budget.pause() == pytest.approx(3.0)
    budget.learn(headers("requests", 1_500, 0, 2_800.0))
    assert budget.pause() == pytest.approx(1_800.0)


@pytest.mark.parametrize("wanted", [1_400, 1_500, 6_000])
def test_however_much_there_is_to_send_no_window_has_more_requests_than_are_allowed(wanted: int) -> None:
    clock, sent, resets_at, refused = 0.0, dict[float, int](), limits.HOUR, 0
    budget = Budget(clock=lambda: clock)
    for _ in range(wanted):
        clock += budget.pause()
        budget.spend()
        while clock >= resets_at:
            resets_at += limits.HOUR
        sent[resets_at] = sent.get(resets_at, 0) + 1
        refused += sent[resets_at] > limits.REQUESTS_PER_HOUR
        left = max(0, limits.REQUESTS_PER_HOUR - sent[resets_at])
        budget.learn(headers("requests", limits.REQUESTS_PER_HOUR, left, resets_at))
    assert refused == 0 and sum(sent.values()) == wanted
    assert clock >= (wanted // limits.REQUESTS_PER_HOUR - 1) * limits.HOUR


def test_complexity_counts_by_what_the_dearest_request_of_its_kind_cost() -> None:
    budget = Budget(clock=lambda: 0.0)
    budget.learn({"x-complexity": "900"}, "query Rare")
    budget.learn({**headers("complexity", 10_000, 1_000, 60.0), "x-complexity": "500"}, "query Changes")
    assert budget.pause("query Changes") == pytest.approx(30.0)
    assert budget.pause("query Unknown") == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("told", "seconds"), [("7", 7.0), ("-3", 0.0), ("1e9", limits.HOUR), ("nan", 60.0), ("", 60.0)]
)
def test_what_linear_says_of_waiting_is_believed_within_reason(told: str, seconds: float) -> None:
    assert Budget(clock=lambda: 0.0).until_reset({"retry-after": told}) == seconds


def test_without_a_word_from_linear_requests_are_counted_here_and_forgotten_after_an_hour() -> None:
    moment = 0.0
    budget = Budget(clock=lambda: moment)
    for _ in range(limits.REQUESTS_PER_HOUR):
        budget.spend()
    assert budget.pause() == pytest.approx(3_600.0)
    moment = 3_601.0
    assert budget.pause() == 0


def test_pauses_grow_to_a_minute_and_differ() -> None:
    assert all(0.5 <= backoff(1) <= 1.0 for _ in range(20))
    assert all(30.0 <= backoff(50) <= 60.0 for _ in range(20))
    assert len({backoff(4) for _ in range(20)}) > 1


async def test_troubles_are_told_apart(fake: FakeLinear) -> None:
    teams = load("teams")
    async with LinearClient(fake.url, KEY) as client:
        fake.troubles.extend([BUSY, CUT_AFTER, LIMITED])
        for kind in (LinearAway, LinearAway, RateLimited):
            with pytest.raises(kind):
                await client.execute(teams, {"filter": None})
        with pytest.raises(LinearRefused, match="Entity not found"):
            await client.execute(load("document_update"), {"id": "none", "input": {}})
        fake.limit = len(fake.asked)
        with pytest.raises(RateLimited) as limited:
            await client.execute(teams, {"filter": None})
        assert limited.value.seconds > 3_000
        with pytest.raises(RateLimited):
            await client.execute(teams, {"filter": None})
        assert fake.refused == 1, "what is certain to be refused is not asked for"
    async with LinearClient(fake.url, "lin_api_anotherkey") as client:
        with pytest.raises(LinearDenied) as denied:
            await client.execute(teams, {"filter": None})
        assert "anotherkey" not in denied.value.line() and "LINEAR_API_KEY" in denied.value.line()
    async with LinearClient("http://127.0.0.1:9/graphql", KEY) as client:
        with pytest.raises(LinearAway):
            await client.execute(teams, {"filter": None})


async def test_a_workspace_that_is_full_is_told_as_such(fake: FakeLinear) -> None:
    def full(info: object, input: object) -> None:
        raise refuse("Usage limit reached", "USAGE_LIMIT_EXCEEDED")

    fake.world.create_comment = full  # type: ignore[assignment, method-assign]
    async with LinearClient(fake.url, KEY) as client:
        with pytest.raises(LinearDenied, match="Usage limit reached") as denied:
            await client.execute(load("comment_create"), {"input": {"issueId": "one", "body": "x"}})
    assert "plan" in denied.value.line() and "LINEAR_API_KEY" not in denied.value.line()


async def test_a_server_that_does_not_answer_is_not_waited_for_without_end(fake: FakeLinear) -> None:
    fake.delay = 0.5
    async with LinearClient(fake.url, KEY, timeout=0.1) as client:
        with pytest.raises(LinearAway):
            await client.execute(load("teams"), {"filter": None})


async def test_who_comes_after_the_run_has_let_go_is_told_so(fake: FakeLinear) -> None:
    async with LinearClient(fake.url, KEY) as client:
        pass
    with pytest.raises(LeaseLost):
        await client.execute(load("teams"), {"filter": None})
