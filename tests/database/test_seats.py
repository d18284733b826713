from typing import Any

import pytest

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import LeaseLost
from orchestrator_tui.domain.records import Lease, Project, SeatAsked, SeatLine, SeatWait
from orchestrator_tui.domain.statuses import SeatScope
from tests.conftest import make_project

OWNER = "process 7 on box since 1"


async def leased(store: SqlStore, project: Project, owner: str = OWNER) -> Lease:
    async with store.transaction() as unit:
        return await unit.take_lease(project.id, owner, lease_seconds=5)


def seat(lease: Lease, **fields: Any) -> SeatAsked:
    usual = {"process": "one", "priority": 0, "most": 1, "most_here": 9}
    return SeatAsked(**{"id": new_id(), "project_id": lease.project_id, "epoch": lease.epoch, **usual, **fields})


async def ask(store: SqlStore, asked: SeatAsked) -> SeatLine:
    async with store.transaction() as unit:
        return await unit.ask_seat(asked)


async def test_a_seat_is_another_s_once_it_is_given_back(store: SqlStore, project: Project) -> None:
    lease = await leased(store, project)
    one, other = seat(lease), seat(lease)
    assert await ask(store, one) == SeatLine(held=frozenset({one.id}), awaited={}, given={})
    line = await ask(store, other)
    assert line == SeatLine(held=frozenset({one.id}), awaited={other.id: SeatScope.INSTALLATION}, given={})
    wait = SeatWait(id=other.id, scope=SeatScope.INSTALLATION, most=1)
    assert (await store.overview(project.id)).seats == (wait,)
    async with store.transaction() as unit:
        line = await unit.leave_seats([one.id])
    assert line == SeatLine(held=frozenset({other.id}), awaited={}, given={other.id: project.id})
    assert (await store.overview(project.id)).seats == ()


async def test_whoever_waits_only_for_their_own_process_is_told_so(store: SqlStore, project: Project) -> None:
    lease = await leased(store, project)
    await ask(store, seat(lease, most=9, most_here=2))
    await ask(store, seat(lease, most=9, most_here=2))
    waiting = seat(lease, most=9, most_here=2)
    assert (await ask(store, waiting)).awaited == {waiting.id: SeatScope.WORKER}
    assert (await store.overview(project.id)).seats == (SeatWait(id=waiting.id, scope=SeatScope.WORKER, most=2),)


async def test_the_seats_of_a_lost_lease_count_no_more(store: SqlStore, project: Project) -> None:
    other = await make_project(store, "other")
    lost, kept = await leased(store, project), await leased(store, other)
    held, waiting = seat(lost), seat(kept)
    await ask(store, held)
    await ask(store, seat(lost))
    assert waiting.id in (await ask(store, waiting)).awaited
    await leased(store, project)
    async with store.transaction() as unit:
        line = await unit.settle_seats()
    assert line == SeatLine(held=frozenset({waiting.id}), awaited={}, given={waiting.id: other.id})


async def test_the_seats_of_a_lease_that_is_given_back_count_no_more(store: SqlStore, project: Project) -> None:
    lease = await leased(store, project)
    await ask(store, seat(lease))
    async with store.transaction() as unit:
        await unit.release_lease(lease)
        assert (await unit.settle_seats()).held == set()
    assert await store.seated_leases() == []


async def test_a_silent_lease_is_ended_unless_it_gave_a_sign(store: SqlStore, project: Project) -> None:
    lease = await leased(store, project)
    await ask(store, seat(lease))
    [seen] = await store.seated_leases()
    assert (seen.owner, seen.epoch, seen.lease_seconds) == (OWNER, lease.epoch, 5)
    assert await store.beat(lease)
    async with store.transaction() as unit:
        assert not await unit.end_silent_lease(seen)
    [seen] = await store.seated_leases()
    async with store.transaction() as unit:
        assert await unit.end_silent_lease(seen)
    assert not await store.beat(lease)
    async with store.transaction() as unit:
        assert (await unit.settle_seats()).held == set()
        with pytest.raises(LeaseLost):
            await unit.hold_lease(lease)
    state = await store.pipeline_state(project.id)
    assert (state.owner, state.lapsed) == (OWNER, True)
