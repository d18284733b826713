"""Runs the engine without a screen, behind a REST API, until a signal ends it in order."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

from orchestrator_tui import cli, compose, preflight, start
from orchestrator_tui.api.base import Limits, Options
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.api.routes.watching import look
from orchestrator_tui.api.server import Certificate, serving
from orchestrator_tui.api.token_file import ensure_token_file
from orchestrator_tui.config.address import (
    Address,
    address_of,
    check_host,
    check_public_url,
    listen,
    local_names,
    local_names_of,
)
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.config.whereabouts import (
    Whereabouts,
    database_mark,
    only_one,
    remove_whereabouts,
    write_whereabouts,
)
from orchestrator_tui.console.interrupts import Interrupts
from orchestrator_tui.domain import owner
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.ownership import elsewhere
from orchestrator_tui.domain.statuses import AT_WORK
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.sandboxes import Sandboxes, SandboxOutlook

_UNENCRYPTED = (
    "Other machines can reach it, and nothing is encrypted: use it only in a network that you trust, "
    "give --tls-cert and --tls-key, or put https in front with --public-url."
)
MOST = 1_000
FIRST_SECONDS = 60.0
"""How long the background server waits at least for who started it."""

IDLE_LOOK_SECONDS = 5.0
"""How often it is looked whether the background server is of any use."""


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
    port = launch.settings().background.port if wanted.port is None else wanted.port
    async with Interrupts() as interrupts:
        with (
            only_one(launch.paths) if wanted.background else nullcontext(),
            await asyncio.to_thread(listen, host, port) as listening,
        ):
            scheme = "https" if certificate else "http"
            address = address_of(listening, host, public_origin, scheme)
            # Nothing is made by looking, so there is nothing to close.
            outlook = SandboxOutlook(Sandboxes(launch, AsyncExitStack()))
            house = House(
                options=Options(
                    hosts=address.hosts | local_names(scheme, address.port) | local_names_of(address.origin),
                    workspace=preflight.new_projects_folder(launch),
                    checks={
                        "credentials": partial(preflight.lacking_credentials, launch),
                        "sandbox": outlook.lacking,
                        "workspace": partial(preflight.lacking_folder, launch),
                    },
                    notes={"sandbox": outlook.note},
                    mask=read_secrets(launch.environ).mask,
                    limits=limits_of(launch),
                )
            )
            found = partial(_found_in_background, launch, address) if wanted.background else _found_by_its_address
            tell = partial(_tell, address, launch, as_json=wanted.options.json)
            async with serving(house, listening, certificate):
                await _serve_engine(house, launch, interrupts, tell, found)
    return interrupts.exit_code


Found = Callable[[House, LocalEngine, Interrupts], AbstractAsyncContextManager[None]]
"""How others find a server, for as long as this is open."""


async def _serve_engine(
    house: House, launch: Launch, interrupts: Interrupts, tell: Callable[[], None], found: Found
) -> None:
    """Open the engine, answer until it is to end, and close it."""
    hurrying: asyncio.Task[None] | None = None
    try:
        await wait_for_database(house, launch, interrupts)
        if interrupts.wanted.is_set():
            return
        async with compose.open_service(launch, wakes=True, on_webhook=house.metrics.count_webhook) as service:
            await ensure_token_file(launch.paths.api_token, service.ledger)
            house.open(service.engine, service.ledger, service.engine.take_webhook)
            async with found(house, service.engine, interrupts):
                tell()
                await _tell_what_is_lacking(house)
                await interrupts.wanted.wait()
            _note("Ending once every project has saved its state; another signal does not wait for agents.")
            hurrying = asyncio.create_task(_hurry(service.engine, interrupts), name="hurry")
            await house.commands.close()
    finally:
        if hurrying is not None:
            hurrying.cancel()
            await asyncio.gather(hurrying, return_exceptions=True)


async def wait_for_database(house: House, launch: Launch, interrupts: Interrupts) -> None:
    """Meanwhile `/ready` says so, and whoever reads the output of the server sees it.

    Raises:
        SettingsError, StoreUnavailable: there is none to wait for.
    """

    def tell(said: str) -> None:
        house.awaited = {"database": "it cannot be reached, and is waited for"}
        _note(said)

    await compose.wait_for_database(launch, tell=tell, ended=interrupts.wanted)
    house.awaited = {}


async def _tell_what_is_lacking(house: House) -> None:
    found = await look(house)
    for name, said in (*found.checks.items(), *found.notes.items()):
        if said:
            _note(f"{name}: {said}")


@asynccontextmanager
async def _found_by_its_address(house: House, engine: LocalEngine, interrupts: Interrupts) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _found_in_background(
    launch: Launch, address: Address, house: House, engine: LocalEngine, interrupts: Interrupts
) -> AsyncIterator[None]:
    """By a file that dashboards read. The server wants to end once it is of no use."""
    database = database_mark(launch.paths, read_secrets(launch.environ).database_url)
    here = Whereabouts(url=address.origin, process=owner.this_process(), database=database)
    idle_seconds = launch.settings().background.idle_minutes * 60
    idle = asyncio.create_task(_end_when_idle(house, engine, interrupts, idle_seconds), name="idle")
    try:
        await asyncio.to_thread(write_whereabouts, launch.paths, here)
        yield
    finally:
        await asyncio.to_thread(remove_whereabouts, launch.paths)
        idle.cancel()
        await asyncio.gather(idle, return_exceptions=True)


async def _end_when_idle(house: House, engine: LocalEngine, interrupts: Interrupts, seconds: float) -> None:
    """Want an orderly end once nothing has run for so long, and nobody was attached."""
    loop = asyncio.get_running_loop()
    end = loop.time() + max(seconds, FIRST_SECONDS)
    while loop.time() < end:
        await asyncio.sleep(min(IDLE_LOOK_SECONDS, seconds / 4))
        if engine.is_at_work or house.streams or house.commands.are_at_work:
            end = loop.time() + seconds
    interrupts.ask(0)


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
