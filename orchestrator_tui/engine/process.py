"""Runs a child process to its end without ever leaving it, or a child of it, behind."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator_tui.domain.finishing import finish

HEAD = 4_000
TAIL = 12_000
CHUNK = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """How a process ended. `output` is stdout and stderr together, its middle left out when long."""

    exit_code: int
    output: str
    seconds: float
    timed_out: bool = False


class _Bounded:
    """Keeps the beginning and the end of a stream."""

    def __init__(self, head: int, tail: int) -> None:
        self._head_size, self._tail_size = head, tail
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        room = self._head_size - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room < len(data) else b""
        if (over := len(self._tail) - self._tail_size) > 0:
            del self._tail[:over]
            self._dropped += over

    def text(self) -> str:
        middle = f"\n… {self._dropped} bytes left out …\n".encode() if self._dropped else b""
        return (bytes(self._head) + middle + bytes(self._tail)).decode("utf-8", "replace")


async def run(
    arguments: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    timeout: float,
    head: int = HEAD,
    tail: int = TAIL,
    into: BinaryIO | None = None,
) -> Finished:
    """Run a program in `directory` with exactly `environment` and no input; its whole group ends with it.

    With `into` its stdout goes there, and `output` is its stderr alone.

    Raises:
        OSError: the program could not be started.
    """
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=directory,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=into or asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if into else asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    output = _Bounded(head, tail)
    timed_out = False
    try:
        async with asyncio.timeout(timeout):
            await _drain(process, output)
            await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        await _end_group(process)
    code = process.returncode if process.returncode is not None else -1
    return Finished(
        exit_code=124 if timed_out else code,
        output=output.text(),
        seconds=round(time.monotonic() - started, 3),
        timed_out=timed_out,
    )


async def _drain(process: asyncio.subprocess.Process, output: _Bounded) -> None:
    stream = process.stdout or process.stderr
    assert stream is not None
    while chunk := await stream.read(CHUNK):
        output.add(chunk)


async def _end_group(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await finish(process.wait())
    # A grandchild may hold the pipe open: the transport is closed rather than read to its end.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


def runs_in(program: str, directory: Path) -> bool:
    """Whether a process of this name has its working directory in `directory` (Linux only; elsewhere none is seen).

    Blocks for some milliseconds.
    """
    place = directory.resolve()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "comm").read_text().strip() == program and (folder / "cwd").readlink().is_relative_to(place):
                return True
    return False
