import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.api.base import Options
from orchestrator_tui.api.commands import Commands, Outcome, Sender
from orchestrator_tui.api.problems import Refused
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain import events
from orchestrator_tui.domain.access import Scope, Token
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import Command, CreateProject, ImportProject, StopProject
from orchestrator_tui.domain.errors import IllegalTransition, StoreUnavailable
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.api.serving import Served, served
from tests.api.test_routes import IDEA, made, waiting

STOP = StopProject(project_id="p")


@dataclass
class SlowEngine:
    """Carries a command out when it is told to."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    done: list[Command] = field(default_factory=list)

    async def submit(self, command: Command) -> str:
        self.begun.set()
        await self.go.wait()
        self.done.append(command)
        if isinstance(command, StopProject) and command.force:
            raise IllegalTransition("It is completed.", hint="There is nothing to stop.")
        return "p"


def sender(scope: Scope = Scope.OPERATE, name: str = "ada") -> Sender:
    token = Token(id=f"{name:0>12}"[:12], name=name, scope=scope, secret_hash="", created_at=now())
    return Sender(token=token, address="127.0.0.1")


def commands(store: SqlStore, engine: Any, workspace: Path = Path("/work")) -> Commands:
    options = Options(hosts=frozenset(), workspace=workspace)
    return Commands(engine, store.ledger, options, lambda command, status: None)


async def test_what_is_sent_again_under_its_key_is_done_once_while_it_is_at_work_and_after(
    sqlite_store: SqlStore,
) -> None:
    engine = SlowEngine()
    desk = commands(sqlite_store, engine)
    first = asyncio.create_task(desk.carry_out(STOP, sender(), "k"))
    await engine.begun.wait()
    second = asyncio.create_task(desk.carry_out(STOP, sender(), "k"))
    engine.go.set()
    body = '{"project_id":"p"}'
    assert await first == Outcome(status=200, body=body)
    assert await second == Outcome(status=200, body=body, repeated=True)
    assert await desk.carry_out(STOP, sender(), "k") == Outcome(status=200, body=body, repeated=True)
    # Another process on the same database knows it, too.
    assert (await commands(sqlite_store, engine).carry_out(STOP, sender(), "k")).repeated
    assert engine.done == [STOP]


async def test_a_refusal_is_repeated_as_it_was(sqlite_store: SqlStore) -> None:
    engine = SlowEngine()
    engine.go.set()
    desk = commands(sqlite_store, engine)
    forced = StopProject(project_id="p", force=True)
    first = await desk.carry_out(forced, sender(), "k")
    again = await desk.carry_out(forced, sender(), "k")
    assert (first.status, json.loads(first.body)["hint"]) == (409, "There is nothing to stop.")
    assert (again.body, again.repeated, len(engine.done)) == (first.body, True, 1)


async def test_a_key_stands_for_one_command_of_one_token(sqlite_store: SqlStore) -> None:
    engine = SlowEngine()
    engine.go.set()
    desk = commands(sqlite_store, engine)
    await desk.carry_out(STOP, sender(), "k")
    with pytest.raises(Refused) as refused:
        await desk.carry_out(StopProject(project_id="q"), sender(), "k")
    assert refused.value.status == 422
    assert not (await desk.carry_out(STOP, sender(name="bob"), "k")).repeated


async def test_a_command_goes_on_when_nobody_waits_for_it_any_more(sqlite_store: SqlStore) -> None:
    engine = SlowEngine()
    desk = commands(sqlite_store, engine)
    asking = asyncio.create_task(desk.carry_out(STOP, sender(), "k"))
    await engine.begun.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    closing = asyncio.create_task(desk.close())
    engine.go.set()
    await closing
    assert engine.done == [STOP]
    (entry,) = await sqlite_store.ledger.audit()
    assert entry.status == 200


async def test_a_server_that_ends_takes_no_more_commands(sqlite_store: SqlStore) -> None:
    desk = commands(sqlite_store, SlowEngine())
    await desk.close()
    with pytest.raises(Refused) as refused:
        await desk.carry_out(STOP, sender())
    assert refused.value.status == 503
    assert await sqlite_store.ledger.audit() == []


async def test_a_command_whose_end_the_server_did_not_live_to_see_is_not_done_again(sqlite_store: SqlStore) -> None:
    engine = SlowEngine()
    dead = commands(sqlite_store, engine)
    lost = asyncio.create_task(dead.carry_out(STOP, sender(), "k"))
    await engine.begun.wait()
    with pytest.raises(Refused) as refused:
        await commands(sqlite_store, engine).carry_out(STOP, sender(), "k")
    assert refused.value.status == 409
    assert "not known" in str(refused.value)
    engine.go.set()
    await lost


async def test_what_cannot_be_logged_is_not_done(sqlite_store: SqlStore) -> None:
    class Lost:
        async def begin(self, entry: object) -> None:
            raise StoreUnavailable("It is away.")

    engine = SlowEngine()
    engine.go.set()
    desk = Commands(
        engine,  # type: ignore[arg-type]
        Lost(),  # type: ignore[arg-type]
        Options(hosts=frozenset(), workspace=Path("/work")),
        lambda command, status: None,
    )
    with pytest.raises(StoreUnavailable):
        await desk.carry_out(STOP, sender())
    assert engine.done == []


@pytest.mark.parametrize(
    ("directory", "allowed"),
    [
        ("{workspace}/fine", True),
        ("{workspace}", False),
        ("{workspace}/../other", False),
        ("{workspace}/link/inside", False),
        ("/etc", False),
        ("relative", False),
    ],
)
async def test_a_folder_outside_of_the_workspace_is_for_admins(
    sqlite_store: SqlStore, tmp_path: Path, directory: str, allowed: bool
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "link").symlink_to("/etc")
    engine = SlowEngine()
    engine.go.set()
    desk = commands(sqlite_store, engine, workspace)
    command = CreateProject(idea="x", directory=directory.format(workspace=workspace))
    outcome = await desk.carry_out(command, sender())
    assert (outcome.status == 200) is allowed, outcome
    assert outcome.status in (200, 403, 422)
    if directory != "relative":
        assert (await desk.carry_out(command, sender(Scope.ADMIN))).status == 200


async def test_settings_of_its_own_are_for_admins(sqlite_store: SqlStore) -> None:
    engine = SlowEngine()
    engine.go.set()
    desk = commands(sqlite_store, engine)
    command = CreateProject(idea="x", config={"scenario": "/etc/passwd"})
    assert (await desk.carry_out(command, sender())).status == 403
    assert (await desk.carry_out(command, sender(Scope.READ))).status == 403
    assert (await desk.carry_out(command, sender(Scope.ADMIN))).status == 200
    assert [entry.status for entry in await sqlite_store.ledger.audit()] == [200, 403, 403]


@pytest.mark.parametrize("config", [{"settings": 3}, {"scenario": None}, {"other": {}}])
async def test_settings_that_can_be_none_are_refused(sqlite_store: SqlStore, config: dict[str, Any]) -> None:
    desk = commands(sqlite_store, SlowEngine())
    assert (await desk.carry_out(CreateProject(idea="x", config=config), sender(Scope.ADMIN))).status == 422


@pytest.mark.parametrize("directory", ["relative", "", "/a\0b"])
async def test_what_is_no_folder_is_refused_to_admins_too(sqlite_store: SqlStore, directory: str) -> None:
    desk = commands(sqlite_store, SlowEngine())
    for command in (CreateProject(idea="x", directory=directory), ImportProject(directory=directory)):
        assert (await desk.carry_out(command, sender(Scope.ADMIN))).status == 422


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "home") as it:
        yield it


async def test_every_command_is_in_the_audit_log_with_who_what_and_when(site: Served) -> None:
    before = now()
    async with site.http(Scope.OPERATE) as http, site.http() as admin:
        await made(site, http, idea="A password=hunter2000 checker " + "x" * 500)
        asked = await waiting(http)
        await http.post("/projects/1/approve", json={"content_hash": asked["content_hash"]})
        assert (await http.post("/projects/1/approve", json={"content_hash": "old"})).status_code == 409
        await http.post("/commands", json={"type": "ImportProject", "directory": "/etc"})
        imported, refused, approved, created = (await admin.get("/audit")).json()
        assert (refused["command"], refused["status"]) == ("AnswerRequest", 409)
        assert "refused" in refused["detail"]
        assert (imported["command"], imported["status"]) == ("ImportProject", 403)
        assert (approved["command"], approved["status"]) == ("AnswerRequest", 200)
        assert asked["id"] in approved["detail"]
        assert (created["token_name"], created["address"]) == ("operateer", "127.0.0.1")
        assert before.isoformat() <= created["at"] <= now().isoformat()
        assert "hunter2000" not in created["detail"]
        assert len(created["detail"]) < 500
        assert (await admin.get("/audit", params={"before": created["number"]})).json() == []
        assert (await http.get("/audit")).status_code == 403


async def test_an_answer_is_given_in_the_name_of_its_token(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        run = await made(site, http)
        asked = await waiting(http)
        command = {"type": "AnswerRequest", "request_id": asked["id"], "choice": "approve", "by": "somebody else"}
        answer = await http.post("/commands", json={**command, "content_hash": asked["content_hash"]})
        assert answer.status_code == 200
        assert await run.until_rest() is PipelineStatus.PAUSED
        logs = (await http.get("/projects/1/logs")).json()
        (told,) = [one["data"] for one in logs if one["type"] == "InputAnswered"]
        assert told["by"] == "operateer"


async def test_a_project_is_whose_token_made_it_whatever_the_request_says(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        await made(site, http)
        command = {"type": "CreateProject", "idea": IDEA["idea"], "name": "second", "rehearsal": True, "by": "ada"}
        assert (await http.post("/commands", json=command)).status_code == 200
        listed = (await http.get("/projects")).json()
    assert {project["created_by"] for project in listed} == {"operateer"}


async def test_a_post_that_is_sent_twice_makes_one_project(site: Served) -> None:
    key = {"Idempotency-Key": "5d7e7a9c"}
    async with site.http(Scope.OPERATE) as http:
        first, second = await asyncio.gather(
            http.post("/projects", json=IDEA, headers=key), http.post("/projects", json=IDEA, headers=key)
        )
        assert first.json() == second.json()
        assert {"idempotent-replayed" in first.headers, "idempotent-replayed" in second.headers} == {True, False}
        assert len((await http.get("/projects")).json()) == 1
        other = await http.post("/projects", json={**IDEA, "name": "other"}, headers=key)
        assert other.status_code == 422
        for bad in ("", "x" * 201, "a\tb"):
            answer = await http.post("/projects", json=IDEA, headers={"Idempotency-Key": bad})
            assert answer.status_code == 400, bad


async def test_an_answer_that_is_sent_again_is_answered_again_though_nothing_waits_any_more(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        run = await made(site, http)
        for path, more in (("edit", {"markdown": "# Other"}), ("reject", {"feedback": "Less."}), ("approve", {})):
            body = {"content_hash": (await waiting(http))["content_hash"], **more}
            key = {"Idempotency-Key": path}
            first = await http.post(f"/projects/1/{path}", json=body, headers=key)
            if path != "edit":
                assert await run.until_rest() is PipelineStatus.PAUSED
            # The same project by another name is the same.
            again = await http.post(f"/projects/{run.project_id}/{path}", json=body, headers=key)
            assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json()), path
            assert "idempotent-replayed" in again.headers
            other = await http.post(f"/projects/1/{path}", json={**body, "request_id": "x"}, headers=key)
            assert other.status_code == 422
            elsewhere = "/projects/1/answer"
            assert (await http.post(elsewhere, json={**body, "choice": "approve"}, headers=key)).status_code == 422
        assert len(run.all(events.InputAnswered)) == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "Unknown"},
        {"type": "StopProject"},
        {"type": "StopProject", "project_id": "x", "more": 1},
        {"type": "StopProject", "project_id": "x" * 5_000},
        {"type": "AnswerRequest", "request_id": "x", "content_hash": "x", "choice": "maybe"},
    ],
)
async def test_a_command_that_cannot_be_one_is_refused_and_not_logged(site: Served, body: dict[str, Any]) -> None:
    async with site.http() as http:
        assert (await http.post("/commands", json=body)).status_code == 422
        assert await site.ledger.audit() == []
