import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator_tui.console import status, tracker
from orchestrator_tui.console.pick import nothing_waits
from orchestrator_tui.console.reply import reply
from orchestrator_tui.console.summary import summary, what_next
from orchestrator_tui.console.tracker import at_the_end, to_be_done
from orchestrator_tui.domain import words
from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.limits import Bounds, Forecast, LimitUse, Resource, Scope, Spending
from orchestrator_tui.domain.records import (
    Artifact,
    InputRequest,
    ItemCounts,
    PhaseState,
    PipelineState,
    Project,
    ProjectOverview,
    SyncState,
    Usage,
)
from orchestrator_tui.domain.statuses import PHASE_ORDER, Choice, PhaseName, PhaseStatus, PipelineStatus, RequestKind

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOME_ITEMS = ItemCounts(done=32, todo=18)


def request(kind: RequestKind = RequestKind.APPROVAL) -> InputRequest:
    return InputRequest(
        id="r",
        project_id="p",
        kind=kind,
        phase=PhaseName.ARCHITECTURE,
        title="Approve the architecture",
        body="# It",
        choices=tuple(Choice),
        content_hash="h",
        created_at=NOW,
    )


def overview(
    number: int = 1,
    name: str = "task-manager",
    state: PipelineStatus = PipelineStatus.RUNNING,
    phase: PhaseName | None = PhaseName.IMPLEMENT,
    items: ItemCounts = SOME_ITEMS,
    waiting: InputRequest | None = None,
    rehearsal: bool = False,
    phases: Mapping[PhaseName, PhaseState] | None = None,
) -> ProjectOverview:
    project = Project(
        id=f"id-{number}",
        number=number,
        name=name,
        slug=name,
        description="",
        status=state,
        current_phase=phase,
        directory=f"/w/{name}",
        rehearsal=rehearsal,
        config={},
        created_at=NOW,
        updated_at=NOW,
    )
    pipeline = PipelineState(
        project_id=project.id,
        status=state,
        current_phase=phase,
        phases={name: PhaseState(phase=name) for name in PHASE_ORDER} | dict(phases or {}),
        last_checkpoint=NOW,
        heartbeat=None,
    )
    usage = {PhaseName.IMPLEMENT: Usage(input_tokens=1000, cost_usd=0.25)}
    return ProjectOverview(project=project, state=pipeline, usage=usage, items=items, waiting_for=waiting)


def waiting(kind: RequestKind = RequestKind.APPROVAL) -> ProjectOverview:
    return overview(3, "e-commerce", PipelineStatus.PAUSED, PhaseName.ARCHITECTURE, ItemCounts(), waiting=request(kind))


def test_the_listing_is_the_table_people_know() -> None:
    done = overview(2, "ai-chatbot", PipelineStatus.COMPLETED, None, ItemCounts(done=50))
    assert status.listing([overview(), done, waiting()]) == [
        "Projects",
        "  ID  Name          Status     Phase         Progress",
        "  ────────────────────────────────────────────────────────────",
        "  1   task-manager  running    implement     32/50 (64%)",
        "  2   ai-chatbot    completed  -             50/50 (100%)",
        "  3   e-commerce    paused     architecture  awaiting approval",
    ]


def test_no_projects_say_how_to_start() -> None:
    assert "--rehearsal" in "\n".join(status.listing([]))


def test_a_rehearsal_is_marked_wherever_it_is_shown() -> None:
    shown = overview(rehearsal=True)
    assert words.REHEARSAL in status.listing([shown])
    assert words.REHEARSAL in status.detail(shown, NOW)
    assert any(words.REHEARSAL in line for line in summary(shown, [], 0, NOW))
    assert status.as_json(shown, NOW)["rehearsal"] is True
    assert words.REHEARSAL not in status.listing([overview()])


def test_json_of_a_project_has_the_agreed_fields() -> None:
    told = json.loads(json.dumps(status.as_json(waiting(), NOW)))
    phases = told.pop("phases")
    assert told == {
        "id": "id-3",
        "number": 3,
        "name": "e-commerce",
        "status": "paused",
        "reason": None,
        "current_phase": "architecture",
        "rehearsal": False,
        "created_by": "",
        "priority": None,
        "directory": "/w/e-commerce",
        "items": {"done": 0, "total": 0},
        "seats_awaited": 0,
        "folder_missing_on": [],
        "cost_usd": 0.25,
        "tokens": 1000,
        "waiting_for": {
            "kind": "approval",
            "phase": "architecture",
            "title": "Approve the architecture",
            "request_id": "r",
        },
    }
    assert [phase["name"] for phase in phases] == [name.value for name in PHASE_ORDER]
    assert phases[4] == {"name": "implement", "status": "pending", "seconds": 0.0, "cost_usd": 0.25, "tokens": 1000}


def test_a_running_phase_counts_the_time_until_now() -> None:
    running = PhaseState(
        phase=PhaseName.IMPLEMENT,
        status=PhaseStatus.RUNNING,
        seconds=10.0,
        running_since=NOW - timedelta(seconds=5),
    )
    shown = overview(phases={PhaseName.IMPLEMENT: running})
    assert status.as_json(shown, NOW)["phases"][4]["seconds"] == 15.0
    assert any("15.0s" in line for line in status.phase_table(shown, NOW))


@pytest.mark.parametrize("kind", list(RequestKind))
def test_whatever_waits_says_which_command_answers_it(kind: RequestKind) -> None:
    assert "--resume 3" in "\n".join(status.how_to_answer(waiting(kind)))
    assert what_next(waiting(kind)) == status.how_to_answer(waiting(kind))


def artifact(phase: PhaseName, content: Mapping[str, Any]) -> Artifact:
    return Artifact(
        id="a",
        project_id="p",
        phase=phase,
        output_type="x",
        content=content,
        content_hash="h",
        file_path=None,
        round=1,
        created_at=NOW,
    )


def out_of_budget(error: str | None) -> ProjectOverview:
    failed = PhaseState(phase=PhaseName.IMPLEMENT, status=PhaseStatus.FAILED, error=error)
    shown = overview(state=PipelineStatus.PAUSED, phases={PhaseName.IMPLEMENT: failed})
    return replace(shown, state=replace(shown.state, shutdown_reason="budget"))


@pytest.mark.parametrize("waits", [True, False])
def test_whoever_named_a_server_is_told_to_go_on_there(waits: bool) -> None:
    paused = waiting() if waits else overview(state=PipelineStatus.STOPPED)
    url = "http://127.0.0.1:8080"
    for lines in (status.detail(paused, NOW, connect=url), what_next(paused, url)):
        commands = [line for line in lines if "orchestrator-tui --" in line]
        assert commands
        assert all(f" --connect {url}" in line for line in commands)


def test_a_pause_without_a_question_says_why_and_what_its_error_advises() -> None:
    paused = out_of_budget("All is used up. Resume with --set a.b=2.")
    for lines in (status.detail(paused, NOW), what_next(paused)):
        assert "Paused: All is used up. Resume with --set a.b=2." in lines
        assert not any("orchestrator-tui --resume 1" in line for line in lines)
    assert status.as_json(paused, NOW)["waiting_for"] == {
        "kind": "budget",
        "phase": "implement",
        "title": "All is used up. Resume with --set a.b=2.",
        "request_id": None,
    }


def bounds() -> Bounds:
    money = LimitUse(scope=Scope.PROJECT, resource=Resource.MONEY, subject="", used=45.0, limit=50.0)
    day = LimitUse(scope=Scope.DAY, resource=Resource.TOKENS, subject="2026-01-01", used=100.0, limit=1000.0)
    each = Spending(dollars=1.4, tokens=2000, sessions=1, seconds=300)
    return Bounds(
        at=NOW,
        limits=(money, day),
        forecast=Forecast(items_done=32, items_left=18, done=each, left=Spending(dollars=25.2, seconds=5400)),
        passed=(replace(money, used=70.2),),
    )


def test_the_listing_says_of_each_project_what_is_left_to_do_and_which_limits_are_near() -> None:
    done = overview(2, "ai-chatbot", PipelineStatus.COMPLETED, None, ItemCounts(done=50))
    lines = status.listing([overview(), done], {"id-1": bounds()})
    assert lines[6:] == [
        "Limits and what is left to do",
        "  1  task-manager  Left to do:  18 items: $25.20  0 tok  1h30m",
        "  1  task-manager  Limit:       90% of the money limit of the project used: $45.00 of $50.00",
        "  1  task-manager  Forecast:    the money limit of the project, $50.00, will not do: "
        "with the work left it comes to $70.20",
    ]


def test_the_page_of_a_project_says_what_is_left_to_do_and_which_limits_are_near() -> None:
    lines = "\n".join(status.detail(overview(), NOW, bounds()))
    assert "Left to do:  18 items: $25.20  0 tok  1h30m" in lines
    assert "90% of the money limit of the project used: $45.00 of $50.00" in lines
    assert "the money limit of the project, $50.00, will not do: with the work left it comes to $70.20" in lines
    assert "token limit" not in lines


def test_json_of_one_project_has_its_limits_and_the_forecast() -> None:
    told = status.as_json(overview(), NOW, bounds())
    assert told["limits"][0] == {
        "scope": "project",
        "what": "money",
        "of": None,
        "used": 45.0,
        "limit": 50.0,
        "share": 0.9,
    }
    assert (told["forecast"]["items_left"], told["forecast"]["left"]["cost_usd"]) == (18, 25.2)
    assert [one["used"] for one in told["forecast"]["passes"]] == [70.2]
    json.dumps(told)


def test_a_pause_without_an_error_says_its_reason() -> None:
    assert "Paused: budget" in what_next(out_of_budget(None))


def test_a_project_that_runs_or_stopped_waits_for_nothing() -> None:
    for state in (PipelineStatus.RUNNING, PipelineStatus.STOPPED):
        assert status.as_json(overview(state=state), NOW)["waiting_for"] is None


def test_money_in_json_has_no_noise_behind_the_point() -> None:
    noisy = replace(overview(), usage={PhaseName.IMPLEMENT: Usage(cost_usd=0.1 + 0.2)})
    told = status.as_json(noisy, NOW)
    assert (told["cost_usd"], told["phases"][4]["cost_usd"]) == (0.3, 0.3)


def test_the_name_of_a_folder_cannot_drive_the_terminal() -> None:
    shown = overview()
    evil = replace(shown, project=replace(shown.project, directory="/w/\x1b[31mred\n"))
    for lines in (status.detail(evil, NOW), summary(evil, [], 0, NOW), status.listing([evil])):
        assert "\x1b" not in "".join(lines)


def test_long_instructions_are_cut_after_six_lines() -> None:
    long = artifact(PhaseName.DEPLOY, {"run_instructions": "\n\n".join(f"step {number}" for number in range(9))})
    lines = summary(overview(), [long], 0, NOW)
    assert "    step 5" in lines
    assert "    step 6" not in lines
    assert "    (3 more)" in lines


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (PipelineStatus.RUNNING, "task-manager is running in process 7; nothing waits for an answer."),
        (PipelineStatus.STOPPED, "Nothing waits for an answer in task-manager."),
    ],
)
def test_an_answer_to_nothing_is_told_where_the_project_stands(state: PipelineStatus, told: str) -> None:
    shown = overview(state=state)
    error = nothing_waits(replace(shown, state=replace(shown.state, owner="process 7")))
    assert error.message == told
    assert "--resume 1" in error.hint


def test_the_summary_says_where_the_program_is_and_how_to_check_it() -> None:
    artifacts = [
        artifact(PhaseName.INITIALIZE, {"verify_command": "make check"}),
        artifact(PhaseName.DEPLOY, {"run_instructions": "old"}),
        artifact(PhaseName.DEPLOY, {"run_instructions": "1. Do\nso. 2. Or\x1b[31m so. 3. Use Python 3.9."}),
    ]
    done = overview(state=PipelineStatus.COMPLETED, phase=None)
    text = "\n".join(summary(done, artifacts, 19, NOW))
    for words_of_it in (
        "is finished.",
        "/w/task-manager",
        "make check",
        "  Run it:\n    1. Do\n    so.\n    2. Or[31m so.\n    3. Use Python 3.9.\n",
        "32 of 50 done",
        "19",
        "1.0k tok",
    ):
        assert words_of_it in text
    assert what_next(done) == []


def test_the_end_of_a_run_says_where_its_items_are_and_what_of_them_is_not_there() -> None:
    done = overview(state=PipelineStatus.COMPLETED, phase=None)
    link = "https://linear.test/project/1"
    assert any(link in line for line in summary(done, [], 0, NOW, items_at=link))
    assert not any("Items at" in line for line in summary(done, [], 0, NOW))
    assert at_the_end(done.project, SyncState(kind="linear", pending=3)) == [], "they are on their way"
    behind = SyncState(kind="linear", pending=3, last_error="Linear cannot be reached.")
    assert at_the_end(done.project, behind) == [
        "Work tracker linear, 3 changes waiting: Linear cannot be reached.",
        "Once that is mended: orchestrator-tui tracker sync 1",
    ]


@pytest.mark.parametrize(
    ("state", "where"),
    [
        (SyncState(kind="database"), "the program's database"),
        (SyncState(kind="linear"), "not in linear yet, in the program's database"),
        (SyncState(kind="linear", link="https://linear.test/1"), "https://linear.test/1"),
    ],
)
def test_a_tracker_says_where_the_items_are(state: SyncState, where: str) -> None:
    assert f"Items at:  {where}" in tracker.lines(overview().project, state)


def test_a_finished_project_says_how_what_was_added_is_begun() -> None:
    done = overview(state=PipelineStatus.COMPLETED, phase=None)
    assert to_be_done(done) == ["18 work items to be done; begin with: orchestrator-tui --resume 1"]
    assert to_be_done(replace(done, items=ItemCounts(done=50))) == []
    assert to_be_done(overview()) == [], "it does them anyhow"


def test_a_failure_says_in_which_phase_and_how_to_resume() -> None:
    broken = PhaseState(phase=PhaseName.TESTING, status=PhaseStatus.FAILED, error="It hangs.")
    failed = overview(state=PipelineStatus.FAILED, phases={PhaseName.TESTING: broken})
    assert "Project 1 task-manager failed in testing: It hangs." in summary(failed, [], 0, NOW)
    assert "To resume: orchestrator-tui --resume 1" in what_next(failed)


@pytest.mark.parametrize(
    ("kind", "changes", "choice"),
    [
        (RequestKind.APPROVAL, None, Choice.APPROVE),
        (RequestKind.APPROVAL, "x", Choice.REQUEST_CHANGES),
        (RequestKind.PERMISSION, None, Choice.ALLOW_ONCE),
        (RequestKind.PERMISSION, "x", Choice.DENY),
        (RequestKind.CLARIFICATION, "x", Choice.ANSWER),
        (RequestKind.ERROR_DECISION, "x", Choice.RETRY_WITH_HINT),
    ],
)
def test_flags_answer_what_waits_with_the_hash_that_was_shown(
    kind: RequestKind, changes: str | None, choice: Choice
) -> None:
    answer = reply(request(kind), changes)
    assert (answer.request_id, answer.choice, answer.text, answer.content_hash) == ("r", choice, changes, "h")


def test_a_yes_to_what_is_only_allowed_for_good_is_that() -> None:
    asked = replace(request(RequestKind.PERMISSION), choices=(Choice.ALLOW_PROJECT, Choice.STOP))
    assert reply(asked, None).choice is Choice.ALLOW_PROJECT
    told = "\n".join(status.how_to_answer(replace(waiting(), waiting_for=asked)))
    assert "--approve" in told
    assert "deny" not in told


def test_a_command_that_waits_for_permission_is_shown_in_full_line_by_line() -> None:
    command = "\n".join(["cat > build.sh <<'X'", *(f"echo step {number}" for number in range(200)), "X", "sh build.sh"])
    asked = replace(request(RequestKind.PERMISSION), body=f"Why this is asked: it is new.\n\n{command}\n")
    told = status.how_to_answer(replace(waiting(), waiting_for=asked))
    assert told[4:-4] == [f"  {line}" for line in command.split("\n")]
    assert told[-3:] == [
        "To allow it once: orchestrator-tui --resume 3 --approve",
        "To allow it in this project from now on: orchestrator-tui --resume 3 (on a terminal)",
        'To deny it:       orchestrator-tui --resume 3 --request-changes "why"',
    ]


def test_what_cannot_be_seen_of_a_command_is_told() -> None:
    asked = replace(request(RequestKind.PERMISSION), body="ls \u202e\u200b-la\n")
    told = status.how_to_answer(replace(waiting(), waiting_for=asked))
    assert "2 characters in it cannot be seen and are left out here. Be careful." in told


@pytest.mark.parametrize("kind", [RequestKind.CLARIFICATION, RequestKind.ERROR_DECISION])
def test_a_plain_yes_is_no_answer_to_a_question(kind: RequestKind) -> None:
    with pytest.raises(UsageError, match="no approval"):
        reply(request(kind), None)


def test_that_a_project_waits_for_a_worker_is_said() -> None:
    new = overview(state=PipelineStatus.NOT_STARTED, phase=None)
    assert not any(line.startswith("Waiting:") for line in status.detail(new, NOW))
    queued = replace(new, state=replace(new.state, queued_at=NOW))
    assert any(" ".join(line.split()) == "Waiting: a worker to take it up" for line in status.detail(queued, NOW))
