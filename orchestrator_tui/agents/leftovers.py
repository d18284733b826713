"""Finds and ends processes that an agent left behind, by a variable they inherited from its session."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = 0.005


def end_leftovers(variable: str, value: str) -> int:
    """Kill every process of this user whose environment has `variable=value`; returns how many (Linux only).

    Looks again until none is left, for one may have started another meanwhile, and for two seconds at most: what is
    killed dies when the kernel comes to it. Blocks for some milliseconds. This process and those started later by it
    are safe only if they lack the variable.
    """
    if not sys.platform.startswith("linux"):
        return 0
    wanted = f"{variable}={value}".encode()
    ended = set[int]()
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while left := [pid for pid in _carriers(wanted) if _killed(pid)]:
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


def _carriers(wanted: bytes) -> Iterator[int]:
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        if wanted in _environ(int(folder.name)):
            yield int(folder.name)
