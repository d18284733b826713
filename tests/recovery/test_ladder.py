from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator_tui.domain.troubles import Attempt, Rung, Trouble
from orchestrator_tui.engine.recovery import AFTER_RESET_SECONDS, Ladder, Pauses

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
MODEL, BETTER = "sonnet", "opus"
HINT, FRESH, STRONGER, ESCALATE = Rung.HINT, Rung.FRESH, Rung.STRONGER, Rung.ESCALATE


def climbed(ladder: Ladder, errors: Sequence[str], *, can_hear: bool = True, model: str = MODEL) -> list[Rung]:
    """What follows each of these failures, up to the one that is given up."""
    attempts: list[Attempt] = []
    for error in errors:
        then = ladder.after(attempts, Trouble.FAILING_CHECK, error, model, can_hear=can_hear)
        rung = attempts[-1].then if attempts else None
        attempts.append(
            Attempt(
                trouble=Trouble.FAILING_CHECK, rung=rung, then=then, model=model, signature=error, problem=error, at=NOW
            )
        )
        if then is ESCALATE:
            break
    return [attempt.then for attempt in attempts]


@pytest.mark.parametrize(
    ("tries", "stronger", "rungs"),
    [
        (1, None, [ESCALATE]),
        (1, BETTER, [STRONGER, ESCALATE]),
        (2, None, [FRESH, ESCALATE]),
        (3, None, [HINT, FRESH, ESCALATE]),
        (3, BETTER, [HINT, FRESH, STRONGER, ESCALATE]),
        (5, BETTER, [HINT, HINT, HINT, FRESH, STRONGER, ESCALATE]),
        (3, MODEL, [HINT, FRESH, ESCALATE]),
    ],
)
def test_different_failures_climb_rung_by_rung(tries: int, stronger: str | None, rungs: list[Rung]) -> None:
    ladder = Ladder(tries=tries, stronger=stronger)
    assert climbed(ladder, "abcdefgh") == rungs
    assert ladder.most(MODEL) == len(rungs)


def test_the_same_failure_again_and_again_ends_a_rung_early() -> None:
    assert climbed(Ladder(tries=8, same_error=3), "aaaaaaaa") == [HINT, HINT, FRESH, ESCALATE]
    assert climbed(Ladder(tries=8, same_error=2, stronger=BETTER), "aaaaaaaa") == [HINT, FRESH, STRONGER, ESCALATE]


def test_a_session_that_is_lost_is_followed_by_a_new_one() -> None:
    assert climbed(Ladder(tries=3), "abc", can_hear=False) == [FRESH, FRESH, ESCALATE]


def test_refused_credentials_are_given_up_at_once() -> None:
    ladder = Ladder(tries=9, stronger=BETTER)
    assert ladder.after([], Trouble.AUTHENTICATION, "x", MODEL, can_hear=True) is ESCALATE


PAUSES = Pauses(first=timedelta(minutes=1), longest=timedelta(hours=1), most=10)


def test_a_limit_with_a_time_is_waited_for_until_then_however_often() -> None:
    for number in (1, 11, 1000):
        until = PAUSES.until(NOW, NOW + timedelta(hours=5), number)
        assert until == NOW + timedelta(hours=5, seconds=AFTER_RESET_SECONDS)


def test_without_a_time_pauses_grow_to_the_longest_and_come_to_an_end() -> None:
    minutes = [(until - NOW).total_seconds() / 60 for n in range(1, 11) if (until := PAUSES.until(NOW, None, n))]
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert PAUSES.until(NOW, None, 11) is None


def test_a_time_that_is_over_counts_as_none() -> None:
    assert PAUSES.until(NOW, NOW - timedelta(hours=1), 2) == NOW + timedelta(minutes=2)
