"""Brings a database to the present schema when it is opened, one process at a time."""

import asyncio
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from orchestrator_tui.database.connection import Database
from orchestrator_tui.database.runner import Runner, connected
from orchestrator_tui.domain.errors import StoreRefused, StoreUnavailable

HEAD = "0012_lapsed"
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
    """Run the migrations that are missing; of several processes that want to, one does, and the others wait for it.

    Raises:
        StoreUnavailable: the database cannot be used, or was made by a newer version of the program.
    """
    async with connected(database.writes, database.place) as writing:
        if not database.one_writer:
            await _take_turn(writing)
        version = await _version(writing)
        if version != HEAD:
            await writing.run_sync(lambda connection: _upgrade(connection, version, database.place))
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


def _upgrade(connection: Connection, version: str | None, place: str) -> None:
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
