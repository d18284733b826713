"""An engine on PostgreSQL: its pool, its timeouts, and whether statements may stay prepared."""

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from orchestrator_tui.config.settings import DatabaseSettings
from orchestrator_tui.database.columns import dump_json
from orchestrator_tui.database.failures import explain
from orchestrator_tui.database.postgres_url import PostgresAddress, read_postgres_url

Connect = Callable[[], Awaitable[Any]]

IDLE_SECONDS = 1.0
_USED_AT = "used_at"

GRACE_SECONDS = 5.0
"""How much later than the server we give a statement up: a server that vanished says nothing."""


def postgres_engine(
    url: URL, settings: DatabaseSettings, place: str, *, guard: Callable[[Connect], Connect]
) -> tuple[AsyncEngine, Connect | None]:
    """An engine for `url`, which errors call `place`; `guard` stands before each new connection. And what makes a
    connection of the driver's own that can be listened on: none behind a pooler, which shares its connections.

    Raises:
        SettingsError: the URL cannot be used.
    """
    address = read_postgres_url(url)
    pooled = settings.pooler or address.pooled
    connect = guard(_asyncpg_creator(address, place, settings.statement_timeout_seconds, pooled))
    # What a pooler lets us prepare is gone with the transaction. A statement without a name is prepared and executed
    # in one go, and nothing of it stays.
    prepared = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: ""} if pooled else {}
    engine: AsyncEngine = create_async_engine(
        URL.create("postgresql+asyncpg"),
        creator=lambda: engine.dialect.loaded_dbapi.connect(async_creator_fn=connect, **prepared),
        json_serializer=dump_json,
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        hide_parameters=True,
    )
    _look_at_idle_connections(engine)
    return engine, None if pooled else connect


def _look_at_idle_connections(engine: AsyncEngine) -> None:
    """Ask a connection that nobody used for a while whether it is still there. One that was in use a moment ago is not
    asked: that would be three more round trips for each transaction."""
    sync = engine.sync_engine

    @event.listens_for(sync, "checkin")
    def used(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT] = time.monotonic()

    @event.listens_for(sync, "checkout")
    def look(connection: Any, record: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
        if time.monotonic() - record.info.get(_USED_AT, math.inf) < IDLE_SECONDS:
            return
        try:
            sync.dialect.do_ping(connection)
        except sync.dialect.loaded_dbapi.Error as error:
            if not sync.dialect.is_disconnect(error, connection, None):
                raise
            # All that are as old as this one are gone with it.
            raise InvalidatePoolError from error


def host_of(url: URL) -> str:
    """Names the server to people."""
    host = url.host or url.query.get("host") or "localhost"
    name = host if isinstance(host, str) else ", ".join(host)
    return f"{name}:{url.port}" if url.port else name


def _asyncpg_creator(address: PostgresAddress, place: str, seconds: float, pooled: bool) -> Connect:
    """Connections on which a statement may take `seconds`; a pooler takes no settings of the server, so there we alone
    watch over that."""
    if pooled:
        limits: dict[str, Any] = {"command_timeout": seconds, "statement_cache_size": 0}
    else:
        milliseconds = str(int(seconds * 1000))
        limits = {"command_timeout": seconds + GRACE_SECONDS, "server_settings": {"statement_timeout": milliseconds}}

    async def connect() -> Any:
        import asyncpg  # type: ignore[import-untyped]

        try:
            return await asyncpg.connect(address.dsn, **address.arguments, **limits)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            explained = explain(error, place)
            if explained is None:
                raise
            raise explained from error

    return connect
