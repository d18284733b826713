import asyncio
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import make_url, text

from orchestrator_tui.config.settings import DatabaseSettings
from orchestrator_tui.database import postgres as module
from orchestrator_tui.database.connection import open_database
from orchestrator_tui.database.migrate import _LOCK as LOCK
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.database.runner import connected
from orchestrator_tui.database.waiting import wait_for
from orchestrator_tui.domain.errors import StoreRefused, StoreUnavailable
from tests.conftest import PostgresForTests, make_project
from tests.database.samples import said
from tests.lives import code_of, life

SHORT = DatabaseSettings(statement_timeout_seconds=1)
POOLED = DatabaseSettings(pooler=True)


def with_parameter(url: str, parameter: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{parameter}"


@pytest.mark.parametrize("pooler", [False, True])
async def test_a_statement_that_takes_too_long_is_given_up(postgres: PostgresForTests, pooler: bool) -> None:
    settings = SHORT.model_copy(update={"pooler": pooler})
    async with postgres.database() as url, open_database(url, settings) as database:
        async with connected(database.writes, database.place) as runner:
            with pytest.raises(StoreUnavailable, match="too long to answer") as slow:
                await runner.run(text("SELECT pg_sleep(60)"))
            assert "statement_timeout_seconds" in slow.value.hint
        async with connected(database.writes, database.place) as runner:
            assert (await runner.run(text("SELECT 1"))).scalar_one() == 1


@pytest.mark.parametrize(("parameter", "settings"), [("pgbouncer=true", DatabaseSettings()), ("", POOLED)])
async def test_with_a_pooler_no_statement_stays_prepared(
    postgres: PostgresForTests, parameter: str, settings: DatabaseSettings
) -> None:
    prepared = text("SELECT count(*) FROM pg_prepared_statements")
    async with postgres.migrated_database() as url:
        async with open_store(with_parameter(url, parameter), settings) as store:
            project = await make_project(store, "pooled")
            async with store.transaction() as unit:
                await unit.pipeline(project.id)
                unit.record(project.id, said("one"))
            assert [one.seq for one in await store.events()] == [1]
            for database in (store._database.reads, store._database.writes):
                async with connected(database, "it") as runner:
                    assert (await runner.run(prepared)).scalar_one() == 0
        async with open_store(url) as store, connected(store._database.writes, "it") as runner:
            await store.list_projects()
            assert (await runner.run(prepared)).scalar_one() > 0


async def test_no_more_connections_are_made_than_the_settings_allow(postgres: PostgresForTests) -> None:
    settings = DatabaseSettings(pool_size=2, max_overflow=1)
    async with postgres.database() as url, open_database(url, settings) as database:
        pool = database.writes.pool
        async with (
            connected(database.writes, "it"),
            connected(database.writes, "it"),
            connected(database.reads, "it"),
        ):
            assert (pool.checkedout(), pool.size(), pool.overflow()) == (3, 2, 1)  # type: ignore[attr-defined]
            late = asyncio.create_task(_one(database.writes))
            await asyncio.sleep(0)
            assert not late.done()
        assert await late == 1


async def test_connections_that_ended_while_nobody_used_them_are_replaced_unnoticed(
    postgres: PostgresForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0)
    others = "FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
    async with postgres.database() as url, open_database(url) as database:
        async with connected(database.writes, "it"), connected(database.writes, "it"):
            name = make_url(url).database
        ender = await asyncpg.connect(url)
        assert await ender.fetchval(f"SELECT count(pg_terminate_backend(pid, 60000)) {others}", name) >= 2
        await ender.close()
        for _ in range(2):
            assert await _one(database.writes) == 1


async def test_a_connection_that_was_in_use_a_moment_ago_is_not_asked_whether_it_is_there(
    postgres: PostgresForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 3600)
    begun = text("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    flush = text("SELECT pg_stat_force_next_flush()")
    async with postgres.database() as url, open_database(url, DatabaseSettings(pool_size=2)) as database:

        async def transactions() -> int:
            async with connected(database.writes, "it") as runner:
                await runner.run(flush)
            async with connected(database.writes, "it") as runner:
                return int((await runner.run(begun)).scalar_one())

        before = await transactions()
        for _ in range(10):
            await _one(database.writes)
        assert await transactions() - before == 10 + 2


async def _one(engine: object) -> int:
    async with connected(engine, "it") as runner:  # type: ignore[arg-type]
        return int((await runner.run(text("SELECT 1"))).scalar_one())


def opens_and_makes_a_project(url: str, slug: str) -> None:
    async def work() -> None:
        async with open_store(url) as store:
            await make_project(store, slug)

    asyncio.run(work())


async def test_two_processes_bring_an_empty_database_to_the_present_schema_at_once(postgres: PostgresForTests) -> None:
    async with postgres.database() as url:
        with life(opens_and_makes_a_project, url, "one") as one, life(opens_and_makes_a_project, url, "two") as two:
            assert await asyncio.to_thread(code_of, one) == 0
            assert await asyncio.to_thread(code_of, two) == 0
        async with open_store(url) as store:
            assert sorted(project.slug for project in await store.list_projects()) == ["one", "two"]


async def test_who_migrates_is_waited_for_longer_than_a_statement_may_take(postgres: PostgresForTests) -> None:
    async with postgres.database() as url, open_database(url) as database:
        async with connected(database.writes, database.place) as other:
            await other.run(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            opening = asyncio.create_task(_names(url))
            asking = text(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%try_advisory%' AND state <> 'active'"
            )
            while not (await other.run(asking)).scalar_one():
                # What others do is seen as of the first look, until that is forgotten.
                await other.run(text("SELECT pg_stat_clear_snapshot()"))
                assert not opening.done()
        assert await opening == []


async def _names(url: str) -> list[str]:
    async with open_store(url, SHORT) as store:
        return [project.name for project in await store.list_projects()]


async def relay(to: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes to the socket of a server, both ways, until one end is done."""
    from_server, to_server = await asyncio.open_unix_connection(f"{to}/.s.PGSQL.5432")

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(4_096):
            target.write(data)
        target.close()

    await asyncio.gather(copy(reader, to_server), copy(from_server, writer))


async def test_a_server_that_starts_later_is_waited_for(postgres: PostgresForTests) -> None:
    told: list[str] = []
    waits = asyncio.Event()

    def tell(text: str) -> None:
        told.append(text)
        waits.set()

    folder = str(make_url(postgres.url("postgres")).query["host"])
    with socket.socket() as place:
        # Nobody listens there yet, and nobody else can.
        place.bind(("127.0.0.1", 0))
        url = f"postgresql://postgres@127.0.0.1:{place.getsockname()[1]}/postgres?sslmode=disable"
        waiting = asyncio.create_task(wait_for(url, DatabaseSettings(), tell=tell, ended=asyncio.Event()))
        await waits.wait()
        assert not waiting.done()
        async with await asyncio.start_server(partial(relay, folder), sock=place):
            await waiting
    assert "cannot be reached. It is waited for: 0 of 60 s" in told[0]


async def test_waiting_has_an_end_that_says_how_long_it_was() -> None:
    gone = "postgresql://ada@127.0.0.1:1/main"
    nobody = asyncio.Event()
    with pytest.raises(StoreUnavailable, match=r"cannot be reached. It was waited for \d s"):
        await wait_for(gone, DatabaseSettings(wait_seconds=0.5), tell=lambda _: None, ended=nobody)
    with pytest.raises(StoreUnavailable, match=r"cannot be reached\.$"):
        await wait_for(gone, DatabaseSettings(wait_seconds=0), tell=lambda _: None, ended=nobody)
    await wait_for(gone, DatabaseSettings(), tell=lambda _: nobody.set(), ended=nobody)


async def test_what_waiting_does_not_mend_is_told_at_once(postgres: PostgresForTests) -> None:
    missing = postgres.url("missing")
    with pytest.raises(StoreRefused, match="there is no such database"):
        await wait_for(missing, DatabaseSettings(), tell=pytest.fail, ended=asyncio.Event())


@asynccontextmanager
async def encrypted_server(folder: Path) -> AsyncIterator[int]:
    """The port of a server that encrypts, by a certificate for localhost in `folder`, and then lets nobody in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate_in(folder))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        try:
            await writer.start_tls(context)
            await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
            fields = b"SFATAL\0VFATAL\0C28P01\0Mno\0\0"
            writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def certificate_in(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret


LET_IN = "refuses this user"
UNTRUSTED = "certificate is not trusted"


@pytest.mark.parametrize(
    ("host", "parameters", "told"),
    [
        ("localhost", "sslmode=require", LET_IN),
        ("localhost", "sslmode=verify-ca&sslrootcert={ours}", LET_IN),
        ("localhost", "sslmode=verify-full&sslrootcert={ours}", LET_IN),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert={ours}", LET_IN),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert={ours}", UNTRUSTED),
        ("localhost", "sslmode=verify-full&sslrootcert=system", UNTRUSTED),
        ("localhost", "sslmode=require&channel_binding=require", UNTRUSTED),
    ],
)
async def test_a_server_is_verified_as_far_as_the_url_wants_it(
    tmp_path: Path, host: str, parameters: str, told: str
) -> None:
    async with encrypted_server(tmp_path) as port:
        url = f"postgresql://ada:s3cr3t@{host}:{port}/main?{parameters.format(ours=tmp_path / 'server.crt')}"
        with pytest.raises(StoreRefused, match=told):
            async with open_store(url):
                pass


async def test_a_server_that_does_not_encrypt_is_refused_when_that_is_wanted() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"N")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StoreRefused, match="does not encrypt"):
            async with open_store(f"postgresql://ada@127.0.0.1:{port}/main?sslmode=require"):
                pass
