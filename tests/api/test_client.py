import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator_tui.api import client
from orchestrator_tui.api.base import Limits, Options
from orchestrator_tui.api.client import RemoteEngine, open_remote
from orchestrator_tui.api.connect import find_token
from orchestrator_tui.api.far import from_afar
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.api.server import Certificate, serving
from orchestrator_tui.api.token_file import ensure_token_file, read_token_file
from orchestrator_tui.config.address import listen, local_names
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import AnswerRequest, CreateProject, ResumeProject, StopProject
from orchestrator_tui.domain.errors import (
    AccessDenied,
    DirectoryUnusable,
    IllegalTransition,
    OrchestratorError,
    ProjectNotFound,
    RequestClosed,
    ServeFailed,
    ServerUnavailable,
    StoreUnavailable,
    UsageError,
)
from orchestrator_tui.domain.events import AgentDelta
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.client import EngineClient
from tests.api.serving import served
from tests.running import Watched, launch

NEVER = 1_000.0
NOBODY = "00000000-0000-0000-0000-000000000000"


def questions(project_id: str, item_id: str, artifact_id: str, commit: str) -> Mapping[str, list[dict[str, Any]]]:
    """Each query of an engine's client, with arguments."""
    project = {"project_id": project_id}
    return {
        "snapshot": [{}, {"limit": 1}, {"before": 2}, {"before": 1}],
        "workers": [{}],
        "find_project": [{"reference": "1"}, {"reference": "demo"}, {"reference": project_id[:8]}],
        "projects": [{}, {"after": 1}, {"limit": 1}],
        "overview": [project],
        "items": [project, {**project, "status": WorkItemStatus.DONE}, {**project, "after": 1, "limit": 1}],
        "comments": [{"item_id": item_id}],
        "item_diff": [{"item_id": item_id}],
        "commits": [project, {**project, "limit": 1}],
        "commit_diff": [{**project, "commit": commit}, {**project, "commit": None}],
        "bounds": [project],
        "tracker": [project],
        "tracker_plan": [{**project, "kind": "json"}],
        "artifact_text": [{"artifact_id": artifact_id}],
        "artifacts": [project, {**project, "after": artifact_id, "limit": 2}],
        "sessions": [project, {**project, "after": 2, "limit": 1}],
        "requests": [{}, project],
        "events": [{}, {**project, "after_seq": 3, "limit": 5}],
        "latest_events": [project, {**project, "before_seq": 9, "limit": 4}],
    }


def test_every_query_of_a_client_is_compared() -> None:
    queries = {name for name in vars(EngineClient) if not name.startswith("_")} - {"submit", "subscribe"}
    assert queries == set(questions("", "", "", ""))


async def test_every_query_is_answered_as_by_the_engine_itself(tmp_path: Path) -> None:
    async with served(tmp_path / "home", autonomy="full") as it, it.remote(Scope.READ) as remote:
        run = Watched(engine=it.engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        while (await it.engine.overview(run.project_id)).state.owner is not None:
            """Its run is being closed."""
        item = (await it.engine.items(run.project_id))[0]
        artifact = (await it.engine.artifacts(run.project_id))[0]
        commit = (await it.engine.commits(run.project_id))[0]
        for name, calls in questions(run.project_id, item.id, artifact.id, commit.hash).items():
            for arguments in calls:
                here = await getattr(it.engine, name)(**arguments)
                there = await getattr(remote, name)(**arguments)
                if isinstance(here, list | tuple):
                    here, there = [from_afar(one) for one in here], list(there)
                if isinstance(here, Bounds):
                    here = replace(here, at=there.at)
                assert from_afar(here) == there, (name, arguments)


async def test_commands_and_events_of_a_whole_project_go_through_it(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.remote(Scope.OPERATE) as remote:
        run = Watched(engine=remote)
        await run.create()
        while await run.until_rest() is PipelineStatus.PAUSED:
            await run.answer(Choice.APPROVE)
        assert (await run.project()).status is PipelineStatus.COMPLETED
        assert run.seen == list(map(from_afar, await it.engine.events()))
        assert [one.seq for one in run.seen] == list(range(1, len(run.seen) + 1))


async def test_text_that_is_being_written_arrives(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.remote(Scope.READ) as remote, remote.subscribe(0) as stream:
        delta = AgentDelta(project_id="p", agent_id="a", text="I wi")
        upcoming = asyncio.ensure_future(anext(stream))
        while not upcoming.done():
            it.engine._bus.publish_delta(delta)
            await asyncio.wait({upcoming}, timeout=0.01)
        assert await upcoming == delta


async def refused(remote: RemoteEngine, wanted: type[Exception], call: Any) -> OrchestratorError:
    with pytest.raises(wanted) as raised:
        await call
    assert type(raised.value) is wanted
    error: Any = raised.value
    return error  # type: ignore[no-any-return]


async def test_what_the_engine_refuses_is_refused_with_the_same_error_and_hint(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.remote() as remote:
        run = Watched(engine=it.engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        request = await run.request()
        answer = AnswerRequest(request_id=request.id, choice=Choice.APPROVE, content_hash="other")
        closed = await refused(remote, RequestClosed, remote.submit(answer))
        assert "its content changed" in closed.message
        skip = replace(answer, choice=Choice.SKIP, content_hash=request.content_hash)
        impossible = await refused(remote, IllegalTransition, remote.submit(skip))
        assert impossible.hint.startswith("Possible: ")
        missing = await refused(remote, ProjectNotFound, remote.find_project("9"))
        assert "1 demo" in missing.line()
        await refused(remote, ProjectNotFound, remote.find_project("a/b ü?"))
        with pytest.raises(KeyError):
            await remote.artifact_text(NOBODY)
        full = CreateProject(idea="x", directory=(await run.project()).directory, rehearsal=True)
        unusable = await refused(remote, DirectoryUnusable, remote.submit(full))
        assert unusable.directory == Path((await run.project()).directory)  # type: ignore[attr-defined]
        await refused(remote, UsageError, remote.commit_diff(run.project_id, "--output=x"))


async def test_a_narrow_token_looks_and_does_nothing(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.remote(Scope.READ) as remote:
        denied = await refused(remote, AccessDenied, remote.submit(CreateProject(idea="x", rehearsal=True)))
        assert "operate is needed" in denied.message
        assert await remote.projects() == ()


async def test_a_wrong_token_or_no_server_is_told_at_once(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it:
        with pytest.raises(AccessDenied, match="not known"):
            async with open_remote(it.origin, "orch_wrong"):
                pass
        origin = it.origin
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        async with open_remote(origin, "orch_wrong"):
            pass


async def test_what_there_is_to_do_about_a_token_is_said_to_a_person(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it:
        with pytest.raises(AccessDenied, match="not known") as told:
            async with open_remote(it.origin, "orch_wrong"):
                pass
    assert told.value.hint == "Set ORCHESTRATOR_TOKEN to one that orchestrator-tui token create made on the server."


async def test_a_server_that_gives_no_answer_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that was halted: the system takes the connection, and nobody answers."""
    monkeypatch.setattr(client, "SOON", httpx.Timeout(0.05, connect=client.CONNECT_SECONDS))
    with listen("127.0.0.1", 0) as listening:
        hints = client.Hints(silent="It is process 5.")
        with pytest.raises(ServerUnavailable, match=r"gives no answer\.") as told:
            async with open_remote(f"http://127.0.0.1:{listening.getsockname()[1]}", "orch_x", hints=hints):
                pass
    assert (told.value.title, told.value.hint) == ("Server", "It is process 5.")


async def test_a_stream_without_any_sign_of_life_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(heartbeat_seconds=NEVER)
    async with served(tmp_path / "home", limits=limits) as it, it.remote() as remote:
        monkeypatch.setattr(client, "SOON", httpx.Timeout(0.05, connect=client.CONNECT_SECONDS))
        with pytest.raises(ServerUnavailable, match="gives no answer"):
            async with remote.subscribe(0) as lives:
                async for _ in lives:
                    pytest.fail("nothing happens there")


async def test_a_server_that_does_not_speak_tls_is_told(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it:
        with pytest.raises(ServerUnavailable, match="it does not speak TLS") as told:
            async with open_remote(it.origin.replace("http:", "https:"), "orch_x"):
                pass
    assert "http://" in told.value.hint


@pytest.mark.parametrize("token", ["orch_\u00e9", "orch_a\nHost: x", "two words"])
def test_a_token_that_cannot_be_sent_is_told_and_not_shown(tmp_path: Path, token: str) -> None:
    made = launch(tmp_path / "home", None)
    start = replace(made, connect="https://team.example", environ={**made.environ, "ORCHESTRATOR_TOKEN": token})
    with pytest.raises(AccessDenied, match="ORCHESTRATOR_TOKEN holds characters that are in no token") as told:
        find_token(start)
    assert "orch_a" not in told.value.line()


async def test_a_server_that_is_no_such_server_is_told(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ht>")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(OrchestratorError, match="cannot be understood"):
            async with open_remote(f"http://127.0.0.1:{port}", "x"):
                pass


async def test_after_a_restart_of_the_server_it_goes_on_where_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with served(home) as it:
        port, token = int(it.origin.rpartition(":")[2]), it.tokens[Scope.ADMIN]
        remote_context = open_remote(it.origin, token)
        remote = await remote_context.__aenter__()
        run = Watched(engine=remote)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        stream = remote.subscribe(run.seen[-1].seq)
        lives = await stream.__aenter__()
    with pytest.raises(StoreUnavailable):
        async for _ in lives:
            pass
    await stream.__aexit__(None, None, None)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await remote.submit(StopProject(project_id=run.project_id))
    async with served(home, port=port):
        await remote.submit(ResumeProject(project_id=run.project_id))
        while await _rests(run) is not PipelineStatus.COMPLETED:
            await run.answer(Choice.APPROVE)
        assert [one.seq for one in run.seen] == list(range(1, len(run.seen) + 1))
    await remote_context.__aexit__(None, None, None)


async def _rests(run: Watched) -> PipelineStatus:
    """How it rests now, or once it does."""
    status = (await run.project()).status
    return status if status is PipelineStatus.PAUSED else await run.until_rest()


async def test_an_answer_that_gets_lost_is_asked_for_again_and_nothing_is_done_twice(tmp_path: Path) -> None:
    """Between the two there is a wire that breaks once the server has been told everything."""
    async with served(tmp_path / "home") as it:
        breaks = [True]

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = await asyncio.open_connection(*it.host.split(":"))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(one[15:]) for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")), 0
            )
            body = await reader.readexactly(length)
            head = head.replace(own.encode(), it.host.encode())
            there[1].write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
            answered = await there[0].read()
            if b"POST" in head and breaks:
                breaks.clear()
            else:
                writer.write(answered)
            writer.close()
            there[1].close()

        async with await asyncio.start_server(between, "127.0.0.1", 0) as wire:
            own = f"127.0.0.1:{wire.sockets[0].getsockname()[1]}"
            async with open_remote(f"http://{own}", it.tokens[Scope.OPERATE]) as remote:
                await remote.submit(CreateProject(idea="Small modules", rehearsal=True))
        assert breaks == []
        assert len(await it.engine.projects()) == 1


async def test_what_the_command_line_says_goes_with_new_projects(tmp_path: Path) -> None:
    config = {"settings": {"autonomy": {"mode": "full"}}}
    async with served(tmp_path / "home") as it:
        async with it.remote(config=config) as remote:
            project_id = await remote.submit(CreateProject(idea="Small modules", rehearsal=True))
            assert (await it.engine.find_project(project_id)).config["settings"] == config["settings"]
        async with it.remote(Scope.OPERATE, config=config) as remote:
            await refused(remote, AccessDenied, remote.submit(CreateProject(idea="x", rehearsal=True)))


async def test_the_process_that_runs_a_project_is_none_of_this_machine(tmp_path: Path) -> None:
    async with served(tmp_path / "home", autonomy="full", items=30) as it, it.remote() as remote:
        project_id = await remote.submit(CreateProject(idea="Small modules", rehearsal=True))
        owner = (await remote.overview(project_id)).state.owner
        assert owner is None or " since " not in owner
        told = [one.event for one in await remote.events(limit=5)]
        assert " since " not in repr(told)


async def test_the_token_file_is_its_owner_s_alone_and_is_renewed_when_it_was_not(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it:
        file = tmp_path / "data" / "api-token"
        await ensure_token_file(file, it.ledger)
        first = read_token_file(file)
        assert file.stat().st_mode & 0o777 == 0o600
        await ensure_token_file(file, it.ledger)
        assert read_token_file(file) == first
        file.chmod(0o644)
        await ensure_token_file(file, it.ledger)
        second = read_token_file(file)
        assert second not in (None, first)
        assert file.stat().st_mode & 0o777 == 0o600
        for token, works in ((first, False), (second, True)):
            try:
                async with open_remote(it.origin, str(token)):
                    assert works
            except AccessDenied:
                assert not works
        file.write_text("nonsense")
        await ensure_token_file(file, it.ledger)
        assert read_token_file(file) not in (None, "nonsense")


async def test_a_token_file_that_cannot_be_written_leaves_no_token_behind(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it:
        before = {one.id for one in await it.ledger.tokens() if one.revoked_at is None}
        file = tmp_path / "data" / "api-token"
        file.mkdir(parents=True)
        with pytest.raises(ServeFailed, match="Is a directory"):
            await ensure_token_file(file, it.ledger)
        assert list(file.parent.iterdir()) == [file]
        assert {one.id for one in await it.ledger.tokens() if one.revoked_at is None} == before


def test_the_token_of_this_machine_is_told_to_nobody_else(tmp_path: Path) -> None:
    def start(url: str, **environ: str) -> Launch:
        made = launch(tmp_path / "home", None)
        return replace(made, connect=url, environ={**made.environ, **environ})

    local = start("http://127.0.0.1:8080")
    with pytest.raises(AccessDenied, match="no token"):
        find_token(local)
    local.paths.api_token.write_text("orch_mine\n")
    assert find_token(local) == "orch_mine"
    assert find_token(start("http://localhost:8080", ORCHESTRATOR_TOKEN="orch_given")) == "orch_given"
    assert find_token(start("https://team.example", ORCHESTRATOR_TOKEN="orch_given")) == "orch_given"
    for url in ("https://team.example", "http://127.0.0.1.example", "http://192.168.0.2:8080"):
        with pytest.raises(AccessDenied):
            find_token(start(url))


async def test_it_is_encrypted_with_the_files_that_are_named(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    options = Options(hosts=frozenset(), workspace=tmp_path)
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        house = House(options=replace(options, hosts=local_names("https", port)))
        context = ssl.create_default_context(cafile=str(certificate.file))
        async with serving(house, listening, certificate), httpx.AsyncClient(verify=context, trust_env=False) as http:
            assert (await http.get(f"https://127.0.0.1:{port}/health")).json()["alive"] is True
            # Until the engine is there, it says so.
            bearer = {"Authorization": "Bearer some"}
            starting = await http.get(f"https://127.0.0.1:{port}/projects", headers=bearer)
            assert (starting.status_code, starting.json()["error"]) == (503, "StoreUnavailable")
            assert (await http.get(f"https://127.0.0.1:{port}/ready")).status_code == 503


async def test_files_that_are_no_certificate_are_told(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("nonsense")
    for file in (tmp_path / "c", tmp_path / "missing"):
        with pytest.raises(ServeFailed, match="cannot be used for TLS"):
            Certificate(file=file, key=tmp_path / "c").check()


def self_signed(folder: Path) -> Certificate:
    """A certificate for 127.0.0.1 that is good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=7)
        .not_valid_before(now() - timedelta(hours=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    found = Certificate(file=folder / "cert.pem", key=folder / "key.pem")
    found.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found
