"""The items that are worked on at the moment, each in a task of its own, and what comes of it when one fails."""

import asyncio
from collections.abc import Awaitable, Sequence

from orchestrator_tui.domain.errors import AnswerAwaited, LeaseLost, OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.records import WorkItem


class Crew:
    """An async context manager: nothing of it is at work after it."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], WorkItem] = {}

    async def __aenter__(self) -> "Crew":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def items(self) -> Sequence[WorkItem]:
        return tuple(self._tasks.values())

    def begin(self, item: WorkItem, work: Awaitable[None]) -> None:
        """Have an item worked on."""
        self._tasks[asyncio.create_task(_done(work), name=f"item-{item.key}")] = item

    async def one_is_done(self, news: Awaitable[None] | None = None) -> None:
        """Returns once one of the items is, or has made room for others, or `news` come. When one fails the others come
        to their end first, unless nothing may be done any more, or nobody knows what is wrong.

        Raises:
            Exception: what the first one raised, or what is worse.
        """
        failures = await self._first(news)
        while failures and self._tasks and not any(map(_ends_all, failures)):
            failures += await self._first()
        if failures:
            raise next(filter(_ends_all, failures), failures[0])

    async def _first(self, news: Awaitable[None] | None = None) -> list[BaseException]:
        """What was raised by those that are done now, at least one unless `news` came first."""
        waits = [asyncio.create_task(_done(news), name="news")] if news is not None else []
        try:
            await asyncio.wait([*self._tasks, *waits], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        ended = [task for task in self._tasks if task.done()]
        for task in ended:
            del self._tasks[task]
        found = [task.exception() for task in ended]
        return [error for error in found if error is not None and not isinstance(error, AnswerAwaited)]


def _ends_all(error: BaseException) -> bool:
    return isinstance(error, LeaseLost | StoreUnavailable) or not isinstance(error, OrchestratorError)


async def _done(work: Awaitable[None]) -> None:
    await work
