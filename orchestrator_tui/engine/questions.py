"""What a person is asked about a project, and how a question is opened."""

from orchestrator_tui.database.base import UnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.records import Artifact, InputRequest, Project, WorkItem
from orchestrator_tui.domain.statuses import Choice, PhaseName, RequestKind

APPROVAL_CHOICES = (Choice.APPROVE, Choice.REQUEST_CHANGES, Choice.STOP)
ERROR_CHOICES = (Choice.RETRY, Choice.RETRY_WITH_HINT, Choice.SKIP, Choice.STOP)
INDISPENSABLE = frozenset({PhaseName.TASK_BREAKDOWN, PhaseName.INITIALIZE})
"""Without these there is nothing to implement, or nothing to check it with."""
BODY_LIMIT = 100_000


def approval(project: Project, phase: PhaseName, artifact: Artifact, markdown: str) -> InputRequest:
    """Whether a phase's result counts."""
    return InputRequest(
        id=new_id(),
        project_id=project.id,
        kind=RequestKind.APPROVAL,
        phase=phase,
        title=f"Approve the {artifact.output_type.replace('_', ' ')} of {project.name}",
        body=markdown[:BODY_LIMIT],
        choices=APPROVAL_CHOICES,
        content_hash=artifact.content_hash,
        artifact_id=artifact.id,
        created_at=now(),
    )


def about_phase(project: Project, phase: PhaseName, error: OrchestratorError) -> InputRequest:
    """What becomes of a phase that failed."""
    return InputRequest(
        id=new_id(),
        project_id=project.id,
        kind=RequestKind.ERROR_DECISION,
        phase=phase,
        title=f"The {phase.replace('_', ' ')} phase of {project.name} failed",
        body=error.line(),
        choices=tuple(c for c in ERROR_CHOICES if c is not Choice.SKIP or phase not in INDISPENSABLE),
        content_hash=new_id(),
        created_at=now(),
    )


def about_item(item: WorkItem, request_id: str, report: str) -> InputRequest:
    """What becomes of a work item that was given up; `report` says what was tried."""
    return InputRequest(
        id=request_id,
        project_id=item.project_id,
        kind=RequestKind.ERROR_DECISION,
        phase=PhaseName.IMPLEMENT,
        title=f"{item.key} {item.title} could not be done",
        body=report[:BODY_LIMIT],
        choices=ERROR_CHOICES,
        content_hash=new_id(),
        work_item_id=item.id,
        created_at=now(),
    )


async def open_request(unit: UnitOfWork, request: InputRequest) -> None:
    """Ask, with its event."""
    await unit.open_request(request)
    unit.record(
        request.project_id,
        events.InputRequested(
            request_id=request.id,
            kind=request.kind,
            phase=request.phase,
            title=request.title,
            content_hash=request.content_hash,
            choices=request.choices,
        ),
    )
