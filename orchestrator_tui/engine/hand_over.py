"""A project goes from one process to another: the order to let go of it, and what follows when nobody takes it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import PipelineStatusChanged, Recorded
from orchestrator_tui.domain.statuses import PauseReason
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.shutdown import StopOrder

AGAIN_SECONDS = 1.0
"""How long it takes until it is looked again after the database was away."""


@asynccontextmanager
async def ordered(orders: Sequence[StopOrder], hurry: asyncio.Event) -> AsyncIterator[None]:
    """Have these runs let go of their projects; once `hurry` is set while this is open, without waiting for agents."""
    for order in orders:
        order.give(PauseReason.HAND_OVER.value)

    async def insist() -> None:
        await hurry.wait()
        for order in orders:
            order.give(PauseReason.HAND_OVER.value, force=True)

    insisting = asyncio.create_task(insist(), name="hurry")
    try:
        yield
    finally:
        insisting.cancel()
        await asyncio.gather(insisting, return_exceptions=True)


async def watch(store: Store, bus: Bus, wake: Callable[[str], None]) -> None:
    """Until cancelled, have projects woken that any process hands over: when it is time, nobody may have taken them."""
    while True:
        with bus.subscription(from_all=True) as subscription, suppress(StoreUnavailable):
            while True:
                match await subscription.take():
                    case Recorded(project_id=project_id, event=PipelineStatusChanged(reason=PauseReason.HAND_OVER)):
                        wake(project_id)
                    case None:
                        for project_id in await store.waiting_projects():
                            wake(project_id)
                    case _:
                        pass
        await asyncio.sleep(AGAIN_SECONDS)
