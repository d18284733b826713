from datetime import timedelta

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.events import PipelineStatusChanged
from orchestrator_tui.domain.notices import Place
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.database.samples import said

LATER = timedelta(minutes=1)
CHANGED = PipelineStatusChanged(old=PipelineStatus.RUNNING, new=PipelineStatus.PAUSED)


def nobody_is_gone(name: str) -> bool:
    return False


async def test_a_new_receiver_begins_with_what_happens_from_then_on(store: SqlStore, project: Project) -> None:
    await store.places.begin("team")
    first = await store.last_seq()
    assert await store.places.find("team") == Place(seq=first)
    async with store.transaction() as unit:
        unit.record(project.id, said("x"), CHANGED, said("y"), CHANGED)
    # One that is known stays where it is.
    await store.places.begin("team")
    assert await store.places.find("team") == Place(seq=first)


async def test_only_what_may_call_for_a_person_is_read_page_by_page(store: SqlStore, project: Project) -> None:
    first = await store.last_seq()
    async with store.transaction() as unit:
        unit.record(project.id, said("x"), CHANGED, said("y"), CHANGED, said("z"))
    kinds = ["PipelineStatusChanged"]
    found, upto = await store.places.to_tell(first, kinds, 1)
    assert ([one.seq for one in found], upto) == ([first + 2], first + 2)
    found, upto = await store.places.to_tell(first + 2, kinds, 10)
    assert ([one.seq for one in found], upto) == ([first + 4], first + 5)
    assert await store.places.to_tell(first + 5, kinds, 10) == ([], first + 5)


async def test_one_process_at_a_time_tells_a_receiver(store: SqlStore) -> None:
    places = store.places
    await places.begin("team")
    soon = now() + LATER
    assert await places.take_turn("team", "one", soon, is_gone=nobody_is_gone) == Place(seq=0)
    assert await places.take_turn("team", "two", soon, is_gone=nobody_is_gone) is None
    there = Place(seq=7, attempts=2, next_at=soon)
    assert not await places.move("team", "two", there, soon)
    assert await places.move("team", "one", there, soon)
    # Whose process is gone, or whose time is over, is not waited for.
    assert await places.take_turn("team", "two", soon, is_gone=lambda name: name == "one") == there
    assert not await places.move("team", "one", Place(seq=9), soon)
    assert await places.move("team", "two", Place(seq=8), now() - LATER)
    assert await places.take_turn("team", "one", soon, is_gone=nobody_is_gone) == Place(seq=8)
    await places.end_turn("team", "two")
    assert await places.take_turn("team", "two", soon, is_gone=nobody_is_gone) is None
    await places.end_turn("team", "one")
    assert await places.take_turn("team", "two", soon, is_gone=nobody_is_gone) == Place(seq=8)
