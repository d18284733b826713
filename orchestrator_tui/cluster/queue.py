"""The work queue over procrastinate. Its own worker is not used: that one stops for good when its database is away, and
its heartbeat ends before its jobs do, which then would look stalled while they are handed over."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped]
from procrastinate import App, exceptions
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from orchestrator_tui.cluster.base import QueuedJob, WorkQueue
from orchestrator_tui.cluster.connector import Connector, Driver
from orchestrator_tui.domain.errors import StaleState, StoreUnavailable

QUEUE = "projects"
TASK = "run_project"
PROJECT = "project_id"
FORGOTTEN_SECONDS = 3600.0
"""How long a worker must have been silent before nothing is known of it any more."""

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
"""How long after losing the connection that is listened on a new one is tried at first, and at most."""

_SCHEMA_LOCK = 0x6F72636A
"""Of the advisory lock under which the tables are made."""
_CHANGE_PRIORITY = """UPDATE procrastinate_jobs SET priority = %(priority)s
WHERE queueing_lock = %(project_id)s AND status = 'todo' AND priority <> %(priority)s"""
"""Of a job that waits; procrastinate itself can do that only by another one in its place."""
_CHANNEL = f"procrastinate_queue_v1#{QUEUE}"

logger = logging.getLogger(__name__)


class Listenable(Driver, Protocol):
    """A database that can tell what is new."""

    @property
    def connect(self) -> Callable[[], Awaitable[Any]] | None: ...


async def open_queue(database: Listenable) -> "ProcrastinateQueue":
    """The queue in a PostgreSQL database; its tables are made when there are none.

    Raises:
        StoreUnavailable: the database cannot be used.
    """
    app = App(connector=Connector(database))
    schema = app.schema_manager.get_schema()

    async def make_tables(connection: Any) -> None:
        await connection.execute(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
        if await connection.fetchval("SELECT to_regclass('procrastinate_jobs')") is None:
            await connection.execute(schema)

    await database.drive(make_tables)
    return ProcrastinateQueue(app, database)


class ProcrastinateQueue(WorkQueue):
    """One job for each project, locked by its id."""

    def __init__(self, app: App, database: Listenable) -> None:
        self._app = app
        self._database = database
        self._worker_id: int | None = None

    async def put(self, project_id: str, priority: int = 0) -> None:
        if await self._added(project_id, priority):
            return
        # In one statement, so that the project is never out of the queue, and keeps its place among equals.
        await self._app.connector.execute_query_async(_CHANGE_PRIORITY, project_id=project_id, priority=priority)

    async def _added(self, project_id: str, priority: int) -> bool:
        """Whether a job was put into the queue; False when one of the project waits there."""
        task = self._app.configure_task(TASK, queue=QUEUE, lock=project_id, queueing_lock=project_id, priority=priority)
        try:
            await task.defer_async(**{PROJECT: project_id})
        except exceptions.AlreadyEnqueued:
            return False
        return True

    async def join(self) -> None:
        await self._jobs.prune_stalled_workers(FORGOTTEN_SECONDS)
        self._worker_id = await self._jobs.register_worker()

    async def beat(self) -> None:
        if self._worker_id is not None:
            await self._jobs.update_heartbeat(self._worker_id)

    async def leave(self) -> None:
        if self._worker_id is not None:
            await self._jobs.unregister_worker(self._worker_id)
            self._worker_id = None

    async def take(self) -> QueuedJob | None:
        if self._worker_id is None:
            return None
        try:
            job = await self._jobs.fetch_job(queues=[QUEUE], worker_id=self._worker_id)
        except exceptions.UniqueViolation:
            # Another job of the same project was taken in this moment.
            return None
        except StaleState:
            # It was silent for so long that it was forgotten.
            await self.join()
            return None
        return None if job is None or job.id is None else QueuedJob(id=job.id, project_id=str(job.task_kwargs[PROJECT]))

    async def finish(self, job: QueuedJob) -> None:
        for found in await self._jobs.list_jobs_async(id=job.id, status=Status.DOING.value, worker_id=self._worker_id):
            with suppress(exceptions.ConnectorException):
                await self._jobs.finish_job(found, Status.SUCCEEDED, delete_job=True)

    async def revive(self, seconds: float) -> int:
        stalled = list(await self._jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=seconds))
        for job in stalled:
            await self._put_back(job)
        return len(stalled)

    async def _put_back(self, job: Job) -> None:
        """Nothing happens when another worker did that, or when the project has another job that waits."""
        try:
            await self._jobs.retry_job(job)
        except exceptions.UniqueViolation:
            with suppress(exceptions.ConnectorException):
                await self._jobs.finish_job(job, Status.FAILED, delete_job=True)
        except exceptions.ConnectorException:
            logger.debug("job %s was put back already", job.id)

    @asynccontextmanager
    async def listening(self, told: Callable[[], None]) -> AsyncIterator[None]:
        task = asyncio.create_task(self._listen(told), name="queue-listener")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, told: Callable[[], None]) -> None:
        """Listen until cancelled; whoever is told looks from time to time all the same."""
        wait = FIRST_SECONDS
        while (connect := self._database.connect) is not None:
            try:
                connection = await connect()
                wait = FIRST_SECONDS
                await _listen_on(connection, told)
            except (StoreUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.debug("the queue cannot be listened to: %s", error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_SECONDS)

    @property
    def _jobs(self) -> JobManager:
        return self._app.job_manager


async def _listen_on(connection: Any, told: Callable[[], None]) -> None:
    """Listen on a connection until it is gone."""
    gone = asyncio.Event()
    connection.add_termination_listener(lambda _: gone.set())
    try:
        await connection.add_listener(_CHANNEL, lambda *_: told())
        told()
        await gone.wait()
    finally:
        with suppress(Exception):
            connection.terminate()
