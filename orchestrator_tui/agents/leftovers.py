"""Finds and ends processes that an agent left behind, by a variable they inherited from its session or its CLI."""

import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

_PROC = Path("/proc")
_PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = 0.005


def end_leftovers(variable: str, value: str) -> int:
    """Kill every process of this user whose environment has `variable=value`, and whatever stands below one; returns
    how many (Linux only).

    Looks again until none is left, for one may have started another meanwhile, and for two seconds at most: what is
    killed dies when the kernel comes to it. Blocks for some milliseconds. This process and those started later by it
    are safe only if they lack the variable.
    """
    wanted = f"{variable}={value}".encode()
    return _end(lambda: set[int]().union(*_carriers_and_strays(wanted)))


def end_strays(variable: str, value: str) -> int:
    """Kill what processes with `variable=value` in their environment have started without it, as `end_leftovers` does;
    they can only be found while one of those is there."""
    wanted = f"{variable}={value}".encode()
    return _end(lambda: _carriers_and_strays(wanted)[1])


def _end(find: Callable[[], Collection[int]]) -> int:
    if not sys.platform.startswith("linux"):
        return 0
    ended = set[int]()
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while left := [pid for pid in find() if _killed(pid)]:
        ended.update(left)
        if time.monotonic() > give_up:
            break
        time.sleep(_PAUSE_SECONDS)
    return len(ended)


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _environ(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int | None:
    """The parent of a process that is alive."""
    try:
        state, parent = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return int(parent) if state != b"Z" else None


def _carriers_and_strays(wanted: bytes) -> tuple[set[int], set[int]]:
    """The processes with `wanted` in their environment, and those below them without it; never this process."""
    parents: dict[int, int] = {}
    carriers = set[int]()
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or (pid := int(folder.name)) == os.getpid():
            continue
        if (parent := _parent(pid)) is not None:
            parents[pid] = parent
            if wanted in _environ(pid):
                carriers.add(pid)
    found = set(carriers)
    while below := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= below
    return carriers, found - carriers
