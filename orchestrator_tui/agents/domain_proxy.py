"""The way out of the sandbox: an HTTP proxy on a socket, which leads to allowed domains only."""

import asyncio
import contextlib
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

WEB_PORTS = frozenset({80, 443})
_LARGEST_HEAD = 64 * 1024
_CONNECT_SECONDS = 20.0
_CHUNK = 65_536
_OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class DomainProxy:
    """Serves `socket` while it is open; it sees names of hosts, and nothing of what is said over TLS.

    `domains` are names such as `pypi.org`, or `*.pypi.org` for all below one; only `ports` are led to.
    """

    def __init__(self, domains: Sequence[str], *, ports: Collection[int] = WEB_PORTS) -> None:
        self._ports = ports
        self._domains = tuple(domain.casefold() for domain in domains)
        self._server: asyncio.Server | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._talks = set[asyncio.Task[None]]()

    @property
    def socket(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "proxy"

    async def __aenter__(self) -> Self:
        # Not in the data folder: the path of a socket must be short.
        self._folder = await asyncio.to_thread(lambda: tempfile.TemporaryDirectory(prefix="orchestrator-"))
        self._server = await asyncio.start_unix_server(self._serve, self.socket, limit=_LARGEST_HEAD)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None and self._folder is not None
        self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.to_thread(self._folder.cleanup)

    def allows(self, host: str, port: int) -> bool:
        """Whether the proxy leads there."""
        name = host.casefold().rstrip(".")
        return port in self._ports and any(
            name.endswith(domain[1:]) if domain.startswith("*.") else name == domain for domain in self._domains
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            await self._lead(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass
        except asyncio.CancelledError:
            # The server's own task of this connection has nobody who waits for it.
            pass
        finally:
            self._talks.discard(task)
            writer.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, target, version = first.decode("latin-1").split(" ")
        tunnel = method == "CONNECT"
        address = urlsplit(f"//{target}" if tunnel else target)
        host, port = address.hostname or "", address.port or 80
        if not self.allows(host, port):
            await _refuse(writer, f"{host}:{port} is not among the domains that the sandbox may reach")
            return
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                there, back = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            await _refuse(writer, f"{host}:{port} cannot be reached: {error}", status="502 Bad Gateway")
            return
        try:
            if tunnel:
                writer.write(_OPEN)
            else:
                path = address.path or "/"
                asked = f"{path}?{address.query}" if address.query else path
                # One request a connection, so that each is looked at.
                # The host that was looked at is the one that is named: behind one address there may be many.
                named = f"{host}:{port}" if address.port else host
                opening = f"{method} {asked} {version}\r\nHost: {named}\r\nConnection: close\r\n"
                back.write(opening.encode("latin-1") + _kept(rest))
            await _both_ways((reader, back), (there, writer))
        finally:
            back.close()


def _kept(headers: bytes) -> bytes:
    """The headers without those that are about the connection to the proxy, or name the host."""
    lines = [
        line
        for line in headers.split(b"\r\n")
        if not line.lower().startswith((b"host:", b"connection:", b"proxy-connection:", b"proxy-authorization:"))
    ]
    return b"\r\n".join(lines)


async def _refuse(writer: asyncio.StreamWriter, why: str, *, status: str = "403 Forbidden") -> None:
    body = f"{why}\n".encode()
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await writer.drain()


async def _both_ways(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Passes on what comes, until both ends have said all or one of them breaks."""
    async with asyncio.TaskGroup() as group:
        for source, target in ways:
            group.create_task(_pump(source, target), name="domain-proxy")


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
    with contextlib.suppress(OSError, RuntimeError):
        if target.can_write_eof():
            target.write_eof()
