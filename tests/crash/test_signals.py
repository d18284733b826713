import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import SessionLog, WorkItem
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.statefile import read_state
from tests.crash.lineage import Outcome, broken_history, differences, outcome_of
from tests.crash.program import SLOW, program
from tests.crash.retold import contradictions, item_contradictions
from tests.lives import PATIENCE, code_of, life, lived

RESUME = ("--resume", "1", "--no-interactive", "--json")
PLANNING = (PhaseName.IDEATION, PhaseName.ARCHITECTURE)


def begin(phase: PhaseName) -> tuple[str, ...]:
    """A project without a person that has this phase; the planning of the others is left out, which changes no file."""
    left_out = (f"--set=phases.{name}.enabled=false" for name in PLANNING if name is not phase)
    return (
        *("--idea", "A checker of Markdown links", "--name", "ended", "--rehearsal", "--autonomy", "full"),
        *("--no-interactive", "--json", "--set=phases.deploy.enabled=true", *left_out),
    )


def url_of(home: Path) -> str:
    return sqlite_url(home / "orchestrator.db")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("calm") / "home"
    told = home.with_name("told")
    assert lived(program, home, begin(PhaseName.IMPLEMENT), output=told) == 0, told.read_text()
    outcome, _ = asyncio.run(outcome_of(url_of(home)))
    assert outcome.problems == []
    return outcome


@pytest.mark.parametrize("phase", PhaseName)
def test_a_program_told_to_end_in_any_phase_saves_its_state_and_goes_on_to_the_same_result(
    tmp_path: Path, undisturbed: Outcome, phase: PhaseName
) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    assert ended_at_work(home, phase, signal.SIGTERM, told) == 0, told.read_text()
    asyncio.run(check_that_it_is_saved(url_of(home), phase))
    assert lived(program, home, RESUME, output=told) == 0, told.read_text()
    outcome, _ = asyncio.run(outcome_of(url_of(home)))
    assert differences(undisturbed, outcome) == []


def ended_at_work(home: Path, phase: PhaseName, number: signal.Signals, told: Path) -> int:
    """Send the program a signal in the middle of an agent's tool call; how it ends."""
    here, there = Pipe(duplex=False)
    with here, life(program, home, begin(phase), phase, there, output=told) as process:
        there.close()
        assert here.poll(PATIENCE), told.read_text()
        assert here.recv(), told.read_text()
        assert process.pid is not None
        os.kill(process.pid, number)
        return code_of(process)


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


@dataclass(frozen=True, slots=True)
class Killed:
    """What a project had told and stored when it was killed in the middle of its work item, and what became of it."""

    told: Sequence[Mapping[str, Any]]
    item: WorkItem
    sessions: Sequence[SessionLog]
    recorded: Sequence[Recorded]
    outcome: Outcome


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    home = tmp_path_factory.mktemp("killed") / "home"
    told, later = home.with_name("told"), home.with_name("later")
    assert ended_at_work(home, PhaseName.IMPLEMENT, signal.SIGKILL, told) == -signal.SIGKILL
    items, sessions, _ = asyncio.run(stored(url_of(home)))
    assert lived(program, home, RESUME, output=later) == 0, later.read_text()
    _, _, recorded = asyncio.run(stored(url_of(home)))
    outcome, _ = asyncio.run(outcome_of(url_of(home)))
    lines = [json.loads(line) for line in told.read_text().splitlines() if line.startswith("{")]
    return Killed(lines, items[0], sessions, recorded, outcome)


async def stored(url: str) -> tuple[Sequence[WorkItem], Sequence[SessionLog], Sequence[Recorded]]:
    async with open_store(url) as store:
        (project,) = await store.list_projects()
        items, sessions = await store.list_items(project.id), await store.list_sessions(project.id)
        return items, sessions, await store.events(limit=100_000)


def test_resuming_after_a_crash_ends_with_the_same_result(undisturbed: Outcome, killed: Killed) -> None:
    assert differences(undisturbed, killed.outcome) == []


def test_a_crash_loses_nothing_that_was_told_so_never_60_seconds_of_work(killed: Killed) -> None:
    assert killed.told
    kept = {one.seq: type(one.event).__name__ for one in killed.recorded}
    assert all(kept[line["seq"]] == line["type"] for line in killed.told)
    finished = {session.id for session in killed.sessions if session.status is AgentStatus.COMPLETED}
    begun = [one.event for one in killed.recorded if isinstance(one.event, events.AgentStarted)]
    later = {event.role for event in begun if event.agent_id not in {session.id for session in killed.sessions}}
    assert len(finished) == len(killed.sessions) - 1
    assert later == {"developer", "test_planner", "tester", "deployer"}, "what was finished was done again"


def test_a_work_item_interrupted_by_a_crash_is_queued_again_on_resume_and_its_agent_is_told(killed: Killed) -> None:
    assert killed.item.status is WorkItemStatus.IN_PROGRESS
    changed = [one.event for one in killed.recorded if isinstance(one.event, events.WorkItemStatusChanged)]
    assert [(event.new, event.reason) for event in changed][1:] == [
        (WorkItemStatus.TODO, "interrupted"),
        (WorkItemStatus.IN_PROGRESS, "claimed"),
        (WorkItemStatus.DONE, "verified"),
    ]
    prompts = [one.event.text for one in killed.recorded if isinstance(one.event, events.AgentPrompted)]
    told = "Interrupted (the process ended without warning); what was changed in the folder is kept in"
    assert any(told in prompt for prompt in prompts)
