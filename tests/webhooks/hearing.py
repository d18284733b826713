"""A program that is told by webhooks, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def plain(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.plain["type"])


@dataclass
class Ear:
    """What was heard, in order. Each request takes the next of `answers`, 204 when there are none left; None hangs up
    without an answer, and while `open` is not set nobody is answered."""

    url: str = ""
    answers: list[int | None] = field(default_factory=list)
    headers: str = ""
    heard: list[Heard] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, count: int) -> list[Heard]:
        """Wait until so many requests have come."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    async def until_told(self, kind: str) -> Heard:
        """Wait until something of that type has come."""
        async with self._news:
            await self._news.wait_for(lambda: any(one.type == kind for one in self.heard))
        return next(one for one in self.heard if one.type == kind)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
            }
            body = await reader.readexactly(int(headers["content-length"]))
            async with self._news:
                self.heard.append(Heard(headers, body))
                self._news.notify_all()
            await self.open.wait()
            status = self.answers.pop(0) if self.answers else 204
            if status is not None:
                writer.write(f"HTTP/1.1 {status} X\r\n{self.headers}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def listening(answers: Iterable[int | None] = (), *, headers: str = "") -> AsyncIterator[Ear]:
    ear = Ear(answers=list(answers), headers=headers)
    ear.open.set()
    async with await asyncio.start_server(ear.take, "127.0.0.1", 0) as server:
        ear.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        yield ear
        ear.open.set()
