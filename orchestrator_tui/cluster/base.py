"""The queue that workers of a cluster take projects from, as an interface; who runs a project is decided by leases."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedJob:
    """A project that was taken from the queue by this process."""

    id: int
    project_id: str


class WorkQueue(Protocol):
    """At most one job of a project waits in it, and at most one is at work. All methods raise StoreUnavailable."""

    async def put(self, project_id: str, priority: int = 0) -> None:
        """Have some worker look at the project; nothing happens when one is to do so already, with this priority."""
        ...

    async def join(self) -> None:
        """Become a worker, whose jobs stay its own as long as it beats; also after it was forgotten."""
        ...

    async def beat(self) -> None:
        """Say that this worker is there."""
        ...

    async def leave(self) -> None: ...

    async def take(self) -> QueuedJob | None:
        """The job of the highest priority; None when there is none, or its project has one that is at work."""
        ...

    async def finish(self, job: QueuedJob) -> None:
        """A job is done; nothing happens when it is not this worker's any more."""
        ...

    async def revive(self, seconds: float) -> int:
        """Put back the jobs of workers that were silent for so long; how many."""
        ...

    def listening(self, told: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Call `told` when a job was put into the queue, as far as the database can tell, while open."""
        ...
