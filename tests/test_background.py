import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui import background, cli
from orchestrator_tui.api.connect import background_hints
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.whereabouts import (
    Whereabouts,
    database_mark,
    find_server,
    holder,
    only_one,
    read_whereabouts,
    remove_whereabouts,
    write_whereabouts,
)
from orchestrator_tui.dashboard import Opening
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.errors import ServeFailed, StoreUnavailable
from orchestrator_tui.domain.statuses import PauseReason, PipelineStatus
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.tui.link import Link
from tests.engine.test_hand_over import ONCE_HANDED_OVER, Patient, PatientSession, at_work, completed, nobody, statuses
from tests.lives import light_scenario
from tests.running import NO_PLANNING, Watched, launch

ROOT = Path(__file__).parents[1]
SERVE = """
import sys
from pathlib import Path
from tests.crash.program import program
program(Path(sys.argv[1]), sys.argv[2:])
"""
IDLE_SOON = "background.idle_minutes=0.002"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """A start whose background server plays its model without the CLI."""
    start = launch(tmp_path / "home", None, **NO_PLANNING)

    def command(options: cli.Options) -> list[str]:
        arguments = ["--serve", "--background", *cli.option_arguments(options)]
        return [sys.executable, "-P", "-c", SERVE, str(start.paths.data), *arguments]

    monkeypatch.setattr(background, "command", command)
    return replace(start, environ={**start.environ, "PYTHONPATH": str(ROOT)})


@pytest.fixture
def runtime() -> Patient:
    return Patient(light_scenario(1))


@pytest.fixture(autouse=True)
async def none_left(start: Launch) -> AsyncIterator[None]:
    yield
    await background.end_server(start)


async def keep(start: Launch, engine: LocalEngine, *settings: str) -> None:
    await background.keep_running(start, cli.Options(settings=settings), engine, asyncio.Event())


def number_of_server(start: Launch) -> int:
    return owner.number_of(holder(start.paths) or "")


async def test_what_runs_goes_on_in_a_server_of_its_own_which_then_ends_by_itself(
    start: Launch, runtime: Patient
) -> None:
    async with at_work(start, runtime) as (engine, run):
        await keep(start, engine, IDLE_SOON)
        found = read_whereabouts(start.paths)
        server = number_of_server(start)
        assert found is not None
        assert os.getsid(server) == server
        for file in (start.paths.background, start.paths.api_token, start.paths.background_log):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        told = await completed(engine, run.project_id)
        assert statuses(told) == ONCE_HANDED_OVER
        assert told.all(events.LeaseTaken)[-1].owner == found.process
        while holder(start.paths) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not start.paths.background.exists()


async def test_two_that_leave_at_once_share_one_server(start: Launch, runtime: Patient) -> None:
    async with at_work(start, runtime) as (one, first), open_engine(start, runtime=runtime) as two:
        second = Watched(engine=two)
        await second.create(name="another")
        await second.until(lambda event: isinstance(event, events.AgentStarted))
        await asyncio.gather(keep(start, one), keep(start, two))
        for run in (first, second):
            told = await completed(one, run.project_id)
            assert statuses(told) == ONCE_HANDED_OVER
            found = read_whereabouts(start.paths)
            assert found is not None
            assert told.all(events.LeaseTaken)[-1].owner == found.process


async def test_a_server_that_cannot_start_changes_nothing_and_says_why(start: Launch, runtime: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with at_work(start, runtime) as (engine, run):
            with pytest.raises(ServeFailed, match=f"did not start: .*Port {port} of 127.0.0.1 is in use"):
                await keep(start, engine, f"background.port={port}")
            runtime.go_on.set()
            told = await completed(engine, run.project_id)
    assert statuses(told) == [(PipelineStatus.RUNNING, None), (PipelineStatus.COMPLETED, None)]


async def test_a_server_that_dies_in_the_middle_of_it_leaves_nothing_to_nobody(
    start: Launch, runtime: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(start, runtime) as (engine, run):
        hand_over: Any = engine.hand_over

        async def hand_over_to_nobody(pass_on: Any, hurry: asyncio.Event) -> Any:
            async def too_late(project_id: str) -> None:
                os.kill(number_of_server(start), signal.SIGKILL)
                await pass_on(project_id)

            return await hand_over(too_late, hurry)

        monkeypatch.setattr(engine, "hand_over", hand_over_to_nobody)
        with pytest.raises(StoreUnavailable):
            await keep(start, engine)
        runtime.go_on.set()
        told = await completed(engine, run.project_id)
    assert statuses(told) == ONCE_HANDED_OVER
    assert {event.owner for event in told.all(events.LeaseTaken)} == {owner.this_process()}
    # Nobody takes the file of a dead process for a server.
    assert start.paths.background.exists()
    assert read_whereabouts(start.paths) is None


def settling(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Agents are in the middle of a tool call which never ends; the event is set once they are waited for."""
    waited_for = asyncio.Event()

    async def settle(session: PatientSession) -> None:
        waited_for.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(PatientSession, "settle", settle)
    return waited_for


async def test_who_is_in_a_hurry_waits_for_no_agent(
    start: Launch, runtime: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry, waited_for = asyncio.Event(), settling(monkeypatch)
    async with at_work(start, runtime) as (engine, run):
        handing_over = asyncio.create_task(engine.hand_over(nobody, hurry))
        await waited_for.wait()
        hurry.set()
        assert await handing_over == [run.project_id]
        assert (await engine.overview(run.project_id)).state.shutdown_reason == PauseReason.HAND_OVER


def here(**changes: str) -> Whereabouts:
    return replace(Whereabouts(url="http://127.0.0.1:1", process=owner.this_process(), database="d"), **changes)


async def test_only_a_server_that_is_there_and_of_use_is_found(start: Launch) -> None:
    paths = start.paths
    assert find_server(paths, None) is None
    mine = here(database=database_mark(paths, None))
    gone = owner.this_process().rpartition(" ")[0] + " 1"
    useless: list[Callable[[], Whereabouts]] = [
        lambda: replace(mine, process=gone),
        lambda: replace(mine, process="process 1 on another-host since 1"),
        lambda: replace(mine, database="another"),
        lambda: replace(mine, version="0.0.0"),
    ]
    for make in useless:
        write_whereabouts(paths, make())
        assert find_server(paths, None) is None
    write_whereabouts(paths, mine)
    assert find_server(paths, None) == mine
    assert find_server(paths, "postgresql://another") is None
    for damaged in (b"", b"{", b"[1]", b'{"url": 1}', b"\xff"):
        paths.background.write_bytes(damaged)
        assert find_server(paths, None) is None


async def test_a_start_attaches_to_the_server_unless_another_one_is_named(start: Launch) -> None:
    write_whereabouts(start.paths, here(database=database_mark(start.paths, None)))
    alone = Opening(cli.StartProject(rehearsal="my/own.toml"), {**start.environ, "DATABASE_URL": "postgresql://a/b"})
    named = Opening(cli.StartProject(options=cli.Options(connect="http://another:1")), start.environ)
    attached = Opening(cli.StartProject(rehearsal="my/own.toml"), start.environ)
    found = [(one.setup(Link(one.engine)), one.launch) for one in (alone, named, attached)]
    assert [setup.is_attached for setup, _ in found] == [False, False, True]
    assert [setup.keep is None for setup, _ in found] == [False, True, True]
    assert [setup.is_remote for setup, _ in found] == [False, True, True]
    assert [launch.connect for _, launch in found] == [None, "http://another:1", "http://127.0.0.1:1"]
    assert found[-1][0].place == "background"
    assert found[-1][1].scenario_reference == str(Path.cwd() / "my/own.toml")


async def test_the_file_of_another_server_stays(start: Launch) -> None:
    another = here(process="process 1 on another-host since 1")
    write_whereabouts(start.paths, another)
    remove_whereabouts(start.paths)
    assert start.paths.background.exists()
    write_whereabouts(start.paths, here())
    remove_whereabouts(start.paths)
    assert not start.paths.background.exists()


async def test_a_server_that_does_not_end_is_named_with_what_ends_it(
    start: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_terminate", lambda process: None)
    monkeypatch.setattr(background, "TELL_SECONDS", -1.0)
    monkeypatch.setattr(background, "END_SECONDS", -1.0)
    told: list[str] = []

    async def tell(line: str) -> None:
        told.append(line)

    with only_one(start.paths):
        with pytest.raises(ServeFailed, match=f"process {os.getpid()} on .*, does not end") as failed:
            await background.end_server(start, tell)
        # This process must not be told to end.
        start.paths.background_lock.write_text("nobody")
    assert f"kill -KILL {os.getpid()}" in failed.value.hint
    assert told[0].startswith(f"Waiting for the background server, process {os.getpid()} on ")


async def test_what_there_is_to_do_about_the_background_server_names_its_process(start: Launch) -> None:
    start.paths.data.mkdir(parents=True, exist_ok=True)
    write_whereabouts(start.paths, here())
    hints = background_hints(start)
    assert f"process {os.getpid()} on " in hints.silent
    assert "--stop --all" in hints.silent


async def test_there_is_one_server_at_a_time(start: Launch) -> None:
    with only_one(start.paths):
        assert holder(start.paths) == owner.this_process()
        with pytest.raises(ServeFailed, match="already"), only_one(start.paths):
            pytest.fail("there are two")
    with only_one(start.paths):
        # This process must not be told to end.
        start.paths.background_lock.write_text("nobody")
    assert await background.end_server(start) is False
