from dataclasses import dataclass, replace
from datetime import timedelta

from orchestrator_tui.domain.records import Wanted
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.silence import Silence, patience
from tests.tui.stage import NOON

AT_WORK = Wanted(
    project_id="a", status=PipelineStatus.RUNNING, number=1, queued_at=None, owner="somebody", epoch=1, heartbeat=NOON
)


@dataclass
class Watch:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def looked(*looks: tuple[float, Wanted]) -> float:
    """The silence of the last one, after looks at those moments."""
    watch = Watch()
    silence = Silence(1, watch)
    for watch.seconds, wanted in looks:
        silence.look([wanted])
    return silence.seconds(looks[-1][1])


def test_silence_counts_from_the_moment_a_sign_of_life_was_first_seen_here() -> None:
    assert looked((0, AT_WORK), (2, AT_WORK), (4, AT_WORK)) == 4


def test_a_heartbeat_or_another_owner_ends_it() -> None:
    assert looked((0, AT_WORK), (2, replace(AT_WORK, heartbeat=NOON + timedelta(seconds=1)))) == 0
    assert looked((0, AT_WORK), (2, replace(AT_WORK, epoch=2))) == 0


def test_a_lease_is_left_to_its_owner_for_as_long_as_it_lasts_by_the_owner_s_settings_too() -> None:
    lasting = [replace(AT_WORK, lease_seconds=seconds) for seconds in (None, 1, 5)]
    assert [patience(one, 4) for one in lasting] == [4, 4, 5]


def test_nothing_is_known_of_a_lease_that_was_not_seen_or_is_another_one_by_now() -> None:
    watch = Watch()
    silence = Silence(1, watch)
    assert silence.seconds(AT_WORK) == 0
    silence.look([AT_WORK])
    watch.seconds = 2
    silence.look([AT_WORK])
    assert silence.seconds(replace(AT_WORK, epoch=2)) == 0


def test_the_time_without_a_database_and_that_of_one_more_heartbeat_is_held_against_nobody() -> None:
    watch = Watch()
    silence = Silence(1, watch)
    for watch.seconds in (0, 2, 4):
        silence.look([AT_WORK])
    silence.away()
    for watch.seconds in (10, 12):
        silence.look([AT_WORK])
    assert silence.seconds(AT_WORK) == 4 - 1 + 2


def test_who_gave_a_sign_right_before_the_database_went_away_is_not_ahead_of_the_clock() -> None:
    watch = Watch()
    silence = Silence(3, watch)
    silence.look([AT_WORK])
    silence.away()
    for watch.seconds in (10, 12):
        silence.look([AT_WORK])
    assert silence.seconds(AT_WORK) == 2


def test_a_look_that_comes_late_says_no_more_than_one_in_time() -> None:
    assert looked((0, AT_WORK), (20, AT_WORK), (21, AT_WORK)) == 1 + 1
