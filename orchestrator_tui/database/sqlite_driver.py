"""aiosqlite with cursors that go to the connection's thread once for each statement, its rows included."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite


class Connection(aiosqlite.Connection):
    """A connection for SQLAlchemy, which asks a cursor for one thing after the other: to be made, to execute, for all
    of its rows, and to be closed. Each of these would be a change of threads and back."""

    def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self)

    async def ask(self, question: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> "_Answer":
        """Have a question asked in the connection's thread, and its cursor emptied and closed there."""
        execute: Any = self._execute
        answer: _Answer = await execute(lambda: _answer_of(question(self._conn)))
        return answer


def connect(path: str) -> Connection:
    """A connection to a database file, to be awaited; transactions begin and end when they are told to."""
    return Connection(lambda: sqlite3.connect(path, isolation_level=None), iter_chunk_size=64)


@dataclass(slots=True)
class _Answer:
    """What a statement came to."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: Sequence[Any] = ()


class Cursor:
    """What SQLAlchemy needs of a cursor of aiosqlite."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answer = _Answer()

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, statement: str, parameters: Iterable[Any] = ()) -> "Cursor":
        self._answer = await self._connection.ask(lambda driver: driver.execute(statement, tuple(parameters)))
        return self

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> "Cursor":
        self._answer = await self._connection.ask(lambda driver: driver.executemany(statement, parameters))
        return self

    async def fetchall(self) -> Sequence[Any]:
        return self._answer.rows

    async def close(self) -> None:
        """It was closed as soon as it had its rows."""

    @property
    def description(self) -> Any:
        return self._answer.description

    @property
    def rowcount(self) -> int:
        return self._answer.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._answer.lastrowid


def _answer_of(cursor: sqlite3.Cursor) -> _Answer:
    try:
        # How many rows a statement with RETURNING has changed is known once they are all fetched.
        rows = cursor.fetchall() if cursor.description else ()
        return _Answer(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()
