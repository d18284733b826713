"""Who runs a project: a process, named so that others can see whether it is still there."""

import os
import re
import socket
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

_OWNER = re.compile(r"^process (?P<pid>\d+) on (?P<host>\S+) since (?P<start>\d+)(?: in (?P<place>\w+))?$")
_MACHINE = Path("/etc/machine-id")
_PROCESSES = Path("/proc/self/ns/pid")


def this_process() -> str:
    """This process, as text that people can read: its number, its host, and when it started."""
    host = socket.gethostname() or "localhost"
    return f"process {os.getpid()} on {host} since {_start_of(os.getpid())} in {_place()}"


def is_gone(owner: str) -> bool:
    """Whether an owner is certainly no longer there: a process of this host that has ended.

    A process of another host is never certainly gone; its stale heartbeat tells.
    """
    match = _OWNER.match(owner)
    if match is None or not _is_near(match):
        return False
    return _start_of(int(match["pid"])) != int(match["start"])


def is_here(owner: str) -> bool:
    """Whether an owner is a process of this host that is still there."""
    match = _OWNER.match(owner)
    return match is not None and _is_near(match) and not is_gone(owner)


def _is_near(match: "re.Match[str]") -> bool:
    """Whether the process is one whose number means something here."""
    return match["host"] == (socket.gethostname() or "localhost") and match["place"] in (None, _place())


@cache
def _place() -> str:
    """Names this machine and the processes that are seen from here: two containers, or two machines, may have one name,
    and a number that is free in one of them is that of a living process in the other."""
    parts = []
    with suppress(OSError):
        parts.append(_MACHINE.read_text(encoding="ascii", errors="replace").strip())
    with suppress(OSError):
        parts.append(str(_PROCESSES.readlink()))
    return sha256("\0".join(parts).encode()).hexdigest()[:8]


def number_of(owner: str) -> int:
    """The number of the process that an owner is.

    Raises:
        ValueError: it is none.
    """
    if (match := _OWNER.match(owner)) is None:
        raise ValueError(f"{owner!r} names no process")
    return int(match["pid"])


def _start_of(pid: int) -> int:
    """When a process started, in clock ticks since boot (field 22 of /proc/PID/stat); 0 for none.

    Where there is no /proc, 1 for a process that exists: its number then stands for itself.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0 if Path("/proc/self/stat").exists() else int(_exists(pid))
    fields = stat[stat.rindex(")") + 2 :].split()
    # A zombie has ended, whoever has not yet asked for its exit code.
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
