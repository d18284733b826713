from datetime import timedelta
from typing import Any

from orchestrator_tui.domain.seating import AGED, InLine, seated
from orchestrator_tui.domain.statuses import SeatScope
from tests.tui.stage import NOON


def waits(number: int, **fields: Any) -> InLine:
    usual: dict[str, Any] = {
        "process": "one",
        "priority": 0,
        "most": 3,
        "most_here": 9,
        "asked_at": NOON,
        "held": False,
    }
    return InLine(**{"id": str(number), "number": number, **usual, **fields})


def holds(number: int, **fields: Any) -> InLine:
    return waits(number, held=True, **fields)


def given(*line: InLine, minutes: float = 0) -> set[str]:
    return set(seated(line, NOON + timedelta(minutes=minutes))[0])


def test_seats_are_given_in_the_order_they_are_asked_for_until_none_is_left() -> None:
    found, waiting = seated([holds(1), waits(4), waits(3), waits(2)], NOON)
    assert found == {"2", "3"}
    assert waiting == {"4": SeatScope.INSTALLATION}


def test_the_highest_priority_goes_first() -> None:
    assert given(holds(1), holds(2), waits(3), waits(4, priority=5), waits(5, priority=-5)) == {"4"}


def test_whoever_has_waited_for_long_goes_before_every_priority() -> None:
    line = [holds(1), holds(2), waits(3, priority=-5), waits(4, priority=5, asked_at=NOON + AGED)]
    assert given(*line) == {"4"}
    assert given(*line, minutes=10) == {"3"}


def test_a_process_that_is_full_keeps_no_other_from_a_seat() -> None:
    found, waiting = seated([holds(1, most_here=1), waits(2, most_here=1), waits(3, process="two")], NOON)
    assert found == {"3"}
    assert waiting == {"2": SeatScope.WORKER}


def test_each_keeps_to_the_limit_of_its_own_settings_and_is_not_overtaken_for_that() -> None:
    at_work = [holds(1, most=5), holds(2, most=5), holds(3, most=5)]
    assert given(*at_work, waits(4, most=3), waits(5, most=5)) == set()
    assert given(*at_work[:2], waits(4, most=3), waits(5, most=5)) == {"4", "5"}
