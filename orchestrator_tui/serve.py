"""Runs the engine without a screen, behind a REST API, until a signal ends it in order."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from orchestrator_tui import cli, compose, start
from orchestrator_tui.api.base import Limits, Options
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.api.server import Certificate, serving
from orchestrator_tui.api.token_file import ensure_token_file
from orchestrator_tui.config.address import Address, address_of, check_host, check_public_url, listen, local_names
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.console.interrupts import Interrupts
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.ownership import AT_WORK, elsewhere
from orchestrator_tui.engine.client import EngineClient

_UNENCRYPTED = (
    "Other machines can reach it, and nothing is encrypted: use it only in a network that you trust, "
    "give --tls-cert and --tls-key, or put https in front with --public-url."
)
MOST = 1_000


def serve_api(wanted: cli.Serve) -> int:
    """Serve until a signal; returns the exit code.

    Raises:
        OrchestratorError: whatever ended it, in words for people.
    """
    launch = start.given(wanted, os.environ)
    with start.in_words(launch, wanted):
        return asyncio.run(serve(wanted, launch))


async def serve(wanted: cli.Serve, launch: Launch) -> int:
    """Serve until a signal. The first ends it in order, the second does not wait for agents, the third for nothing.

    The server listens before the engine is there, and until it is gone: whoever watches sees the projects stop.

    Raises:
        UsageError: it cannot be served like this.
        StoreUnavailable: the database cannot be used.
    """
    public_origin = None if wanted.public_url is None else check_public_url(wanted.public_url)
    host = check_host(wanted.host, public_origin)
    certificate = _certificate(wanted, launch)
    async with Interrupts() as interrupts:
        with await asyncio.to_thread(listen, host, wanted.port) as listening:
            scheme = "https" if certificate else "http"
            address = address_of(listening, host, public_origin, scheme)
            house = House(
                options=Options(
                    hosts=address.hosts | local_names(scheme, address.port),
                    workspace=compose.new_projects_folder(launch),
                    checks=compose.readiness(launch),
                    mask=read_secrets(launch.environ).mask,
                    limits=limits_of(launch),
                )
            )
            async with serving(house, listening, certificate):
                await _serve_engine(
                    house, launch, interrupts, partial(_tell, address, launch, as_json=wanted.options.json)
                )
    return interrupts.exit_code


async def _serve_engine(house: House, launch: Launch, interrupts: Interrupts, tell: Callable[[], None]) -> None:
    """Open the engine, answer until it is to end, and close it."""
    hurrying: asyncio.Task[None] | None = None
    try:
        async with compose.open_service(launch, wakes=True) as service:
            await ensure_token_file(launch.paths.api_token, service.ledger)
            house.open(service.engine, service.ledger, service.engine.take_webhook)
            tell()
            await interrupts.wanted.wait()
            _note("Ending once every project has saved its state; another signal does not wait for agents.")
            hurrying = asyncio.create_task(_hurry(service.engine, interrupts), name="hurry")
            await house.commands.close()
    finally:
        if hurrying is not None:
            hurrying.cancel()
            await asyncio.gather(hurrying, return_exceptions=True)


async def _hurry(engine: EngineClient, interrupts: Interrupts) -> None:
    """Stop what runs here without waiting for agents, once somebody is in a hurry."""
    await interrupts.forced.wait()
    snapshot = await engine.snapshot(limit=MOST)
    here = [
        one.project.id
        for one in snapshot.projects
        if one.project.status in AT_WORK and not elsewhere(one.state.owner, one.project.status)
    ]
    # What cannot be stopped any more is left in two seconds anyway.
    await asyncio.gather(
        *(engine.submit(StopProject(project_id=project_id, force=True)) for project_id in here),
        return_exceptions=True,
    )


def limits_of(launch: Launch) -> Limits:
    """What a client may use up, from the settings.

    Raises:
        SettingsError.
    """
    api = launch.settings().api
    return Limits(
        body_bytes=1_000 * api.body_kilobytes,
        per_second=api.requests_per_second,
        burst=api.requests_at_once,
        failures_per_minute=api.refusals_per_minute,
        streams=api.streams,
    )


def _tell(address: Address, launch: Launch, *, as_json: bool) -> None:
    """Say where it is, and where the token for it."""
    file = launch.paths.api_token
    if as_json:
        said = json.dumps({"type": "listening", "url": address.origin, "token_file": str(file)}) + "\n"
    else:
        said = f"The server is at {address.origin}\nThe token of this machine is in {file}\n"
    with suppress(OSError):
        sys.stdout.write(said)
        sys.stdout.flush()
    if not (address.local or address.encrypted):
        _note(_UNENCRYPTED)


def _note(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"{cli.PROGRAM}: {text}\n")
        sys.stderr.flush()


def _certificate(wanted: cli.Serve, launch: Launch) -> Certificate | None:
    if wanted.tls_cert is None or wanted.tls_key is None:
        return None
    return Certificate(file=launch.cwd / Path(wanted.tls_cert), key=launch.cwd / Path(wanted.tls_key))
