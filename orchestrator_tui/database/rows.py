"""Rows to records and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from orchestrator_tui.domain.codec import from_plain, to_plain
from orchestrator_tui.domain.records import (
    AgentSnapshot,
    Artifact,
    Comment,
    InputRequest,
    Instruction,
    PhaseState,
    PipelineState,
    Project,
    SessionLog,
    SyncState,
    ToolCall,
    Usage,
    WorkItem,
)
from orchestrator_tui.domain.statuses import (
    PHASE_ORDER,
    AgentStatus,
    Choice,
    InstructionKind,
    InstructionStatus,
    PhaseName,
    PipelineStatus,
    RequestKind,
    RequestStatus,
    WorkItemStatus,
)


def _phase(name: str | None) -> PhaseName | None:
    return None if name is None else PhaseName(name)


def project(row: Row[Any]) -> Project:
    return Project(
        id=row.id,
        number=row.number,
        name=row.name,
        slug=row.slug,
        description=row.description,
        status=PipelineStatus(row.status),
        current_phase=_phase(row.current_phase),
        directory=row.directory,
        rehearsal=row.rehearsal,
        config=row.config,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by=row.created_by,
    )


def pipeline_state(row: Row[Any]) -> PipelineState:
    """From a row of `pipeline_states` with `status` and `current_phase` of its project."""
    phases = from_plain(Mapping[PhaseName, PhaseState], row.phases)
    return PipelineState(
        project_id=row.project_id,
        status=PipelineStatus(row.status),
        current_phase=_phase(row.current_phase),
        # JSONB does not keep the order of keys.
        phases={phase: phases[phase] for phase in PHASE_ORDER if phase in phases},
        last_checkpoint=row.last_checkpoint,
        heartbeat=row.heartbeat,
        shutdown_requested=row.shutdown_requested,
        shutdown_reason=row.shutdown_reason,
        agent_snapshots=from_plain(tuple[AgentSnapshot, ...], row.agent_snapshots),
        interrupted_work_items=tuple(row.interrupted_work_items),
        last_successful_step=row.last_successful_step,
        owner=row.owner,
        epoch=row.epoch,
        lease_seconds=row.lease_seconds,
        lapsed=row.lapsed,
        resumes_at=row.resumes_at,
        waits=row.waits,
        queued_at=row.queued_at,
    )


def work_item(row: Row[Any]) -> WorkItem:
    return WorkItem(
        id=row.id,
        project_id=row.project_id,
        number=row.number,
        title=row.title,
        description=row.description,
        acceptance=tuple(row.acceptance),
        status=WorkItemStatus(row.status),
        priority=row.priority,
        phase=PhaseName(row.phase),
        parent_id=row.parent_id,
        dependencies=tuple(row.dependencies),
        labels=tuple(row.labels),
        metadata=row.metadata,
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
    )


def comment(row: Row[Any]) -> Comment:
    return Comment(
        id=row.id, work_item_id=row.work_item_id, author=row.author, content=row.content, created_at=row.created_at
    )


def sync_state(row: Row[Any]) -> SyncState:
    return SyncState(
        kind=row.kind,
        link=row.link,
        pending=row.pending,
        last_error=row.last_error,
        last_synced=row.last_synced,
    )


def artifact(row: Row[Any]) -> Artifact:
    return Artifact(
        id=row.id,
        project_id=row.project_id,
        phase=PhaseName(row.phase),
        output_type=row.output_type,
        content=row.content,
        content_hash=row.content_hash,
        file_path=row.file_path,
        round=row.round,
        created_at=row.created_at,
    )


def usage(row: Row[Any]) -> Usage:
    """From columns named as in `Usage`; sums over no rows are NULL, and PostgreSQL adds big integers as decimals."""
    return Usage(
        input_tokens=int(row.input_tokens or 0),
        output_tokens=int(row.output_tokens or 0),
        cache_read_tokens=int(row.cache_read_tokens or 0),
        cache_write_tokens=int(row.cache_write_tokens or 0),
        cost_usd=float(row.cost_usd or 0.0),
    )


def session_log(row: Row[Any]) -> SessionLog:
    return replace(session_outline(row), tool_calls=from_plain(tuple[ToolCall, ...], row.tool_calls))


def session_outline(row: Row[Any]) -> SessionLog:
    """A session without its tool calls."""
    return SessionLog(
        id=row.id,
        project_id=row.project_id,
        phase=PhaseName(row.phase),
        session_number=row.session_number,
        role=row.role,
        work_item_id=row.work_item_id,
        model=row.model,
        started_at=row.started_at,
        ended_at=row.ended_at,
        status=AgentStatus(row.status),
        summary=row.summary,
        error=row.error,
        usage=usage(row),
        cli_session_id=row.cli_session_id,
        attempt=row.attempt,
        prompt_hash=row.prompt_hash,
        answer=row.answer,
    )


def input_request(row: Row[Any]) -> InputRequest:
    return InputRequest(
        id=row.id,
        project_id=row.project_id,
        kind=RequestKind(row.kind),
        phase=_phase(row.phase),
        title=row.title,
        body=row.body,
        choices=tuple(Choice(choice) for choice in row.choices),
        content_hash=row.content_hash,
        artifact_id=row.artifact_id,
        work_item_id=row.work_item_id,
        status=RequestStatus(row.status),
        choice=None if row.choice is None else Choice(row.choice),
        text=row.text,
        answered_by=row.answered_by,
        asked_by=row.asked_by,
        pattern=row.pattern,
        created_at=row.created_at,
        answered_at=row.answered_at,
        taken_at=row.taken_at,
    )


def instruction(row: Row[Any]) -> Instruction:
    return Instruction(
        id=row.id,
        project_id=row.project_id,
        kind=InstructionKind(row.kind),
        text=row.text,
        by=row.by,
        agent_id=row.agent_id,
        work_item_id=row.work_item_id,
        status=InstructionStatus(row.status),
        created_at=row.created_at,
    )


def item_values(item: WorkItem) -> dict[str, Any]:
    """Columns of a work item."""
    moments = {name: getattr(item, name) for name in ("created_at", "updated_at", "completed_at")}
    return to_plain(item) | moments  # type: ignore[no-any-return]


def comment_values(comment: Comment) -> dict[str, Any]:
    """Columns of a comment."""
    return to_plain(comment) | {"created_at": comment.created_at}  # type: ignore[no-any-return]


def artifact_values(artifact: Artifact) -> dict[str, Any]:
    """Columns of an artifact."""
    return to_plain(artifact) | {"created_at": artifact.created_at}  # type: ignore[no-any-return]


def request_values(request: InputRequest) -> dict[str, Any]:
    """Columns of a request."""
    moments = {name: getattr(request, name) for name in ("created_at", "answered_at", "taken_at")}
    return to_plain(request) | moments  # type: ignore[no-any-return]


def instruction_values(instruction: Instruction) -> dict[str, Any]:
    """Columns of an instruction."""
    return to_plain(instruction) | {"created_at": instruction.created_at}  # type: ignore[no-any-return]


def session_values(session: SessionLog) -> dict[str, Any]:
    """Columns of a session; its usage has one column a number."""
    values: dict[str, Any] = to_plain(session)
    moments = {"started_at": session.started_at, "ended_at": session.ended_at}
    used: dict[str, Any] = values.pop("usage")
    return values | used | moments
