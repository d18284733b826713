"""Projects that are to run somewhere in a cluster: how they come to wait for a worker."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_tui.cluster.base import WorkQueue
from orchestrator_tui.database.base import Roster, Store
from orchestrator_tui.domain.errors import WorkerNotFound
from orchestrator_tui.domain.events import QueueChanged
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import AT_WORK


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where projects go that are to run. That one waits is kept with it, so that workers find it whatever becomes of
    the queue; the queue says whose turn it is.

    Attributes:
        priority_of: how urgent a project is.
    """

    queue: WorkQueue
    priority_of: Callable[[Project], int]

    async def enqueue(self, store: Store, project_id: str) -> None:
        """Have the project wait for a worker, unless it is at work: workers see to those by themselves.

        Raises:
            StoreUnavailable.
        """
        project = await store.find_project(project_id)
        async with store.transaction() as unit:
            if (await unit.pipeline(project_id)).status in AT_WORK:
                return
            if await unit.queue_project(project_id):
                unit.record(project_id, QueueChanged(queued=True))
        await self.queue.put(project_id, self.priority_of(project))

    async def queue_anew(self, store: Store, project_id: str) -> None:
        """Have a project that waits for a worker do so with its priority as it is by now. One at work gets into the
        queue with that, should it come to it.

        Raises:
            StoreUnavailable.
        """
        if (await store.pipeline_state(project_id)).queued_at is not None:
            await self.queue.put(project_id, self.priority_of(await store.find_project(project_id)))

    async def withdraw(self, store: Store, project_id: str) -> bool:
        """Let the project wait no longer; False when it did not.

        Raises:
            StoreUnavailable.
        """
        async with store.transaction() as unit:
            withdrawn = await unit.unqueue_project(project_id)
            if withdrawn:
                unit.record(project_id, QueueChanged(queued=False))
        return withdrawn


async def drain(roster: Roster, reference: str) -> str:
    """Have a worker drain, known by its name or id; returns its id.

    Raises:
        WorkerNotFound: there is none, or several have that name.
    """
    known = await roster.workers()
    found = [one for one in known if reference in (one.id, one.name)]
    if len(found) != 1:
        what = "There is no worker" if not found else "Several workers are called"
        names = ", ".join(f"{one.name} ({one.id})" for one in found or known) or "none is there"
        raise WorkerNotFound(f"{what} {reference!r}.", hint=f"Known: {names}.")
    try:
        await roster.drain(found[0].id)
    except KeyError as error:
        raise WorkerNotFound(f"The worker {found[0].name} has just left.") from error
    return found[0].id
