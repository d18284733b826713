import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import httpx
import pytest

from orchestrator_tui.api.client import RemoteEngine, open_remote
from orchestrator_tui.api.token_file import read_token_file
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import CreateProject, ResumeProject, StopProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.tui.bridge import Contact
from tests.crash.program import program
from tests.lives import PATIENCE, code_of, life, lived
from tests.running import Watched
from tests.tui.board import REHEARSED, Board, board

REHEARSAL = CreateProject(idea="Small modules", name="small", rehearsal=True)


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    process: ForkServerProcess
    url: str
    home: Path
    told: Path

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    @property
    def token(self) -> str:
        return read_token_file(self.home / "api-token") or ""

    def remote(self) -> Any:
        return open_remote(self.url, self.token)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; how it does."""
        os.kill(self.process.pid or 0, number)
        return code_of(self.process)


def listening(told: Path, process: ForkServerProcess) -> str:
    """The address that a server tells, once it does."""
    end, pause = monotonic() + PATIENCE, Event()
    while monotonic() < end:
        for line in told.read_text().splitlines() if told.exists() else ():
            if '"listening"' in line:
                return str(json.loads(line)["url"])
        if process.exitcode is not None:
            break
        pause.wait(0.05)
    pytest.fail(f"it does not listen: {told.read_text()}")


@contextmanager
def server(
    home: Path,
    *,
    port: str = "0",
    autonomy: str = "full",
    phase: PhaseName | None = None,
    at_work: Connection | None = None,
    name: str = "told",
    database_url: str | None = None,
) -> Iterator[Server]:
    """The agents of `phase` are in the middle of a tool call until they are told to end, and tell so."""
    told = home.with_name(name)
    arguments = ("--serve", "--port", port, "--json", "--autonomy", autonomy)
    environ = {"DATABASE_URL": database_url} if database_url else {}
    with life(program, home, arguments, phase, at_work, environ, output=told) as process:
        yield Server(process, listening(told, process), home, told)


@asynccontextmanager
async def far_board(at: Server, **how: Any) -> AsyncIterator[Board]:
    """The dashboard of another home, on that server."""
    async with board(
        at.home.with_name("here"), opening=lambda _: at.remote, workspace=None, has_credentials=True, **how
    ) as it:
        yield it


async def test_the_dashboard_leads_a_project_to_its_end_on_a_server(tmp_path: Path) -> None:
    with server(tmp_path / "home", autonomy="checkpoint") as at:
        async with far_board(at) as it:
            await it.command("Modules that tell their names")
            shown = await it.shows("Name", "Run with")
            assert "Folder" not in shown
            await it.leave()
            # Nothing opens over words that are being written.
            it.app.main_screen.input_bar.fill("")
            await it.press("f5")
            for phase in ("Ideation", "Architecture", "Task breakdown"):
                await it.question("waits for you", phase, "a Approve")
                await it.press("a")
            await it.rests(PipelineStatus.COMPLETED)
            assert Path(it.project.directory).is_relative_to(at.home)
            await it.leave()
            await it.command("/items")
            await it.shows("TASK-1")
            await it.press("escape")
            await it.command("/diff TASK-1")
            await it.shows("+")
        assert at.end() == 0, at.told.read_text()


async def test_leaving_the_dashboard_stops_nothing_on_the_server(tmp_path: Path) -> None:
    here, there = Pipe(duplex=False)
    with here, there, server(tmp_path / "home", phase=PhaseName.IMPLEMENT, at_work=there) as at:
        async with far_board(at, first=REHEARSED) as it:
            assert await asyncio.to_thread(here.poll, PATIENCE)
            await it.until(lambda: it.app.selected and it.project.status is PipelineStatus.RUNNING)
            await it.press("ctrl+q")
            await it.until(lambda: it.app.return_code is not None or not it.app.is_running)
        async with at.remote() as remote:
            assert (await remote.find_project("1")).status is PipelineStatus.RUNNING


async def test_a_server_that_is_killed_and_comes_back_is_found_again_and_the_project_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    here, there = Pipe(duplex=False)
    with here, there, server(home, phase=PhaseName.IMPLEMENT, at_work=there) as first:
        async with far_board(first, first=REHEARSED) as it:
            assert await asyncio.to_thread(here.poll, PATIENCE)
            first.end(signal.SIGKILL)
            await it.until(lambda: it.app.bridge.contact is Contact.LOST)
            await it.shows("small", "cannot be reached")
            with server(home, port=first.port, name="again") as second:
                await it.until(lambda: it.app.bridge.contact is Contact.OPEN)
                await it.command("/resume 1")
                await it.rests(PipelineStatus.COMPLETED)
                assert second.end() == 0, second.told.read_text()


async def test_a_signal_stops_projects_in_order_and_whoever_watches_sees_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    here, there = Pipe(duplex=False)
    with here, there, server(home, phase=PhaseName.IMPLEMENT, at_work=there) as at:
        remote: RemoteEngine
        async with at.remote() as remote:
            run = Watched(engine=remote)
            run.project_id = await remote.submit(REHEARSAL)
            assert await asyncio.to_thread(here.poll, PATIENCE)
            ending = asyncio.create_task(asyncio.to_thread(at.end))
            assert await run.until_rest() is PipelineStatus.STOPPED
            assert [event.step for event in run.all(events.StopProgressed)] == [1, 2, 3, 4, 5]
            with pytest.raises(StoreUnavailable):
                await run.until(lambda _: False)
            assert await ending == 0, at.told.read_text()
    with server(home, name="again") as again:
        async with again.remote() as remote:
            run.engine = remote
            await remote.submit(ResumeProject(project_id=run.project_id))
            assert await run.until_rest() is PipelineStatus.COMPLETED
            assert [one.seq for one in run.seen] == list(range(1, len(run.seen) + 1))


def test_tokens_are_made_listed_and_revoked_while_a_server_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def token(*words: str) -> Any:
        told = tmp_path / f"said-{'-'.join(words)}"
        code = lived(program, home, ("token", *words, "--json"), output=told)
        return json.loads(told.read_text().splitlines()[-1] if words[0] != "list" else told.read_text()), code

    with server(home) as at, httpx.Client(base_url=at.url, trust_env=False) as http:
        assert (home / "api-token").stat().st_mode & 0o777 == 0o600
        made, code = token("create", "ada", "--scope", "read")
        assert (code, made["name"], made["scope"]) == (0, "ada", "read")
        bearer = {"Authorization": f"Bearer {made['token']}"}
        assert http.get("/projects", headers=bearer).json() == []
        listed, _ = token("list")
        assert [(one["name"], one["scope"]) for one in listed] == [("local", "admin"), ("ada", "read")]
        assert "secret_hash" not in listed[1]
        _, code = token("revoke", made["id"])
        assert code == 0
        end = monotonic() + PATIENCE
        while http.get("/projects", headers=bearer).status_code == 200:
            assert monotonic() < end
        refused, code = token("revoke", "ada")
        assert (code, refused["type"]) == (2, "error")


def test_other_front_ends_use_the_server_too(tmp_path: Path) -> None:
    with server(tmp_path / "home") as at:
        told = tmp_path / "said"
        start = ("--connect", at.url, "--idea", "Small modules", "--name", "far", "--rehearsal", "--no-interactive")
        assert lived(program, at.home, start, output=told) == 0, told.read_text()
        status = ("--connect", at.url, "--status", "1", "--json")
        said = tmp_path / "status"
        assert lived(program, at.home, status, output=said) == 0, said.read_text()
        (shown,) = json.loads(said.read_text())
        assert (shown["name"], shown["status"]) == ("far", "completed")


async def test_logs_of_a_server_are_followed_until_the_project_rests(tmp_path: Path) -> None:
    here, there = Pipe(duplex=False)
    with here, there, server(tmp_path / "home", phase=PhaseName.IMPLEMENT, at_work=there) as at:
        async with at.remote() as remote:
            run = Watched(engine=remote, project_id=await remote.submit(REHEARSAL))
            assert await asyncio.to_thread(here.poll, PATIENCE)
            said = tmp_path / "said"
            follow = ("--connect", at.url, "--logs", "--follow", "--json")
            with life(program, at.home, follow, output=said) as following:
                while "AgentCalledTool" not in (said.read_text() if said.exists() else ""):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                await remote.submit(StopProject(project_id=run.project_id))
                assert await asyncio.to_thread(code_of, following) == 0, said.read_text()
            told = [json.loads(line)["seq"] for line in said.read_text().splitlines()]
            assert told == [one.seq for one in await remote.events(limit=1_000)]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with server(tmp_path / "home") as at:
        told = tmp_path / "said"
        assert lived(program, tmp_path / "other", ("--serve", "--port", at.port), output=told) == 2
        assert f"Port {at.port} of 127.0.0.1 is in use" in told.read_text()


def test_without_a_server_connecting_says_so(tmp_path: Path) -> None:
    told = tmp_path / "said"
    assert lived(program, tmp_path / "home", ("--connect", "http://127.0.0.1:9", "--status"), output=told) == 2
    assert "There is no token for http://127.0.0.1:9" in told.read_text()
