"""Keeps what runs running in the background: starts this machine's server for that, hands projects over, ends it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from orchestrator_tui import cli
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.config.whereabouts import Whereabouts, database_mark, holder, read_whereabouts
from orchestrator_tui.domain import owner, words
from orchestrator_tui.domain.commands import ResumeProject
from orchestrator_tui.domain.errors import ServeFailed
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.engine import LocalEngine

START_SECONDS = 120.0
"""How long the server may take until it can be used."""

ANOTHER_SECONDS = 1.0
"""How long one that did not start may have been too late, as another was first that cannot be seen yet."""

END_SECONDS = 120.0
"""How long it may take to end; it waits for agents as every graceful stop does."""

TELL_SECONDS = 3.0
"""After so long it is said what is waited for."""

LOOK_SECONDS = 0.05
LAST_WORDS = 4_000

_children: list["subprocess.Popen[bytes]"] = []
"""Servers that this process started; they go on when it ends, so nobody waits for them."""


async def keep_running(launch: Launch, options: cli.Options, engine: EngineClient, hurry: asyncio.Event) -> None:
    """Have the background server go on with everything that `engine`, one of this process, runs. Returns once it does;
    when it cannot, the engine goes on. Once `hurry` is set no agent is waited for.

    Raises:
        OrchestratorError: the server does not start, or does not take them.
    """
    assert isinstance(engine, LocalEngine)
    found = await ensure_server(launch, options)
    attached = replace(launch, connect=found.url, is_attached=True)
    try:
        async with _staying(attached) as server:
            await engine.hand_over(
                lambda project_id: server.submit(ResumeProject(project_id=project_id, if_waiting=True)), hurry
            )
    except BaseException:
        await engine.take_back()
        raise


@asynccontextmanager
async def _staying(attached: Launch) -> AsyncIterator[EngineClient]:
    """The server that a start is attached to; it stays as long as somebody follows what happens there."""
    # Imported when it is needed, as every way to an engine is.
    from orchestrator_tui.api.connect import connect

    async with connect(attached) as server:
        seq = (await server.snapshot(limit=1)).seq
        async with server.subscribe(seq):
            yield server


async def ensure_server(launch: Launch, options: cli.Options) -> Whereabouts:
    """The background server, started when there is none.

    Raises:
        ServeFailed: it does not start, or one is there that is of no use to this start.
    """
    child, given_up_at = None, None
    loop = asyncio.get_running_loop()
    end = loop.time() + START_SECONDS
    database = database_mark(launch.paths, read_secrets(launch.environ).database_url)
    while loop.time() < end:
        if (found := await asyncio.to_thread(read_whereabouts, launch.paths)) is not None:
            if found.serves(database):
                return found
            raise ServeFailed(
                "There is a background server already, of another database or another version.",
                hint="orchestrator-tui --stop --all ends it.",
            )
        if await asyncio.to_thread(holder, launch.paths) is None:
            if child is None:
                child = await asyncio.to_thread(_start, launch, options)
            elif given_up_at is not None and loop.time() > given_up_at:
                raise ServeFailed(f"The background server did not start{await asyncio.to_thread(_why, launch)}")
            elif given_up_at is None and child.poll() is not None:
                given_up_at = loop.time() + ANOTHER_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
    if child is not None:
        child.kill()
    raise ServeFailed("The background server did not start in time.", hint=f"See {launch.paths.background_log}.")


def command(options: cli.Options) -> list[str]:
    """The command line of the server, with the options that this start was given."""
    # -P: the folder this was started in may hold what agents wrote, which must not be imported.
    program = [sys.executable, "-P", "-m", "orchestrator_tui"]
    return [*program, "--serve", "--background", *cli.option_arguments(options)]


def _start(launch: Launch, options: cli.Options) -> "subprocess.Popen[bytes]":
    """Start it in a session of its own, without a terminal.

    Raises:
        ServeFailed: it cannot be started.
    """
    log = launch.paths.background_log
    environ = {name: value for name, value in launch.environ.items() if not name.startswith("TEXTUAL_")}
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(log, flags, 0o600)
        try:
            child = subprocess.Popen(
                command(options),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=launch.cwd,
                env=environ,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ServeFailed(f"The background server cannot be started: {error.strerror or error}.") from error
    _children.append(child)
    return child


def _why(launch: Launch) -> str:
    """What it said last."""
    log = launch.paths.background_log
    with suppress(OSError):
        said = words.last_line(log.read_bytes()[-LAST_WORDS:].decode(errors="replace"), 400)
        said = said.removeprefix(f"{cli.PROGRAM}: ")
        return f": {said}" if said else f"; see {log}."
    return "."


async def end_server(launch: Launch, tell: Callable[[str], Awaitable[None]] | None = None) -> bool:
    """End the background server in order, and wait until it is gone; False when there is none. `tell` is told what is
    waited for when that takes a while.

    Raises:
        ServeFailed: it does not end.
    """
    process = holder(launch.paths)
    if process is None:
        return False
    _terminate(process)
    began_at = asyncio.get_running_loop().time()
    while owner.is_here(process):
        lasted = asyncio.get_running_loop().time() - began_at
        if tell is not None and lasted > TELL_SECONDS:
            await tell(f"Waiting for the background server, {words.owner(process)}, to end.")
            tell = None
        if lasted > END_SECONDS:
            raise ServeFailed(
                f"The background server, {words.owner(process)}, does not end.",
                hint=f"kill -KILL {owner.number_of(process)} ends it at once; what it ran can be resumed then.",
            )
        await asyncio.sleep(LOOK_SECONDS)
    return True


def _terminate(process: str) -> None:
    """Tell a process of this host to end in order, and no other one that was given its number since."""
    number = owner.number_of(process)
    with suppress(ProcessLookupError):
        if not hasattr(os, "pidfd_open"):
            os.kill(number, signal.SIGTERM)
            return
        handle = os.pidfd_open(number)
        try:
            if owner.is_here(process):
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        finally:
            os.close(handle)
