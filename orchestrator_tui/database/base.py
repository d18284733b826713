"""The store's interface: records in, records out, and every change together with its events in one transaction."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.limits import Spending, SpentByProject
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    Dossier,
    InputRequest,
    Instruction,
    ItemCounts,
    Lease,
    OutboxEntry,
    PipelineState,
    Project,
    ProjectOverview,
    SeatAsked,
    SeatedLease,
    SeatLine,
    SessionLog,
    Snapshot,
    SyncState,
    TrackerLink,
    TranscriptKey,
    Usage,
    Wanted,
    WorkerRecord,
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
        created_by: str = "",
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

    async def move_project(self, project_id: str, old: str, new: str) -> None:
        """The project's folder is `new` from now on.

        Raises:
            StaleState: it was not `old` any more.
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

    async def change_settings(self, project_id: str, changed: Mapping[str, Any]) -> tuple[Project, Project]:
        """Merge nested settings into those kept with the project; returns it as it was and as it is.

        Raises:
            KeyError: no such project.
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

    async def take_lease(
        self,
        project_id: str,
        owner: str,
        *,
        lease_seconds: float | None = None,
        over: PipelineState | None = None,
        keeps_stop: bool = False,
    ) -> Lease:
        """Become the one process that runs the project, with an epoch one higher than the last, for `lease_seconds`
        after each heartbeat.

        Free when there is no owner or it is `owner` itself. `over` is the state in which another owner was found to
        be gone: its lease is taken if it was neither renewed nor taken since. With `keeps_stop` a stop that was asked
        of the owner before, and that it did not come to carry out, is still to be carried out.

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

    async def set_config(self, project_id: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Replace what is stored of a project's configuration by what `change` makes of it.

        Raises:
            KeyError: no such project.
        """
        ...

    async def queue_project(self, project_id: str) -> bool:
        """Have the project wait for a worker until its status becomes `running` or `stopping`; False when it does."""
        ...

    async def unqueue_project(self, project_id: str, *, since: datetime | None = None) -> bool:
        """Let it wait no longer, with `since` only if it has waited since then; False when nothing was changed."""
        ...

    async def miss_folder(self, project_id: str, worker_id: str) -> bool:
        """A worker does not find the folder of a project, as is told with it for as long as it waits; False when that
        is known already, or one of them is not known any more."""
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
        self,
        item_id: str,
        updates: Mapping[str, Any],
        *,
        expected: WorkItemStatus | None = None,
        before: WorkItem | None = None,
    ) -> WorkItem:
        """Change fields; `metadata` is merged; `done` sets `completed_at`, any other status clears it. `before` is the
        item as this transaction has read it, if it has.

        Raises:
            StaleState: `expected` is given and the status is another one.
            KeyError: no such item.
        """
        ...

    async def item(self, item_id: str) -> WorkItem:
        """An item, locked until the transaction ends. Raises KeyError when there is none."""
        ...

    async def add_comment(self, item_id: str, content: str, *, author: str) -> Comment: ...

    async def add_comments(self, comments: Sequence[Comment]) -> None:
        """Insert comments as they are, with their own ids and moments."""
        ...

    async def save_links(self, links: Sequence[TrackerLink]) -> None:
        """Insert links, or replace those that there are; several statements may be needed, all in this transaction."""
        ...

    async def enqueue(self, entries: Sequence[OutboxEntry]) -> None:
        """Put changes at the end of the outbox of their tracker, in the order given."""
        ...

    async def dequeue(self, seqs: Sequence[int]) -> None:
        """Take entries out of an outbox: the tracker has them, or will never get them."""
        ...

    async def mark_attempted(self, seqs: Sequence[int]) -> None:
        """Count one more attempt of each entry; committed before it is sent, so that nobody sends it blindly again."""
        ...

    async def set_aside(self, seqs: Sequence[int], error: str | None) -> None:
        """Say of entries why the tracker will not have them; None puts them back."""
        ...

    async def save_sync(self, project_id: str, state: SyncState) -> None:
        """Replace what is known of how the project's tracker stands."""
        ...

    async def set_tracker(self, project_id: str, kind: str, *, leaving: str | None = None) -> None:
        """Store in the project's `config` which tracker keeps its items, and which one is still to be left in order."""
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

    async def save_answer(self, session_id: str, answer: Mapping[str, Any] | None) -> None:
        """Store what a session at work has answered; None once that answer was not taken."""
        ...

    async def save_usage(self, session_id: str, usage: Usage) -> None:
        """Store what a session at work has used so far; nothing happens to one that has ended."""
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

    async def withdraw_request(self, request_id: str) -> None:
        """`open → withdrawn`; nothing happens to one that is not open."""
        ...

    async def open_requests(self, project_id: str) -> Sequence[InputRequest]:
        """What waits for a person, oldest first, as of this transaction."""
        ...

    async def asked_before(self, project_id: str, content_hash: str) -> InputRequest | None:
        """The newest question of an agent with that hash that was not withdrawn."""
        ...

    async def answers_for(
        self, project_id: str, phase: PhaseName, work_item_id: str | None, asked_by: str
    ) -> Sequence[InputRequest]:
        """Answers that the agent who asked has not taken in yet, oldest first."""
        ...

    async def take_answer(self, request_id: str) -> bool:
        """The agent has an answer; False when it had it already, or there is none."""
        ...

    async def set_permission(self, project_id: str, pattern: str, *, allowed: bool) -> bool:
        """Allow a command for good in a project, or not any more; False when that is so already.

        Raises:
            KeyError: no such project.
        """
        ...

    async def give_instruction(self, instruction: Instruction) -> None: ...

    async def claim_notes(self, project_id: str, work_item_id: str | None, agent_id: str) -> Sequence[Instruction]:
        """The notes that an agent is to be told, which no other is told meanwhile: those for its item, and those for
        the project."""
        ...

    async def take_instruction(self, instruction_id: str) -> bool:
        """`open → taken`; False when it is not open."""
        ...

    async def release_instructions(self, agent_id: str) -> Sequence[Instruction]:
        """What an agent that has ended did not take in becomes notes, its interrupts void. Words for one that was not
        finished with its item wait for the next agent of that item. Returns them as they were."""
        ...

    async def limit_account(self, name: str, resets_at: datetime) -> None:
        """A usage limit of an account is used up until then; see `engine/accounts.py` for names."""
        ...

    async def running_sessions(self, project_id: str) -> Sequence[SessionLog]:
        """The sessions at work, in order of number."""
        ...

    async def ask_seat(self, asked: SeatAsked) -> SeatLine:
        """Stand in line for a seat; it is held at once when there is one. No other transaction changes the line until
        this one ends, and whoever waits has a seat for whom there is one: see `domain/seating.py`."""
        ...

    async def leave_seats(self, ids: Collection[str]) -> SeatLine:
        """Hold these seats no more, or wait for them; nothing happens to those that do not count any more."""
        ...

    async def hurry_seats(self, project_id: str, priority: int) -> SeatLine:
        """Have those of a project's sessions that stand in line do so with another priority."""
        ...

    async def settle_seats(self) -> SeatLine:
        """Give out the seats of those whose leases were lost."""
        ...

    async def end_silent_lease(self, lease: SeatedLease) -> bool:
        """End a lease whose owner gives no sign: it writes nothing more, even if it was only frozen, and anybody may
        take the project over. False when it gave a sign since, or the lease is another one."""
        ...


class Roster(Protocol):
    """The workers of a cluster, and what there is for them to do. All methods raise StoreUnavailable."""

    async def join(self, worker: WorkerRecord) -> None:
        """Add a worker, or put it back as it is given."""
        ...

    async def beat(self, worker_id: str, load: float) -> bool | None:
        """Say that a worker is there; whether it is to drain, None when it is not known here."""
        ...

    async def leave(self, worker_id: str) -> None: ...

    async def forget(self, silent: timedelta) -> None:
        """Take out the workers that were silent for longer."""
        ...

    async def workers(self) -> Sequence[WorkerRecord]:
        """All of them, in order of name."""
        ...

    async def drain(self, worker_id: str) -> None:
        """Have a worker drain. Raises KeyError when there is none of that id."""
        ...

    async def wanted(self, *, after: int = 0, waiting: int = 1000) -> Sequence[Wanted]:
        """Every project that is said to be at work, and of those that wait for a worker the first `waiting` with a
        number above `after`, in order of number."""
        ...

    async def lapse(self, seen: Wanted) -> None:
        """The lease ran out without a heartbeat: anybody may take it. Nothing happens when it is another one by now."""
        ...


class Store(Protocol):
    """Everything that is kept. Reads take their own short transactions."""

    @property
    def roster(self) -> Roster:
        """The workers, in the same database."""
        ...

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

    async def account_limit(self, names: Sequence[str]) -> datetime | None:
        """When the last of these usage limits is over; None when none is known."""
        ...

    async def limited_accounts(self, until: datetime) -> Mapping[str, datetime]:
        """The usage limits that are not over before a moment, by name, and when each is."""
        ...

    async def seated_leases(self) -> Sequence[SeatedLease]:
        """The leases that seats are held or waited for under."""
        ...

    async def usage_by_phase(self, project_id: str) -> Mapping[PhaseName, Usage]:
        """What the ended sessions of each phase have used."""
        ...

    async def spent(
        self, project_id: str, *, since: datetime, item_id: str | None = None, of_owner: bool = False
    ) -> SpentByProject:
        """What the ended sessions of a project have used in all, `since` a moment (those that ended after it), and on
        one work item, and with `of_owner` what all projects of its owner have; summed by the database, in as many
        statements whatever their number."""
        ...

    async def standing(
        self, project_id: str, *, since: datetime, item_id: str | None = None, of_owner: bool = False
    ) -> tuple[Project, PipelineState, SpentByProject]:
        """A project, its state, and what it has `spent`, all as of one moment."""
        ...

    async def finished_items(self, project_id: str, *, limit: int) -> Sequence[Spending]:
        """What the newest finished work items took, the newest first; those that no session worked on left out."""
        ...

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

    async def list_comments(
        self, item_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Comment]:
        """The notes on an item, oldest first; those after the one with the id `after`."""
        ...

    async def item_counts(self, project_id: str) -> ItemCounts: ...

    async def outbox(self, project_id: str, tracker: str, *, after: int = 0, limit: int = 500) -> Sequence[OutboxEntry]:
        """The oldest changes that still have to reach a tracker, in order, from `seq` above `after`."""
        ...

    async def outbox_size(self, project_id: str, tracker: str) -> int:
        """How many changes still have to reach a tracker."""
        ...

    async def tracker_links(
        self,
        project_id: str,
        tracker: str,
        kind: str,
        *,
        local_ids: Sequence[str] | None = None,
        remote_ids: Sequence[str] | None = None,
    ) -> Mapping[str, TrackerLink]:
        """Links of one kind by local id: all, or those with one of the ids."""
        ...

    async def sync_state(self, project_id: str) -> SyncState | None:
        """How the project's tracker stood when that was last kept; None when it never was."""
        ...

    async def latest_artifact(
        self, project_id: str, phase: PhaseName, output_type: str | None = None
    ) -> Artifact | None: ...

    async def get_artifact(self, artifact_id: str) -> Artifact: ...

    async def list_artifacts(
        self, project_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Artifact]:
        """A project's documents, oldest first; those after the one with the id `after`."""
        ...

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

    async def open_requests(
        self, project_id: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[InputRequest]:
        """What waits for a person, oldest first; what came after the one with the id `after`."""
        ...

    async def get_request(self, request_id: str) -> InputRequest: ...

    async def open_instructions(self, project_id: str) -> Sequence[Instruction]:
        """What people said that nobody has taken in yet, oldest first. Never waits for a database in trouble."""
        ...

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

    def listening(self, told: Callable[[int | None], None]) -> AbstractAsyncContextManager[Callable[[], bool]]:
        """Call `told` with the newest `seq` whenever some process, perhaps this one, stored events, while open; with
        None when it may have missed some.

        Gives whether that can be relied on at present: not every database can tell.
        """
        ...
