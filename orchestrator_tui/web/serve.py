"""Serves the dashboard until somebody ends it: listens, says where, and waits for every dashboard on the way out."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orchestrator_tui import cli, start
from orchestrator_tui.config.address import Address, address_of, check_host, check_public_url, listen
from orchestrator_tui.console.interrupts import Interrupts
from orchestrator_tui.domain.errors import WebUnavailable

if TYPE_CHECKING:
    from orchestrator_tui.web.server import DashboardServer

SHUTDOWN_SECONDS = 75.0
_OPEN_TO_OTHERS = (
    "Whoever has this address can drive the engine as you can: give it to nobody else.",
    "It is not encrypted, so use it only in a network that you trust, or put https in front with --public-url.",
)


def serve_dashboard(wanted: cli.ServeWeb) -> int:
    """Serve the dashboard until a signal; returns the exit code.

    Raises:
        OrchestratorError: whatever ended it, in words for people.
    """
    launch = start.given(wanted, os.environ)
    with start.in_words(launch, wanted):
        asyncio.run(serve(wanted, dashboard_command(wanted)))
    return 0


async def serve(wanted: cli.ServeWeb, command: Sequence[str]) -> None:
    """Run `command` for each browser tab. The first signal ends them all in order, the next leaves at once.

    Raises:
        UsageError: the host or the public address cannot be used.
        WebUnavailable: the extra is not installed.
        ServeFailed: the port is in use.
    """
    server_class = _server_class()
    public_origin = None if wanted.public_url is None else check_public_url(wanted.public_url)
    host = check_host(wanted.host, public_origin)
    with await asyncio.to_thread(listen, host, wanted.port) as listening:
        address = address_of(listening, host, public_origin)
        server = server_class(command, address)
        async with Interrupts() as interrupts, running(server, listening):
            _warn(address)
            sys.stdout.write(f"The dashboard is at {server.guard.entrance}\n")
            sys.stdout.flush()
            await interrupts.wanted.wait()
            if server.tabs:
                _note("Ending once every dashboard has saved its state; Ctrl+C again leaves at once.")


def dashboard_command(wanted: cli.ServeWeb) -> list[str]:
    """The command line of a tab's dashboard."""
    # -P: the folder this was started in may hold what agents wrote, which must not be imported.
    return [sys.executable, "-P", "-m", "orchestrator_tui", *cli.dashboard_arguments(wanted)]


def _server_class() -> "type[DashboardServer]":
    try:
        from orchestrator_tui.web.server import DashboardServer
    except ModuleNotFoundError as error:
        hint = 'Install it with: pip install "orchestrator-tui[web]"'
        raise WebUnavailable("textual-serve is not installed.", hint=hint) from error
    return DashboardServer


@asynccontextmanager
async def running(server: "DashboardServer", listening: socket.socket) -> AsyncIterator[None]:
    """Answer on a listening socket while open; on leaving, every dashboard ends first."""
    from aiohttp import web

    runner = web.AppRunner(await server.make_app(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()


def _warn(address: Address) -> None:
    if not address.local:
        whoever, plain = _OPEN_TO_OTHERS
        _note(whoever if address.encrypted else f"{whoever} {plain}")


def _note(text: str) -> None:
    sys.stderr.write(f"{cli.PROGRAM}: {text}\n")
    sys.stderr.flush()
