"""Asks a server as fast as it answers, over raw sockets, so that asking costs next to nothing."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """What came of asking: seconds of each answer, and how long it all took."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds."""
        return percentile(self.latencies, percent) * 1_000


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


async def ask(origin: str, path: str, headers: Mapping[str, str], *, connections: int, seconds: float) -> Load:
    """Ask for one path over so many connections for so long.

    Raises:
        RuntimeError: an answer is none of success.
    """
    load, began = Load(), time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(_ask(origin, path, headers, until, load) for _ in range(connections)))
    load.seconds = time.perf_counter() - began
    return load


async def _ask(origin: str, path: str, headers: Mapping[str, str], until: float, load: Load) -> None:
    reader, writer, request = await opened(origin, path, headers)
    try:
        while (asked := time.perf_counter()) < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            load.latencies.append(time.perf_counter() - asked)
    finally:
        writer.close()


async def opened(
    origin: str, path: str, headers: Mapping[str, str]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A connection, and the request to write on it."""
    place = urlsplit(origin)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2**24)
    lines = [f"GET {path} HTTP/1.1", f"Host: {place.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
    return reader, writer, ("\r\n".join(lines) + "\r\n\r\n").encode()


def _length(head: bytes) -> int:
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.partition(b"\r\n")[0].decode())
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise RuntimeError("an answer without a length")


async def listen_to(
    origin: str, headers: Mapping[str, str], *, streams: int, events: int, tick: Callable[[int], None]
) -> dict[int, list[float]]:
    """Open so many event streams, have so many events committed by `tick`, and read until each stream has had them all;
    moments of arrival on the monotonic clock by the number in each event's text."""
    arrived: dict[int, list[float]] = {}
    ready = asyncio.Barrier(streams + 1)
    readers = [
        asyncio.create_task(_listen(origin, headers, ready, events, arrived), name=f"stream-{number}")
        for number in range(streams)
    ]
    await ready.wait()
    tick(events)
    await asyncio.gather(*readers)
    return arrived


async def _listen(
    origin: str, headers: Mapping[str, str], ready: asyncio.Barrier, events: int, arrived: dict[int, list[float]]
) -> None:
    reader, writer, request = await opened(origin, "/events", headers)
    try:
        writer.write(request)
        await reader.readuntil(b"retry: 2000\n\n")
        await ready.wait()
        while events:
            line = await reader.readline()
            mark = line.find(b"tick ")
            if mark >= 0:
                moment = time.monotonic()
                arrived.setdefault(int(line[mark + 5 :].split(b" ", 1)[0]), []).append(moment)
                events -= 1
    finally:
        writer.close()
