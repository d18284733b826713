"""One browser tab: the process of its dashboard, started, fed, listened to and ended in order."""

import asyncio
import json
import logging
import shlex
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from orchestrator_tui.domain.text import clean

logger = logging.getLogger(__name__)

DRIVER = "orchestrator_tui.web.driver:BrowserDriver"
MOST_CELLS = 1_000
STOP_SECONDS = 30.0
KILLED_SECONDS = 5.0
SLOW_SECONDS = 15.0
LAST_WORDS = 16_384

_READY = b"__GANGLION__\n"
_PLAIN_SCREEN = "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1049l\x1b[?25l\x1b[m\x1b[2J\x1b[H"
_SAVING = _PLAIN_SCREEN + "The dashboard is ending; its state is being saved.\r\n"


class Tab(AppService):
    """The dashboard of one tab. A tab that takes nothing for a while is let go, or its dashboard would stand still."""

    def __init__(
        self, command: Sequence[str], request: web.Request, websocket: web.WebSocketResponse, downloads: DownloadManager
    ) -> None:
        super().__init__(
            shlex.join(command),
            write_bytes=self._show,
            write_str=self._tell,
            close=self._say_that_it_ends,
            download_manager=downloads,
        )
        self._arguments = tuple(command)
        self._request = request
        self._websocket = websocket
        self._last_words = bytearray()

    async def stop(self) -> None:
        """Ask the dashboard to end and wait until its process is gone: saving may take time, so it is killed last."""
        process, task = self._process, self._task
        if process is None or task is None:
            return
        await self._download_manager.cancel_app_downloads(app_service_id=self.app_service_id)
        await self.send_meta({"type": "quit"})
        self.stdin.close()
        for insist in (process.terminate, process.kill):
            await asyncio.wait({task}, timeout=STOP_SECONDS)
            if task.done():
                return
            logger.warning("a dashboard does not end: %s", insist.__name__, extra={"pid": process.pid})
            with suppress(ProcessLookupError):
                insist()
        # What it started may hold its pipes open, and would be waited for.
        await asyncio.wait({task}, timeout=KILLED_SECONDS)
        task.cancel()

    async def set_terminal_size(self, width: int, height: int) -> None:
        """Tell the dashboard the size of its terminal, in cells."""
        await super().set_terminal_size(_cells(width), _cells(height))

    async def run(self) -> None:
        """Pass on what the dashboard writes until its process is gone, then its last words, then close the tab."""
        process = self._process
        assert process is not None and process.stdout is not None and process.stderr is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_last_words(process.stderr), name="last-words")
            await self._pass_on(process, process.stdout)
        await self._tell_the_end(await process.wait())
        await self._websocket.close()

    async def on_meta(self, data: bytes) -> None:
        """Take a message about the dashboard itself. Only web pages are opened: links come from what agents wrote."""
        match json.loads(data):
            case {"type": "open_url", "url": str(url)} if not url.startswith(("http://", "https://")):
                logger.warning("a link is not opened: %s", url[:200])
            case _:
                await super().on_meta(data)

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        environment = super()._build_environment(_cells(width), _cells(height))
        for name in ("TMUX", "STY"):
            environment.pop(name, None)
        return environment | {"TEXTUAL_DRIVER": DRIVER, "TERM": "xterm-256color", "COLORTERM": "truecolor"}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        # In a session of its own: Ctrl+C at the server's terminal must reach it as an orderly end, from us.
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._stdin = self._process.stdin
        return self._process

    async def _pass_on(self, process: Process, output: asyncio.StreamReader) -> None:
        try:
            async for kind, payload in _packets(output):
                await self._take(kind, payload)
        except (ValueError, LookupError, TypeError):
            logger.exception("what a dashboard wrote was not understood")
            process.terminate()
            # It could not end while nobody reads what it writes.
            while await output.read(65_536):
                pass

    async def _take(self, kind: bytes, payload: bytes) -> None:
        match kind:
            case b"D":
                await self.on_data(payload)
            case b"M":
                await self.on_meta(payload)
            case b"P":
                await self.on_packed(payload)

    async def _keep_last_words(self, stream: asyncio.StreamReader) -> None:
        while words := await stream.read(4096):
            self._last_words += words
            del self._last_words[:-LAST_WORDS]

    async def _say_that_it_ends(self) -> None:
        await self._show(_SAVING.encode())

    async def _tell_the_end(self, code: int) -> None:
        words = clean(self._last_words.decode(errors="replace")).strip()
        if code:
            logger.warning("a dashboard ended with %s: %s", code, words[-2000:])
        if words:
            await self._show((_PLAIN_SCREEN + "\r\n".join(words.splitlines())).encode())

    async def _show(self, data: bytes) -> None:
        """Send bytes to the tab's terminal. Without a tab they are dropped: the dashboard must never wait for it."""
        with suppress(ConnectionError):
            await self._in_time(self._websocket.send_bytes(data))

    async def _tell(self, text: str) -> None:
        with suppress(ConnectionError):
            await self._in_time(self._websocket.send_str(text))

    async def _in_time(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await sending
        except TimeoutError:
            logger.warning("a tab took nothing for %.0f s and was let go", SLOW_SECONDS)
            if self._request.transport is not None:
                self._request.transport.abort()


async def _packets(stream: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    """The packets of a dashboard: a letter, four bytes of length, the payload; text before the first is no packet."""
    while (line := await stream.readline()) != _READY:
        if not line:
            return
    with suppress(asyncio.IncompleteReadError):
        while True:
            kind, length = await stream.readexactly(1), await stream.readexactly(4)
            yield kind, await stream.readexactly(int.from_bytes(length, "big"))


def _cells(count: int) -> int:
    return max(1, min(count, MOST_CELLS))
