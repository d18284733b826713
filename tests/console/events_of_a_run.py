"""Events as a run stores them, for the tests of what people are shown."""

from datetime import UTC, datetime, timedelta

from orchestrator_tui.console.fold import ConsoleState, fold
from orchestrator_tui.console.lines import Line, lines_of
from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    WorkItemStatus,
)

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def recorded(event: Event, seq: int = 1, seconds: float = 0.0) -> Recorded:
    return Recorded(seq=seq, at=START + timedelta(seconds=seconds), project_id="p", event=event)


def played(*given: Event, second: float = 1.0) -> tuple[ConsoleState, list[Line]]:
    """The state and all lines after events that happen `second` seconds apart."""
    state = ConsoleState()
    lines: list[Line] = []
    for seq, event in enumerate(given, 1):
        told = recorded(event, seq, seq * second)
        after = fold(state, told)
        lines += lines_of(state, after, told)
        state = after
    return state, lines


def created(*, rehearsal: bool = False) -> events.ProjectCreated:
    return events.ProjectCreated(
        number=1, name="mdcheck", slug="mdcheck", directory="/w/m", idea="x", rehearsal=rehearsal
    )


def pipeline(old: PipelineStatus, new: PipelineStatus, reason: str | None = None) -> events.PipelineStatusChanged:
    return events.PipelineStatusChanged(old=old, new=new, reason=reason)


def phase(
    old: PhaseStatus, new: PhaseStatus, name: PhaseName = PhaseName.IMPLEMENT, number: int = 1
) -> events.PhaseStatusChanged:
    return events.PhaseStatusChanged(phase=name, old=old, new=new, round=number, seconds=2.0)


def item(number: int) -> events.WorkItemCreated:
    return events.WorkItemCreated(
        work_item_id=f"i{number}",
        key=f"TASK-{number}",
        title=f"Title {number}",
        priority=3,
        labels=(),
        parent_id=None,
        dependencies=(),
    )


def item_status(number: int, old: WorkItemStatus, new: WorkItemStatus) -> events.WorkItemStatusChanged:
    return events.WorkItemStatusChanged(work_item_id=f"i{number}", key=f"TASK-{number}", old=old, new=new)


def agent(number: int = 7) -> events.AgentStarted:
    return events.AgentStarted(
        agent_id="a",
        phase=PhaseName.IMPLEMENT,
        role="developer",
        session_number=3,
        model="opus",
        scripted=False,
        work_item_id=f"i{number}",
        work_item_key=f"TASK-{number}",
    )


def agent_finished(cost: float, status: AgentStatus = AgentStatus.COMPLETED) -> events.AgentFinished:
    return events.AgentFinished(
        agent_id="a",
        status=status,
        summary="",
        error=None,
        usage=Usage(input_tokens=100, output_tokens=20, cost_usd=cost),
        seconds=1.5,
    )
