import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import InterruptAgent, LeaveNote, RemovePermission, ResumeProject, SteerAgent
from orchestrator_tui.domain.errors import IllegalTransition
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import permissions_of
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    Choice,
    InstructionKind,
    PipelineStatus,
    RequestKind,
    WorkItemStatus,
)
from orchestrator_tui.engine.bus import Bus
from tests.counselled import ASK, COMMAND, GATE, LISTEN, CounselledRuntime, own, scenario
from tests.lives import lived
from tests.running import NO_PLANNING, Watched, launch
from tests.scenarios import bash


@asynccontextmanager
async def running(
    home: Path, runtime: CounselledRuntime, *, mode: str = "full", wait: float = 60, project_id: str = "", **more: Any
) -> AsyncIterator[Watched]:
    autonomy = {"mode": mode, "answer_wait_seconds": wait, "interrupt_wait_seconds": 60, **more}
    phases = {name: {"checkpoint_pause": False} for name in ("task_breakdown", "initialize", "implement", "testing")}
    start = launch(home, None)
    settings = {"phases": {**NO_PLANNING["phases"], **phases}, "autonomy": autonomy}
    start = replace(start, overrides=settings)
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine, project_id=project_id)
        if not project_id:
            await run.create()
        yield run


def called(command: str) -> Callable[[events.Event], bool]:
    return lambda event: isinstance(event, events.AgentCalledTool) and event.arguments.get("command") == command


async def finished(run: Watched) -> None:
    assert await run.until_rest() is PipelineStatus.COMPLETED
    assert all(item.status is WorkItemStatus.DONE for item in await run.engine.items(run.project_id))


async def test_a_running_agent_takes_words_in_at_its_next_step(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(LISTEN)))
    async with running(tmp_path / "home", runtime) as run:
        call = await run.until(called(LISTEN))
        assert isinstance(call, events.AgentCalledTool)
        await run.engine.submit(SteerAgent(project_id=run.project_id, agent_id=call.agent_id, text="Use\x07 SQLite."))
        await finished(run)
        (heard,) = runtime.heard.words
        assert "What the person in charge says" in heard and "Use SQLite." in heard
        (given,), (taken,) = run.all(events.InstructionGiven), run.all(events.InstructionTaken)
        assert (given.kind, given.text, given.agent_id) == (InstructionKind.STEER, "Use SQLite.", call.agent_id)
        assert (taken.instruction_id, taken.agent_id) == (given.instruction_id, call.agent_id)
        assert not run.all(events.InstructionKept)


async def test_words_for_an_agent_that_has_ended_are_told_the_next_one(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(GATE)))
    async with running(tmp_path / "home", runtime) as run:
        await run.until(called(GATE))
        before = next(one for one in await run.engine.sessions(run.project_id) if one.status is AgentStatus.COMPLETED)
        await run.engine.submit(SteerAgent(project_id=run.project_id, agent_id=before.id, text="Too late."))
        await run.engine.submit(InterruptAgent(project_id=run.project_id))
        await run.until(lambda event: isinstance(event, events.InstructionTaken))
        current = next(one for one in await run.engine.sessions(run.project_id) if one.status is AgentStatus.RUNNING)
        runtime.scenario.answers[0].turns[0].input["command"] = "true"  # type: ignore[index]
        await run.engine.submit(SteerAgent(project_id=run.project_id, agent_id=current.id, text="Go on now."))
        await finished(run)
        assert [kept.text for kept in run.all(events.InstructionKept)] == ["Too late."]
        told = {taken.text: taken.agent_id for taken in run.all(events.InstructionTaken) if taken.text}
        assert told["Go on now."] == current.id and told["Too late."] not in (before.id, current.id)
        assert sum("Too late." in prompt for prompt in runtime.heard.prompts) == 1


async def test_an_interrupted_agent_goes_on_with_what_the_person_says_next(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(GATE)))
    async with running(tmp_path / "home", runtime) as run:
        call = await run.until(called(GATE))
        assert isinstance(call, events.AgentCalledTool)
        await run.engine.submit(InterruptAgent(project_id=run.project_id, agent_id=call.agent_id))
        await run.until(lambda event: isinstance(event, events.InstructionTaken))
        runtime.scenario.answers[0].turns[0].input["command"] = "true"  # type: ignore[index]
        await run.engine.submit(SteerAgent(project_id=run.project_id, agent_id=call.agent_id, text="Leave that out."))
        await finished(run)
        prompt = next(prompt for prompt in runtime.heard.prompts if "Leave that out." in prompt)
        assert prompt.startswith("# You were interrupted")
        (session,) = [one for one in await run.engine.sessions(run.project_id) if one.id == call.agent_id]
        assert session.status is AgentStatus.COMPLETED


async def test_an_interrupted_agent_goes_on_by_itself_when_nobody_says_anything(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(GATE)))
    async with running(tmp_path / "home", runtime, interrupt_wait_seconds=0) as run:
        await run.until(called(GATE))
        runtime.scenario.answers[0].turns[0].input["command"] = "true"  # type: ignore[index]
        await run.engine.submit(InterruptAgent(project_id=run.project_id))
        await finished(run)


async def test_a_note_for_an_item_is_told_the_session_of_that_item_alone(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(GATE)))
    async with running(tmp_path / "home", runtime, interrupt_wait_seconds=0) as run:
        await run.until(called(GATE))
        second = next(one for one in await run.engine.items(run.project_id) if one.number == 2)
        note = LeaveNote(project_id=run.project_id, text="Mind the ö.", work_item_id=second.id)
        await run.engine.submit(note)
        runtime.scenario.answers[0].turns[0].input["command"] = "true"  # type: ignore[index]
        await run.engine.submit(InterruptAgent(project_id=run.project_id))
        await finished(run)
        taken = next(one for one in run.all(events.InstructionTaken) if one.kind is InstructionKind.NOTE)
        started = next(one for one in run.all(events.AgentStarted) if one.agent_id == taken.agent_id)
        assert started.work_item_id == second.id
        assert sum("Mind the ö." in prompt for prompt in runtime.heard.prompts) == 1


async def test_words_that_nobody_can_hear_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "home", CounselledRuntime(scenario(items=1))) as run:
        await finished(run)
        with pytest.raises(IllegalTransition, match="No agent is at work"):
            await run.engine.submit(InterruptAgent(project_id=run.project_id))
        with pytest.raises(IllegalTransition, match="no words"):
            await run.engine.submit(LeaveNote(project_id=run.project_id, text=" \n"))
        with pytest.raises(IllegalTransition, match="too long"):
            await run.engine.submit(LeaveNote(project_id=run.project_id, text="x" * 9_000))


async def test_another_process_s_words_reach_the_agent(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(LISTEN)))
    async with running(tmp_path / "home", runtime) as run:
        call = await run.until(called(LISTEN))
        assert isinstance(call, events.AgentCalledTool)
        # An engine of its own: it shares the database alone.
        async with open_engine(launch(tmp_path / "home", None), runtime=runtime) as other:
            await other.submit(SteerAgent(project_id=run.project_id, agent_id=call.agent_id, text="From afar."))
        await finished(run)
        assert "From afar." in runtime.heard.words[0]


# Questions

QUESTION = own("ask_user", question="Which colour?", choices=["blue", "red"])


async def asked(run: Watched, kind: RequestKind) -> None:
    await run.until(lambda event: isinstance(event, events.InputRequested) and event.kind is kind)


async def paused(run: Watched, reason: str) -> None:
    assert await run.until_rest() is PipelineStatus.PAUSED
    assert run.all(events.PipelineStatusChanged)[-1].reason == reason


async def test_an_answer_that_comes_soon_is_the_result_of_the_tool(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(QUESTION))
    async with running(tmp_path / "home", runtime, mode="checkpoint") as run:
        await asked(run, RequestKind.CLARIFICATION)
        request = await run.request()
        assert request.body == "Which colour?\n\n- blue\n- red" and "TASK-1 asks" in request.title
        await run.answer(Choice.ANSWER, "Green.")
        await finished(run)
        assert "Green." in runtime.heard.results
        assert not any(one.new is PipelineStatus.PAUSED for one in run.all(events.PipelineStatusChanged))


async def test_while_nobody_answers_the_project_rests_and_then_goes_on_with_the_same_conversation(
    tmp_path: Path,
) -> None:
    runtime = CounselledRuntime(scenario(QUESTION))
    async with running(tmp_path / "home", runtime, mode="checkpoint", wait=0) as run:
        await paused(run, "clarification")
        request = await run.request()
        sessions = await run.engine.sessions(run.project_id)
        cut = next(one for one in sessions if one.status is AgentStatus.INTERRUPTED)
        await run.answer(Choice.ANSWER, "Green.")
        await finished(run)
        sessions = await run.engine.sessions(run.project_id)
        (resumed,) = [one for one in sessions if one.cli_session_id == cut.id and one.id != cut.id]
        assert resumed.status is AgentStatus.COMPLETED
        assert sum("Green." in prompt for prompt in runtime.heard.prompts) == 1
        assert [one.request_id for one in run.all(events.InputRequested)] == [request.id]


async def test_a_question_survives_that_its_process_is_stopped(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(QUESTION))
    async with running(tmp_path / "home", runtime, mode="checkpoint") as run:
        await asked(run, RequestKind.CLARIFICATION)
        request, project_id = await run.request(), run.project_id
    async with running(tmp_path / "home", runtime, mode="checkpoint", project_id=project_id) as run:
        await run.engine.submit(ResumeProject(project_id=project_id))
        await run.until(lambda event: isinstance(event, events.AgentPrompted) and event.kind == "resumed")
        assert (await run.request()).id == request.id
        await run.answer(Choice.ANSWER, "Green.")
        await finished(run)
        assert [one.request_id for one in run.all(events.InputRequested)] == [request.id]
        told = [*runtime.heard.results, *runtime.heard.prompts]
        assert any("Green." in one for one in told)


@pytest.mark.parametrize(("policy", "answer"), [("assume", "most sensible reading"), ("first_choice", "blue")])
async def test_where_nobody_is_asked_an_assumption_is_made_and_written_down(
    tmp_path: Path, policy: str, answer: str
) -> None:
    runtime = CounselledRuntime(scenario(QUESTION))
    async with running(tmp_path / "home", runtime, questions=policy) as run:
        await finished(run)
        (made,) = run.all(events.AssumptionMade)
        assert made.question == "Which colour?" and answer in made.answer
        assert any(answer in result for result in runtime.heard.results)
        item = (await run.engine.items(run.project_id))[0]
        assert any("Which colour?" in comment.content for comment in await run.engine.comments(item.id))
        directory = Path((await run.project()).directory)
        assert "Which colour?" in (directory / ".orchestrator" / "assumptions.md").read_text()


async def test_an_agent_reads_and_notes_items_of_its_project_and_changes_no_status(tmp_path: Path) -> None:
    turns = (
        own("read_work_item", key="TASK-2"),
        own("comment_on_work_item", key="TASK-2", text="Mind me."),
        own("read_work_item", key="TASK-77"),
        own("report_progress", text="half way"),
    )
    runtime = CounselledRuntime(scenario(*turns))
    async with running(tmp_path / "home", runtime) as run:
        await finished(run)
        results = "\n".join(runtime.heard.results)
        assert '"key": "TASK-2"' in results and "no work item TASK-77" in results
        comments = await run.engine.comments((await run.engine.items(run.project_id))[1].id)
        assert ("developer agent", "Mind me.") in [(one.author, one.content) for one in comments]
        assert [report.text for report in run.all(events.AgentReported)] == ["half way"]


# Permissions


async def test_a_command_is_denied_at_once_where_nobody_is_asked(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(COMMAND)))
    async with running(tmp_path / "home", runtime) as run:
        await finished(run)
        assert any(one.startswith("denied: It is outside.") for one in runtime.heard.results)
        assert not run.all(events.InputRequested)


async def test_a_command_that_is_allowed_once_is_asked_about_again(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(COMMAND), bash(COMMAND)))
    async with running(tmp_path / "home", runtime, mode="checkpoint") as run:
        await asked(run, RequestKind.PERMISSION)
        request = await run.request()
        assert request.body.endswith(f"\n\n{COMMAND}") and "It is outside." in request.body
        await run.answer(Choice.ALLOW_ONCE)
        await asked(run, RequestKind.PERMISSION)
        assert (await run.request()).id != request.id
        await run.answer(Choice.DENY, "Use the copy in vendor.")
        await finished(run)
        (denied,) = [one for one in runtime.heard.results if one.startswith("denied")]
        assert "Use the copy in vendor." in denied and runtime.heard.results.count("ran") == 1


async def test_a_command_that_is_allowed_in_the_project_is_not_asked_about_until_that_is_taken_back(
    tmp_path: Path,
) -> None:
    runtime = CounselledRuntime(scenario(bash(COMMAND), bash(f"{ASK}  https://example.org"), bash(GATE), bash(COMMAND)))
    async with running(tmp_path / "home", runtime, mode="checkpoint", interrupt_wait_seconds=0) as run:
        await asked(run, RequestKind.PERMISSION)
        await run.answer(Choice.ALLOW_PROJECT)
        await run.until(called(GATE))
        assert runtime.heard.results.count("ran") == 2 and len(run.all(events.InputRequested)) == 1
        assert permissions_of((await run.project()).config) == (COMMAND,)
        with pytest.raises(IllegalTransition, match="not allowed"):
            await run.engine.submit(RemovePermission(project_id=run.project_id, pattern="curl"))
        await run.engine.submit(RemovePermission(project_id=run.project_id, pattern=COMMAND))
        assert permissions_of((await run.project()).config) == ()
        runtime.scenario.answers[0].turns[2].input["command"] = "true"  # type: ignore[index]
        await run.engine.submit(InterruptAgent(project_id=run.project_id))
        await asked(run, RequestKind.PERMISSION)
        await run.answer(Choice.DENY)
        await finished(run)
        assert [one.allowed for one in run.all(events.PermissionChanged)] == [True, False]


async def test_a_project_rests_for_a_permission_and_the_command_runs_once_after_the_answer(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(COMMAND)))
    async with running(tmp_path / "home", runtime, mode="checkpoint", wait=0) as run:
        await paused(run, "permission")
        await run.answer(Choice.ALLOW_ONCE)
        await finished(run)
        assert runtime.heard.results.count("ran") == 1
        assert len(run.all(events.InputRequested)) == 1


# Crashes


def dies_at(home: Path, at: str) -> None:
    """A life that answers the question if it comes to it, and is killed as soon as an event of the kind is stored."""
    publish = Bus.publish

    def publishing(self: Bus, recorded: Sequence[Recorded]) -> None:
        publish(self, recorded)
        if any(type(one.event).__name__ == at for one in recorded):
            os.kill(os.getpid(), signal.SIGKILL)

    async def live() -> None:
        async with running(home, CounselledRuntime(scenario(QUESTION)), mode="checkpoint") as run:
            await asked(run, RequestKind.CLARIFICATION)
            await run.answer(Choice.ANSWER, "Green.")
            await run.until_rest()

    Bus.publish = publishing  # type: ignore[assignment,method-assign]
    asyncio.run(live())


@pytest.mark.parametrize("at", ["InputRequested", "InputAnswered"])
async def test_a_question_survives_a_kill_at_any_moment(tmp_path: Path, at: str) -> None:
    home = tmp_path / "home"
    assert await asyncio.to_thread(lived, dies_at, home, at) == -signal.SIGKILL
    # What is kept of the conversation is gone with that runtime, so a new one begins.
    runtime = CounselledRuntime(scenario(QUESTION))
    async with running(home, runtime, mode="checkpoint", project_id="1") as run:
        run.project_id = (await run.project()).id
        before = len(await run.engine.requests(run.project_id))
        await run.engine.submit(ResumeProject(project_id=run.project_id))
        if before:
            await run.until(lambda event: isinstance(event, events.AgentCalledTool) and "ask_user" in event.tool)
            await run.answer(Choice.ANSWER, "Green.")
        await finished(run)
        assert (before, len(run.all(events.InputRequested))) == (1 if at == "InputRequested" else 0, 1)
        assert "Green." in runtime.heard.results
