"""Lets procrastinate use the database's own connections, in place of a second driver with a pool of its own."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]
from procrastinate import exceptions
from procrastinate.connector import BaseAsyncConnector, Notify

T = TypeVar("T")

_PARAMETER = re.compile(r"%\((?P<name>\w+)\)s(?P<joined>\s*\|\|)?")


class Driver(Protocol):
    """A database as its driver sees it."""

    async def drive(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Let `work` use a connection of the driver in a transaction, which is committed after it.

        Raises:
            StoreUnavailable, StaleState: it cannot be used, or another transaction was first.
        """
        ...


class Connector(BaseAsyncConnector):
    """Procrastinate's statements over asyncpg. What the database refuses is raised as our own errors."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def open_async(self, pool: Any = None) -> None:
        """The database is open already."""

    async def close_async(self) -> None:
        """It is closed by whoever opened it."""

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        await self._rows(query, arguments)

    async def execute_query_one_async(self, query: str, **arguments: Any) -> dict[str, Any]:
        rows = await self._rows(query, arguments)
        if not rows:
            raise exceptions.NoResult
        return rows[0]

    async def execute_query_all_async(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        return await self._rows(query, arguments)

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        raise NotImplementedError

    async def _rows(self, query: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        statement, names, texts = _translated(query)
        values = [_plain(arguments[name]) for name in names]
        values = [str(value) if name in texts else value for name, value in zip(names, values, strict=True)]

        async def fetch(connection: Any) -> list[dict[str, Any]]:
            try:
                return [_row(row) for row in await connection.fetch(statement, *values)]
            except asyncpg.UniqueViolationError as error:
                raise exceptions.UniqueViolation(constraint_name=error.constraint_name, queueing_lock=None) from error
            except asyncpg.RaiseError as error:
                # One of its functions refuses.
                raise exceptions.ConnectorException(str(error)) from error

        return await self._driver.drive(fetch)


@cache
def _translated(query: str) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """The statement with numbered parameters, their names in order, and those that are joined to other text."""
    names: list[str] = []
    texts = set[str]()

    def numbered(match: "re.Match[str]") -> str:
        name, joined = match["name"], match["joined"] or ""
        if name not in names:
            names.append(name)
        if joined:
            texts.add(name)
        return f"${names.index(name) + 1}{'::text' if joined else ''}{joined}"

    statement = _PARAMETER.sub(numbered, query).replace("%%", "%")
    return statement, tuple(names), frozenset(texts)


def _plain(value: Any) -> Any:
    """A value as asyncpg takes it: JSON as text, rows of a composite type as tuples."""
    match value:
        case dict():
            return json.dumps(value)
        case list():
            return [_plain(one) for one in value]
        case tuple():
            return tuple(_plain(one) for one in value)
        case _:
            return value


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.loads(value) if name == "args" and isinstance(value, str) else value for name, value in row.items()
    }
