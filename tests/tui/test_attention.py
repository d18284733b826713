import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus, RequestKind
from orchestrator_tui.tui.attention import Call, Why, badge, calls_for
from orchestrator_tui.tui.terminal_calls import notification, window_title
from orchestrator_tui.tui.view import Dashboard, fold, from_snapshot
from tests.tui.in_terminal import written
from tests.tui.stage import played_project

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CREATED = events.ProjectCreated(number=1, name="my-shop", slug="s", directory="/p", idea="i", rehearsal=True)


def asked(request_id: str = "r") -> events.InputRequested:
    return events.InputRequested(
        request_id=request_id,
        kind=RequestKind.APPROVAL,
        phase=PhaseName.IDEATION,
        title="Approve the ideation",
        content_hash="h",
        choices=(),
    )


def went(new: PipelineStatus, reason: str | None = None) -> events.PipelineStatusChanged:
    return events.PipelineStatusChanged(old=PipelineStatus.RUNNING, new=new, reason=reason)


def recorded(event: Event, seq: int = 2) -> Recorded:
    return Recorded(seq=seq, at=NOON, project_id="a", event=event)


def known() -> Dashboard:
    return fold(Dashboard(), recorded(CREATED, 1))


def test_a_project_that_begins_to_wait_calls_with_its_question() -> None:
    call = calls_for(known(), recorded(asked()))
    assert call == Call(project_id="a", project="my-shop", why=Why.WAITS, detail="Approve the ideation")
    assert call.line == "my-shop waits for you"


def test_a_limit_that_comes_near_and_one_that_is_used_up_call() -> None:
    near = events.LimitNear(scope=Scope.PROJECT, resource=Resource.MONEY, subject="", used=41, limit=50)
    call = calls_for(known(), recorded(near))
    assert call is not None
    assert (call.why, call.detail) == (Why.LIMIT, "82% of the money limit of the project used: $41.00 of $50.00")
    paused = calls_for(known(), recorded(went(PipelineStatus.PAUSED, "budget")))
    assert paused is not None
    assert paused.why is Why.USED_UP
    assert calls_for(known(), recorded(went(PipelineStatus.PAUSED, "approval"))) is None


def test_the_same_request_never_calls_twice() -> None:
    after = fold(known(), recorded(asked()))
    assert calls_for(after, recorded(asked(), 2)) is None
    assert calls_for(after, recorded(asked(), 3)) is None
    assert calls_for(after, recorded(asked("another"), 3)) is not None


def test_a_question_of_the_project_whose_question_is_open_does_not_call() -> None:
    assert calls_for(known(), recorded(asked()), asked_about=frozenset({"a"})) is None
    assert calls_for(known(), recorded(asked()), asked_about=frozenset({"b"})) is not None


def test_a_failure_calls_with_its_reason_and_an_end_calls_without() -> None:
    failed = calls_for(known(), recorded(went(PipelineStatus.FAILED, "the check stays red")))
    assert failed is not None
    assert (failed.line, failed.detail) == ("my-shop failed", "the check stays red")
    finished = calls_for(known(), recorded(went(PipelineStatus.COMPLETED)))
    assert finished is not None
    assert finished.line == "my-shop is finished"


@pytest.mark.parametrize("status", [PipelineStatus.PAUSED, PipelineStatus.STOPPED, PipelineStatus.RUNNING])
def test_what_a_person_did_themselves_does_not_call(status: PipelineStatus) -> None:
    assert calls_for(known(), recorded(went(status))) is None


def test_a_project_beyond_the_page_calls_without_its_name() -> None:
    call = calls_for(Dashboard(), recorded(asked()))
    assert call is not None
    assert call.line == "A project waits for you"


async def test_a_run_in_checkpoint_mode_calls_once_at_its_first_rest(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        dashboard, calls = Dashboard(), []
        for one in run.seen:
            calls.append(calls_for(dashboard, one))
            dashboard = fold(dashboard, one)
        assert [call.why for call in calls if call] == [Why.WAITS]
        # Whoever opens the dashboard only now sees the badge instead.
        stored = from_snapshot(await run.engine.snapshot())
        assert [calls_for(stored, one) for one in run.seen if calls_for(stored, one)] == []


def test_the_badge_says_how_many_wait() -> None:
    assert [badge(count) for count in (0, 1, 2)] == [
        "orchestrator", "● 1 waits – orchestrator", "● 2 wait – orchestrator",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "sequence"),
    [
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "\x1b]9;a waits: b\x1b\\"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "\x1b]9;a waits: b\x1b\\"),
        ({"TERM": "xterm-ghostty"}, "\x1b]9;a waits: b\x1b\\"),
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;a waits;b\x1b\\"),
        ({"TERM": "foot"}, "\x1b]777;notify;a waits;b\x1b\\"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;a waits;b\x1b\\"),
        (
            {"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TMUX": "/s,1,0", "ITERM_SESSION_ID": "w0"},
            "\x1bPtmux;\x1b\x1b]9;a waits: b\x1b\x1b\\\x1b\\",
        ),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TMUX": "/s,1,0"}, ""),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "dumb", "TERM_PROGRAM": "iTerm.app"}, ""),
        ({}, ""),
    ],
)
def test_each_terminal_is_told_in_its_own_way(environ: Mapping[str, str], sequence: str) -> None:
    assert notification("a waits", "b", environ) == sequence


@given(st.text(), st.text(), st.sampled_from(["foot", "xterm-ghostty"]))
def test_no_text_ends_the_sequence_or_adds_a_field(title: str, words: str, term: str) -> None:
    body = notification(title, words, {"TERM": term}).removeprefix("\x1b]").removesuffix("\x1b\\")
    assert not {unicodedata.category(character) for character in body} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert body.count(";") == (3 if term == "foot" else 1)
    assert len(body) < 450


def test_a_title_is_not_sent_where_it_would_be_shown_as_text() -> None:
    assert window_title("a\x07\nb", {"TERM": "xterm"}) == "\x1b]2;a b\x1b\\"
    assert window_title("a", {"TERM": "linux"}) == window_title("a", {}) == ""


async def test_in_a_terminal_it_rings_notifies_and_puts_the_title_back() -> None:
    output = await written({"TERM": "foot"})
    at = [output.index(sequence) for sequence in ("\x1b[22;2t", "\x1b]2;orchestrator\x1b\\", "\x1b]777;", "\x1b[23;2t")]
    assert at == sorted(at)
    assert "\x1b]777;notify;my,shop waits for you;Design\x1b\\" in output
    assert "\x07" in output[at[1] : at[3]]
