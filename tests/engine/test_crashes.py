import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.environment import PROJECT_ID
from orchestrator_tui.agents.leftovers import end_leftovers
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import ResumeProject
from orchestrator_tui.domain.errors import AlreadyOwned
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PipelineStatus
from tests.running import NO_PLANNING, launch, watched
from tests.scenarios import answer, bash, structured, write, write_scenario

ROOT = Path(__file__).parent.parent.parent
DONE = structured(status="done", summary="Done.", notes="")
LEFT_AT_ONCE = 130
UNFINISHED = (PipelineStatus.RUNNING, PipelineStatus.STOPPING, PipelineStatus.STOPPED)
TESTED = structured(summary="All is well.", passed=1, failed=0, failures=[])


def start(home: Path, scenario: Path, *more: str) -> subprocess.Popen[str]:
    settings = [f"--set=phases.{name}.enabled=false" for name in ("ideation", "architecture")]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "orchestrator_tui", "--rehearsal", str(scenario), "--autonomy", "full"),
            *("--no-interactive", "--json", "--name", "demo", "--set=run.stop_timeout_seconds=2", *settings, *more),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def carriers(project_id: str) -> list[int]:
    """The processes of a project's agents."""
    wanted = f"{PROJECT_ID}={project_id}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def wait_for_line(process: subprocess.Popen[str], *words: str) -> dict[str, object]:
    assert process.stdout is not None
    for line in process.stdout:
        if all(word in line for word in words):
            found: dict[str, object] = json.loads(line)
            return found
    raise AssertionError(f"the run ended before {words}")


def until_kept(database: Path, words: str) -> None:
    """Wait until the conversation holds a tool's result after `words` were written."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM transcripts WHERE entry LIKE '%tool_result%' AND entry LIKE ?"
        while not connection.execute(query, (f"%{words}%",)).fetchone()[0]:
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("phase", "role", "subject", "end"),
    [("implement", "developer", "item00002", DONE), ("testing", "tester", "1", TESTED)],
    ids=["implement", "testing"],
)
async def test_a_killed_agent_goes_on_with_its_own_conversation_and_its_half_made_files(
    tmp_path: Path, phase: str, role: str, subject: str, end: Mapping[str, Any]
) -> None:
    turns = (write("half.txt", "half"), bash("sleep 4"), write("rest.txt", "rest"), end)
    scenario = write_scenario(tmp_path / "s", answer(phase, role, *turns, subject=subject, attempt=1), items=2)
    home = tmp_path / "home"
    home.mkdir()
    with start(home, scenario) as process:
        project_id = str(wait_for_line(process, "AgentCalledTool", "sleep 4")["project_id"])
        until_kept(home / "orchestrator.db", "half.txt")
        os.killpg(process.pid, signal.SIGKILL)

    async with watched(launch(home, scenario, **NO_PLANNING), project_id) as run:
        assert (await run.project()).status is PipelineStatus.RUNNING
        await run.engine.submit(ResumeProject(project_id=project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        overview = await run.engine.overview(project_id)
        assert overview.items.done == overview.items.total == 2
        assert overview.state.phases[PhaseName(phase)].round == 1
        directory = Path(overview.project.directory)
        assert (directory / "half.txt").read_text() == "half"
        assert (directory / "rest.txt").read_text() == "rest"
        sessions = await run.engine.sessions(project_id)
        (cut,) = [session for session in sessions if session.status is AgentStatus.INTERRUPTED]
        (resumed,) = [session for session in sessions if session.cli_session_id == cut.id and session is not cut]
        assert resumed.status is AgentStatus.COMPLETED
        assert cut.usage.input_tokens > 0 and cut.usage.output_tokens > 0 and cut.usage.cost_usd > 0
        summed = sum((session.usage for session in sessions), Usage())
        assert overview.total_usage.tokens == summed.tokens
        assert overview.total_usage.cost_usd == pytest.approx(summed.cost_usd)
        assert all(session.status is not AgentStatus.RUNNING for session in sessions)
        assert [event.kind for event in run.all(events.AgentPrompted) if event.agent_id == resumed.id] == ["resumed"]
        written = [call for call in run.all(events.AgentCalledTool) if "half.txt" in str(call.arguments)]
        assert len(written) == 1, "what the agent had done it did again"
        commits = [event.message for event in run.all(events.CommitMade) if event.message.startswith("TASK")]
        assert len(commits) == len(set(commits)) == 2


async def test_a_project_that_another_process_runs_is_not_taken_from_it(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", bash("sleep 30"), DONE, attempt=1), items=1
    )
    home = tmp_path / "home"
    home.mkdir()
    with start(home, scenario) as process:
        project_id = str(wait_for_line(process, "AgentCalledTool", "sleep 30")["project_id"])
        async with watched(launch(home, scenario, **NO_PLANNING), project_id) as run:
            try:
                await run.engine.submit(ResumeProject(project_id=project_id))
                raise AssertionError("it was taken")
            except AlreadyOwned as error:
                assert f"process {process.pid} on" in error.message
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


async def test_a_cli_that_is_killed_under_the_engine_costs_one_try_and_no_more(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        answer("implement", "developer", bash("sleep 50"), DONE, attempt=1),
        answer("implement", "developer", write("second.txt", "try"), DONE, attempt=2),
        items=1,
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING)) as run:
        await run.create()
        await run.until(lambda event: isinstance(event, events.AgentCalledTool) and "sleep 50" in str(event.arguments))
        assert end_leftovers(PROJECT_ID, run.project_id) >= 1
        assert await run.until_rest() is PipelineStatus.COMPLETED
        (item,) = await run.engine.items(run.project_id)
        assert any("session failed" in comment.content for comment in await run.engine.comments(item.id))


@pytest.mark.parametrize("frozen", [False, True], ids=["a tool at work", "a frozen CLI"])
async def test_an_end_in_a_hurry_leaves_no_tool_and_no_agent_running(tmp_path: Path, frozen: bool) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", bash("sleep 56"), DONE, attempt=1), items=1
    )
    home = tmp_path / "home"
    home.mkdir()
    with start(home, scenario) as process:
        project_id = str(wait_for_line(process, "AgentCalledTool", "sleep 56")["project_id"])
        if frozen:
            for pid in carriers(project_id):
                os.kill(pid, signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "StopProgressed")
        # Two of the same kind at once are one.
        for number in [signal.SIGTERM] if frozen else [signal.SIGTERM, signal.SIGINT]:
            process.send_signal(number)
        process.communicate(timeout=40)
    assert carriers(project_id) == []
    async with watched(launch(home, scenario, **NO_PLANNING), project_id) as run:
        # A machine that is too slow for the two seconds leaves without the last steps, and says so by this code.
        saved = (PipelineStatus.STOPPED,) if frozen and process.returncode != LEFT_AT_ONCE else UNFINISHED
        assert (await run.project()).status in saved


async def test_what_a_killed_process_left_running_is_ended_before_anything_else(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", bash("sleep 55"), DONE, attempt=1), items=1
    )
    home = tmp_path / "home"
    home.mkdir()
    with start(home, scenario) as process:
        project_id = str(wait_for_line(process, "AgentCalledTool", "sleep 55")["project_id"])
        process.kill()
    write_scenario(tmp_path / "s", items=1)
    async with watched(launch(home, scenario, **NO_PLANNING), project_id) as run:
        await run.engine.submit(ResumeProject(project_id=project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
    assert end_leftovers(PROJECT_ID, project_id) == 0
