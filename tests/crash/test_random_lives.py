import asyncio
import os
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestrator_tui.database.connection import sqlite_url
from tests.crash import moves
from tests.crash.lineage import Outcome, outcome_of
from tests.crash.moves import Act, End, Fate, Life, Move
from tests.lives import lived

# RANDOM_LIVES=300 with --timeout=0 is a long look.
EXAMPLES = int(os.environ.get("RANDOM_LIVES", "6"))
# An example takes seconds: smaller ones are not looked for.
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)

move = st.builds(Move, after=st.sampled_from((0, 1, 3, 10, 30, 100)), act=st.sampled_from(Act))
a_life = st.builds(
    Life,
    moves=st.lists(move, max_size=5).map(tuple),
    fates=st.lists(st.sampled_from(Fate), max_size=6).map(tuple),
    end=st.sampled_from(End),
    after=st.integers(1, 40),
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=WITHOUT_SHRINKING,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(a_life, min_size=1, max_size=3))
def test_whatever_people_agents_and_crashes_do_every_status_follows_the_table_and_the_events_tell_what_is_stored(
    lives: list[Life],
) -> None:
    with TemporaryDirectory() as name:
        home, told = Path(name) / "home", Path(name) / "told"
        for one in lives:
            code = lived(moves.live, home, one, output=told)
            assert code in (0, -SIGKILL), told.read_text()
        assert lived(moves.finish, home, output=told) == 0, told.read_text()
        outcome, _ = asyncio.run(outcome_of(sqlite_url(home / "orchestrator.db")))
        assert problems_of(outcome) == []


def problems_of(outcome: Outcome) -> list[str]:
    """What is wrong with a finished project, items that somebody left out not counted."""
    return [one for one in outcome.problems if not one.startswith("TASK-")]
