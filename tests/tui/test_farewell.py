import pytest

from orchestrator_tui.dashboard import farewell
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.statuses import PauseReason, PhaseName, PipelineStatus, RequestKind
from orchestrator_tui.tui.view import ProjectView

URL = "https://team.example"


def project(status: PipelineStatus, **more: object) -> ProjectView:
    made = {"id": "p", "number": 1, "name": "demo", "directory": "/w/demo", "rehearsal": True, "status": status}
    return ProjectView(**{**made, "current_phase": PhaseName.IDEATION, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("in_background", [True, False])
def test_what_waits_for_a_person_is_not_said_to_be_paused_alone(in_background: bool) -> None:
    waits = project(PipelineStatus.PAUSED, reason="approval", waiting={"r": RequestKind.APPROVAL})
    said = farewell(waits, in_background=in_background)
    assert said == "demo waits for you at ideation. Go on with: orchestrator-tui --resume 1\n"
    assert farewell(waits, URL) == said.rstrip() + f" --connect {URL}\n"


def test_what_is_kept_running_is_said_to_go_on() -> None:
    handed_over = project(PipelineStatus.PAUSED, reason=PauseReason.HAND_OVER, resumes_at=now())
    assert farewell(handed_over, in_background=True).startswith("demo goes on in the background.")
    stopped = project(PipelineStatus.STOPPED, waiting={"r": RequestKind.APPROVAL})
    assert farewell(stopped).startswith("demo: stopped at ideation."), "its person stopped it before they answered"
