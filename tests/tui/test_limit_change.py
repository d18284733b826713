import pytest

from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.tui.limit_change import LimitChange, parse_limit
from orchestrator_tui.tui.slash import CommandProblem


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("money 100", LimitChange(Scope.PROJECT, Resource.MONEY, 100)),
        ("project money $1,000.50", LimitChange(Scope.PROJECT, Resource.MONEY, 1000.5)),
        ("Day hours=8", LimitChange(Scope.DAY, Resource.HOURS, 8)),
        ("item tokens none", LimitChange(Scope.ITEM, Resource.TOKENS, None)),
        ("phase sessions 40", LimitChange(Scope.PHASE, Resource.SESSIONS, 40)),
    ],
)
def test_a_limit_is_typed_as_people_say_it(text: str, change: LimitChange) -> None:
    assert parse_limit(text) == change


@pytest.mark.parametrize("text", ["", "money", "week money 5", "project gold 5", "money -5", "money nan", "money lots"])
def test_what_is_no_limit_is_told_with_what_there_is(text: str) -> None:
    with pytest.raises(CommandProblem) as problem:
        parse_limit(text)
    assert "/limit project money 100" in problem.value.hint
