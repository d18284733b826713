"""The store on SQLite or PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from copy import copy
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, select, text, update

from orchestrator_tui.config.settings import DatabaseSettings
from orchestrator_tui.database import dossiers, overviews, queries, seat_writes, spending, tracker_writes, transcripts
from orchestrator_tui.database.base import Store
from orchestrator_tui.database.connection import DEFAULTS, Database, open_database
from orchestrator_tui.database.event_log import EventWriter, last_seq, read_events, read_latest_events
from orchestrator_tui.database.kept import Answer, Kept
from orchestrator_tui.database.ledger import SqlLedger
from orchestrator_tui.database.listening import listening
from orchestrator_tui.database.migrate import MIGRATION_SECONDS, is_current, migrate
from orchestrator_tui.database.models import pipeline_states
from orchestrator_tui.database.patience import patiently
from orchestrator_tui.database.places import SqlPlaces
from orchestrator_tui.database.references import find_project
from orchestrator_tui.database.roster import SqlRoster
from orchestrator_tui.database.runner import Question, Runner, connected
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import LeaseLost, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.finishing import finish
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
    SeatedLease,
    SessionLog,
    Snapshot,
    SyncState,
    TrackerLink,
    TranscriptKey,
    Usage,
    WorkItem,
)
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus

MOST_UNFINISHED = 1_000
"""Projects that run or wait, in a snapshot; a list of more is read page by page."""

T = TypeVar("T")
Publish = Callable[[Sequence[Recorded]], None]
Trouble = Callable[[StoreUnavailable], None]


def publish_nothing(recorded: Sequence[Recorded]) -> None:
    """For a store nobody listens to."""


def tell_nobody(error: StoreUnavailable) -> None:
    """For a store whose troubles nobody listens to."""


@asynccontextmanager
async def open_store(
    url: str,
    settings: DatabaseSettings = DEFAULTS,
    *,
    publish: Publish = publish_nothing,
    trouble: Trouble = tell_nobody,
) -> "AsyncIterator[SqlStore]":
    """The store at `url` (`sqlite:///file` or `postgresql://…`), brought to the present schema first.

    `publish` is called with the events of each commit, in the order of their `seq`, `trouble` when a run begins to
    wait for a database that cannot be used; both must neither block nor raise.

    Raises:
        SettingsError: the URL cannot be understood.
        StoreUnavailable: the database cannot be used.
    """
    async with open_database(url, settings) as database:
        if not await is_current(database):
            unhurried = settings.model_copy(update={"statement_timeout_seconds": MIGRATION_SECONDS})
            async with open_database(url, unhurried) as migrating:
                await migrate(migrating)
        yield SqlStore(database, publish=publish, trouble=trouble)


class SqlStore(Store):
    """Records in SQLite or PostgreSQL. Any number of tasks and processes may use one database."""

    def __init__(
        self, database: Database, *, publish: Publish = publish_nothing, trouble: Trouble = tell_nobody
    ) -> None:
        self._database = database
        self._publish = publish
        self._trouble = trouble
        self._log = EventWriter(database.writes.dialect)
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[Any] | None] = set()
        self._answers = Kept()
        self._lease: Lease | None = None
        self._giving_up = asyncio.Event()

    @property
    def connections_in_use(self) -> int:
        """How many connections are checked out at this moment."""
        return self._database.writes.pool.checkedout()  # type: ignore[attr-defined,no-any-return]

    @property
    def ledger(self) -> SqlLedger:
        """Tokens and the audit log, in the same database."""
        return SqlLedger(self._read, self._writing_alone)

    @property
    def places(self) -> SqlPlaces:
        """Where webhook receivers are in the stored events."""
        return SqlPlaces(self._read, self._writing_alone)

    @property
    def roster(self) -> SqlRoster:
        return SqlRoster(self._read, self._writing_alone)

    async def drive(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Let `work` use the driver's own connection in a transaction of its own, which is committed after it.

        Raises:
            StoreUnavailable, StaleState: see `failures.translated`.
        """
        async with self._writing_alone() as runner:
            # Begins the transaction.
            await runner.run(text("SELECT 1"))
            return await runner.drive(work)

    @property
    def connect(self) -> Callable[[], Awaitable[Any]] | None:
        """Makes a connection of the driver's own that can be listened on; None where the database cannot tell."""
        return self._database.connect

    def fenced(self, lease: Lease, giving_up: asyncio.Event) -> "SqlStore":
        # A shallow copy: the same connections, the same turns.
        fenced = copy(self)
        fenced._lease, fenced._giving_up = lease, giving_up
        return fenced

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlUnitOfWork]:
        with self._not_nested():
            async with AsyncExitStack() as stack:
                runner, unit = await self._insist(lambda: self._begun(stack))
                yield unit
                # Cut short, it could be stored without ever being published.
                await finish(self._commit(runner, unit))

    async def _begun(self, stack: AsyncExitStack) -> tuple[Runner, SqlUnitOfWork]:
        """A transaction that has begun, to be ended by `stack`; nothing stays open of one that could not begin."""
        async with AsyncExitStack() as attempt:
            await attempt.enter_async_context(self._writer_turn())
            runner = await attempt.enter_async_context(connected(self._database.writes, self._database.place))
            unit = SqlUnitOfWork(runner, self._log, one_writer=self._database.one_writer)
            if self._lease is not None:
                await unit.hold_lease(self._lease)
            stack.push_async_callback(attempt.pop_all().aclose)
            return runner, unit

    async def _insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """A run waits for a database in trouble, as long as it takes; a front end is told of it at once."""
        if self._lease is None:
            return await attempt()
        return await patiently(attempt, self._trouble, self._giving_up)

    @contextmanager
    def _not_nested(self) -> Iterator[None]:
        """Two transactions of one task would wait for each other's locks for ever."""
        task = asyncio.current_task()
        if task in self._writing:
            raise RuntimeError("this task has a transaction open already")
        self._writing.add(task)
        try:
            yield
        finally:
            self._writing.discard(task)

    def _writer_turn(self) -> AbstractAsyncContextManager[object]:
        """SQLite has one writer at a time: our tasks queue here, fairly, instead of polling the file's lock."""
        return self._turn if self._database.one_writer else nullcontext()

    def _commit_turn(self) -> AbstractAsyncContextManager[object]:
        """Keeps the order of publishing that of committing. Whoever waits here may hold row locks, so what is done
        in a turn must not wait for any row lock but that of the event counter."""
        return nullcontext() if self._database.one_writer else self._turn

    async def _commit(self, runner: Runner, unit: SqlUnitOfWork) -> None:
        if not unit.has_events:
            await runner.commit()
            return
        async with self._commit_turn():
            recorded = await unit.store_events()
            await runner.commit()
            self._publish(recorded)

    async def _read(self, question: Question[T]) -> T:
        return await self._insist(lambda: self._database.questions.ask(question))

    async def _kept(self, name: object, question: Question[T]) -> T:
        """As `_read`, but what was found last is good for as long as nobody commits anything. `name` tells questions
        apart."""

        questions, answers = self._database.questions, self._answers
        version_now = questions.version_now()
        if version_now is not None and (known := answers.known(name, version_now)):
            # Whoever asks again and again leaves the others their turn.
            await asyncio.sleep(0)
            return cast(T, known.value)

        async def ask(runner: Runner) -> T:
            version = await questions.version(runner)
            if known := answers.known(name, version):
                return cast(T, known.value)
            found = await question(runner)
            answers.keep(name, Answer(version, found))
            return found

        return await self._read(ask)

    @asynccontextmanager
    async def _writing_alone(self) -> AsyncIterator[Runner]:
        """A short write transaction that no events tell of; it commits on leaving."""
        with self._not_nested():
            async with self._writer_turn(), connected(self._database.writes, self._database.place) as runner:
                yield runner
                await runner.commit()

    async def beat(self, lease: Lease) -> bool:
        renewal = update(pipeline_states).where(*_held(lease)).values(heartbeat=now(), lapsed=False)
        async with self._writing_alone() as runner:
            return (await runner.run(renewal)).rowcount == 1

    async def append_transcript(self, key: TranscriptKey, entries: Sequence[Mapping[str, Any]]) -> None:
        async with self._writing_alone() as runner:
            if self._lease is not None:
                await SqlUnitOfWork(runner, self._log, one_writer=self._database.one_writer).hold_lease(self._lease)
            await transcripts.append(runner, key, entries, one_writer=self._database.one_writer)

    async def load_transcript(self, key: TranscriptKey) -> Sequence[dict[str, Any]]:
        return await self._read(lambda runner: transcripts.load(runner, key))

    async def list_transcripts(self, project_key: str) -> Mapping[str, datetime]:
        return await self._read(lambda runner: transcripts.sessions(runner, project_key))

    async def list_subpaths(self, project_key: str, session_id: str) -> Sequence[str]:
        return await self._read(lambda runner: transcripts.subpaths(runner, project_key, session_id))

    async def delete_transcript(self, key: TranscriptKey) -> None:
        async with self._writing_alone() as runner:
            await transcripts.remove(runner, key)

    async def stop_is_wanted(self, lease: Lease) -> bool:
        async def ask(runner: Runner) -> bool:
            asked = await runner.run(select(pipeline_states.c.shutdown_requested).where(*_held(lease)))
            row = asked.one_or_none()
            if row is None:
                raise LeaseLost
            return bool(row.shutdown_requested)

        return await self._database.questions.ask(ask)

    async def find_project(self, reference: str) -> Project:
        return await self._kept(("project", reference), lambda runner: find_project(runner, reference))

    async def list_projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]:
        return await self._kept(("list", after, limit), lambda runner: queries.list_projects(runner, after, limit))

    async def pipeline_state(self, project_id: str) -> PipelineState:
        return await self._read(lambda runner: queries.pipeline_state(runner, project_id))

    async def dossier(self, project_id: str, *, since: datetime | None = None) -> Dossier:
        return await self._read(lambda runner: dossiers.read(runner, project_id, since))

    async def overview(self, project_id: str) -> ProjectOverview:
        return await self._kept(("overview", project_id), lambda runner: overviews.one(runner, project_id))

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        return await self._read(lambda runner: self._snapshot(runner, before, limit))

    async def _snapshot(self, runner: Runner, before: int | None, limit: int) -> Snapshot:
        seq = await last_seq(runner)
        found = list(await overviews.page(runner, before, limit))
        if before is None:
            known = {overview.project.id for overview in found}
            unfinished = await overviews.unfinished(runner, MOST_UNFINISHED)
            found += [overview for overview in unfinished if overview.project.id not in known]
        return Snapshot(seq=seq, projects=tuple(found), total=await overviews.count(runner))

    async def account_limit(self, names: Sequence[str]) -> datetime | None:
        return await self._read(lambda runner: queries.account_limit(runner, names))

    async def limited_accounts(self, until: datetime) -> Mapping[str, datetime]:
        return await self._read(lambda runner: queries.limited_accounts(runner, until))

    async def seated_leases(self) -> Sequence[SeatedLease]:
        return await self._read(seat_writes.seated_leases)

    async def usage_by_phase(self, project_id: str) -> Mapping[PhaseName, Usage]:
        return await self._read(lambda runner: queries.usage_by_phase(runner, project_id))

    async def spent(
        self, project_id: str, *, since: datetime, item_id: str | None = None, of_owner: bool = False
    ) -> SpentByProject:
        return await self._read(lambda runner: spending.spent(runner, project_id, since, item_id, of_owner=of_owner))

    async def standing(
        self, project_id: str, *, since: datetime, item_id: str | None = None, of_owner: bool = False
    ) -> tuple[Project, PipelineState, SpentByProject]:
        async def ask(runner: Runner) -> tuple[Project, PipelineState, SpentByProject]:
            project, state = await find_project(runner, project_id), await queries.pipeline_state(runner, project_id)
            return project, state, await spending.spent(runner, project_id, since, item_id, of_owner=of_owner)

        return await self._read(ask)

    async def finished_items(self, project_id: str, *, limit: int) -> Sequence[Spending]:
        return await self._read(lambda runner: spending.finished_items(runner, project_id, limit))

    async def get_item(self, item_id: str) -> WorkItem:
        return await self._read(lambda runner: queries.get_item(runner, item_id))

    async def list_items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        return await self._read(lambda runner: queries.list_items(runner, project_id, status, after, limit))

    async def list_comments(
        self, item_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Comment]:
        return await self._read(lambda runner: queries.list_comments(runner, item_id, after, limit))

    async def item_counts(self, project_id: str) -> ItemCounts:
        return await self._read(lambda runner: queries.item_counts(runner, project_id))

    async def outbox(self, project_id: str, tracker: str, *, after: int = 0, limit: int = 500) -> Sequence[OutboxEntry]:
        return await self._read(lambda runner: tracker_writes.outbox(runner, project_id, tracker, after, limit))

    async def outbox_size(self, project_id: str, tracker: str) -> int:
        return await self._read(lambda runner: tracker_writes.outbox_size(runner, project_id, tracker))

    async def tracker_links(
        self,
        project_id: str,
        tracker: str,
        kind: str,
        *,
        local_ids: Sequence[str] | None = None,
        remote_ids: Sequence[str] | None = None,
    ) -> Mapping[str, TrackerLink]:
        return await self._read(
            lambda runner: tracker_writes.links(
                runner, project_id, tracker, kind, local_ids=local_ids, remote_ids=remote_ids
            )
        )

    async def sync_state(self, project_id: str) -> SyncState | None:
        return await self._read(lambda runner: queries.sync_state(runner, project_id))

    async def latest_artifact(
        self, project_id: str, phase: PhaseName, output_type: str | None = None
    ) -> Artifact | None:
        return await self._read(lambda runner: queries.latest_artifact(runner, project_id, phase, output_type))

    async def get_artifact(self, artifact_id: str) -> Artifact:
        return await self._read(lambda runner: queries.get_artifact(runner, artifact_id))

    async def list_artifacts(
        self, project_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Artifact]:
        return await self._read(lambda runner: queries.list_artifacts(runner, project_id, after, limit))

    async def list_sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        return await self._read(lambda runner: queries.list_sessions(runner, project_id, after, limit))

    async def last_session(
        self, project_id: str, phase: PhaseName, role: str, work_item_id: str | None
    ) -> SessionLog | None:
        return await self._read(lambda runner: queries.last_session(runner, project_id, phase, role, work_item_id))

    async def answered_session(
        self, project_id: str, phase: PhaseName, role: str, prompt_hash: str
    ) -> SessionLog | None:
        return await self._read(lambda runner: queries.answered_session(runner, project_id, phase, role, prompt_hash))

    async def waiting_projects(self) -> Sequence[str]:
        return await self._read(queries.waiting_projects)

    async def open_requests(
        self, project_id: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[InputRequest]:
        return await self._read(lambda runner: queries.open_requests(runner, project_id, limit, after))

    async def open_instructions(self, project_id: str) -> Sequence[Instruction]:
        return await self._database.questions.ask(lambda runner: queries.open_instructions(runner, project_id))

    async def get_request(self, request_id: str) -> InputRequest:
        return await self._read(lambda runner: queries.get_request(runner, request_id))

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return await self._read(lambda runner: read_events(runner, after_seq, project_id, limit))

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return await self._read(lambda runner: read_latest_events(runner, project_id, before_seq, limit))

    async def last_seq(self) -> int:
        return await self._read(lambda runner: last_seq(runner))

    def listening(self, told: Callable[[int | None], None]) -> AbstractAsyncContextManager[Callable[[], bool]]:
        return listening(self._database, told)


def _held(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    column = pipeline_states.c
    return column.project_id == lease.project_id, column.owner == lease.owner, column.epoch == lease.epoch
