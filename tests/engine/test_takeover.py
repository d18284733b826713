from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from orchestrator_tui.database.models import pipeline_states
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import AlreadyOwned
from orchestrator_tui.domain.events import LeaseTaken, TakeoverAwaited
from orchestrator_tui.domain.owner import this_process
from orchestrator_tui.domain.records import Lease, Project
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine import takeover

ELSEWHERE = "process 7 on another-host since 1"


async def owned(store: SqlStore, project: Project, *, beat: timedelta) -> Lease:
    """A lease of another host, last renewed at another time than now."""
    async with store.transaction() as unit:
        lease = await unit.take_lease(project.id, ELSEWHERE)
        moved = update(pipeline_states).values(heartbeat=now() + beat)
        await unit._runner.run(moved.where(pipeline_states.c.project_id == project.id))
    return lease


async def take(store: SqlStore, project: Project) -> Lease:
    state = await store.pipeline_state(project.id)
    return await takeover.take_lease(store, state, this_process(), lease_seconds=3)


async def test_an_owner_on_another_host_is_believed_as_long_as_its_heartbeat_is_fresh(
    store: SqlStore, project: Project
) -> None:
    await owned(store, project, beat=timedelta(seconds=-1))
    with pytest.raises(AlreadyOwned, match="process 7 on another-host"):
        await take(store, project)


@pytest.mark.parametrize("beat", [timedelta(hours=-2), timedelta(hours=2)], ids=["long ago", "in the future"])
async def test_a_silent_owner_is_followed_after_its_lease_whatever_the_clocks_say(
    store: SqlStore, project: Project, beat: timedelta
) -> None:
    old = await owned(store, project, beat=beat)
    lease = await take(store, project)
    assert lease.epoch == old.epoch + 1
    awaited, taken = [one.event for one in await store.events(project_id=project.id)]
    assert isinstance(awaited, TakeoverAwaited)
    assert isinstance(taken, LeaseTaken)
    assert taken.over == ELSEWHERE


async def test_a_lease_that_was_seen_to_lapse_is_taken_at_once_unless_its_owner_beat_again(
    store: SqlStore, project: Project
) -> None:
    async with store.transaction() as unit:
        await unit.set_pipeline_status(project.id, project.status, PipelineStatus.RUNNING)
    old = await owned(store, project, beat=timedelta(hours=-2))
    (seen,) = await store.roster.wanted()
    await store.roster.lapse(seen)
    lapsed = await store.pipeline_state(project.id)
    assert await store.beat(old)
    await store.roster.lapse(seen)
    assert not (await store.pipeline_state(project.id)).lapsed
    with pytest.raises(AlreadyOwned):
        await takeover.take_lease(store, lapsed, this_process(), lease_seconds=3)
    (seen,) = await store.roster.wanted()
    await store.roster.lapse(seen)
    lapsed = await store.pipeline_state(project.id)
    lease = await takeover.take_lease(store, lapsed, this_process(), lease_seconds=3)
    assert lease.epoch == old.epoch + 1
    (taken,) = [one.event for one in await store.events(project_id=project.id)]
    assert isinstance(taken, LeaseTaken)
    assert taken.over == ELSEWHERE
    assert not (await store.pipeline_state(project.id)).lapsed


async def test_an_owner_with_a_longer_lease_than_ours_is_given_its_own(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        await unit.take_lease(project.id, ELSEWHERE, lease_seconds=60)
        moved = update(pipeline_states).values(heartbeat=now() - timedelta(seconds=20))
        await unit._runner.run(moved.where(pipeline_states.c.project_id == project.id))
    with pytest.raises(AlreadyOwned):
        await take(store, project)


async def test_an_owner_whose_clock_is_two_hours_behind_is_not_taken_over_while_it_beats(
    store: SqlStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = await owned(store, project, beat=timedelta(hours=-2))
    look: Callable[[str], object] = store.pipeline_state

    async def beating(project_id: str) -> object:
        await store.beat(lease)
        return await look(project_id)  # type: ignore[misc]

    state = await store.pipeline_state(project.id)
    monkeypatch.setattr(store, "pipeline_state", beating)
    with pytest.raises(AlreadyOwned):
        await takeover.take_lease(store, state, this_process(), lease_seconds=3)
