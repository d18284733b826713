"""The store's interface: records in, records out, and every change together with its events in one transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    Dossier,
    InputRequest,
    ItemCounts,
    Lease,
    PipelineState,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    TranscriptKey,
    Usage,
    WorkItem,
)
from orchestrator_tui.domain.statuses import (
    Choice,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    WorkItemStatus,
)
from orchestrator_tui.domain.troubles import Attempt


class UnitOfWork(Protocol):
    """One write transaction. Nothing in it is visible, and no event is published, before it commits."""

    def record(self, project_id: str, *events: Event) -> None:
        """Add events; they are stored with the transaction and get their `seq` there, in the order given."""
        ...

    async def create_project(
        self,
        *,
        project_id: str,
        name: str,
        slug: str,
        description: str,
        directory: str,
        rehearsal: bool,
        config: Mapping[str, Any],
    ) -> Project:
        """A new project (`not_started`, next free `number`) with its pipeline state, all phases `pending`."""
        ...

    async def import_project(self, dossier: Dossier) -> Project:
        """A project with everything in `dossier`, under its own ids and with the next free `number`. Nobody runs it.

        Raises:
            StaleState: one of the ids or the slug is taken.
            KeyError: something is no id.
        """
        ...

    async def pipeline(self, project_id: str) -> PipelineState:
        """The state, locked until the transaction ends. Raises KeyError when there is none."""
        ...

    async def set_pipeline_status(
        self,
        project_id: str,
        expected: PipelineStatus,
        new: PipelineStatus,
        *,
        shutdown_reason: str | None = None,
        told_later: bool = False,
        resumes_at: datetime | None = None,
        waits: int | None = None,
    ) -> None:
        """Compare-and-set of the pipeline's status on the project's row; `completed` clears `current_phase`.
        Sets `shutdown_reason` as given, `last_checkpoint` to now, and `shutdown_requested` for `stopping`, which every
        other status but `running` takes back. With `told_later` this is the end of a process that is gone, told for
        it: what the present owner is asked meanwhile stays. `resumes_at` is when it goes on by itself; `waits` stays as
        it is when not given.

        Raises:
            StaleState: the status is not `expected`.
        """
        ...

    async def set_phase_status(
        self,
        project_id: str,
        phase: PhaseName,
        expected: PhaseStatus,
        new: PhaseStatus,
        *,
        round: int | None = None,
        error: str | None = None,
        feedback: str | None = None,
        at: datetime | None = None,
    ) -> float:
        """Compare-and-set of one phase; returns its running seconds so far. Entering `running` sets
        `started_at` (first time) and `running_since`; leaving it adds to `seconds`; `completed`, `skipped`,
        `failed` set `ended_at`. Sets `last_checkpoint` to now. Entering `running` from `pending` with round 0
        makes it round 1. `feedback` replaces the stored one; leaving `running` for anything but `pending` clears it.
        Entering `running` makes the phase the project's `current_phase`. `at` is the moment the change counts
        from (now when not given): a crashed run ended at its last heartbeat.

        Raises:
            StaleState: the status is not `expected`.
        """
        ...

    async def save_attempts(self, project_id: str, task: str, attempts: Sequence[Attempt]) -> None:
        """Keep what has failed at a task of the current phase, instead of what was kept; they are forgotten when the
        phase ends, or begins a new round."""
        ...

    async def save_pipeline(self, project_id: str, **fields: Any) -> None:
        """Set fields of the pipeline state as named in `PipelineState` (`agent_snapshots`,
        `interrupted_work_items`, `last_successful_step`); `last_checkpoint` becomes now."""
        ...

    async def take_lease(self, project_id: str, owner: str, *, over: PipelineState | None = None) -> Lease:
        """Become the one process that runs the project, with an epoch one higher than the last.

        Free when there is no owner or it is `owner` itself. `over` is the state in which another owner was found to
        be gone: its lease is taken if it was neither renewed nor taken since.

        Raises:
            AlreadyOwned: another owner has it.
        """
        ...

    async def release_lease(self, lease: Lease) -> None:
        """No longer run the project; nothing happens when the lease is not that one any more."""
        ...

    async def hold_lease(self, lease: Lease) -> None:
        """Keep the lease from changing hands until the transaction ends: the fencing token's check.

        Raises:
            LeaseLost: it has changed hands already.
        """
        ...

    async def request_stop(self, project_id: str, owner: str) -> bool:
        """Ask the owner, in whatever process it is, to stop the project; False when that is not the owner."""
        ...

    async def add_work_items(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        """Insert items; `number` 0 gets the next free number of the project. Returns them as stored."""
        ...

    async def claim_next_item(self, project_id: str, phase: PhaseName) -> WorkItem | None:
        """`todo → in_progress` of the next ready item, chosen in SQL: every dependency `done`; ordered by
        priority, then number of items that depend on it (most first), then number."""
        ...

    async def update_item(
        self, item_id: str, updates: Mapping[str, Any], *, expected: WorkItemStatus | None = None
    ) -> WorkItem:
        """Change fields; `metadata` is merged; `done` sets `completed_at`, any other status clears it.

        Raises:
            StaleState: `expected` is given and the status is another one.
            KeyError: no such item.
        """
        ...

    async def add_comment(self, item_id: str, content: str, *, author: str) -> Comment: ...

    async def add_comments(self, comments: Sequence[Comment]) -> None:
        """Insert comments as they are, with their own ids and moments."""
        ...

    async def add_artifact(self, artifact: Artifact) -> None:
        """Insert an artifact; its moment becomes later than that of every other of its phase, as it is the newest."""
        ...

    async def start_session(self, session: SessionLog) -> SessionLog:
        """Insert a running session; `session_number` 0 gets the project's next number. Returns it as stored."""
        ...

    async def end_session(self, session: SessionLog) -> None:
        """Store how a session ended: every field but its identity and start."""
        ...

    async def open_request(self, request: InputRequest) -> None: ...

    async def answer_request(
        self, request_id: str, *, content_hash: str, choice: Choice, text: str | None, by: str
    ) -> InputRequest:
        """`open → answered`; the first answer wins.

        Raises:
            RequestClosed: answered or withdrawn already, or the hash is another one.
            KeyError: no such request.
        """
        ...

    async def withdraw_requests(self, project_id: str) -> None:
        """Every open request of the project becomes `withdrawn`."""
        ...


class Store(Protocol):
    """Everything that is kept. Reads take their own short transactions."""

    def fenced(self, lease: Lease, giving_up: asyncio.Event) -> "Store":
        """The same store for the run that holds `lease`: every transaction begins with its check, so that a process
        that lost the project without knowing it writes nothing more about it (`LeaseLost`).

        Reads, and transactions that are to begin, wait for a database that cannot be used, until `giving_up` is set.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A write transaction; on leaving it commits, then hands the stored events to the publisher.

        Raises:
            StoreUnavailable: the database cannot be reached or written.
        """
        ...

    async def find_project(self, reference: str) -> Project:
        """A project by number, id, unique start of an id (4 or more characters), or slug.

        Raises:
            ProjectNotFound: names the references that exist.
        """
        ...

    async def list_projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]:
        """Projects with a number above `after`, in order of number."""
        ...

    async def pipeline_state(self, project_id: str) -> PipelineState: ...

    async def dossier(self, project_id: str, *, since: datetime | None = None) -> Dossier:
        """Everything of a project as of one moment. With `since` only those of its items, comments, artifacts,
        sessions and requests that may have changed since then. Tool calls are left out.

        Raises:
            KeyError: no such project.
        """
        ...

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        """Overviews as of one moment: all that run or wait for somebody, and the newest `limit`; with `before` only
        the newest `limit` of those with a lower number."""
        ...

    async def overview(self, project_id: str) -> ProjectOverview: ...

    async def usage_by_phase(self, project_id: str) -> Mapping[PhaseName, Usage]: ...

    async def beat(self, lease: Lease) -> bool:
        """Renew the heartbeat; False when another process took the project over."""
        ...

    async def stop_is_wanted(self, lease: Lease) -> bool:
        """Whether somebody, perhaps in another process, asked for the project to stop.

        Raises:
            LeaseLost: another process took the project over.
        """
        ...

    async def append_transcript(self, key: TranscriptKey, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add entries at the end of a conversation, in order, all or none; one whose `uuid` is there already is left
        out. Any number of processes may append at once.

        Raises:
            StoreUnavailable: the database cannot be reached or written.
        """
        ...

    async def load_transcript(self, key: TranscriptKey) -> Sequence[dict[str, Any]]:
        """All entries of a conversation in order; none when there is no such conversation."""
        ...

    async def list_transcripts(self, project_key: str) -> Mapping[str, datetime]:
        """The session ids of a folder's main conversations, each with the moment of its last entry."""
        ...

    async def list_subpaths(self, project_key: str, session_id: str) -> Sequence[str]:
        """The subpaths that a conversation has beside the main one, sorted."""
        ...

    async def delete_transcript(self, key: TranscriptKey) -> None:
        """Forget a conversation; the main one takes everything below it along."""
        ...

    async def get_item(self, item_id: str) -> WorkItem: ...

    async def list_items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]: ...

    async def list_comments(self, item_id: str) -> Sequence[Comment]: ...

    async def item_counts(self, project_id: str) -> ItemCounts: ...

    async def latest_artifact(
        self, project_id: str, phase: PhaseName, output_type: str | None = None
    ) -> Artifact | None: ...

    async def get_artifact(self, artifact_id: str) -> Artifact: ...

    async def list_artifacts(self, project_id: str) -> Sequence[Artifact]: ...

    async def list_sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        """Sessions with a number above `after`, in order of number."""
        ...

    async def last_session(
        self, project_id: str, phase: PhaseName, role: str, work_item_id: str | None
    ) -> SessionLog | None:
        """The newest session of that role at that work."""
        ...

    async def answered_session(
        self, project_id: str, phase: PhaseName, role: str, prompt_hash: str
    ) -> SessionLog | None:
        """The newest completed session that was given exactly that task."""
        ...

    async def waiting_projects(self) -> Sequence[str]:
        """The ids of the projects that are paused and go on by themselves, in order of number."""
        ...

    async def session_count(self, project_id: str) -> int: ...

    async def open_requests(self, project_id: str | None = None) -> Sequence[InputRequest]:
        """What waits for a person, oldest first."""
        ...

    async def get_request(self, request_id: str) -> InputRequest: ...

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        """Stored events with a `seq` above `after_seq`, in order."""
        ...

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        """A project's newest events with a `seq` below `before_seq`, the oldest first."""
        ...

    async def last_seq(self) -> int:
        """The newest `seq`, 0 when there is none."""
        ...
