import json

from orchestrator_tui.console import jsonlines, plain
from orchestrator_tui.console.lines import Kind
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus, PipelineStatus, SeatScope, WorkItemStatus
from orchestrator_tui.domain.troubles import Rung, Trouble
from tests.console.events_of_a_run import (
    START,
    agent,
    agent_finished,
    created,
    item,
    item_status,
    phase,
    pipeline,
    played,
    recorded,
)

RUNS = phase(PhaseStatus.PENDING, PhaseStatus.RUNNING)


def test_a_finished_item_shows_count_time_and_what_its_agent_cost() -> None:
    state, lines = played(
        *(item(number) for number in range(1, 16)),
        item_status(7, WorkItemStatus.TODO, WorkItemStatus.IN_PROGRESS),
        agent(7),
        agent_finished(0.0123),
        item_status(7, WorkItemStatus.IN_PROGRESS, WorkItemStatus.DONE),
        second=4.1,
    )
    assert lines[-1].text == "[ 1/15] TASK-7 Title 7  done  12.3s  $0.01"
    assert (state.items_done, len(state.items), state.agents) == (1, 15, {})


def test_a_session_that_waits_for_others_to_end_says_for_how_many() -> None:
    waits = events.SeatAwaited(
        seat_id="s",
        scope=SeatScope.INSTALLATION,
        most=12,
        phase=PhaseName.IMPLEMENT,
        role="developer",
        work_item_key="TASK-7",
    )
    alone = events.SeatAwaited(seat_id="t", scope=SeatScope.WORKER, most=1, phase=PhaseName.TESTING, role="tester")
    _, lines = played(waits, events.SeatWaitEnded(seat_id="s", given=True), alone)
    assert [(line.text, line.kind) for line in lines] == [
        ("developer for TASK-7 waits for one of the 12 agents of the installation to end", Kind.WAITS),
        ("tester waits for the one agent of its worker to end", Kind.WAITS),
    ]


def test_the_cost_of_an_item_is_that_of_its_last_try() -> None:
    state, _ = played(
        item(7),
        item_status(7, WorkItemStatus.TODO, WorkItemStatus.IN_PROGRESS),
        agent(7),
        agent_finished(1.0),
        item_status(7, WorkItemStatus.IN_PROGRESS, WorkItemStatus.TODO),
        item_status(7, WorkItemStatus.TODO, WorkItemStatus.IN_PROGRESS),
        agent(7),
        agent_finished(0.5),
        item_status(7, WorkItemStatus.IN_PROGRESS, WorkItemStatus.DONE),
    )
    assert state.items["i7"].usage.cost_usd == 0.5
    assert state.phases[PhaseName.IMPLEMENT].usage.cost_usd == state.usage.cost_usd == 1.5


def test_a_failed_try_is_told_in_one_sentence() -> None:
    failed = events.AttemptFailed(
        phase=PhaseName.IMPLEMENT,
        role="developer",
        trouble=Trouble.STALLED,
        problem="It gave no sign of life for 30m00s.",
        then=Rung.FRESH,
        number=1,
        most=3,
        work_item_id="i7",
        work_item_key="TASK-7",
    )
    _, lines = played(failed)
    told = "TASK-7: stalled, try 1 of at most 3: It gave no sign of life for 30m00s; a new session follows"
    assert lines[-1].text == told


def test_a_phase_opens_with_a_heading_and_later_rounds_say_so() -> None:
    _, lines = played(RUNS, phase(PhaseStatus.PENDING, PhaseStatus.RUNNING, number=2))
    assert [line.text for line in lines] == ["== 5/7 implement ==", "== 5/7 implement, round 2 =="]
    assert {line.kind for line in lines} == {Kind.HEADING}


def test_the_time_of_a_later_round_is_that_of_all_rounds() -> None:
    _, lines = played(*(phase(PhaseStatus.RUNNING, PhaseStatus.COMPLETED, number=number) for number in (1, 2)))
    assert [line.text for line in lines] == ["implement completed in 2.0s", "implement completed, 2.0s in all rounds"]


def test_a_phase_that_is_opened_again_is_told_once() -> None:
    _, lines = played(
        phase(PhaseStatus.COMPLETED, PhaseStatus.RUNNING), phase(PhaseStatus.RUNNING, PhaseStatus.PENDING)
    )
    assert [line.text for line in lines] == ["implement will run again: not finished"]


def test_a_rehearsal_says_so_at_the_start() -> None:
    _, lines = played(created(rehearsal=True))
    assert words.REHEARSAL in [line.text for line in lines]
    assert "scripted" in words.REHEARSAL
    assert not any("ehearsal" in line.text for line in played(created())[1])


def test_agents_are_named_by_role_and_work_item_even_after_their_end() -> None:
    _, lines = played(RUNS, agent(7), agent_finished(0.1))
    assert [(line.phase, line.who) for line in lines[1:]] == [("implement", "developer TASK-7")] * 2


def test_an_unknown_agent_still_gets_its_line() -> None:
    _, lines = played(events.AgentSaid(agent_id="0123456789", text="hello"))
    assert (lines[0].who, lines[0].text) == ("agent 01234567", "hello")


def test_what_agents_say_becomes_one_short_line_that_a_terminal_does_not_obey() -> None:
    evil = "first\n\n\x1b[2Jsecond\r\x07 \u202ethird " + "x" * 10_000
    _, lines = played(agent(), events.AgentSaid(agent_id="a", text=evil))
    text = plain.text(lines[-1])
    assert "first [2Jsecond third x" in text
    assert text.isprintable()
    assert len(text) < 200


def test_blank_words_are_worth_no_line() -> None:
    assert played(events.AgentSaid(agent_id="a", text=" \n "))[1] == []


def test_only_failed_tools_are_told() -> None:
    def returned(is_error: bool) -> events.AgentToolReturned:
        return events.AgentToolReturned(agent_id="a", call_id="c", is_error=is_error, output="a\nlast\n", seconds=1)

    assert played(returned(False))[1] == []
    assert played(returned(True))[1][0].text == "tool failed: last"


def test_the_result_of_the_check_and_the_commit_are_told() -> None:
    _, lines = played(
        item(7),
        events.VerifyFinished(
            work_item_id="i7", command="make check", exit_code=2, passed=False, seconds=3, output="x\n1 failed\n"
        ),
        events.CommitMade(
            commit="0123456789abcdef",
            message="TASK-7: it\n\nbody",
            work_item_id="i7",
            files=1,
            insertions=2,
            deletions=0,
        ),
    )
    assert lines[1].text == "verify of TASK-7 failed with exit code 2 in 3.0s: make check: 1 failed"
    assert lines[1].kind is Kind.BAD
    assert lines[2].text == "commit 01234567 TASK-7: it (1 file +2 −0)"


def test_every_end_of_the_pipeline_has_words() -> None:
    running = PipelineStatus.RUNNING
    _, lines = played(
        pipeline(running, PipelineStatus.PAUSED, "usage_limit"),
        pipeline(running, PipelineStatus.FAILED, "error"),
        pipeline(running, PipelineStatus.COMPLETED),
    )
    assert [line.text for line in lines] == ["paused (usage limit)", "failed (error)", "completed"]


def test_a_narrow_screen_gets_time_and_text_only() -> None:
    _, lines = played(RUNS, agent())
    assert "developer" in plain.text(lines[1], 100)
    assert "developer" not in plain.text(lines[1], 60)


def test_a_json_line_holds_the_event_and_where_it_belongs() -> None:
    line = jsonlines.line(recorded(RUNS, seq=9))
    assert "\n" not in line
    assert json.loads(line) == {
        "seq": 9,
        "at": START.isoformat(),
        "project_id": "p",
        "type": "PhaseStatusChanged",
        "phase": "implement",
        "old": "pending",
        "new": "running",
        "round": 1,
        "seconds": 2.0,
        "reason": None,
    }


def test_durations_money_and_tokens_are_short() -> None:
    assert [words.duration(s) for s in (0, 12.34, 59.97, 61, 3600, 7620)] == [
        "0.0s", "12.3s", "1m00s", "1m01s", "1h00m", "2h07m",
    ]  # fmt: skip
    assert [words.money(d) for d in (0, 0.001, 0.014, 1234.5)] == ["$0.00", "<$0.01", "$0.01", "$1,234.50"]
    assert [words.tokens(n) for n in (0, 999, 1000, 999_949, 1_000_000)] == [
        "0 tok", "999 tok", "1.0k tok", "999.9k tok", "1.0M tok",
    ]  # fmt: skip
