"""So many agents in the whole installation: counted by the database, whatever becomes of the processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.commands import SetPriority
from orchestrator_tui.domain.errors import LeaseLost
from orchestrator_tui.domain.records import Lease
from orchestrator_tui.domain.standing import priority_counts
from orchestrator_tui.domain.statuses import PhaseName, SeatScope
from orchestrator_tui.engine.allowances import Place
from orchestrator_tui.engine.bus import Bus, Subscription
from orchestrator_tui.engine.priority import priority_of, set_priority
from orchestrator_tui.engine.seats import RunSeats, SeatLimits, Seats
from orchestrator_tui.engine.watcher import Watcher
from tests.cluster.clusters import part_of_cluster, working
from tests.conftest import PostgresForTests, make_project
from tests.engine.test_hand_over import Patient
from tests.lives import PATIENCE, code_of, life, light_scenario
from tests.running import Watched

MOST = 2
HERE = Place(phase=PhaseName.IMPLEMENT)
PROCESSES, SESSIONS, ROUNDS = 3, 4, 5
AT_WORK = """
    SELECT count(*) FROM busy JOIN pipeline_states AS lease
    ON lease.project_id = busy.project_id AND lease.epoch = busy.epoch AND lease.owner IS NOT NULL
"""
"""Sessions at work whose leases are held."""


@pytest.fixture
async def url(postgres: PostgresForTests) -> AsyncIterator[str]:
    async with postgres.migrated_database() as url:
        yield url


@dataclass
class Part:
    """A process of the installation with a project that it runs."""

    store: SqlStore
    bus: Bus
    lease: Lease
    places: RunSeats

    async def take(self) -> str:
        return await self.places.take(HERE, "developer")

    async def waiting(self) -> "asyncio.Task[str]":
        """Somebody who stands in line for a seat, as is stored."""
        with self.bus.subscription() as news:
            task = asyncio.create_task(self.take())
            await told(news, events.SeatAwaited)
        return task


async def told(news: Subscription, kind: type[events.Event]) -> None:
    while not isinstance(getattr(await news.take(), "event", None), kind):
        pass


@asynccontextmanager
async def part_of(
    url: str,
    slug: str,
    *,
    lease_seconds: float = 60,
    silence_seconds: float = 60,
    look_seconds: float = 0.2,
    me: str | None = None,
) -> AsyncIterator[Part]:
    """`silence_seconds` is how long this process finds others silent at least until it ends their leases."""
    bus = Bus()
    async with (
        open_store(url, publish=bus.publish) as store,
        Watcher(store, bus),
        Seats(
            store,
            bus,
            SeatLimits(most=MOST, most_here=9),
            lease_seconds=silence_seconds,
            look_seconds=look_seconds,
        ) as seats,
    ):
        project = await make_project(store, slug)
        async with store.transaction() as unit:
            lease = await unit.take_lease(project.id, me or owner.this_process(), lease_seconds=lease_seconds)
        priority = partial(priority_of, settings=SettingsModel())
        yield Part(store, bus, lease, RunSeats(seats, store.fenced(lease, asyncio.Event()), lease, priority))


def busy_life(url: str, name: str) -> None:
    """A process whose sessions want to be at work all the time; each writes down how many are, with it."""
    asyncio.run(_be_busy(url, name))


async def _be_busy(url: str, name: str) -> None:
    async with part_of(url, name, look_seconds=20) as part, asyncio.TaskGroup() as sessions:
        for _ in range(SESSIONS):
            sessions.create_task(_work(url, part))


async def _work(url: str, part: Part) -> None:
    connection = await asyncpg.connect(url)
    try:
        for _ in range(ROUNDS):
            seat = await part.take()
            busy = (seat, part.lease.project_id, part.lease.epoch)
            await connection.execute("INSERT INTO busy VALUES ($1, $2, $3)", *busy)
            await connection.execute(f"INSERT INTO seen ({AT_WORK})")
            await connection.execute("DELETE FROM busy WHERE seat = $1", seat)
            await part.places.give(seat)
    finally:
        await connection.close()


def holding_life(url: str, name: str) -> None:
    """A process that has all seats, tells so, and gives none back."""
    asyncio.run(_hold(url, name))


async def _hold(url: str, name: str) -> None:
    async with part_of(url, name) as part:
        for _ in range(MOST):
            await part.take()
        async with part.store.transaction() as unit:
            unit.record(part.lease.project_id, events.AgentReported(agent_id=new_id(), text="held"))
        await asyncio.Event().wait()


async def test_processes_together_never_have_more_agents_at_work_than_there_may_be(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE busy (seat text PRIMARY KEY, project_id uuid, epoch int)")
    await connection.execute("CREATE TABLE seen (at_work bigint)")
    with life(busy_life, url, "one") as one, life(busy_life, url, "two") as two, life(busy_life, url, "three") as three:
        codes = [await asyncio.to_thread(code_of, process) for process in (one, two, three)]
    seen = [row["at_work"] for row in await connection.fetch("SELECT at_work FROM seen")]
    left = await connection.fetchval("SELECT count(*) FROM agent_seats")
    await connection.close()
    assert codes == [0] * PROCESSES
    assert len(seen) == PROCESSES * SESSIONS * ROUNDS
    assert max(seen) <= MOST
    assert left == 0


async def test_the_seats_of_a_killed_process_are_given_out(url: str) -> None:
    async with part_of(url, "other") as part:
        with part.bus.subscription(from_all=True) as news, life(holding_life, url, "killed") as process:
            await told(news, events.AgentReported)
            waiting = [await part.waiting(), await part.waiting()]
            assert not any(task.done() for task in waiting)
            process.kill()
            await asyncio.to_thread(process.join, PATIENCE)
            await asyncio.gather(*waiting)


async def test_the_seats_of_an_owner_elsewhere_count_until_it_has_been_silent_for_its_lease_and_it_writes_nothing_more(
    url: str,
) -> None:
    async with (
        part_of(url, "frozen", lease_seconds=0.4, me="process 7 on another-host since 1") as frozen,
        part_of(url, "other", silence_seconds=0.4, look_seconds=0.1) as other,
    ):
        for _ in range(MOST):
            await frozen.take()
        waiting = await other.waiting()
        await waiting
        assert not await frozen.store.beat(frozen.lease)
        with pytest.raises(LeaseLost):
            await frozen.take()
        state = await other.store.pipeline_state(frozen.lease.project_id)
        assert (state.owner, state.lapsed) == (frozen.lease.owner, True)


async def test_a_session_that_waits_while_its_project_is_taken_over_waits_no_more(url: str) -> None:
    async with part_of(url, "one") as one, part_of(url, "two") as two:
        for _ in range(MOST):
            await two.take()
        waiting = await one.waiting()
        async with two.store.transaction() as unit:
            await unit.take_lease(one.lease.project_id, one.lease.owner)
        with pytest.raises(LeaseLost):
            await waiting


async def test_a_seat_is_asked_for_with_the_priority_that_the_project_has_by_then(url: str) -> None:
    async with part_of(url, "one") as one, part_of(url, "two") as two:
        first = await one.take()
        await one.take()
        usual = await one.waiting()
        change = SetPriority(project_id=two.lease.project_id, priority=7)
        await set_priority(two.store, change, SettingsModel())
        urgent = await two.waiting()
        await one.places.give(first)
        await urgent
        assert not usual.done()
        usual.cancel()
        await asyncio.gather(usual, return_exceptions=True)


async def test_a_priority_that_is_changed_while_sessions_wait_counts_for_them(url: str) -> None:
    async with part_of(url, "one") as one, part_of(url, "two") as two:
        first = await one.take()
        await one.take()
        usual = await one.waiting()
        urgent = await two.waiting()
        change = SetPriority(project_id=two.lease.project_id, priority=7)
        await set_priority(two.store, change, SettingsModel())
        waiting = await one.store.overview(two.lease.project_id)
        assert priority_counts(waiting) == (
            "That counts at once. Waiting: 1 session for one of the 2 agents of the installation to end."
        )
        await one.places.give(first)
        await urgent
        assert not usual.done()
        usual.cancel()
        await asyncio.gather(usual, return_exceptions=True)


async def test_who_stops_waiting_leaves_the_line(url: str) -> None:
    async with part_of(url, "one") as one:
        first, _ = await one.take(), await one.take()
        gone, stays = await one.waiting(), await one.waiting()
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await one.places.give(first)
        await stays
        assert (await one.store.overview(one.lease.project_id)).seats == ()


async def test_a_database_that_is_away_for_a_moment_costs_nobody_a_seat(url: str, postgres: PostgresForTests) -> None:
    async with part_of(url, "one") as one, part_of(url, "two") as two:
        first, second = await one.take(), await one.take()
        waiting = [await two.waiting(), await two.waiting()]
        async with postgres.gone(url):
            giving = asyncio.create_task(one.places.give(first))
        await giving
        await one.places.give(second)
        await asyncio.gather(*waiting)


async def test_a_session_that_waits_is_told_of_and_goes_on_when_another_worker_s_has_ended(
    url: str, tmp_path: Path
) -> None:
    start = part_of_cluster(tmp_path / "home", url, max_agents=1)
    patient = Patient(light_scenario(1))
    async with open_engine(start, runtime=patient) as front:
        one, other = Watched(engine=front), Watched(engine=front)
        async with (
            working(start, patient, "one", concurrency=1),
            working(start, patient, "two", concurrency=1),
        ):
            await one.create(name="one")
            await patient.begun.wait()
            await other.create(name="other")
            waits = await other.until(lambda event: isinstance(event, events.SeatAwaited))
            assert isinstance(waits, events.SeatAwaited)
            assert (waits.scope, waits.most) == (SeatScope.INSTALLATION, 1)
            [wait] = (await front.overview(other.project_id)).seats
            assert (wait.id, len(patient.started)) == (waits.seat_id, 1)
            patient.go_on.set()
            began = await other.until(lambda event: isinstance(event, events.AgentStarted))
            assert isinstance(began, events.AgentStarted)
            assert (await front.overview(other.project_id)).seats == ()
    assert [(ended.seat_id, ended.given) for ended in other.all(events.SeatWaitEnded)] == [(waits.seat_id, True)]
