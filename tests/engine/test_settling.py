from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator_tui.domain.records import Instruction, SessionLog
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    InstructionKind,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    WorkItemStatus,
)
from orchestrator_tui.engine.settling import IMPORTED, Settled, interrupted, settled
from tests.engine.dossiers import NOON, PROJECT_ID, at_work, id_of, item

TODO, AT_WORK, DONE = WorkItemStatus.TODO, WorkItemStatus.IN_PROGRESS, WorkItemStatus.DONE
ENDED, NOW = NOON + timedelta(minutes=1), NOON + timedelta(days=1)


def settle(*statuses: WorkItemStatus, finished: tuple[int, ...] = ()) -> Settled:
    items = [item(number, status) for number, status in enumerate(statuses, 1)]
    commits = {id_of(100 + number): f"{number:040x}" for number in finished}
    return settled(at_work(*items, owner="process 1 on h since 1"), commits, ended_at=ENDED, at=NOW)


def test_a_running_phase_is_pending_again_and_its_time_up_to_the_last_sign_of_life_counts() -> None:
    found = settle().dossier
    phase = found.state.phases[PhaseName.IMPLEMENT]
    assert (phase.status, phase.seconds, phase.running_since, phase.round) == (PhaseStatus.PENDING, 60.0, None, 1)
    assert found.state.phases[PhaseName.INITIALIZE].status is PhaseStatus.COMPLETED
    assert found.state.owner is None


@pytest.mark.parametrize("status", PipelineStatus)
def test_only_a_pipeline_that_was_running_is_stopped(status: PipelineStatus) -> None:
    before = at_work(shutdown_reason="approval")
    before = replace(before, project=replace(before.project, status=status), state=replace(before.state, status=status))
    found = settled(before, {}, ended_at=ENDED, at=NOW).dossier
    stopped = status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING)
    assert found.project.status is found.state.status is (PipelineStatus.STOPPED if stopped else status)
    assert found.state.shutdown_reason == (IMPORTED if stopped else "approval")
    assert not found.state.shutdown_requested


def test_an_item_that_was_worked_on_goes_back_with_a_note_that_names_its_patch() -> None:
    found = settle(DONE, AT_WORK, TODO)
    assert [one.status for one in found.dossier.items] == [DONE, TODO, TODO]
    assert [one.number for one in found.requeued] == [2]
    assert found.requeued[0].metadata == {"ref": "item2", "interrupted": True}
    (note,) = interrupted(found, "x.patch", NOW).comments
    assert (note.work_item_id, note.author) == (id_of(102), "engine")
    assert "kept in x.patch" in note.content
    (without,) = interrupted(found, None, NOW).comments
    assert "kept" not in without.content


@pytest.mark.parametrize("status", [TODO, AT_WORK, WorkItemStatus.BLOCKED])
def test_an_item_with_a_commit_is_done_whatever_the_file_says(status: WorkItemStatus) -> None:
    found = settle(DONE, status, finished=(1, 2))
    assert [one.status for one in found.dossier.items] == [DONE, DONE]
    assert [one.number for one in found.by_commit] == [2]
    assert found.requeued == ()
    assert found.dossier.items[1].metadata["commit"] == f"{2:040x}"
    assert found.dossier.items[1].completed_at == NOW
    assert [note.work_item_id for note in found.dossier.comments] == [id_of(102)]
    assert "commit" not in found.dossier.items[0].metadata


def test_an_item_that_was_asked_for_again_is_not_done_by_the_commit_it_was_done_with() -> None:
    again = replace(item(1, AT_WORK), metadata={"commit": "a" * 40})
    for commit, status in (("a" * 40, TODO), ("b" * 40, DONE)):
        found = settled(at_work(again), {again.id: commit}, ended_at=ENDED, at=NOW)
        assert [one.status for one in found.dossier.items] == [status]


def test_what_nobody_has_heard_goes_to_the_next_agent() -> None:
    said = [
        Instruction(id=id_of(at), project_id=PROJECT_ID, kind=kind, text="t", by="me", agent_id="a", created_at=NOON)
        for at, kind in enumerate(InstructionKind)
    ]
    found = settled(replace(at_work(), instructions=tuple(said)), {}, ended_at=ENDED, at=NOW).dossier.instructions
    assert {(one.kind, one.agent_id, one.text) for one in found} == {(InstructionKind.NOTE, None, "t")}
    assert len(found) == len(said) - 1, "nobody is left to be interrupted"


def test_a_session_that_ran_was_interrupted_and_none_can_be_taken_up() -> None:
    sessions = tuple(
        SessionLog(
            id=id_of(number),
            project_id=PROJECT_ID,
            phase=PhaseName.IMPLEMENT,
            session_number=number,
            role="developer",
            work_item_id=None,
            model="m",
            started_at=NOON,
            status=status,
            cli_session_id="c",
        )
        for number, status in enumerate((AgentStatus.COMPLETED, AgentStatus.RUNNING), 1)
    )
    found = settled(replace(at_work(), sessions=sessions), {}, ended_at=ENDED, at=NOW).dossier.sessions
    assert [one.status for one in found] == [AgentStatus.COMPLETED, AgentStatus.INTERRUPTED]
    assert [one.ended_at for one in found] == [None, ENDED]
    assert {one.cli_session_id for one in found} == {None}
