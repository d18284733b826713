"""Serves a small app to tests as the dashboard is served, and tells how its processes end."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiohttp import ClientSession, ClientWebSocketResponse, CookieJar, WSMsgType
from yarl import URL

import tests.tui.typing_app
from orchestrator_tui.config.address import Address, address_of, listen
from orchestrator_tui.web.serve import running
from orchestrator_tui.web.server import DashboardServer

ROOT = Path(__file__).parents[2]
APP = tests.tui.typing_app.__file__

SERVE = """
import asyncio, sys
from orchestrator_tui.cli import ServeWeb
from orchestrator_tui.web.serve import serve
asyncio.run(serve(ServeWeb(port=0), sys.argv[1:]))
"""


class Lives:
    """Hears from the apps that were given its pipe; the pipe ends when the last of them is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = asyncio.StreamReader()
        os.mkfifo(path)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        protocol = asyncio.StreamReaderProtocol(self._reader)
        self._transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb"))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._transport.close()

    @property
    def command(self) -> list[str]:
        """What to serve."""
        return [sys.executable, "-P", APP, str(self.path)]

    async def next(self) -> str:
        """What an app tells next."""
        return (await self._reader.readline()).decode().strip()

    async def rest(self) -> list[str]:
        """What the apps told until all of them were gone."""
        return (await self._reader.read()).decode().split()


@dataclass(frozen=True)
class Site:
    """A server in this process, and a client of it that has not shown the token yet."""

    address: Address
    server: DashboardServer
    client: ClientSession

    @property
    def entrance(self) -> str:
        return self.server.guard.entrance

    def url(self, path: str) -> URL:
        return URL(self.address.origin + path, encoded=True)

    async def enter(self) -> Self:
        """Get the cookie, as a browser does with the printed address."""
        async with self.client.get(self.entrance) as answer:
            assert answer.status == 200
        return self

    def tab(self) -> AbstractAsyncContextManager["OpenTab"]:
        """An open tab; it is closed on leaving."""
        return opened(self.client, self.address.origin)


@dataclass
class OpenTab:
    """A tab's end of the WebSocket. `output` is what its terminal was told, `told` what its page was."""

    socket: ClientWebSocketResponse
    output: str = ""
    told: str = ""

    async def type(self, text: str) -> None:
        await self.socket.send_json(["stdin", text])

    async def until(self, words: str) -> None:
        """Wait until its terminal was told `words`."""
        while words not in self.output:
            assert await self._hear(), f"the tab was closed after {self.output!r}"

    async def until_closed(self) -> None:
        while await self._hear():
            pass

    async def _hear(self) -> bool:
        message = await self.socket.receive()
        match message.type:
            case WSMsgType.BINARY:
                self.output += message.data.decode()
            case WSMsgType.TEXT:
                self.told += message.data
            case _:
                return False
        return True


@asynccontextmanager
async def opened(client: ClientSession, origin: str) -> AsyncIterator[OpenTab]:
    """A tab that a client with the cookie opens."""
    async with client.ws_connect(f"{origin}/ws", origin=origin) as socket:
        yield OpenTab(socket)


@asynccontextmanager
async def site(command: Sequence[str], public_origin: str | None = None) -> AsyncIterator[Site]:
    with listen("127.0.0.1", 0) as listening:
        address = address_of(listening, "127.0.0.1", public_origin)
        server = DashboardServer(command, address)
        async with running(server, listening), ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
            yield Site(address, server, client)


@dataclass(frozen=True)
class Program:
    """A server in a process of its own."""

    process: Process
    entrance: str

    @property
    def origin(self) -> str:
        return str(URL(self.entrance).origin())


@asynccontextmanager
async def program(*arguments: str, home: Path) -> AsyncIterator[Program]:
    """A Python process that serves; it is killed on leaving if it still runs."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=home, env=environ, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        line = (await process.stdout.readline()).decode()
        found = re.fullmatch(r"The dashboard is at (http://\S+)\n", line)
        assert found, line + (await process.stderr.read()).decode()
        yield Program(process, found[1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
