"""Serves the application from a listening socket, as a guest in somebody else's loop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator_tui.api.app import make_app
from orchestrator_tui.api.base import Limits
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.domain.errors import ServeFailed

LAST_SECONDS = 5
"""How long connections may take to end when the server does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """The files for TLS: the certificate with its chain, and its key, both PEM."""

    file: Path
    key: Path

    def check(self) -> None:
        """Raises ServeFailed unless they can be used together. Reads them."""
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.file, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ServeFailed(
                f"{self.file} and {self.key} cannot be used for TLS: {error.strerror or error}.",
                hint="Name a PEM certificate with --tls-cert and its key with --tls-key.",
            ) from error


@contextlib.asynccontextmanager
async def serving(house: House, listening: socket.socket, certificate: Certificate | None) -> AsyncIterator[None]:
    """Answer on a listening socket while open; streams are ended on leaving.

    Raises:
        ServeFailed: the certificate cannot be used.
    """
    if certificate is not None:
        await asyncio.to_thread(certificate.check)
    server = _GuestServer(house, certificate)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="http-server")
    try:
        await server.listening(task)
        yield
    finally:
        house.closing.set()
        server.should_exit = True
        await task


class _GuestServer(uvicorn.Server):
    """A uvicorn server that leaves signals and loggers alone."""

    def __init__(self, house: House, certificate: Certificate | None) -> None:
        limits = house.options.limits
        config = uvicorn.Config(
            make_app(house),
            http=_protocol(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(limits.header_seconds),
            timeout_graceful_shutdown=LAST_SECONDS,
            backlog=2_048,
            ssl_certfile=certificate.file if certificate else None,
            ssl_keyfile=str(certificate.key) if certificate else None,
        )
        super().__init__(config)
        self._ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def listening(self, task: "asyncio.Task[None]") -> None:
        """Wait until connections are taken; raises what ended the server before that."""
        ready = asyncio.create_task(self._ready.wait(), name="http-ready")
        try:
            await asyncio.wait((ready, task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if task.done():
            task.result()
            raise ServeFailed


def _protocol(limits: Limits) -> type[H11Protocol]:
    class Protocol(H11Protocol):
        """A connection whose every request must come in time; whoever sends its headers byte by byte, or goes on with a
        body that is answered already, is hung up on."""

        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if not self._owes():
                self._met()
            elif self._deadline is None:
                self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._met()
            super().connection_lost(exc)

        def _owes(self) -> bool:
            """Whether what has arrived is no whole head of a request, or the body of one that nobody reads any more."""
            theirs, ours = self.conn.their_state, self.conn.our_state
            return theirs is h11.IDLE or (theirs is h11.SEND_BODY and ours is h11.DONE)

        def _expect(self) -> None:
            self._deadline = self.loop.call_later(limits.header_seconds, self._too_late)

        def _too_late(self) -> None:
            self._deadline = None
            self.transport.close()

        def _met(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Protocol
