"""Work that a cancellation does not cut short.

A database driver that is cancelled in the middle of a call leaves its connection in a state nobody knows: SQLite
inside a transaction that the next user of the connection inherits, PostgreSQL in the middle of an answer. A process
whose end is not waited for stays behind.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def finish(work: Awaitable[T]) -> T:
    """Await `work` to its end even if this task is cancelled meanwhile; the cancellation follows then.

    Raises:
        asyncio.CancelledError: this task was cancelled; what `work` returned or raised is dropped.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            # Also when the work ended in the same turn of the loop: a cancellation must never be lost.
            cancelled = error
        except BaseException:
            break
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancelled
