"""Work that a cancellation does not cut short.

A database driver that is cancelled in the middle of a call leaves its connection in a state nobody knows: SQLite
inside a transaction that the next user of the connection inherits, PostgreSQL in the middle of an answer. A process
whose end is not waited for stays behind.
"""

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_protected: ContextVar[bool] = ContextVar("protected", default=False)


async def finish(work: Awaitable[T]) -> T:
    """Await `work` to its end even if this task is cancelled meanwhile; the cancellation follows then.

    Raises:
        asyncio.CancelledError: this task was cancelled; what `work` returned or raised is dropped.
    """
    if _protected.get():
        # Part of a larger piece of work that is finished as a whole: nobody cancels its task.
        return await work
    task = asyncio.create_task(_run(work), name="finish")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            # Also when the work ended in the same turn of the loop: a cancellation must never be lost.
            cancelled = error
        except BaseException:
            # What the work itself raised is told below.
            break
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancelled


async def _run(work: Awaitable[T]) -> T:
    _protected.set(True)
    return await work
