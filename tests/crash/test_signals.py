import asyncio
import os
import signal
from multiprocessing import Pipe
from pathlib import Path

import pytest

from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PhaseStatus, PipelineStatus
from orchestrator_tui.engine.statefile import read_state
from tests.crash.lineage import Outcome, broken_history, differences, outcome_of
from tests.crash.program import SLOW, program
from tests.crash.retold import contradictions, item_contradictions
from tests.lives import PATIENCE, code_of, life, lived

START = (
    *("--idea", "A checker of Markdown links", "--name", "stopped", "--rehearsal", "--autonomy", "full"),
    *("--no-interactive", "--json", "--set=phases.deploy.enabled=true", "--set=phases.architecture.pattern=single"),
)
RESUME = ("--resume", "1", "--no-interactive", "--json")


def url_of(home: Path) -> str:
    return sqlite_url(home / "orchestrator.db")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("calm") / "home"
    told = home.with_name("told")
    assert lived(program, home, START, output=told) == 0, told.read_text()
    outcome, _ = asyncio.run(outcome_of(url_of(home)))
    assert outcome.problems == []
    return outcome


@pytest.mark.parametrize("phase", PhaseName)
def test_a_program_told_to_end_in_any_phase_saves_its_state_and_goes_on_to_the_same_result(
    tmp_path: Path, undisturbed: Outcome, phase: PhaseName
) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    here, there = Pipe(duplex=False)
    with here, life(program, home, START, phase, there, output=told) as process:
        there.close()
        assert here.poll(PATIENCE), told.read_text()
        assert here.recv(), told.read_text()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        assert code_of(process) == 0, told.read_text()
    asyncio.run(check_that_it_is_saved(url_of(home), phase))
    assert lived(program, home, RESUME, output=told) == 0, told.read_text()
    outcome, _ = asyncio.run(outcome_of(url_of(home)))
    assert differences(undisturbed, outcome) == []


async def check_that_it_is_saved(url: str, phase: PhaseName) -> None:
    async with open_store(url) as store:
        (project,) = await store.list_projects()
        state = await store.pipeline_state(project.id)
        assert (project.status, state.owner) == (PipelineStatus.STOPPED, None)
        assert state.phases[phase].status is PhaseStatus.PENDING
        assert {snapshot.phase for snapshot in state.agent_snapshots} == {phase}
        assert all(snapshot.last_tool_call for snapshot in state.agent_snapshots)
        sessions = await store.list_sessions(project.id)
        assert all(session.status is not AgentStatus.RUNNING for session in sessions)

        recorded = await store.events(limit=100_000)
        told = [one.event for one in recorded]
        assert [event.step for event in told if isinstance(event, events.StopProgressed)] == [1, 2, 3, 4, 5]
        returned = [event for event in told if isinstance(event, events.AgentToolReturned) and event.call_id == SLOW]
        assert returned, "the tool call was cut short"
        assert list(broken_history(recorded)) == []
        assert contradictions(await store.snapshot(), recorded) == []
        assert item_contradictions(await store.list_items(project.id), recorded) == []

        kept = read_state(Path(project.directory))
        assert (kept.project.status, kept.state.phases) == (PipelineStatus.STOPPED, state.phases)
        assert kept.items == tuple(await store.list_items(project.id))
