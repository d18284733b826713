"""Runs statements on one connection of a pool, and gives the connection back whole."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

from sqlalchemy import CursorResult, Executable, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator_tui.database.failures import translated
from orchestrator_tui.domain.finishing import finish

T = TypeVar("T")
Question = Callable[["Runner"], Awaitable[T]]
"""Asks with statements, and makes something of their rows; it may await nothing else."""


class Runner:
    """Runs statements on one connection and raises our own errors."""

    def __init__(self, connection: AsyncConnection, place: str) -> None:
        self.connection = connection
        self.place = place

    async def run(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Execute a Core statement. Raises what `failures.translated` does."""
        with translated(self.place):
            return await finish(self.connection.execute(statement, parameters))

    async def drive(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Let `work` use the driver's own connection, inside the transaction.

        On PostgreSQL something must have been `run` before, since that begins the transaction.
        """
        with translated(self.place):
            return await finish(self._drive(work))

    async def _drive(self, work: Callable[[Any], Awaitable[T]]) -> T:
        if not self.connection.in_transaction():
            await self.connection.begin()
        raw = await self.connection.get_raw_connection()
        return await work(raw.driver_connection)

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """Run synchronous code that wants a plain SQLAlchemy connection."""
        with translated(self.place):
            return await finish(self.connection.run_sync(work))

    async def commit(self) -> None:
        """Commit. After a failed commit SQLite is still inside the transaction, of which SQLAlchemy knows nothing."""
        try:
            with translated(self.place):
                await finish(self.connection.commit())
        except BaseException:
            await finish(self._roll_back())
            raise

    async def _roll_back(self) -> None:
        if self.connection.dialect.name != "sqlite":
            await self.connection.invalidate()
            return
        raw = await self.connection.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.rollback()


@asynccontextmanager
async def connected(engine: AsyncEngine, place: str) -> AsyncIterator[Runner]:
    """One connection of the pool; what is not committed is rolled back on leaving."""
    connection = engine.connect()
    try:
        with translated(place):
            await finish(_start(connection))
        yield Runner(connection, place)
    finally:
        if connection.sync_connection is not None:
            await finish(_give_back(connection))


async def _give_back(connection: AsyncConnection) -> None:
    """Back into the pool; one that broke in the meantime is thrown away, whatever the driver says about it."""
    try:
        await connection.close()
    except Exception:
        # Nothing is lost with it: what it was in the middle of has failed already.
        with suppress(Exception):
            await connection.invalidate()
            await connection.close()


async def _start(connection: AsyncConnection) -> None:
    await connection.start()


class Reads(Protocol):
    """How questions are asked, each about one state of the database."""

    async def ask(self, question: Question[T]) -> T:
        """What `question` makes of it.

        Raises:
            StoreUnavailable: the database cannot be used, or is closed.
        """
        ...

    async def version(self, runner: Runner) -> object:
        """Asked within a question: equal to an earlier one only if nothing was committed in between, by whomever."""
        ...

    def version_now(self) -> object | None:
        """The same without a question, where it costs next to nothing; None where it does not, or cannot be told."""
        ...

    async def close(self) -> None:
        """Let questions that are being answered end, and answer no more."""
        ...


class PooledReads:
    """Questions asked on connections of a pool whose transactions keep to one snapshot."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        self._engine = engine
        self._place = place

    async def ask(self, question: Question[T]) -> T:
        async with connected(self._engine, self._place) as runner:
            return await question(runner)

    async def version(self, runner: Runner) -> object:
        # Which transactions this one sees: those that are open, and the first that has not begun.
        return (await runner.run(text("SELECT CAST(pg_current_snapshot() AS text)"))).scalar_one()

    def version_now(self) -> object | None:
        return None

    async def close(self) -> None:
        """The pool is another's."""
