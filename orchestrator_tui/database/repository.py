"""The store on SQLite or PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

from sqlalchemy import update

from orchestrator_tui.database import dossiers, overviews, queries
from orchestrator_tui.database.base import Store
from orchestrator_tui.database.connection import Database, Runner, connected, open_database
from orchestrator_tui.database.event_log import EventWriter, last_seq, read_events, read_latest_events
from orchestrator_tui.database.migrate import migrate
from orchestrator_tui.database.models import pipeline_states
from orchestrator_tui.database.references import find_project
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    Dossier,
    InputRequest,
    ItemCounts,
    PipelineState,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    Usage,
    WorkItem,
)
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus

MOST_UNFINISHED = 1_000
"""Projects that run or wait, in a snapshot; a list of more is read page by page."""

Publish = Callable[[Sequence[Recorded]], None]


def publish_nothing(recorded: Sequence[Recorded]) -> None:
    """For a store nobody listens to."""


@asynccontextmanager
async def open_store(url: str, *, publish: Publish = publish_nothing) -> "AsyncIterator[SqlStore]":
    """The store at `url` (`sqlite:///file` or `postgresql://…`), brought to the present schema first.

    `publish` is called with the events of each commit, in the order of their `seq`; it must neither block nor raise.

    Raises:
        SettingsError: the URL cannot be understood.
        StoreUnavailable: the database cannot be used.
    """
    async with open_database(url) as database:
        await migrate(database)
        yield SqlStore(database, publish=publish)


class SqlStore(Store):
    """Records in SQLite or PostgreSQL. Any number of tasks and processes may use one database."""

    def __init__(self, database: Database, *, publish: Publish = publish_nothing) -> None:
        self._database = database
        self._publish = publish
        self._log = EventWriter(database.writes.dialect)
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[Any] | None] = set()

    @property
    def connections_in_use(self) -> int:
        """How many connections are checked out at this moment."""
        return self._database.writes.pool.checkedout()  # type: ignore[attr-defined,no-any-return]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlUnitOfWork]:
        with self._not_nested():
            async with self._writer_turn(), connected(self._database.writes, self._database.place) as runner:
                unit = SqlUnitOfWork(runner, self._log, one_writer=self._database.one_writer)
                yield unit
                # Cut short, it could be stored without ever being published.
                await finish(self._commit(runner, unit))

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

    def _reading(self) -> AbstractAsyncContextManager[Runner]:
        return connected(self._database.reads, self._database.place)

    async def beat(self, project_id: str, owner: str, epoch: int) -> bool:
        lease = pipeline_states.c
        renewal = (
            update(pipeline_states)
            .where(lease.project_id == project_id, lease.owner == owner, lease.epoch == epoch)
            .values(heartbeat=now())
        )
        with self._not_nested():
            async with self._writer_turn(), connected(self._database.writes, self._database.place) as runner:
                renewed = await runner.run(renewal)
                await runner.commit()
                return renewed.rowcount == 1

    async def find_project(self, reference: str) -> Project:
        async with self._reading() as runner:
            return await find_project(runner, reference)

    async def list_projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]:
        async with self._reading() as runner:
            return await queries.list_projects(runner, after, limit)

    async def pipeline_state(self, project_id: str) -> PipelineState:
        async with self._reading() as runner:
            return await queries.pipeline_state(runner, project_id)

    async def dossier(self, project_id: str, *, since: datetime | None = None) -> Dossier:
        async with self._reading() as runner:
            return await dossiers.read(runner, project_id, since)

    async def overview(self, project_id: str) -> ProjectOverview:
        async with self._reading() as runner:
            return await overviews.one(runner, project_id)

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        async with self._reading() as runner:
            seq = await last_seq(runner)
            found = list(await overviews.page(runner, before, limit))
            if before is None:
                known = {overview.project.id for overview in found}
                unfinished = await overviews.unfinished(runner, MOST_UNFINISHED)
                found += [overview for overview in unfinished if overview.project.id not in known]
            return Snapshot(seq=seq, projects=tuple(found), total=await overviews.count(runner))

    async def usage_by_phase(self, project_id: str) -> Mapping[PhaseName, Usage]:
        async with self._reading() as runner:
            return await queries.usage_by_phase(runner, project_id)

    async def get_item(self, item_id: str) -> WorkItem:
        async with self._reading() as runner:
            return await queries.get_item(runner, item_id)

    async def list_items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        async with self._reading() as runner:
            return await queries.list_items(runner, project_id, status, after, limit)

    async def list_comments(self, item_id: str) -> Sequence[Comment]:
        async with self._reading() as runner:
            return await queries.list_comments(runner, item_id)

    async def item_counts(self, project_id: str) -> ItemCounts:
        async with self._reading() as runner:
            return await queries.item_counts(runner, project_id)

    async def latest_artifact(
        self, project_id: str, phase: PhaseName, output_type: str | None = None
    ) -> Artifact | None:
        async with self._reading() as runner:
            return await queries.latest_artifact(runner, project_id, phase, output_type)

    async def get_artifact(self, artifact_id: str) -> Artifact:
        async with self._reading() as runner:
            return await queries.get_artifact(runner, artifact_id)

    async def list_artifacts(self, project_id: str) -> Sequence[Artifact]:
        async with self._reading() as runner:
            return await queries.list_artifacts(runner, project_id)

    async def list_sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        async with self._reading() as runner:
            return await queries.list_sessions(runner, project_id, after, limit)

    async def session_count(self, project_id: str) -> int:
        async with self._reading() as runner:
            return await queries.session_count(runner, project_id)

    async def open_requests(self, project_id: str | None = None) -> Sequence[InputRequest]:
        async with self._reading() as runner:
            return await queries.open_requests(runner, project_id)

    async def get_request(self, request_id: str) -> InputRequest:
        async with self._reading() as runner:
            return await queries.get_request(runner, request_id)

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        async with self._reading() as runner:
            return await read_events(runner, after_seq, project_id, limit)

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        async with self._reading() as runner:
            return await read_latest_events(runner, project_id, before_seq, limit)

    async def last_seq(self) -> int:
        async with self._reading() as runner:
            return await last_seq(runner)
