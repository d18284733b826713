"""The screen that asks a person what a project waits for."""

from typing import assert_never

from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import RequestKind
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.screens.approval import ApprovalScreen
from orchestrator_tui.tui.screens.asking import Question
from orchestrator_tui.tui.screens.clarification import ClarificationScreen
from orchestrator_tui.tui.screens.decision import DecisionScreen
from orchestrator_tui.tui.screens.permission import PermissionScreen


def question_screen(context: Context, request: InputRequest, project_name: str) -> Question:
    """The modal for a request; it is dismissed with True when something was decided in it, else with False."""
    match request.kind:
        case RequestKind.APPROVAL:
            return ApprovalScreen(context, request, project_name)
        case RequestKind.CLARIFICATION:
            return ClarificationScreen(context, request, project_name)
        case RequestKind.PERMISSION:
            return PermissionScreen(context, request, project_name)
        case RequestKind.ERROR_DECISION:
            return DecisionScreen(context, request, project_name)
        case _:
            assert_never(request.kind)
