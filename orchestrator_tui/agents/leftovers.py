"""Finds and ends processes that an agent left behind, by a variable they inherited from its session."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def end_leftovers(variable: str, value: str) -> int:
    """Kill every process of this user whose environment has `variable=value`; returns how many (Linux only).

    Blocks for some milliseconds. This process and those started later by it are safe only if they lack the variable.
    """
    if not sys.platform.startswith("linux"):
        return 0
    wanted = f"{variable}={value}".encode()
    ended = 0
    for pid in _carriers(wanted):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            ended += 1
    return ended


def end_own_agents(variable: str) -> int:
    """Kill the agents that this process runs, with all that carries the value of `variable` they were given; how many.

    For an end that waits for nothing. Blocks for some milliseconds.
    """
    if not sys.platform.startswith("linux"):
        return 0
    prefix = f"{variable}=".encode()
    values = {
        entry.removeprefix(prefix).decode(errors="replace")
        for pid in _descendants(os.getpid())
        for entry in _environ(pid)
        if entry.startswith(prefix)
    }
    return sum(end_leftovers(variable, value) for value in values)


def _descendants(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def _environ(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _carriers(wanted: bytes) -> Iterator[int]:
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        if wanted in _environ(int(folder.name)):
            yield int(folder.name)
