"""Tries again what a database in trouble refused, ever more slowly, until it works."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestrator_tui.domain.errors import StoreUnavailable

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0

T = TypeVar("T")
logger = logging.getLogger(__name__)


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` returns, once it does not fail any more; cancel to give up.

    Raises:
        StoreUnavailable: it never can work, because the database is closed.
    """
    wait = FIRST_SECONDS
    while True:
        try:
            result = await attempt()
        except StoreUnavailable as error:
            if error.final:
                raise
            if wait == FIRST_SECONDS:
                logger.warning("%s It is tried again.", error.message)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_SECONDS)
        else:
            if wait > FIRST_SECONDS:
                logger.info("The database can be used again.")
            return result
