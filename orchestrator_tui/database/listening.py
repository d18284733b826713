"""Hears from PostgreSQL, by LISTEN and NOTIFY, that some process has stored events."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import text

from orchestrator_tui.database.connection import Database
from orchestrator_tui.database.runner import connected
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import StoreUnavailable

CHANNEL = "orchestrator_events"
"""What is told on it: the newest `seq` of a transaction, once that is committed."""

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
"""How long after losing the connection a new one is tried at first, and at most."""

_TELL = text("SELECT pg_notify(:channel, :payload)")
logger = logging.getLogger(__name__)


@asynccontextmanager
async def listening(database: Database, told: Callable[[int | None], None]) -> AsyncIterator[Callable[[], bool]]:
    """See `Store.listening`. SQLite cannot tell anybody."""
    if database.connect is None:
        yield lambda: False
        return
    listener = _Listener(database, told)
    task = asyncio.create_task(listener.run(), name="database-listener")
    try:
        yield lambda: listener.hears
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Listener:
    """A connection of its own, made anew when it is lost.

    It only counts once a word sent by another connection has come through: behind a pooler that shares connections
    between clients nothing ever does.
    """

    def __init__(self, database: Database, told: Callable[[int | None], None]) -> None:
        self._database = database
        self._told = told
        self._word = ""
        self.hears = False

    async def run(self) -> None:
        """Listen until cancelled."""
        wait = FIRST_SECONDS
        while True:
            try:
                await self._listen()
                wait = FIRST_SECONDS
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # Whatever it is, there is another way to learn of what is new.
                logger.debug("the database cannot be listened to: %s", error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_SECONDS)

    async def _listen(self) -> None:
        """Listen on one connection until it is gone."""
        assert self._database.connect is not None
        connection = await self._database.connect()
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        try:
            await connection.add_listener(CHANNEL, self._heard)
            await self._try_out()
            await gone.wait()
        finally:
            self.hears = False
            # It waits for nothing, whatever state the connection is in.
            with suppress(Exception):
                connection.terminate()

    async def _try_out(self) -> None:
        self._word = new_id()
        with suppress(StoreUnavailable):
            async with connected(self._database.writes, self._database.place) as runner:
                await runner.run(_TELL, {"channel": CHANNEL, "payload": self._word})
                await runner.commit()

    def _heard(self, connection: Any, process: int, channel: str, payload: str) -> None:
        if payload == self._word:
            self.hears = True
            self._told(None)
        elif payload.isdecimal():
            self._told(int(payload))
