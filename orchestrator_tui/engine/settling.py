"""What a state file says, as it stands once the process that wrote it is gone; pure: records in, records out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.records import Comment, Dossier, InputRequest, PhaseState, SessionLog, WorkItem
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    InstructionKind,
    InstructionStatus,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    RequestStatus,
    WorkItemStatus,
)

ENGINE = "engine"
IMPORTED = "imported"
"""Why a pipeline that was running has stopped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """`by_commit` are the items done because of their commit, `requeued` those that were being worked on."""

    dossier: Dossier
    by_commit: tuple[WorkItem, ...]
    requeued: tuple[WorkItem, ...]


def settled(dossier: Dossier, finished: Mapping[str, str], *, ended_at: datetime, at: datetime) -> Settled:
    """`dossier` with nothing running in it; `finished` are commits by the id of the item they finished.
    What an agent at work had not heard yet goes to the next one.

    `ended_at` is the last sign of life of the process that ran it, `at` the present moment.
    """
    items = [_item(item, finished, at) for item in dossier.items]
    pairs = list(zip(dossier.items, items, strict=True))
    by_commit = tuple(new for old, new in pairs if new.status is WorkItemStatus.DONE is not old.status)
    requeued = tuple(new for old, new in pairs if new.status is WorkItemStatus.TODO is not old.status)
    status = dossier.project.status
    if status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING):
        status = PipelineStatus.STOPPED
    reason = dossier.state.shutdown_reason if status is dossier.project.status else IMPORTED
    state = replace(
        dossier.state,
        status=status,
        phases={name: _phase(phase, ended_at) for name, phase in dossier.state.phases.items()},
        shutdown_requested=False,
        shutdown_reason=reason,
        owner=None,
    )
    comments = tuple(_comment(item, "Its commit was there already, so it is done.", at) for item in by_commit)
    return Settled(
        dossier=replace(
            dossier,
            project=replace(dossier.project, status=status),
            state=state,
            items=tuple(items),
            comments=dossier.comments + comments,
            requests=tuple(_request(request) for request in dossier.requests),
            sessions=tuple(_session(session, ended_at) for session in dossier.sessions),
            instructions=tuple(
                replace(given, kind=InstructionKind.NOTE, agent_id=None)
                for given in dossier.instructions
                if given.status is InstructionStatus.OPEN and given.kind is not InstructionKind.INTERRUPT
            ),
        ),
        by_commit=by_commit,
        requeued=requeued,
    )


def interrupted(settled: Settled, patch: str | None, at: datetime) -> Dossier:
    """The dossier with a note on every item that was being worked on; `patch` keeps its unfinished work."""
    kept = f"; what was changed in the folder is kept in {patch}" if patch else ""
    text = f"Interrupted (the project was built again from its folder){kept}. It will be taken up again."
    notes = tuple(_comment(item, text, at) for item in settled.requeued)
    return replace(settled.dossier, comments=settled.dossier.comments + notes)


def _item(item: WorkItem, finished: Mapping[str, str], at: datetime) -> WorkItem:
    if item.status is WorkItemStatus.DONE:
        return item
    commit = finished.get(item.id)
    # One that the item was done with already says nothing about what somebody asked for after that.
    if commit is not None and commit != item.metadata.get("commit"):
        metadata = {**item.metadata, "commit": commit}
        return replace(item, status=WorkItemStatus.DONE, metadata=metadata, updated_at=at, completed_at=at)
    if item.status is WorkItemStatus.IN_PROGRESS:
        metadata = {**item.metadata, "interrupted": True}
        return replace(item, status=WorkItemStatus.TODO, metadata=metadata, updated_at=at, completed_at=None)
    return item


def _phase(phase: PhaseState, ended_at: datetime) -> PhaseState:
    if phase.status is not PhaseStatus.RUNNING:
        return phase
    lasted = (ended_at - phase.running_since).total_seconds() if phase.running_since else 0.0
    return replace(
        phase, status=PhaseStatus.PENDING, running_since=None, seconds=phase.seconds + max(0.0, lasted), ended_at=None
    )


def _session(session: SessionLog, ended_at: datetime) -> SessionLog:
    """Without its conversation, which was kept in the database alone."""
    if session.status is not AgentStatus.RUNNING:
        return replace(session, cli_session_id=None)
    return replace(
        session,
        cli_session_id=None,
        status=AgentStatus.INTERRUPTED,
        ended_at=max(ended_at, session.started_at),
        error="its process ended without warning",
    )


def _request(request: InputRequest) -> InputRequest:
    """Nothing that a file says was allowed is: agents may have written the file."""
    if request.kind is not RequestKind.PERMISSION:
        return request
    return replace(request, status=RequestStatus.WITHDRAWN, pattern=None)


def _comment(item: WorkItem, text: str, at: datetime) -> Comment:
    return Comment(id=new_id(), work_item_id=item.id, author=ENGINE, content=text, created_at=at)
