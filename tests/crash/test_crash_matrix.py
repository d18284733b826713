import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.lineage import Death, Lineage, deaths_at_every_moment, differences, live


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    folder = tmp_path_factory.mktemp("undisturbed")
    calm = live(folder / "calm", f"sqlite:///{folder}/calm.db", iter(()))
    assert calm.outcome.problems == []
    return calm


def random_deaths(seconds: float) -> Iterator[Death]:
    """Lives of random lengths, the first much shorter than a whole one of so many seconds, then longer and longer."""
    source = random.Random(7)
    for number in itertools.count():
        yield Death(seconds=source.uniform(0.2, 0.6) * seconds * 1.1**number)


def test_a_project_killed_at_random_times_ends_as_if_nothing_had_happened(tmp_path: Path, undisturbed: Lineage) -> None:
    began = time.monotonic()
    live(tmp_path / "calm", f"sqlite:///{tmp_path}/calm.db", iter(()))
    whole = time.monotonic() - began
    lineage = live(tmp_path / "home", f"sqlite:///{tmp_path}/random.db", random_deaths(whole))
    assert lineage.kills >= 1
    assert differences(undisturbed.outcome, lineage.outcome) == []


@pytest.mark.parametrize(
    ("empty_url", "before_commit"),
    [("sqlite", False), ("postgresql", True)],
    ids=["SQLite, right after", "PostgreSQL, before it is stored"],
    indirect=["empty_url"],
)
def test_a_project_killed_at_every_moment_of_its_life_ends_as_if_nothing_had_happened(
    tmp_path: Path, empty_url: str, undisturbed: Lineage, before_commit: bool
) -> None:
    lineage = live(tmp_path / "home", empty_url, deaths_at_every_moment(before_commit))
    assert differences(undisturbed.outcome, lineage.outcome) == []
    missed = [name for name in undisturbed.moments if name not in lineage.covered]
    # How far a phase is gets told with the next item, when a life ends in between.
    assert [name for name in missed if not name.startswith("PhaseProgressed")] == []
