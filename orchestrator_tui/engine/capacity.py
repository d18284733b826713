"""How many agents this machine, or the container it is, carries side by side."""

import os
from dataclasses import dataclass
from pathlib import Path

AGENTS_PER_CORE = 4
"""A session mostly waits for its model; starting it and running checks is what takes the processor."""
BYTES_PER_AGENT = 400 * 1024 * 1024
"""About 200 MB of the CLI itself, and what it runs."""
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """`cores` this process may use, and `memory` in bytes that is free for it; None when that is not known."""

    cores: int
    memory: int | None

    @classmethod
    def here(cls) -> "Capacity":
        """Of this machine, now. Blocks for less than a millisecond."""
        there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        cores = min(there, cores_of(_CGROUP) or there)
        known = [free for free in (available(_MEMINFO), left_in(_CGROUP)) if free is not None]
        return cls(cores=cores, memory=min(known, default=None))

    @property
    def agents(self) -> int:
        """How many agents at most, 1 at least."""
        by_cores = self.cores * AGENTS_PER_CORE
        return max(1, by_cores if self.memory is None else min(by_cores, self.memory // BYTES_PER_AGENT))


def available(meminfo: Path) -> int | None:
    """What the kernel thinks could be used without swapping, in bytes (Linux only)."""
    try:
        lines = meminfo.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def cores_of(cgroup: Path) -> int | None:
    """How many cores' time a container may use, a part of one counted as one; None without a limit."""
    try:
        quota, period = (int(word) for word in (cgroup / "cpu.max").read_text().split())
        return max(1, -(-quota // period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def left_in(cgroup: Path) -> int | None:
    """What a container may still use, in bytes, what it only keeps of files included; None without a limit."""
    try:
        most, used = (int((cgroup / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return max(0, most - used + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None
