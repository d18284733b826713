"""Events as Server-Sent Events: what was stored after a number, then what happens, without a gap or a double."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator_tui.api import wire
from orchestrator_tui.api.base import Limits
from orchestrator_tui.api.problems import problem_of
from orchestrator_tui.domain.errors import OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.events import Live
from orchestrator_tui.engine.client import EngineClient

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": alive\n\n"
logger = logging.getLogger(__name__)
_HEADERS = {"X-Accel-Buffering": "no"}


class EventStream(Response):
    """One reader's stream. It ends when the reader is gone or takes nothing for too long, when `allowed` says no, and
    when `closing` is set; `opened` and `closed` are called with it, `sent` with every event.

    A reader that is only slow is never waited for by the engine: it is told to resync, and reads on from the store.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        client: EngineClient,
        after_seq: int,
        project_id: str | None,
        limits: Limits,
        *,
        allowed: Callable[[], Awaitable[bool]],
        closing: asyncio.Event,
        opened: Callable[[], None],
        closed: Callable[[], None],
        sent: Callable[[], None],
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._client = client
        self._after = after_seq
        self._project_id = project_id
        self._limits = limits
        self._allowed = allowed
        self._closing = closing
        self._opened = opened
        self._closed = closed
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._opened()
        try:
            await self._serve(receive, send)
        finally:
            self._closed()

    async def _serve(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        tasks = [
            asyncio.create_task(self._tell(send), name="event-stream"),
            asyncio.create_task(_gone(receive), name="event-stream-reader"),
            asyncio.create_task(self._closing.wait(), name="event-stream-closing"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            told, *_ = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(told, Exception) and not isinstance(told, TimeoutError | OSError):
            logger.error("a stream of events broke", exc_info=told)
        # A reader that takes nothing is not waited for; the server then closes the connection.
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(1):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, send: Send) -> None:
        try:
            async with self._client.subscribe(self._after, project_id=self._project_id) as stream:
                # Something at once, so that whoever opened it knows that it is open.
                await self._send(send, b"retry: 2000\n\n")
                await self._follow(stream, send)
        except OrchestratorError as error:
            if isinstance(error, StoreUnavailable) and error.final:
                # The server is at its end, and the stream with it.
                return
            await self._send(send, b"event: %b\ndata: %b\n\n" % (wire.TROUBLE.encode(), wire.dumps(problem_of(error))))

    async def _follow(self, stream: AsyncIterator[Live], send: Send) -> None:
        upcoming: asyncio.Task[Live] | None = None
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        try:
            while True:
                upcoming = upcoming or asyncio.create_task(_next(stream), name="event-stream-next")
                done, _ = await asyncio.wait({upcoming}, timeout=self._limits.heartbeat_seconds)
                if loop.time() - checked_at >= self._limits.heartbeat_seconds:
                    checked_at = loop.time()
                    if not await self._allowed():
                        return
                if not done:
                    await self._send(send, HEARTBEAT)
                    continue
                live, upcoming = upcoming.result(), None
                await self._send(send, wire.frame(live))
                self._sent()
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)

    async def _send(self, send: Send, body: bytes) -> None:
        async with asyncio.timeout(self._limits.send_seconds):
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _next(stream: AsyncIterator[Live]) -> Live:
    return await anext(stream)


async def _gone(receive: Receive) -> None:
    """Returns once the reader is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
