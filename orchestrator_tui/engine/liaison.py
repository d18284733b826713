"""Between a person and the agents of one run: takes what the person says from the store to whom it is for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import LeaseLost, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Instruction
from orchestrator_tui.domain.statuses import InstructionKind
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.conversation import Account
from orchestrator_tui.engine.counsel import CounselParts, SessionCounsel
from orchestrator_tui.engine.instructions import settle
from orchestrator_tui.engine.rest import Bell, Rest
from orchestrator_tui.engine.watcher import UNTOLD_SECONDS

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
"""How long it takes until the bus is listened to again after the database was away."""

_WORTH_A_LOOK = (
    events.InstructionGiven,
    events.InputAnswered,
    events.InputWithdrawn,
    events.StopRequested,
    events.LeaseTaken,
)


class Liaison:
    """One for each run. `rest` is set when an agent has waited for a person for too long."""

    def __init__(self, parts: CounselParts, bus: Bus) -> None:
        self._parts = parts
        self._store: Store = parts.store
        self._bus = bus

    @property
    def rest(self) -> Rest:
        return self._parts.rest

    @property
    def bell(self) -> Bell:
        """Rings when something was stored, by whatever process, that this run has to heed."""
        return self._parts.bell

    def counsel(self, account: Account) -> SessionCounsel:
        """What the agent of a session can turn to."""
        return SessionCounsel(self._parts, account.task, account.log.id, account.hearing, account.guard.leave)

    @asynccontextmanager
    async def at_work(self, project_id: str, find: Callable[[str], Account | None]) -> AsyncIterator[None]:
        """Passes on what people say while the context is open; `find` gives the account of an agent at work here."""
        tasks = [
            asyncio.create_task(self._listen(project_id), name=f"liaison-listens-{project_id[:8]}"),
            asyncio.create_task(self._follow(project_id, find), name=f"liaison-{project_id[:8]}"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, project_id: str) -> None:
        """Nobody has to wait for what is told on the bus."""
        while True:
            with self._bus.subscription(from_all=True) as subscription, suppress(StoreUnavailable):
                # For what came while nobody listened.
                self._parts.bell.ring()
                while True:
                    item = await subscription.take()
                    mine = isinstance(item, Recorded) and item.project_id == project_id
                    if item is None or (mine and isinstance(item, Recorded) and isinstance(item.event, _WORTH_A_LOOK)):
                        self._parts.bell.ring()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self, project_id: str, find: Callable[[str], Account | None]) -> None:
        bell = self._parts.bell
        while True:
            ticket = bell.ticket()
            try:
                for given in await self._store.open_instructions(project_id):
                    account = find(given.agent_id) if given.agent_id else None
                    if account is not None:
                        await self._pass_on(given, account)
            except StoreUnavailable:
                # Looked at again with the next ring.
                pass
            except LeaseLost:
                return
            except Exception:
                # The edge of a task: it is tried again with the next ring.
                logger.exception("what a person said could not be passed on")
            await bell.after(ticket, UNTOLD_SECONDS)

    async def _pass_on(self, given: Instruction, account: Account) -> None:
        match given.kind:
            case InstructionKind.STEER:
                account.hearing.add(given)
            case InstructionKind.INTERRUPT if account.session is not None:
                async with self._store.transaction() as unit:
                    await settle(unit, account.log.id, given)
                account.hearing.interrupted = True
                await account.session.interrupt()
            case _:
                # A note was claimed with the session's start; a session that is only starting has no step to stop.
                pass
