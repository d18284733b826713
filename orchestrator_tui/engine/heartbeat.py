"""Renews a project's heartbeat, and says when another process has taken the project over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import StoreUnavailable


@asynccontextmanager
async def heartbeat(
    store: Store, project_id: str, owner: str, epoch: int, *, every_seconds: float, lost: asyncio.Event
) -> AsyncIterator[None]:
    """Beat while the context is open; `lost` is set once the lease is no longer ours."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                if not await store.beat(project_id, owner, epoch):
                    lost.set()
                    return
            except StoreUnavailable:
                # The next beat tries again; a lease that ran out meanwhile is noticed then.
                continue

    task = asyncio.create_task(beat(), name=f"heartbeat-{project_id[:8]}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
