"""The only thing a front end sees of the engine, whether it runs in this process or elsewhere."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from orchestrator_tui.domain.commands import Command
from orchestrator_tui.domain.events import Live, Recorded
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.ownership import as_it_is, is_dead
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    SyncState,
    WorkerRecord,
    WorkItem,
)
from orchestrator_tui.domain.statuses import WorkItemStatus


class EngineClient(Protocol):
    """Commands in, events and records out. Lists come in pages of at most 1,000."""

    async def submit(self, command: Command) -> str:
        """Carry out a command; returns the id of the project, or of the worker, it concerned.

        Raises:
            OrchestratorError: it is not possible now; the error says why and what to do.
        """
        ...

    def subscribe(
        self, after_seq: int, *, project_id: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Live]]:
        """What was stored after `after_seq`, then what happens, without a gap or a double."""
        ...

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        """Overviews of many projects as of one moment: all that run or wait for somebody, and the newest `limit`; or
        with `before` only the newest `limit` of those with a lower number, for a list that loads as it is scrolled."""
        ...

    async def workers(self) -> Sequence[WorkerRecord]:
        """The processes that run projects of a cluster, in order of name; none where there is no cluster."""
        ...

    async def find_project(self, reference: str) -> Project: ...

    async def projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]: ...

    async def overview(self, project_id: str) -> ProjectOverview: ...

    async def bounds(self, project_id: str) -> Bounds:
        """What a project has used of its limits, and what the work left to do will take."""
        ...

    async def items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]: ...

    async def comments(self, item_id: str, *, after: str | None = None, limit: int | None = None) -> Sequence[Comment]:
        """The notes on a work item, oldest first, from behind the one with the id `after`; all without a `limit`."""
        ...

    async def tracker(self, project_id: str) -> SyncState:
        """Which tracker keeps the project's items, and how it stands."""
        ...

    async def tracker_plan(self, project_id: str, kind: str) -> Sequence[str]:
        """What moving the project's items to tracker `kind` would do, a line each; nothing is done.

        Raises:
            TrackerUnusable: it cannot be done.
        """
        ...

    async def item_diff(self, item_id: str) -> str:
        """What a work item changed, as a patch: its commit, or the changes now in the folder while it is worked on.
        Empty when there is nothing yet.

        Raises:
            OrchestratorError: the project's folder or the commit is gone.
        """
        ...

    async def commits(self, project_id: str, *, limit: int = 500) -> Sequence[CommitEntry]:
        """The newest commits of the project's repository, the newest first; none before there is one.

        Raises:
            OrchestratorError: the project's folder or its repository is gone.
        """
        ...

    async def commit_diff(self, project_id: str, commit: str | None) -> str:
        """What a commit changed, or with None what is changed in the folder now, as a patch.

        Raises:
            OrchestratorError: the project's folder or the commit is gone.
        """
        ...

    async def artifact_text(self, artifact_id: str) -> str:
        """The Markdown face of an artifact of any round.

        Raises:
            KeyError: there is no such artifact.
        """
        ...

    async def artifacts(
        self, project_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Artifact]:
        """A project's documents, oldest first, from behind the one with the id `after`; all without a `limit`."""
        ...

    async def sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]: ...

    async def requests(
        self, project_id: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[InputRequest]:
        """What waits for a person, oldest first, from behind the one with the id `after`; all without a `limit`."""
        ...

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]: ...

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        """A project's newest events with a `seq` below `before_seq` (all of them without it), the oldest first."""
        ...


async def as_they_are(client: EngineClient, overviews: Sequence[ProjectOverview]) -> Sequence[ProjectOverview]:
    """Projects as people are told of them: see `as_it_is`. Workers are asked for when a process is gone.

    Raises:
        StoreUnavailable.
    """
    if not any(is_dead(one.state.owner, one.project.status) for one in overviews):
        return overviews
    workers = await client.workers()
    return [as_it_is(one, workers) for one in overviews]


async def overview_as_it_is(client: EngineClient, project_id: str) -> ProjectOverview:
    """As `as_they_are`, of one project."""
    [found] = await as_they_are(client, [await client.overview(project_id)])
    return found
