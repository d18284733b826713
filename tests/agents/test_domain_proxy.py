import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator_tui.agents.domain_proxy import DomainProxy


@asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers whoever says a line; its port, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever goes away again says nothing.
        with contextlib.suppress(asyncio.IncompleteReadError), contextlib.closing(writer):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1], asked


async def told(socket: Path, *said: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        for words in said:
            writer.write(words)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("pypi.org", 443, True),
        ("PyPI.org.", 80, True),
        ("pypi.org", 22, False),
        ("evil-pypi.org", 443, False),
        ("pypi.org.evil.example", 443, False),
        ("a.b.example.org", 443, True),
        ("example.org", 443, False),
        ("evilexample.org", 443, False),
        ("127.0.0.1", 80, False),
        ("", 80, False),
    ],
)
def test_a_host_is_allowed_by_its_whole_name(host: str, port: int, allowed: bool) -> None:
    assert DomainProxy(["pypi.org", "*.example.org"]).allows(host, port) is allowed


async def test_a_tunnel_leads_to_an_allowed_host() -> None:
    async with server(b"secret talk") as (port, asked), DomainProxy(["localhost"], ports={port}) as proxy:
        answer = await told(proxy.socket, f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode(), b"hello\r\n\r\n")
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\nsecret talk"
    assert asked == [b"hello\r\n\r\n"]


async def test_a_plain_request_is_asked_for_at_its_host() -> None:
    async with (
        server(b"HTTP/1.1 200 OK\r\n\r\npage") as (port, asked),
        DomainProxy(["localhost"], ports={port}) as proxy,
    ):
        request = f"GET http://localhost:{port}/a?b=1 HTTP/1.1\r\nHost: evil.example\r\nProxy-Connection: x\r\n\r\n"
        answer = await told(proxy.socket, request.encode())
    assert answer.endswith(b"page")
    assert asked == [f"GET /a?b=1 HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()]


@pytest.mark.parametrize(
    "request_line", ["CONNECT other.example:443 HTTP/1.1", "GET http://other.example/ HTTP/1.1", "GET /x HTTP/1.1"]
)
async def test_another_host_is_refused(request_line: str) -> None:
    async with DomainProxy(["localhost"]) as proxy:
        assert (await told(proxy.socket, f"{request_line}\r\n\r\n".encode())).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"\r\n\r\n", b"CONNECT x:y HTTP/1.1\r\n\r\n", b"A" * 200_000])
async def test_nonsense_ends_the_connection_and_nothing_else(said: bytes) -> None:
    async with DomainProxy(["localhost"]) as proxy:
        with contextlib.suppress(ConnectionError):
            assert await told(proxy.socket, said) == b""
        assert (await told(proxy.socket, b"CONNECT a.example:443 HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403 ")


async def test_closing_ends_talks_under_way_and_leaves_no_file() -> None:
    async with server(b"") as (port, _):
        async with DomainProxy(["localhost"], ports={port}) as proxy:
            socket = proxy.socket
            reader, writer = await asyncio.open_unix_connection(socket)
            writer.write(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert await asyncio.wait_for(reader.read(), 30) == b"\r\n"
        writer.close()
    assert not socket.parent.exists()
