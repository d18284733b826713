"""What only the real CLI can show: an agent that waits for a person is ended, and its conversation goes on."""

from dataclasses import replace
from pathlib import Path

from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import AgentStatus, Choice, PipelineStatus
from tests.counselled import own
from tests.running import NO_PLANNING, launch, watched
from tests.scenarios import answer, structured, write, write_scenario

DONE = structured(status="done", summary="Done.", notes="")


async def test_a_conversation_that_rests_for_a_question_goes_on_with_the_answer(tmp_path: Path) -> None:
    question = own("ask_user", question="Which colour?", choices=["blue", "red"])
    turns = (write("before.txt", "before"), question, write("after.txt", "after"), DONE)
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", *turns, subject="item00001", attempt=1), items=1
    )
    start = launch(tmp_path / "home", scenario, **NO_PLANNING)
    phases = {name: {"checkpoint_pause": False} for name in ("task_breakdown", "initialize", "implement", "testing")}
    settings = {
        "autonomy": {"mode": "checkpoint", "answer_wait_seconds": 0},
        "phases": {**NO_PLANNING["phases"], **phases},
    }
    async with watched(replace(start, overrides=settings)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert (await run.project()).status is PipelineStatus.PAUSED
        await run.answer(Choice.ANSWER, "Green.")
        assert await run.until_rest() is PipelineStatus.COMPLETED
        sessions = await run.engine.sessions(run.project_id)
        (cut,) = [one for one in sessions if one.status is AgentStatus.INTERRUPTED]
        (resumed,) = [one for one in sessions if one.cli_session_id == cut.id and one.id != cut.id]
        assert resumed.status is AgentStatus.COMPLETED
        (told,) = [one for one in run.all(events.AgentPrompted) if one.agent_id == resumed.id]
        assert told.kind == "resumed" and "Green." in told.text
        written = [one for one in run.all(events.AgentCalledTool) if "before.txt" in str(one.arguments)]
        assert len(written) == 1 and len(run.all(events.InputRequested)) == 1
        directory = Path((await run.project()).directory)
        assert (directory / "before.txt").exists() and (directory / "after.txt").exists()
