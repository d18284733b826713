"""Renews a run's lease, and tells it when the lease is lost or somebody wants the project to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.clock import elapsed_seconds
from orchestrator_tui.domain.errors import LeaseLost, StoreUnavailable
from orchestrator_tui.domain.records import Lease
from orchestrator_tui.engine.rest import Bell
from orchestrator_tui.engine.tenure import Tenure
from orchestrator_tui.engine.watcher import UNTOLD_SECONDS

BEATS = 3
"""How often a lease is renewed before it runs out."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What a run must heed: `lost` once another process has the project, `stop` once somebody wants it to stop."""

    lost: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def heartbeat(
    store: Store,
    lease: Lease,
    *,
    lease_seconds: float,
    signs: Signs,
    bell: Bell | None = None,
    tenure: Tenure | None = None,
) -> AsyncIterator[None]:
    """Beat while the context is open, and renew `tenure` with it. A store that cannot be reached is tried again at the
    next beat.

    Whether another process wants the project to stop, or has it, is looked at whenever `bell` rings.
    """
    rung, held = bell or Bell(), tenure or Tenure()

    async def beat() -> None:
        while True:
            since = elapsed_seconds()
            try:
                if not await store.beat(lease):
                    signs.lost.set()
                    return
                held.renew(since, lease_seconds)
            except StoreUnavailable:
                # A lease that ran out meanwhile is noticed by the next beat, and by every write.
                pass
            await asyncio.sleep(lease_seconds / BEATS)

    async def look() -> None:
        while not signs.stop.is_set():
            ticket = rung.ticket()
            try:
                if await store.stop_is_wanted(lease):
                    signs.stop.set()
            except LeaseLost:
                signs.lost.set()
                return
            except StoreUnavailable:
                # Looked at again with the next ring.
                pass
            await rung.after(ticket, UNTOLD_SECONDS)

    tasks = [
        asyncio.create_task(beat(), name=f"heartbeat-{lease.project_id[:8]}"),
        asyncio.create_task(look(), name=f"stop-asked-{lease.project_id[:8]}"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
