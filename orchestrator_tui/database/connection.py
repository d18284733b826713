"""From a database URL to an engine: SQLite and PostgreSQL, each set up for safe concurrent writes."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import AdaptedConnection, Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_tui.config.settings import DatabaseSettings
from orchestrator_tui.database.columns import dump_json
from orchestrator_tui.database.postgres import Connect, host_of, postgres_engine
from orchestrator_tui.database.postgres_url import CONNECT_SECONDS
from orchestrator_tui.database.runner import PooledReads, Reads
from orchestrator_tui.database.sqlite_reads import SqliteReads
from orchestrator_tui.domain.errors import SettingsError, StoreUnavailable

DEFAULTS = DatabaseSettings()
URL_HINT = "Use postgresql://user:password@host/name or sqlite:////absolute/path.db."
PRAGMAS = (
    # First, because switching to WAL may have to wait for another process.
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """An open database; `place` names it to people.

    `reads` and `writes` are one engine with different transactions, `questions` is the quick way to read, once the
    schema is there. `connect` makes a connection of the driver's own beside the pool, where the database can tell what
    is new.
    """

    reads: AsyncEngine
    writes: AsyncEngine
    questions: Reads
    place: str
    one_writer: bool
    connect: Connect | None = None


class _DatabaseFile:
    """The file of an open SQLite database. Whoever deletes or replaces it leaves us with one that has no name any
    more, in which SQLite goes on as if nothing had happened; what is written there is lost with the process."""

    def __init__(self, path: str, place: str) -> None:
        self._path = path
        self._place = place
        self._known: tuple[int, int] | None = None

    def opened(self) -> None:
        """The first connection is made: from now on it must be this file."""
        if self._known is None:
            self._known = self._identity()

    def check(self) -> None:
        """Raises StoreUnavailable unless it is still where it was opened."""
        if self._known is None or (found := self._identity()) == self._known:
            return
        what = "its file was deleted or moved away" if found is None else "another file was put in its place"
        raise StoreUnavailable(
            f"{self._place}: {what} while it was in use.",
            hint="Move the file back. If it is lost, end the program, and build each project again from its folder: "
            "orchestrator-tui import FOLDER.",
        )

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - at every transaction
        except OSError:
            return None
        return found.st_dev, found.st_ino


def sqlite_url(path: Path) -> str:
    """The URL of a database file; its folder is made.

    Raises:
        StoreUnavailable: the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"The folder {path.parent} cannot be made: {error.strerror}.", hint="Choose another folder for the data."
        ) from error
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


@asynccontextmanager
async def open_database(url: str, settings: DatabaseSettings = DEFAULTS) -> AsyncIterator[Database]:
    """Engines for `url`; connections are made when they are needed, and closed on leaving.

    Raises:
        SettingsError: the URL cannot be understood.
    """
    parsed = _parse(url)
    _keep_private(parsed)
    closed = asyncio.Event()
    is_file = parsed.get_backend_name() == "sqlite"
    database = _sqlite(parsed, closed) if is_file else _postgres(parsed, settings, closed)
    try:
        yield database
    finally:
        closed.set()
        await database.questions.close()
        await _returned(database.writes)
        await database.writes.dispose()


def _unless(closed: asyncio.Event, place: str, connect: Connect) -> Connect:
    """A disposed pool would begin anew for whoever still asks; nobody would close that connection."""

    async def guarded() -> Any:
        if closed.is_set():
            raise StoreUnavailable(f"{place}: it is closed.", final=True)
        return await connect()

    return guarded


async def _returned(engine: AsyncEngine) -> None:
    """Wait until every connection is back: a pool does not close one that somebody has who is just being cancelled."""
    back = asyncio.Event()
    event.listen(engine.sync_engine, "checkin", lambda *_: back.set())
    with suppress(TimeoutError):
        async with asyncio.timeout(CONNECT_SECONDS):
            while engine.pool.checkedout():  # type: ignore[attr-defined]
                back.clear()
                await back.wait()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause, which may quote the URL and its password.
        raise SettingsError("The database URL cannot be understood.", hint=URL_HINT) from None
    if "@" in (parsed.host or ""):
        raise SettingsError(
            "The password in the database URL holds characters that must be percent-encoded.",
            hint="Write @ as %40, / as %2F, : as %3A.",
        )
    match parsed.drivername:
        case "sqlite" | "sqlite+aiosqlite" if parsed.database not in (None, "", ":memory:"):
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgres" | "postgresql" | "postgresql+asyncpg":
            return parsed.set(drivername="postgresql+asyncpg")
    raise SettingsError(f"The database URL starts with {parsed.drivername}, which is not supported.", hint=URL_HINT)


def _keep_private(url: URL) -> None:
    """A new database file is its owner's alone; the files that SQLite puts beside it take over its permissions."""
    if url.get_backend_name() == "sqlite" and url.database:
        with suppress(OSError):
            Path(url.database).touch(mode=0o600)


def _sqlite(url: URL, closed: asyncio.Event) -> Database:
    place = f"The database {url.database}"
    file = _DatabaseFile(str(url.database), place)
    engine = create_async_engine(
        url,
        async_creator=_unless(closed, place, _aiosqlite_creator(str(url.database), file)),
        json_serializer=dump_json,
        hide_parameters=True,
        # Closing a connection ends its transaction anyhow, and a failed commit is rolled back where it fails.
        pool_reset_on_return=None,
    )
    event.listen(engine.sync_engine, "begin", lambda _: file.check())
    event.listen(engine.sync_engine, "begin", _begin)
    event.listen(engine.sync_engine, "commit", lambda _: file.check())
    writes = engine.execution_options(sqlite_begin="IMMEDIATE")
    questions = SqliteReads(str(url.database), place, file.check)
    return Database(reads=engine, writes=writes, questions=questions, place=place, one_writer=True)


def _aiosqlite_creator(path: str, file: _DatabaseFile) -> Connect:
    """A connection that cannot be set up is closed and its thread waited for, so that nothing outlives the loop."""

    async def opened() -> Any:
        # Imported when it is needed: not every start has SQLite.
        from orchestrator_tui.database.sqlite_driver import connect

        # It would make a new file in the place of the lost one.
        file.check()
        connection = connect(path)
        # As SQLAlchemy does it for connections of its own: a leaving program does not wait for this thread.
        connection._thread.daemon = True
        try:
            await connection
        except BaseException:
            # Its thread still has to tell the loop that it has ended, and the loop may be gone by then.
            await asyncio.to_thread(connection._thread.join, CONNECT_SECONDS)
            raise
        try:
            deadline = asyncio.get_running_loop().time() + CONNECT_SECONDS
            for pragma in PRAGMAS:
                await _execute_when_free(connection, pragma, deadline)
        except BaseException:
            await connection.close()
            raise
        file.opened()
        return connection

    return opened


async def _execute_when_free(connection: Any, statement: str, deadline: float) -> None:
    """Switching a new file to WAL does not wait by itself while another process does the same, so it is tried again."""
    while True:
        try:
            await connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(0.02)


def _begin(connection: Connection) -> None:
    """Straight to the driver, past the cursors of SQLAlchemy."""
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    driver = cast(AdaptedConnection, connection.connection.dbapi_connection)
    driver.run_async(lambda aiosqlite: aiosqlite.execute_fetchall(f"BEGIN {mode}"))


def _postgres(url: URL, settings: DatabaseSettings, closed: asyncio.Event) -> Database:
    place = f"The database {url.database or url.username or ''} on {host_of(url)}"
    engine, connect = postgres_engine(url, settings, place, guard=lambda connect: _unless(closed, place, connect))
    reads = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    questions = PooledReads(reads, place)
    return Database(reads=reads, writes=engine, questions=questions, place=place, one_writer=False, connect=connect)
