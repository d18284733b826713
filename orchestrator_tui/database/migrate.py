"""Brings a database to the present schema when it is opened, one process at a time."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from orchestrator_tui.database.connection import Database, Runner, connected
from orchestrator_tui.domain.errors import StoreUnavailable

HEAD = "web"
MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do; it only has to be the same in every process.
_LOCK = 7_203_411_908


async def migrate(database: Database) -> None:
    """Run the migrations that are missing. One cheap read when there are none.

    Raises:
        StoreUnavailable: the database cannot be used, or was made by a newer version of the program.
    """
    async with connected(database.reads, database.place) as reading:
        if await _version(reading) == HEAD:
            return
    async with connected(database.writes, database.place) as writing:
        if not database.one_writer:
            await writing.run(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        version = await _version(writing)
        if version != HEAD:
            await writing.run_sync(lambda connection: _upgrade(connection, version, database.place))
            await writing.commit()


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
        raise StoreUnavailable(
            f"{place} was made by a newer version of the program (schema {version}).",
            hint="Update orchestrator-tui, or name another database.",
        )
    command.upgrade(config, "head")
