"""What becomes of the events of a run that does not have its project any more."""

import asyncio

import pytest

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.errors import LeaseLost
from orchestrator_tui.domain.events import QueueChanged
from orchestrator_tui.domain.records import Project
from orchestrator_tui.engine.eventlog import EventLog


async def test_nobody_waits_for_events_that_another_process_does_not_let_us_store(
    store: SqlStore, project: Project
) -> None:
    async with store.transaction() as unit:
        lease = await unit.take_lease(project.id, "process 1 on here since 1")
    async with store.transaction() as unit:
        await unit.take_lease(project.id, "process 2 on there since 1", over=await unit.pipeline(project.id))
    async with EventLog(store.fenced(lease, asyncio.Event())) as log:
        log.add(project.id, QueueChanged(queued=True))
        for _ in range(2):
            with pytest.raises(LeaseLost):
                await log.flush()
            log.add(project.id, QueueChanged(queued=False))
    assert [one.event for one in await store.events(project_id=project.id)] == []
