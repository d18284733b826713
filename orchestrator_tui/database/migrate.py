"""Brings a database to the present schema when it is opened, one process at a time."""

import asyncio
from functools import cache
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, text
from sqlalchemy.dialects import registry
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from orchestrator_tui.database.connection import Database
from orchestrator_tui.database.models import Base, event_counter
from orchestrator_tui.database.runner import Runner, connected
from orchestrator_tui.domain.errors import StoreRefused, StoreUnavailable

HEAD = "0014_kept_sums"
MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do; it only has to be the same in every process.
_LOCK = 7_203_411_908
MIGRATION_SECONDS = 3600.0
"""How long one statement of a migration may take, and how long another process is waited for that migrates."""
_PAUSE_SECONDS = 0.1


async def is_current(database: Database) -> bool:
    """Whether the database has the present schema: one cheap read.

    Raises:
        StoreUnavailable: the database cannot be used.
    """
    async with connected(database.reads, database.place) as reading:
        return await _version(reading) == HEAD


async def migrate(database: Database) -> None:
    """Make the schema in an empty database, or run the migrations that are missing; of several processes that want to,
    one does, and the others wait for it.

    Raises:
        StoreUnavailable: the database cannot be used, or was made by a newer version of the program.
    """
    async with connected(database.writes, database.place) as writing:
        if not database.one_writer:
            await _take_turn(writing)
        version = await _version(writing)
        if version != HEAD:
            if await writing.run_sync(lambda connection: inspect(connection).get_table_names()):
                await writing.run_sync(lambda connection: upgrade(connection, version, database.place))
            else:
                await writing.run_sync(_create)
            await writing.commit()


async def _take_turn(writing: Runner) -> None:
    """Hold the lock until the transaction ends. It is asked for again and again: one statement that waits for it
    would be timed out."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + MIGRATION_SECONDS
    while not (await writing.run(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK})).scalar_one():
        if loop.time() > deadline:
            raise StoreUnavailable(
                f"{writing.place}: another process has been changing its schema for {MIGRATION_SECONDS:.0f} seconds.",
                hint="End that process, and try again.",
            )
        await asyncio.sleep(_PAUSE_SECONDS)


async def _version(runner: Runner) -> str | None:
    if not await runner.run_sync(lambda connection: inspect(connection).has_table("alembic_version")):
        return None
    result = await runner.run(text("SELECT version_num FROM alembic_version"))
    return result.scalar_one_or_none()


# As Alembic makes it.
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@cache
def _schema(dialect: str) -> tuple[str, ...]:
    """The statements that make the present schema."""
    tables = [*Base.metadata.sorted_tables, _VERSION]
    indexes = [index for table in tables for index in sorted(table.indexes, key=lambda index: str(index.name))]
    made: list[ExecutableDDLElement] = [*map(CreateTable, tables), *map(CreateIndex, indexes)]
    return tuple(str(one.compile(dialect=registry.load(dialect)())) for one in made)


def _create(connection: Connection) -> None:
    """The same as all migrations, one after the other: that takes the longer the more there are."""
    for statement in _schema(connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.execute(event_counter.insert().values(id=1, seq=0))
    connection.execute(_VERSION.insert().values(version_num=HEAD))


def upgrade(connection: Connection, version: str | None, place: str) -> None:
    """Run the migrations that are missing after `version`, on whatever is there.

    Raises:
        StoreRefused: it was made by a newer version of the program.
    """
    # Alembic is needed only now, and slow to import.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise StoreRefused(
            f"{place} was made by a newer version of the program (schema {version}).",
            hint="Update orchestrator-tui, or name another database.",
        )
    command.upgrade(config, "head")
