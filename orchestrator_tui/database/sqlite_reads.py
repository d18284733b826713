"""Reads of a SQLite database: a whole question, all of its statements and their rows, in one change of threads."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Executable, create_engine, event
from sqlalchemy.pool import QueuePool

from orchestrator_tui.database.columns import dump_json
from orchestrator_tui.database.failures import translated
from orchestrator_tui.database.runner import Question, Runner
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.finishing import finish

THREADS = 3
"""A short question does not wait behind a long one, such as one for a whole log."""

T = TypeVar("T")


class _Immediate(Runner):
    """Runs statements in the thread that it is used in: what is awaited is there at once."""

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self.place = place

    async def run(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        with translated(self.place):
            return self._connection.execute(statement, parameters)


class SqliteReads:
    """Connections that only read, with threads for them. They see what is committed when a question is asked."""

    def __init__(self, path: str, place: str, check: Callable[[], None]) -> None:
        """`check` raises when the file is not the one that was opened; it is called before every question."""
        self._path = path
        self._place = place
        self._check = check
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sqlite-read")
        self._engine = create_engine(
            "sqlite+pysqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=THREADS,
            pool_reset_on_return=None,
            json_serializer=dump_json,
            hide_parameters=True,
        )
        event.listen(self._engine, "begin", _begin)
        self._watch: sqlite3.Connection | None = None
        self._watching = Lock()
        self._closed = False

    async def ask(self, question: Question[T]) -> T:
        """What `question` makes of one state of the database; it may await nothing but its runner.

        Raises:
            StoreUnavailable: the database cannot be used, or is closed.
        """
        if self._closed:
            raise StoreUnavailable(f"{self._place}: it is closed.", final=True)
        loop = asyncio.get_running_loop()
        return await finish(loop.run_in_executor(self._threads, self._answer, question))

    async def version(self, runner: Runner) -> object:
        with translated(self._place), self._watching:
            if self._watch is None:
                self._watch = self._connect()
                # Nobody waits here for a file that is locked as a whole.
                self._watch.execute("PRAGMA busy_timeout = 0")
            try:
                return _version(self._watch)
            except sqlite3.OperationalError:
                # Locked as a whole for a moment: the question itself waits, and its answer is good for this once.
                return object()

    def version_now(self) -> object | None:
        # A look into memory that is shared with whoever else has the file open: some millionths of a second.
        if self._watch is None or not self._watching.acquire(blocking=False):
            return None
        try:
            self._check()
            return _version(self._watch)
        except (sqlite3.Error, StoreUnavailable):
            return None
        finally:
            self._watching.release()

    async def close(self) -> None:
        """Let questions that are being answered end, and close every connection."""
        self._closed = True
        await finish(asyncio.to_thread(self._threads.shutdown))
        self._engine.dispose()
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _answer(self, question: Question[T]) -> T:
        self._check()
        with translated(self._place):
            connection = self._engine.connect()
        with connection:
            asked = cast(Any, question(_Immediate(connection, self._place)))
            try:
                asked.send(None)
            except StopIteration as answered:
                return cast(T, answered.value)
            finally:
                asked.close()
        raise RuntimeError("a question may only wait for the database")

    def _connect(self) -> sqlite3.Connection:
        # It would make a new file in the place of a lost one.
        self._check()
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def _version(watch: sqlite3.Connection) -> object:
    """Of a connection that never writes, so that every commit is another's."""
    ((number,),) = watch.execute("PRAGMA data_version").fetchall()
    return number


def _begin(connection: Connection) -> None:
    """Straight to the driver, past the cursors of SQLAlchemy."""
    cast(sqlite3.Connection, connection.connection.dbapi_connection).execute("BEGIN")
