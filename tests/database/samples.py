"""Records and events for tests of the store."""

from typing import Any

from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.events import AgentSaid
from orchestrator_tui.domain.records import Artifact, InputRequest, SessionLog, WorkItem
from orchestrator_tui.domain.statuses import Choice, PhaseName, RequestKind


def said(text: str) -> AgentSaid:
    return AgentSaid(agent_id=new_id(), text=text)


def item(project_id: str, title: str, **fields: Any) -> WorkItem:
    usual: dict[str, Any] = {"id": new_id(), "project_id": project_id, "number": 0, "title": title}
    return WorkItem(**usual | fields)


def session(project_id: str, **fields: Any) -> SessionLog:
    usual: dict[str, Any] = {
        "id": new_id(),
        "project_id": project_id,
        "phase": PhaseName.IMPLEMENT,
        "session_number": 0,
        "role": "developer",
        "work_item_id": None,
        "model": "claude",
        "started_at": now(),
    }
    return SessionLog(**usual | fields)


def artifact(project_id: str, **fields: Any) -> Artifact:
    usual: dict[str, Any] = {
        "id": new_id(),
        "project_id": project_id,
        "phase": PhaseName.IDEATION,
        "output_type": "requirements",
        "content": {"summary": "Checks links."},
        "content_hash": "abc",
        "file_path": ".orchestrator/requirements.md",
        "round": 1,
        "created_at": now(),
    }
    return Artifact(**usual | fields)


def approval(project_id: str, **fields: Any) -> InputRequest:
    usual: dict[str, Any] = {
        "id": new_id(),
        "project_id": project_id,
        "kind": RequestKind.APPROVAL,
        "phase": PhaseName.IDEATION,
        "title": "Approve the requirements",
        "body": "# Requirements",
        "choices": (Choice.APPROVE, Choice.REQUEST_CHANGES),
        "content_hash": "abc",
        "created_at": now(),
    }
    return InputRequest(**usual | fields)
