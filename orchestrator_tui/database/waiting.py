"""Waits for a database that is not there yet, as when both are started together."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import text

from orchestrator_tui.config.settings import DatabaseSettings
from orchestrator_tui.database.connection import Database, open_database
from orchestrator_tui.database.runner import connected
from orchestrator_tui.domain.errors import StoreRefused, StoreUnavailable

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 2.0
TELL_SECONDS = 10.0
"""How often it is said that it is still waited."""


async def reach(url: str, settings: DatabaseSettings) -> None:
    """Ask the database something, once.

    Raises:
        SettingsError: the URL cannot be understood.
        StoreUnavailable: there is no answer.
    """
    async with open_database(url, settings) as database:
        await _ask(database)


async def wait_for(url: str, settings: DatabaseSettings, *, tell: Callable[[str], None], ended: asyncio.Event) -> None:
    """Wait until the database answers, for `settings.wait_seconds` at most or until `ended` is set; `tell` gets what
    people should know meanwhile.

    Raises:
        SettingsError: the URL cannot be understood.
        StoreRefused: it answers, and waiting does not help.
        StoreUnavailable: it was waited for long enough.
    """
    loop = asyncio.get_running_loop()
    begun = told = loop.time()
    longest, pause = settings.wait_seconds, FIRST_SECONDS
    async with open_database(url, settings) as database:
        while not ended.is_set():
            try:
                await _ask(database)
                return
            except StoreRefused:
                raise
            except StoreUnavailable as error:
                if not longest:
                    raise
                waited = loop.time() - begun
                if waited + pause > longest:
                    raise StoreUnavailable(
                        f"{error.message} It was waited for {waited:.0f} s.", hint=error.hint
                    ) from error
                if pause == FIRST_SECONDS or loop.time() - told > TELL_SECONDS:
                    told = loop.time()
                    tell(f"{error.message} It is waited for: {waited:.0f} of {longest:.0f} s.")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await ended.wait()
            pause = min(2 * pause, LONGEST_SECONDS)


async def _ask(database: Database) -> None:
    async with connected(database.reads, database.place) as runner:
        await runner.run(text("SELECT 1"))
