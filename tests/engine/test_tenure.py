import asyncio

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import elapsed_seconds
from orchestrator_tui.domain.records import Project
from orchestrator_tui.engine.heartbeat import Signs, heartbeat
from orchestrator_tui.engine.tenure import Tenure

OWNER = "process 7 on another-host since 1"


async def holds_within(tenure: Tenure, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await tenure.holds()
    except TimeoutError:
        return False
    return True


async def test_a_lease_holds_for_as_long_as_it_lasts_after_its_renewal() -> None:
    tenure = Tenure()
    assert not await holds_within(tenure, 0.05)
    tenure.renew(elapsed_seconds() - 30, 20)
    assert not await holds_within(tenure, 0.05)
    tenure.renew(elapsed_seconds() - 10, 20)
    assert await holds_within(tenure, 5)


async def test_it_is_held_by_heartbeats_until_it_is_taken(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        lease = await unit.take_lease(project.id, OWNER)
    tenure, signs = Tenure(), Signs()
    async with heartbeat(store, lease, lease_seconds=0.3, signs=signs, tenure=tenure):
        assert await holds_within(tenure, 10)
        async with store.transaction() as unit:
            await unit.take_lease(project.id, "process 8 on two since 1", over=await unit.pipeline(project.id))
        await signs.lost.wait()
        async with asyncio.timeout(10):
            while await holds_within(tenure, 0.1):
                await store.find_project(project.id)
