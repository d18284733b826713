"""The one transition table: which status may follow which, for pipelines, phases and work items."""

from collections.abc import Mapping
from enum import StrEnum

from orchestrator_tui.domain.errors import IllegalTransition
from orchestrator_tui.domain.records import PhaseState, PipelineState
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, PipelineStatus, WorkItemStatus

Table = Mapping[StrEnum, frozenset[StrEnum]]

PIPELINE: Table = {
    PipelineStatus.NOT_STARTED: frozenset({PipelineStatus.RUNNING}),
    PipelineStatus.RUNNING: frozenset(
        {PipelineStatus.PAUSED, PipelineStatus.STOPPING, PipelineStatus.FAILED, PipelineStatus.COMPLETED}
    ),
    PipelineStatus.PAUSED: frozenset({PipelineStatus.RUNNING, PipelineStatus.STOPPING}),
    PipelineStatus.STOPPING: frozenset({PipelineStatus.STOPPED}),
    PipelineStatus.STOPPED: frozenset({PipelineStatus.RUNNING}),
    PipelineStatus.FAILED: frozenset({PipelineStatus.RUNNING}),
    # A finished program that fails its own check later is taken up again.
    PipelineStatus.COMPLETED: frozenset({PipelineStatus.RUNNING}),
}

PHASE: Table = {
    PhaseStatus.PENDING: frozenset({PhaseStatus.RUNNING, PhaseStatus.SKIPPED}),
    # Back to pending: interrupted, or waiting for an earlier phase to be done again.
    PhaseStatus.RUNNING: frozenset({PhaseStatus.AWAITING_APPROVAL, PhaseStatus.FAILED, PhaseStatus.PENDING}),
    # A result is stored; it counts at once where nobody is asked.
    PhaseStatus.AWAITING_APPROVAL: frozenset({PhaseStatus.RUNNING, PhaseStatus.COMPLETED}),
    # A person may leave out what failed.
    PhaseStatus.FAILED: frozenset({PhaseStatus.RUNNING, PhaseStatus.SKIPPED}),
    # Testing found something, or the finished program broke: work goes on in an earlier phase.
    PhaseStatus.COMPLETED: frozenset({PhaseStatus.RUNNING}),
    # Enabled in the settings after all.
    PhaseStatus.SKIPPED: frozenset({PhaseStatus.PENDING}),
}

WORK_ITEM: Table = {
    # The program's own; a person may set an item to whatever they like in its tracker.
    WorkItemStatus.TODO: frozenset({WorkItemStatus.IN_PROGRESS, WorkItemStatus.BLOCKED}),
    WorkItemStatus.IN_PROGRESS: frozenset({WorkItemStatus.DONE, WorkItemStatus.TODO, WorkItemStatus.BLOCKED}),
    WorkItemStatus.BLOCKED: frozenset({WorkItemStatus.TODO}),
    WorkItemStatus.DONE: frozenset({WorkItemStatus.TODO}),
}

TABLES: Mapping[type[StrEnum], Table] = {
    PipelineStatus: PIPELINE,
    PhaseStatus: PHASE,
    WorkItemStatus: WORK_ITEM,
}


def allowed(old: StrEnum, new: StrEnum) -> bool:
    """Whether `new` may follow `old`; both of the same kind of status."""
    return new in TABLES[type(old)].get(old, frozenset())


def check(old: StrEnum, new: StrEnum, *, what: str) -> None:
    """Refuse a transition that the table does not hold.

    Raises:
        IllegalTransition: names `what`, both statuses, and what is possible.
    """
    if allowed(old, new):
        return
    possible = ", ".join(sorted(TABLES[type(old)].get(old, ()))) or "nothing"
    raise IllegalTransition(f"{what} is {old} and cannot become {new}.", hint=f"From here it can become: {possible}.")


def next_phase(state: PipelineState) -> PhaseState | None:
    """The first phase that is neither completed nor skipped; None when the pipeline is through."""
    for name in PHASE_ORDER:
        phase = state.phases[PhaseName(name)]
        if phase.status not in (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED):
            return phase
    return None
