import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import IllegalTransition
from orchestrator_tui.domain.records import PhaseState, PipelineState, is_complete
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine import machine


def state_with(statuses: list[PhaseStatus]) -> PipelineState:
    phases = {name: PhaseState(phase=name, status=status) for name, status in zip(PHASE_ORDER, statuses, strict=True)}
    return PipelineState(
        project_id="p",
        status=PipelineStatus.RUNNING,
        current_phase=None,
        phases=phases,
        last_checkpoint=now(),
        heartbeat=None,
    )


def test_every_status_has_a_line_in_its_table() -> None:
    for kind, table in machine.TABLES.items():
        assert set(table) == set(kind)
        assert all(isinstance(status, kind) for targets in table.values() for status in targets)


def test_a_pipeline_that_stops_passes_through_stopping() -> None:
    assert machine.allowed(PipelineStatus.RUNNING, PipelineStatus.STOPPING)
    assert machine.allowed(PipelineStatus.STOPPING, PipelineStatus.STOPPED)
    assert not machine.allowed(PipelineStatus.RUNNING, PipelineStatus.STOPPED)


def test_a_phase_is_never_complete_without_a_stored_result() -> None:
    assert not machine.allowed(PhaseStatus.RUNNING, PhaseStatus.COMPLETED)
    assert machine.allowed(PhaseStatus.AWAITING_APPROVAL, PhaseStatus.COMPLETED)


def test_a_todo_item_is_never_done_without_being_worked_on() -> None:
    assert not machine.allowed(WorkItemStatus.TODO, WorkItemStatus.DONE)


def test_a_refusal_says_what_is_possible() -> None:
    with pytest.raises(IllegalTransition) as caught:
        machine.check(PipelineStatus.STOPPING, PipelineStatus.RUNNING, what="Project mdcheck")
    assert caught.value.line() == (
        "Project mdcheck is stopping and cannot become running. From here it can become: stopped."
    )


@given(st.lists(st.sampled_from(PhaseStatus), min_size=7, max_size=7))
def test_the_next_phase_is_the_first_that_is_neither_completed_nor_skipped(statuses: list[PhaseStatus]) -> None:
    state = state_with(statuses)
    phase = machine.next_phase(state)
    over = (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED)
    if phase is None:
        assert is_complete(state)
    else:
        position = PHASE_ORDER.index(PhaseName(phase.phase))
        assert all(status in over for status in statuses[:position])
        assert statuses[position] not in over
