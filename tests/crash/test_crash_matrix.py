import itertools
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


@pytest.mark.parametrize("first", [3, 17])
def test_a_project_killed_again_and_again_ends_as_if_nothing_had_happened(
    tmp_path: Path, empty_url: str, undisturbed: Outcome, first: int
) -> None:
    lineage = live(tmp_path / "home", empty_url, deaths(first))
    assert lineage.kills >= 3
    assert differences(undisturbed, lineage.outcome) == []
