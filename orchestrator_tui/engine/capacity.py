"""How many agents this machine carries side by side."""

import os
from dataclasses import dataclass
from pathlib import Path

AGENTS_PER_CORE = 4
"""A session mostly waits for its model; starting it and running checks is what takes the processor."""
BYTES_PER_AGENT = 400 * 1024 * 1024
"""About 200 MB of the CLI itself, and what it runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """`cores` this process may use, and `memory` in bytes that is free for it; None when that is not known."""

    cores: int
    memory: int | None

    @classmethod
    def here(cls) -> "Capacity":
        """Of this machine, now. Blocks for less than a millisecond."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(cores=cores, memory=_available(Path("/proc/meminfo")))

    @property
    def agents(self) -> int:
        """How many agents at most, 1 at least."""
        by_memory = self.memory // BYTES_PER_AGENT if self.memory is not None else self.cores * AGENTS_PER_CORE
        return max(1, min(self.cores * AGENTS_PER_CORE, by_memory))


def _available(meminfo: Path) -> int | None:
    """What the kernel thinks could be used without swapping, in bytes (Linux only)."""
    try:
        lines = meminfo.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
