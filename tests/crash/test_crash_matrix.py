import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.lineage import Death, Outcome, differences, live

STRIDE = 30


@pytest.fixture
def undisturbed(tmp_path: Path) -> Outcome:
    url = f"sqlite:///{tmp_path}/calm.db"
    outcome = live(tmp_path / "calm", url, iter(())).outcome
    assert outcome.problems == []
    return outcome


def deaths(first: int) -> Iterator[Death]:
    for number in itertools.count():
        yield Death(STRIDE if number else first, before_commit=bool((first + number) % 2))


def random_deaths() -> Iterator[Death]:
    source = random.Random(7)
    for number in itertools.count():
        yield Death(seconds=source.uniform(1.0, 3.0) * 1.1**number)


def test_a_project_killed_at_random_times_ends_as_if_nothing_had_happened(tmp_path: Path, undisturbed: Outcome) -> None:
    lineage = live(tmp_path / "home", f"sqlite:///{tmp_path}/random.db", random_deaths())
    assert lineage.kills >= 1
    assert differences(undisturbed, lineage.outcome) == []


@pytest.mark.parametrize("first", [3, 17])
def test_a_project_killed_again_and_again_ends_as_if_nothing_had_happened(
    tmp_path: Path, empty_url: str, undisturbed: Outcome, first: int
) -> None:
    lineage = live(tmp_path / "home", empty_url, deaths(first))
    assert lineage.kills >= 3
    assert differences(undisturbed, lineage.outcome) == []
