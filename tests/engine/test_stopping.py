import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ResumeProject, StopProject
from orchestrator_tui.domain.statuses import PipelineStatus, WorkItemStatus
from tests.engine.test_crashes import DONE, start, wait_for_line
from tests.running import NO_PLANNING, Watched, launch, watched
from tests.scenarios import answer, bash, write, write_scenario

SLOW = bash("for i in 1 2 3 4 5; do sleep 0.4; echo line $i >> slow.txt; done")


def called(words: str):  # type: ignore[no-untyped-def]
    return lambda event: isinstance(event, events.AgentCalledTool) and words in str(event.arguments)


async def begin(run: Watched) -> None:
    """An agent is inside a tool call, which the event of it tells a little early."""
    await run.create()
    await run.until(called("slow.txt"))
    await asyncio.to_thread(until_there, Path((await run.project()).directory) / "slow.txt")


def until_there(file: Path) -> None:
    while not file.exists():
        time.sleep(0.02)


def steps(run: Watched) -> list[int]:
    return [event.step for event in run.all(events.StopProgressed)]


async def test_a_graceful_stop_ends_a_tool_call_that_is_under_way_and_begins_no_other(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", SLOW, write("after.txt", "never"), DONE, attempt=1), items=1
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING)) as run:
        await begin(run)
        directory = Path((await run.project()).directory)
        await run.engine.submit(StopProject(project_id=run.project_id))
        await run.until(lambda event: isinstance(event, events.PipelineStatusChanged) and event.new == "stopped")

        assert steps(run) == [1, 2, 3, 4, 5]
        statuses = [event.new for event in run.all(events.PipelineStatusChanged)]
        assert statuses[-2:] == [PipelineStatus.STOPPING, PipelineStatus.STOPPED]
        returned = [event for event in run.all(events.AgentToolReturned) if not event.is_error]
        assert returned, "the call was cut short"
        (patch,) = (directory / ".orchestrator" / "patches").iterdir()
        assert "line 5" in patch.read_text()
        assert "never" not in patch.read_text()

        state = (await run.engine.overview(run.project_id)).state
        (snapshot,) = state.agent_snapshots
        assert snapshot.current_work_item == "TASK-1"
        # The call after it may have been told of, and was not let in.
        assert any(name in (snapshot.last_tool_call or "") for name in ("slow.txt", "after.txt"))
        (item,) = await run.engine.items(run.project_id)
        assert item.status is WorkItemStatus.TODO
        assert state.interrupted_work_items == (item.id,)
        assert any("Interrupted (stopped" in comment.content for comment in await run.engine.comments(item.id))
        told = json.loads((directory / ".orchestrator_state.json").read_text())
        assert told["state"]["agent_snapshots"][0]["current_work_item"] == "TASK-1"


async def test_a_forced_stop_waits_for_nobody(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", bash("touch slow.txt; sleep 30"), DONE, attempt=1), items=1
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING)) as run:
        await begin(run)
        asked = asyncio.create_task(run.engine.submit(StopProject(project_id=run.project_id)))
        await run.until(lambda event: isinstance(event, events.StopProgressed) and event.step == 2)
        began = asyncio.get_running_loop().time()
        await run.engine.submit(StopProject(project_id=run.project_id, force=True))
        await asked
        assert asyncio.get_running_loop().time() - began < 25
        assert (await run.project()).status is PipelineStatus.STOPPED


async def test_what_stops_too_slowly_is_cut_short_after_its_time(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", bash("touch slow.txt; sleep 30"), DONE, attempt=1), items=1
    )
    start_of = launch(tmp_path / "home", scenario, run={"stop_timeout_seconds": 0.2}, **NO_PLANNING)
    async with watched(start_of) as run:
        await begin(run)
        await run.engine.submit(StopProject(project_id=run.project_id))
        await run.until(lambda event: isinstance(event, events.StopProgressed) and event.step == 5)
        captured = next(event for event in run.all(events.StopProgressed) if event.step == 3)
        assert "not every agent came to a safe point" in captured.details[0]


async def test_another_process_stops_a_run_and_sees_it_end(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", bash("sleep 30"), DONE, attempt=1), items=1
    )
    home = tmp_path / "home"
    home.mkdir()
    with start(home, scenario) as process:
        wait_for_line(process, "AgentCalledTool", "sleep 30")
        told = await asyncio.to_thread(command, home, "--stop", "1")
        assert told.returncode == 0, told.stderr
        assert "[1/5]" in told.stdout
        assert "demo: stopped. Go on with: orchestrator-tui --resume 1" in told.stdout
        assert await asyncio.to_thread(process.wait, 40) == 3
    told = await asyncio.to_thread(command, home, "--logs")
    assert told.returncode == 0
    assert "asked process" in told.stdout
    told = await asyncio.to_thread(command, home, "--logs", "1", "--json")
    assert any(json.loads(line)["type"] == "StopProgressed" for line in told.stdout.splitlines())
    assert (await asyncio.to_thread(command, home, "--stop")).stderr.startswith("orchestrator-tui: Project: No project")


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "orchestrator_tui", *arguments],
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the kernel does not tell of processes in /proc")
async def test_an_owner_that_slept_past_its_lease_writes_nothing_more_and_ends_its_agents(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        answer(
            "implement", "developer", write("half.txt", "half"), bash("sleep 50"), DONE, attempt=1, subject="item00002"
        ),
        items=2,
    )
    home = tmp_path / "home"
    home.mkdir()
    with start(home, scenario, "--set=run.lease_seconds=3") as process:
        project_id = str(wait_for_line(process, "AgentCalledTool", "sleep 50")["project_id"])
        process.send_signal(signal.SIGSTOP)
        write_scenario(tmp_path / "s", items=2)
        try:
            settings = {**NO_PLANNING, "run": {"lease_seconds": 3}}
            async with watched(launch(home, scenario, **settings), project_id) as run:
                await taken_over(run)
                assert await run.until_rest() is PipelineStatus.COMPLETED
                last = run.seen[-1].seq
                process.send_signal(signal.SIGCONT)
                await asyncio.to_thread(process.wait, 60)
                overview = await run.engine.overview(project_id)
                assert overview.project.status is PipelineStatus.COMPLETED
                assert overview.items.done == 2
                assert not await run.engine.events(after_seq=last, project_id=project_id)
                commits = [event.message for event in run.all(events.CommitMade) if event.message.startswith("TASK")]
                assert len(commits) == len(set(commits)) == 2
        finally:
            process.kill()


async def taken_over(run: Watched) -> None:
    from orchestrator_tui.domain.errors import AlreadyOwned

    while True:
        try:
            await run.engine.submit(ResumeProject(project_id=run.project_id))
            return
        except AlreadyOwned:
            # Its last heartbeat is still fresh.
            await asyncio.sleep(0.2)
