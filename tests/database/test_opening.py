import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from orchestrator_tui.database.connection import open_database, sqlite_url
from orchestrator_tui.database.migrate import HEAD, MIGRATIONS, migrate, upgrade
from orchestrator_tui.database.models import Base
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.database.runner import connected
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import SettingsError, StoreUnavailable
from orchestrator_tui.domain.limits import NOTHING, Spending
from orchestrator_tui.domain.records import TranscriptKey
from orchestrator_tui.domain.statuses import PhaseName
from tests.conftest import PostgresForTests, make_project
from tests.database.samples import approval, artifact, item, said, session

SECRET = "s3cr3t"


def described(connection: Connection) -> dict[str, Any]:
    """Tables with what autogenerate does not compare: constraints, and what is in them."""
    inspector = inspect(connection)
    return {
        table: (
            sorted(constraint["sqltext"] for constraint in inspector.get_check_constraints(table)),
            sorted(str(key["options"]) for key in inspector.get_foreign_keys(table)),
            inspector.get_pk_constraint(table),
            connection.execute(text(f"SELECT * FROM {table}")).all(),
        )
        for table in inspector.get_table_names()
    }


def unlike_the_models(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return list(compare_metadata(context, Base.metadata))


def remove_everything(connection: Connection) -> None:
    Base.metadata.drop_all(connection)
    connection.execute(text("DROP TABLE alembic_version"))


async def test_a_new_database_has_exactly_the_schema_of_the_models_and_of_all_migrations(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        await migrate(database)
        async with connected(database.writes, database.place) as runner:
            assert await runner.run_sync(unlike_the_models) == []
            made = await runner.run_sync(described)
            await runner.run_sync(remove_everything)
            await runner.run_sync(lambda connection: upgrade(connection, None, database.place))
            assert await runner.run_sync(unlike_the_models) == []
            assert await runner.run_sync(described) == made


def test_the_newest_migration_is_the_one_the_program_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_several_processes_may_open_an_empty_database_at_once(empty_url: str) -> None:
    async def open_and_use(slug: str) -> int:
        async with open_store(empty_url) as store:
            return (await make_project(store, slug)).number

    numbers = await asyncio.gather(*(open_and_use(f"p{number}") for number in range(4)))
    assert sorted(numbers) == [1, 2, 3, 4]


async def test_a_database_of_a_newer_program_is_refused(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        await migrate(database)
        async with connected(database.writes, database.place) as runner:
            await runner.run(text("UPDATE alembic_version SET version_num = '9999'"))
            await runner.commit()
    with pytest.raises(StoreUnavailable, match=r"newer version of the program \(schema 9999\)") as error:
        async with open_store(empty_url):
            pass
    assert "Update orchestrator-tui" in error.value.hint


async def test_what_was_stored_is_there_when_it_is_opened_again(store_url: str) -> None:
    async with open_store(store_url) as store:
        created = await make_project(store, "kept")
    async with open_store(store_url) as store:
        assert await store.find_project("kept") == created


async def test_sqlite_is_durable_and_checks_foreign_keys(tmp_path: Path) -> None:
    async with (
        open_database(sqlite_url(tmp_path / "a b?c%20d#é" / "x.db")) as database,
        connected(database.reads, database.place) as runner,
    ):
        settings = {
            name: (await runner.run(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    assert (tmp_path / "a b?c%20d#é" / "x.db").is_file()


async def refused(url: str) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as error:
        async with open_store(url):
            pass
    assert error.value.hint
    return error.value


async def test_a_file_that_is_no_database_is_named_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("These are my notes, and they are longer than the header of a database would be." * 20)
    error = await refused(sqlite_url(file))
    assert error.message == f"The database {file}: it is not a database."


async def test_a_folder_in_the_place_of_the_database_is_an_error(tmp_path: Path) -> None:
    assert "cannot be opened" in (await refused(sqlite_url(tmp_path))).message
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        sqlite_url(tmp_path / "file" / "x.db")


async def test_a_locked_database_says_who_to_wait_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_tui.database.connection.PRAGMAS", ("PRAGMA busy_timeout = 10",))
    url = sqlite_url(tmp_path / "x.db")
    async with open_store(url) as store:
        other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="another process keeps it locked"):
            await make_project(store, "late")
        other.close()
        assert (await make_project(store, "later")).number == 1


async def test_an_unreachable_server_is_named_without_the_password(tmp_path: Path) -> None:
    for url in (
        f"postgresql://ada:{SECRET}@127.0.0.1:1/db?sslmode=disable",
        f"postgres://ada:{SECRET}@/db?host={tmp_path}",
    ):
        error = await refused(url)
        assert "cannot be reached" in error.message
        assert SECRET not in everything_said(error)


async def test_a_missing_database_or_user_is_named_without_the_password(postgres: PostgresForTests) -> None:
    no_database = await refused(postgres.url("missing").replace("postgres:@", f"postgres:{SECRET}@"))
    assert no_database.message.startswith("The database missing on ")
    assert "there is no such database" in no_database.message
    no_user = await refused(postgres.url("postgres").replace("postgres:@", f"nobody:{SECRET}@"))
    assert "refuses this user" in no_user.message
    assert SECRET not in everything_said(no_database) + everything_said(no_user)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ada:{SECRET}@host/db",
        f"{SECRET}",
        f"postgresql://ada:{SECRET}@host:port/db",
        f"postgresql://ada:a@{SECRET}@host/db",
        f"postgresql+psycopg://ada:{SECRET}@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "",
    ],
)
async def test_a_url_that_cannot_be_used_is_a_settings_error_without_the_password(url: str) -> None:
    with pytest.raises(SettingsError) as error:
        async with open_store(url):
            pass
    assert error.value.hint
    assert SECRET not in everything_said(error.value)


async def test_a_server_that_went_away_is_reported_and_found_again(postgres: PostgresForTests) -> None:
    async with postgres.migrated_database() as url, open_store(url) as store:
        await make_project(store, "before")
        with pytest.raises(StoreUnavailable):
            async with store.transaction() as unit:
                await unit.withdraw_requests((await store.find_project("before")).id)
                await cut_all_connections(url)
                await unit.withdraw_requests((await store.find_project("before")).id)
        assert (await store.find_project("before")).number == 1


async def test_a_connection_cut_before_the_commit_loses_its_events_too(postgres: PostgresForTests) -> None:
    async with postgres.migrated_database() as url, open_store(url) as store:
        project = await make_project(store, "before")
        with pytest.raises(StoreUnavailable):
            async with store.transaction() as unit:
                await unit.pipeline(project.id)
                unit.record(project.id, said("lost"))
                await cut_all_connections(url)
        assert await store.events() == []


async def cut_all_connections(url: str) -> None:
    async with open_database(url) as database, connected(database.writes, database.place) as runner:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        await runner.run(text(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}"))


def everything_said(error: BaseException | None) -> str:
    """The text of an error and of all that led to it and would be shown."""
    said = ""
    while error is not None:
        said += f"{error} {getattr(error, 'hint', '')}\n"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said


async def test_whoever_still_asks_a_closed_database_is_told_so_and_leaves_no_connection_behind(store_url: str) -> None:
    async with open_store(store_url) as store:
        await store.list_projects()
    with pytest.raises(StoreUnavailable, match="it is closed"):
        await store.list_projects()


def first_schema(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, "0001")


def back_to_first_schema(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.downgrade(config, "0001")


PROJECT = """INSERT INTO projects
(id, number, name, slug, description, status, directory, config, created_at, updated_at)
VALUES ('{id}', 1, 'old', 'old', 'An idea', 'stopped', '/old', '{{}}', '{at}', '{at}')"""
SESSION = """INSERT INTO session_logs (id, project_id, phase, session_number, role, model, started_at, ended_at, status,
summary, tool_calls, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd)
VALUES ('{id}', '{id}', 'ideation', 1, 'analyst', 'opus', '{at}', '{at}', 'completed', '', '[]', 1, 1, 0, 0, 0.5)"""


async def test_a_database_of_an_older_program_keeps_what_is_in_it(empty_url: str) -> None:
    row = {"id": new_id(), "at": "2026-01-01 12:00:00+00"}
    async with open_database(empty_url) as database, connected(database.writes, database.place) as runner:
        await runner.run_sync(first_schema)
        for statement in (PROJECT, SESSION):
            written = statement.format(**row).replace("+00'", "'" if database.one_writer else "+00'")
            await runner.run(text(written))
        await runner.commit()
    async with open_store(empty_url) as store:
        assert (await store.find_project("old")).description == "An idea"
        (session,) = await store.list_sessions(row["id"])
        spent = await store.spent(row["id"], since=now(), of_owner=True)
        assert (spent.owner, spent.owner_day) == (Spending(dollars=0.5, tokens=2, sessions=1), NOTHING)
        assert (session.role, session.usage.cost_usd) == ("analyst", 0.5)
        assert (session.attempt, session.prompt_hash, session.answer) == (1, None, None)


async def made_by_the_first_program(url: str) -> None:
    """Takes away what later versions of the schema brought."""
    async with open_database(url) as database, connected(database.writes, database.place) as runner:
        await runner.run_sync(back_to_first_schema)
        await runner.commit()


async def test_everything_of_a_project_is_still_there_after_a_migration_and_it_goes_on(store_url: str) -> None:
    key = TranscriptKey(project_key="old", session_id="s")
    async with open_store(store_url) as store:
        project = await make_project(store, "old")
        async with store.transaction() as unit:
            items = await unit.add_work_items([item(project.id, "One"), item(project.id, "Two")])
            await unit.add_comment(items[0].id, "half\nway", author="engine")
            await unit.add_artifact(artifact(project.id))
            await unit.open_request(approval(project.id))
            await unit.start_session(session(project.id))
            unit.record(project.id, said("Zażółć 🎉"))
        await store.append_transcript(key, [{"uuid": "1", "text": "kept"}])
        before, told = await store.dossier(project.id), await store.events()
    await made_by_the_first_program(store_url)
    async with open_store(store_url) as store:
        assert await store.dossier(project.id) == before
        assert await store.events() == told
        assert await store.load_transcript(key) == [{"uuid": "1", "text": "kept"}]
        async with store.transaction() as unit:
            claimed = await unit.claim_next_item(project.id, PhaseName.IMPLEMENT)
            again = await unit.start_session(session(project.id, attempt=2, prompt_hash="abc"))
            unit.record(project.id, said("on"))
        assert claimed is not None
        assert (claimed.title, again.session_number) == ("One", 2)
        assert [recorded.seq for recorded in await store.events()] == [1, 2]
