from datetime import UTC, datetime
from pathlib import Path

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import AgentDelta, Event, Recorded
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PipelineStatus
from orchestrator_tui.tui.agentlog import KEPT_LOGS, AgentLogs, size_of
from orchestrator_tui.tui.loglines import Kind
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def recorded(event: Event) -> Recorded:
    return Recorded(seq=1, at=AT, project_id="p", event=event)


def started(agent_id: str, item_id: str | None = None) -> Recorded:
    return recorded(
        events.AgentStarted(
            agent_id=agent_id,
            phase=PhaseName.IMPLEMENT,
            role="developer",
            session_number=7,
            model="m",
            scripted=True,
            work_item_id=item_id,
            work_item_key="TASK-3" if item_id else None,
        )
    )


def lines(logs: AgentLogs, agent_id: str) -> list[tuple[Kind, str, str]]:
    buffer = logs[agent_id]
    kept = [buffer.line(number) for number in range(buffer.dropped, buffer.end)]
    return [(line.kind, line.label, line.text) for line in kept]


def test_a_message_grows_with_its_deltas_and_is_replaced_by_the_whole() -> None:
    logs = AgentLogs()
    logs.take(started("a"))
    assert logs.take(AgentDelta(project_id="p", agent_id="a", text="Now the")) == "a"
    logs.take(AgentDelta(project_id="p", agent_id="a", text=" tests"))
    assert lines(logs, "a")[-1][2] == "Now the tests"
    logs.take(recorded(events.AgentSaid(agent_id="a", text="Now the tests.")))
    assert [text for kind, _, text in lines(logs, "a") if kind is Kind.SAY] == ["Now the tests."]


def test_the_check_of_an_item_stands_in_the_log_of_who_works_on_it() -> None:
    logs = AgentLogs()
    logs.take(started("a", "item"))
    red = events.VerifyFinished(
        work_item_id="item", command="make test", exit_code=2, passed=False, seconds=1, output="1 failed"
    )
    assert logs.take(recorded(red)) == "a"
    assert lines(logs, "a")[-1] == (Kind.ERROR, "Verify", "red, exit code 2: make test\n1 failed")


def test_a_file_tool_says_how_much_it_changes() -> None:
    assert size_of("Write", {"content": "a\nb\n"}) == "+2"
    assert size_of("Edit", {"old_string": "a", "new_string": "a\nb"}) == "+2 −1"
    assert size_of("Bash", {"command": "ls"}) == ""


def test_an_agent_that_was_stopped_made_no_error_and_one_that_failed_did() -> None:
    logs = AgentLogs()
    for agent_id, status in (("a", AgentStatus.INTERRUPTED), ("b", AgentStatus.FAILED)):
        logs.take(started(agent_id))
        ended = events.AgentFinished(
            agent_id=agent_id, status=status, summary="", error="stopped", usage=Usage(), seconds=5.9
        )
        logs.take(recorded(ended))
    assert lines(logs, "a")[-1] == (Kind.NOTE, "Note", "interrupted after 5.9s: stopped")
    assert lines(logs, "b")[-1] == (Kind.ERROR, "Error", "failed after 5.9s: stopped")


def test_what_belongs_to_no_agent_goes_nowhere() -> None:
    logs = AgentLogs()
    assert logs.take(recorded(events.PhaseProgressed(phase=PhaseName.IMPLEMENT, done=1, total=2))) is None


def test_only_the_newest_logs_stay_in_memory() -> None:
    logs = AgentLogs()
    for number in range(KEPT_LOGS + 3):
        logs.take(started(str(number)))
    assert "0" not in logs
    assert str(KEPT_LOGS + 2) in logs


async def test_every_agent_of_a_run_has_a_log_that_begins_and_ends(tmp_path: Path) -> None:
    logs = AgentLogs()
    runtime = ReplayRuntime(generated_scenario(3))
    async with open_engine(launch(tmp_path / "home", None, **NO_PLANNING), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
    for one in run.seen:
        logs.take(one)
    agents = [event.agent_id for event in run.all(events.AgentStarted)]
    assert agents
    for agent_id in agents:
        told = lines(logs, agent_id)
        assert " starts" in told[0][2]
        assert any(text.startswith("finished in") for _, _, text in told)
    developers = [event.agent_id for event in run.all(events.AgentStarted) if event.role == "developer"]
    assert all(any(label == "Commit" for _, label, _ in lines(logs, agent_id)) for agent_id in developers)


def delta(text: str) -> AgentDelta:
    return AgentDelta(project_id="p", agent_id="a", text=text)


def said(text: str) -> Recorded:
    return recorded(events.AgentSaid(agent_id="a", text=text))


def test_whoever_joins_in_the_middle_gets_a_log_from_there_on() -> None:
    logs = AgentLogs()
    assert logs.take(delta("I am half")) == "a"
    logs.take(recorded(events.AgentCalledTool(agent_id="b", call_id="1", tool="Read", summary="a.py")))
    assert lines(logs, "a")[0][2] == "I am half"
    assert lines(logs, "b")[0][2] == "a.py"


def test_a_start_that_is_told_late_keeps_what_was_written_before() -> None:
    logs = AgentLogs()
    logs.take(delta("Early"))
    logs.take(started("a"))
    assert lines(logs, "a")[0][2] == "Early"


def test_pieces_of_a_message_that_was_read_whole_do_not_show_again() -> None:
    logs = AgentLogs()
    logs.load([said("First I read the tests."), said("Then I write.")])
    for piece in ["the te", "sts.", "Then I ", "write."]:
        logs.take(delta(piece))
    assert [text for _, _, text in lines(logs, "a")] == ["First I read the tests.", "Then I write."]
    logs.take(delta("Then it "))
    logs.take(delta("is green"))
    assert [text for _, _, text in lines(logs, "a")][2:] == ["Then it is green"]


def test_a_message_that_begins_like_the_one_before_shows_as_soon_as_it_differs() -> None:
    logs = AgentLogs()
    logs.take(said("I will read."))
    logs.take(delta("I will"))
    assert len(lines(logs, "a")) == 1
    logs.take(delta(" write"))
    assert lines(logs, "a")[-1][2] == "I will write"


def test_pieces_of_the_next_message_that_come_before_the_whole_of_this_one_are_kept() -> None:
    logs = AgentLogs()
    for piece in ["One.", "\n\nTwo", " and"]:
        logs.take(delta(piece))
    logs.take(said("One."))
    logs.take(delta(" a half."))
    assert [text for _, _, text in lines(logs, "a")] == ["One.", "Two and a half."]
    logs.take(said("Two and a half."))
    assert [text for _, _, text in lines(logs, "a")] == ["One.", "Two and a half."]


def test_logs_of_agents_at_work_outlive_those_of_agents_that_ended() -> None:
    logs = AgentLogs()
    logs.take(started("long"))
    for number in range(KEPT_LOGS + 3):
        logs.take(started(str(number)))
        logs.take(
            recorded(
                events.AgentFinished(
                    agent_id=str(number),
                    status=AgentStatus.COMPLETED,
                    summary="",
                    error=None,
                    usage=Usage(),
                    seconds=1,
                )
            )
        )
    assert "long" in logs
    assert "0" not in logs
