"""Tries again what a database in trouble refused, ever more slowly, until it works."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from orchestrator_tui.domain.errors import StoreUnavailable

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0

T = TypeVar("T")
logger = logging.getLogger(__name__)


async def patiently(
    attempt: Callable[[], Awaitable[T]], tell: Callable[[StoreUnavailable], None], giving_up: asyncio.Event
) -> T:
    """What `attempt` returns, once it does not fail any more. `tell` gets the first failure.

    Raises:
        StoreUnavailable: it never can work, because the database is closed; or `giving_up` was set.
    """
    wait = FIRST_SECONDS
    while True:
        try:
            result = await attempt()
        except StoreUnavailable as error:
            if error.final or giving_up.is_set():
                raise
            if wait == FIRST_SECONDS:
                logger.warning("%s It is tried again.", error.message)
                tell(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await giving_up.wait()
            wait = min(2 * wait, LONGEST_SECONDS)
        else:
            if wait > FIRST_SECONDS:
                logger.info("The database can be used again.")
            return result
