import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator_tui.config.secrets import mask
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.notices import Happening, Notice, notice_of
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import Choice, PauseReason, PhaseName, PipelineStatus, RequestKind
from orchestrator_tui.webhooks import forms

RUNNING, PAUSED, FAILED, COMPLETED = (
    PipelineStatus.RUNNING,
    PipelineStatus.PAUSED,
    PipelineStatus.FAILED,
    PipelineStatus.COMPLETED,
)
ASKED = events.InputRequested(
    request_id="r",
    kind=RequestKind.APPROVAL,
    phase=PhaseName.IDEATION,
    title="Approve <the> requirements & more",
    content_hash="abc",
    choices=(Choice.APPROVE,),
)
NEAR = events.LimitNear(scope=Scope.PROJECT, resource=Resource.MONEY, subject="", used=41.0, limit=50.0)


def project(**more: Any) -> Project:
    moment = now()
    values: dict[str, Any] = {
        "id": "00000000-0000-4000-8000-000000000001",
        "number": 3,
        "name": "mdcheck",
        "slug": "mdcheck",
        "description": "",
        "directory": "/home/ada/work/mdcheck",
        "status": RUNNING,
        "current_phase": None,
        "rehearsal": False,
        "config": {"settings": {"x": "y"}},
        "created_at": moment,
        "updated_at": moment,
    }
    return Project(**values | more)


def notice(event: events.Event, **more: Any) -> Notice | None:
    return notice_of(Recorded(seq=17, at=now(), project_id="p", event=event), project(**more))


def changed(old: PipelineStatus, new: PipelineStatus, reason: str | None = None) -> events.PipelineStatusChanged:
    return events.PipelineStatusChanged(old=old, new=new, reason=reason)


@pytest.mark.parametrize(
    ("event", "happening", "text"),
    [
        (ASKED, Happening.WAITING, "mdcheck waits for you: Approve <the> requirements & more"),
        (changed(RUNNING, COMPLETED), Happening.FINISHED, "mdcheck is finished"),
        (changed(RUNNING, FAILED, "It broke."), Happening.FAILED, "mdcheck failed: It broke."),
        (changed(RUNNING, PAUSED, PauseReason.BUDGET), Happening.BUDGET, "mdcheck is paused: a limit is used up"),
        (
            NEAR,
            Happening.BUDGET,
            "mdcheck comes to a limit: 82% of the money limit of the project used: $41.00 of $50.00",
        ),
        (changed(RUNNING, PAUSED, PauseReason.APPROVAL), None, ""),
        (changed(PipelineStatus.STOPPED, RUNNING), None, ""),
        (events.AgentSaid(agent_id="a", text="x"), None, ""),
    ],
)
def test_what_calls_for_a_person_is_told_in_one_line(
    event: events.Event, happening: Happening | None, text: str
) -> None:
    made = notice(event)
    assert (made.happening if made else None, made.text if made else "") == (happening, text)


def test_json_says_which_project_and_what_and_the_id_is_the_same_each_time() -> None:
    first, second = notice(ASKED), notice(ASKED)
    assert first is not None and second is not None
    assert first.id == second.id != ""
    told = json.loads(forms.as_json(first, mask))
    assert told["type"] == "project.waiting"
    assert datetime.fromisoformat(told["timestamp"]) == first.at
    assert told["data"]["project"] == {
        "id": project().id,
        "number": 3,
        "name": "mdcheck",
        "slug": "mdcheck",
        "rehearsal": False,
    }
    assert (told["data"]["seq"], told["data"]["event"]["content_hash"]) == (17, "abc")
    assert "/home/ada" not in json.dumps(told)


def test_no_credential_is_told() -> None:
    made = notice(changed(RUNNING, FAILED, "https://ada:hunter2000@host said sk-ant-api03-aaaabbbb"))
    assert made is not None
    for body in (forms.as_json(made, mask), forms.as_slack(made, mask)):
        assert b"hunter2000" not in body and b"aaaabbbb" not in body


def test_a_message_for_slack_is_text_and_not_markup() -> None:
    made = notice(ASKED, rehearsal=True)
    assert made is not None
    told = json.loads(forms.as_slack(made, mask))
    words = "mdcheck waits for you: Approve &lt;the&gt; requirements &amp; more (rehearsal)"
    assert told == {"text": f":raised_hand: {words}"}


def test_it_is_signed_as_the_specification_s_example() -> None:
    made = notice(ASKED)
    assert made is not None
    example = replace(made, id="msg_p5jXN8AQM9LWM0D4loKWxJek")
    moment = datetime.fromtimestamp(1614265330, UTC)
    headers = forms.headers_of(example, b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", moment)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert forms.key_of("any other text") == b"any other text"
    with pytest.raises(ValueError, match="Base64"):
        forms.key_of("whsec_ä")
