import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import SessionKey, SessionStoreEntry, project_key_for_directory
from claude_agent_sdk.testing import run_session_store_conformance
from sqlalchemy import delete

from orchestrator_tui.agents import transcripts
from orchestrator_tui.agents.base import AgentOutput, CalledTool
from orchestrator_tui.agents.rehearsal.model import decide
from orchestrator_tui.agents.transcripts import TranscriptMirror
from orchestrator_tui.database import models
from orchestrator_tui.database.connection import open_database
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import AgentFailed, StoreUnavailable
from orchestrator_tui.domain.records import TranscriptKey
from tests.agents.support import SCHEMA, cli_pid, end_of, paths_in, rehearsed
from tests.agents.test_sessions import bash, linux_only, seen

KEY: SessionKey = {"project_key": "p", "session_id": "s"}
STEPS = [bash("echo one > one.txt"), bash("touch started && sleep 50"), {"structured": {"status": "done"}}]


def entries(*uuids: str) -> list[SessionStoreEntry]:
    return [{"type": "user", "uuid": uuid} for uuid in uuids]


def commands(outputs: Sequence[AgentOutput]) -> list[str]:
    return [
        str(output.arguments["command"])
        for output in outputs
        if isinstance(output, CalledTool) and output.tool == "Bash"
    ]


def key_of(directory: Path, session_id: str) -> TranscriptKey:
    return TranscriptKey(project_key=project_key_for_directory(directory), session_id=session_id)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages of each request to a scripted model, as text."""
    asked: list[str] = []

    def recorded(scenario: Any, session: Any, body: Mapping[str, Any]) -> Any:
        asked.append(json.dumps(body["messages"]))
        return decide(scenario, session, body)

    monkeypatch.setattr("orchestrator_tui.agents.rehearsal.server.decide", recorded)
    return asked


class TroubledStore:
    """Keeps what it is given, after it failed `failures` times, and while `free` is set."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.kept: list[Any] = []
        self.free = asyncio.Event()
        self.free.set()

    async def append_transcript(self, key: TranscriptKey, entries: Sequence[Mapping[str, Any]]) -> None:
        await self.free.wait()
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the disk is full")
        self.kept += [entry.get("uuid") for entry in entries]

    async def load_transcript(self, key: TranscriptKey) -> Sequence[dict[str, Any]]:
        return []

    async def list_transcripts(self, project_key: str) -> Mapping[str, datetime]:
        return {}

    async def list_subpaths(self, project_key: str, session_id: str) -> Sequence[str]:
        return []

    async def delete_transcript(self, key: TranscriptKey) -> None:
        self.kept.clear()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def test_the_sdk_s_contracts_of_a_session_store_hold(store_url: str) -> None:
    async with open_store(store_url) as store, open_database(store_url) as database:

        async def emptied() -> TranscriptMirror:
            async with database.writes.begin() as connection:
                await connection.execute(delete(models.transcripts))
            return TranscriptMirror(store)

        await run_session_store_conformance(emptied)


async def test_a_slow_database_holds_nobody_up_and_gets_everything_in_order() -> None:
    store = TroubledStore()
    store.free.clear()
    mirror = TranscriptMirror(store)
    for uuid in "abc":
        await mirror.append(KEY, entries(uuid))
    store.free.set()
    await mirror.written()
    assert store.kept == ["a", "b", "c"] and mirror.failure is None


async def test_what_could_not_be_written_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "BACKOFF_SECONDS", (0.0, 0.0))
    store = TroubledStore(failures=2)
    mirror = TranscriptMirror(store)
    await mirror.append(KEY, entries("a"))
    await mirror.append(KEY, entries("b"))
    await mirror.written()
    assert store.kept == ["a", "b"] and mirror.failure is None


async def test_after_the_last_try_nothing_more_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "BACKOFF_SECONDS", (0.0, 0.0))
    store = TroubledStore(failures=3)
    mirror = TranscriptMirror(store)
    await mirror.append(KEY, entries("a"))
    await mirror.written()
    await mirror.append(KEY, entries("b"))
    await mirror.written()
    assert store.kept == [] and isinstance(mirror.failure, StoreUnavailable)


async def test_a_turn_whose_conversation_cannot_be_kept_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "BACKOFF_SECONDS", (0.0,))
    async with rehearsed(tmp_path, [{"say": "hello"}], transcripts=TroubledStore(failures=99)) as rig:
        end = end_of(await rig.turn())
    assert end.error_kind == "store" and end.error == "The conversation cannot be kept: the disk is full"


async def test_a_conversation_goes_on_elsewhere_with_its_memory(
    tmp_path: Path, store_url: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "planted"))
    project = tmp_path / "first" / "project"
    turns = [bash("echo from-a-tool"), {"structured": {"status": "done"}}]
    async with (
        open_store(store_url) as store,
        rehearsed(tmp_path / "first", turns, transcripts=store, output_schema=SCHEMA) as rig,
    ):
        session_id = end_of(await rig.turn("Remember the number 4711.")).cli_session_id
    assert session_id is not None
    asked.clear()
    async with (
        open_store(store_url) as store,
        rehearsed(
            tmp_path / "second",
            turns,
            transcripts=store,
            output_schema=SCHEMA,
            directory=project,
            resume=session_id,
        ) as rig,
    ):
        assert rig.session.cli_session_id == session_id
        assert len(await store.load_transcript(key_of(project, session_id))) > 0
        end = end_of(await rig.turn("Which number was it?"))
        kept = await store.load_transcript(key_of(project, session_id))
    assert (end.error_kind, end.structured, end.cli_session_id) == (None, {"status": "done"}, session_id)
    assert end.usage.input_tokens == 100 * len(asked), "what it had used before is another session's"
    assert all(said in asked[0] for said in ("Remember the number 4711.", "from-a-tool", "Which number was it?"))
    uuids = [entry["uuid"] for entry in kept if "uuid" in entry]
    assert len(uuids) == len(set(uuids))
    said = [entry["message"]["content"] for entry in kept if entry["type"] == "user"]
    assert said.index("Remember the number 4711.") < said.index("Which number was it?")
    assert not (tmp_path / "planted").exists()


@linux_only
async def test_a_conversation_killed_in_the_middle_of_a_tool_goes_on_where_it_was(
    tmp_path: Path, store: SqlStore, asked: list[str]
) -> None:
    project = tmp_path / "first" / "project"
    async with rehearsed(tmp_path / "first", STEPS, transcripts=store, output_schema=SCHEMA) as rig:
        turn = asyncio.create_task(rig.turn())
        await seen(project / "started")
        session_id = rig.session.cli_session_id
        assert session_id is not None

        async def call_is_kept() -> bool:
            return "touch started" in json.dumps(await store.load_transcript(key_of(project, session_id)))

        await until(call_is_kept)
        os.kill(cli_pid(rig.request.agent_id), signal.SIGKILL)
        assert end_of(await turn).error_kind == "process"
    asked.clear()
    (project / "started").unlink()
    async with rehearsed(
        tmp_path / "second", STEPS, transcripts=store, output_schema=SCHEMA, directory=project, resume=session_id
    ) as rig:
        turn = asyncio.create_task(rig.turn("Go on."))
        await seen(project / "started")
        await rig.session.interrupt()
        outputs = await turn
    assert "echo one > one.txt" in asked[0] and "the session ended before" in asked[0]
    assert commands(outputs) == ["touch started && sleep 50"] and end_of(outputs).error_kind == "interrupted"


async def test_a_conversation_cut_off_between_two_steps_goes_on_with_the_next(
    tmp_path: Path, store: SqlStore, asked: list[str]
) -> None:
    steps = [bash("echo alpha"), bash("echo omega"), {"structured": {"status": "done"}}]
    async with rehearsed(tmp_path, steps, transcripts=store, output_schema=SCHEMA) as rig:
        await rig.turn()
        whole = await store.load_transcript(key_of(rig.project, str(rig.session.cli_session_id)))
    [first_result] = [
        place
        for place, entry in enumerate(whole)
        if entry["type"] == "user" and "alpha" in str(entry.get("toolUseResult"))
    ]
    cut_off = key_of(rig.project, new_id())
    await store.append_transcript(
        cut_off, [entry | {"sessionId": cut_off.session_id} for entry in whole[: first_result + 1]]
    )
    async with rehearsed(tmp_path, steps, transcripts=store, output_schema=SCHEMA, resume=cut_off.session_id) as rig:
        outputs = await rig.turn("Go on.")
    assert commands(outputs) == ["echo omega"] and end_of(outputs).structured == {"status": "done"}


async def test_a_conversation_goes_on_in_the_same_folder_of_another_machine_s_workspace(
    tmp_path: Path, store: SqlStore, asked: list[str]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    async with rehearsed(one, [bash("echo alpha")], transcripts=store, output_schema=SCHEMA, workspace=one) as rig:
        session_id = end_of(await rig.turn()).cli_session_id
        assert session_id is not None
    for _ in range(2):
        # What is said on the second machine is kept with what was said on the first.
        async with rehearsed(
            two, [{"say": "omega"}], transcripts=store, output_schema=SCHEMA, workspace=two, resume=session_id
        ) as rig:
            assert await rig.runtime.keeps(session_id, rig.project)
            asked.clear()
            await rig.turn("Go on.")
        assert "echo alpha" in asked[0]
    assert "omega" in asked[0]


async def test_a_conversation_has_its_agent_s_id_from_the_start(tmp_path: Path) -> None:
    agent_id = new_id()
    async with rehearsed(tmp_path, [{"say": "hello"}], agent_id=agent_id) as rig:
        known = [rig.session.cli_session_id async for _ in rig.session.turn("Do it.")]
    assert set(known) == {agent_id}


async def test_an_id_that_the_cli_chose_is_known_with_the_first_thing_said(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, [{"say": "hello"}]) as rig:
        assert rig.session.cli_session_id is None
        known = [rig.session.cli_session_id async for _ in rig.session.turn("Do it.")]
    assert None not in known and len(set(known)) == 1


@pytest.mark.parametrize("name", ["5d9af547-48b1-4d96-8da8-d637f9eb57ff", "../../escape", ""])
async def test_a_conversation_nobody_knows_is_told_at_the_start(
    tmp_path: Path, sqlite_store: SqlStore, name: str
) -> None:
    with pytest.raises(AgentFailed) as failure:
        async with rehearsed(tmp_path, [{"say": "never"}], transcripts=sqlite_store, resume=name):
            pass
    assert failure.value.kind == "resume"
    assert not paths_in(tmp_path).cli_home.exists() or not list(paths_in(tmp_path).cli_home.rglob("*.jsonl"))


async def test_a_conversation_the_cli_cannot_read_is_told_at_the_start(tmp_path: Path, sqlite_store: SqlStore) -> None:
    (tmp_path / "project").mkdir()
    key = key_of(tmp_path / "project", new_id())
    await sqlite_store.append_transcript(
        key, [{"type": "user", "uuid": "u1", "message": {"role": "user", "content": 5}}]
    )
    with pytest.raises(AgentFailed, match="No conversation found") as failure:
        async with rehearsed(tmp_path, [{"say": "never"}], transcripts=sqlite_store, resume=key.session_id):
            pass
    assert failure.value.kind == "resume"


async def test_without_a_store_the_cli_looks_into_its_own_folder(tmp_path: Path) -> None:
    project_id = new_id()
    async with rehearsed(tmp_path, [{"say": "hello"}], project_id=project_id) as rig:
        session_id = end_of(await rig.turn()).cli_session_id
    async with rehearsed(tmp_path, [{"say": "hello"}], project_id=project_id, resume=session_id) as rig:
        assert end_of(await rig.turn()).cli_session_id == session_id
    with pytest.raises(AgentFailed) as failure:
        async with rehearsed(tmp_path, [{"say": "never"}], project_id=project_id, resume=new_id()):
            pass
    assert failure.value.kind == "resume"
