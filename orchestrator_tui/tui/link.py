"""Holds the engine open for as long as the dashboard needs it, in one task of its own."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.engine.client import EngineClient

OpenClient = Callable[[], AbstractAsyncContextManager[EngineClient]]
"""Opens the engine; entering may take long, leaving stops what runs gracefully."""


class Link:
    """An async context manager around the engine's own; the engine is opened by `open`, not by entering."""

    def __init__(self, open_client: OpenClient) -> None:
        self._open_client = open_client
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_open = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> EngineClient:
        """The engine, once it is there; may be called again when it could not be opened.

        Raises:
            OrchestratorError: it cannot be opened.
        """
        opened: asyncio.Future[EngineClient] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(opened), name="engine")
        return await opened

    async def close(self) -> None:
        """Let the engine stop what runs, and wait for that; one that is still being opened is given up. Safe to call
        twice."""
        self._closing.set()
        if self._task is not None:
            if not self._is_open:
                self._task.cancel()
            await finish(self._ended(self._task))

    async def _ended(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async def _hold(self, opened: "asyncio.Future[EngineClient]") -> None:
        try:
            async with self._open_client() as client:
                self._is_open = True
                if not opened.done():
                    opened.set_result(client)
                await self._closing.wait()
        except Exception as error:
            # Whoever waits for the engine gets it, whatever it is.
            if opened.done():
                raise
            opened.set_exception(error)
