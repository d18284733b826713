import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui import cli, launch
from orchestrator_tui.console import stepping
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.commands import InterruptAgent, SteerAgent
from orchestrator_tui.domain.errors import ProjectNotFound, UsageError
from orchestrator_tui.domain.ownership import as_it_is
from orchestrator_tui.domain.records import PhaseState, ProjectOverview
from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus
from tests.console.test_status import NOW, overview
from tests.counselled import GATE, LISTEN, CounselledRuntime, scenario
from tests.database import samples
from tests.engine.test_stepping_in import called, finished, running
from tests.scenarios import bash


def with_agents(*numbers: int) -> ProjectOverview:
    sessions = [replace(samples.session("id-1"), id=f"s{number}", session_number=number) for number in numbers]
    return replace(overview(), running=tuple(sessions))


def test_words_are_for_the_only_agent_or_for_the_one_that_is_named() -> None:
    command, told = stepping.steer(with_agents(4), "Use SQLite.", None)
    assert command == SteerAgent(project_id="id-1", agent_id="s4", text="Use SQLite.", by="console")
    assert told == "agent-4 takes it in at its next step."
    for name in ("agent-5", "@agent-5", "5"):
        assert stepping.steer(with_agents(4, 5), "x", name)[0].agent_id == "s5"
    with pytest.raises(UsageError, match="Several agents") as several:
        stepping.steer(with_agents(4, 5), "x", None)
    assert "agent-4 (" in several.value.hint and "agent-5 (" in several.value.hint
    with pytest.raises(UsageError, match="agent-6 is not at work"):
        stepping.steer(with_agents(4, 5), "x", "agent-6")
    with pytest.raises(UsageError, match="No agent of task-manager is at work"):
        stepping.steer(with_agents(), "x", None)


def test_of_several_implementers_one_is_named_by_its_item() -> None:
    several = with_agents(4, 5)
    several = replace(several, running=tuple(replace(one, work_item_id=f"item-{one.id}") for one in several.running))
    keys = {"item-s4": "TASK-1", "item-s5": "TASK-2"}
    assert stepping.steer(several, "x", "task-2", keys)[0].agent_id == "s5"
    assert stepping.interrupt(several, "TASK-1", keys)[0].agent_id == "s4"
    with pytest.raises(UsageError) as unnamed:
        stepping.steer(several, "x", None, keys)
    assert "agent-4 (developer, TASK-1), agent-5 (developer, TASK-2)" in unnamed.value.hint
    with pytest.raises(UsageError, match="TASK-3 is not at work"):
        stepping.steer(several, "x", "TASK-3", keys)


def test_an_interrupt_is_for_all_agents_or_for_the_one_that_is_named() -> None:
    assert stepping.interrupt(with_agents(4, 5), None)[0] == InterruptAgent(project_id="id-1", by="console")
    assert stepping.interrupt(with_agents(4, 5), "5")[0].agent_id == "s5"


def test_nobody_listens_in_a_process_that_is_gone() -> None:
    running = with_agents(4)
    implement = PhaseState(phase=PhaseName.IMPLEMENT, status=PhaseStatus.RUNNING, running_since=NOW)
    ended = owner.this_process().replace(" since ", " since 9")
    phases = {**running.state.phases, PhaseName.IMPLEMENT: implement}
    left = as_it_is(replace(running, state=replace(running.state, owner=ended, phases=phases)))
    with pytest.raises(UsageError, match="No agent of task-manager is at work"):
        stepping.steer(left, "x", None)
    with pytest.raises(UsageError, match="No agent of task-manager is at work"):
        stepping.interrupt(left, None)
    assert left.state.phases[PhaseName.IMPLEMENT].status is PhaseStatus.PENDING


async def test_what_is_said_on_the_command_line_reaches_the_agents_of_the_project_that_runs(tmp_path: Path) -> None:
    runtime = CounselledRuntime(scenario(bash(GATE), bash(LISTEN)))
    async with running(tmp_path / "home", runtime, interrupt_wait_seconds=0) as run:
        await run.until(called(GATE))
        with pytest.raises(UsageError, match="no work item TASK-99"):
            await launch._step_in(cli.StepIn(action="note", text="x", item="TASK-99"), run.engine)
        noted = await launch._step_in(cli.StepIn(action="note", text="Mind it.", item="task-2"), run.engine)
        assert noted == "demo: The next session of TASK-2 is told.\n"
        runtime.scenario.answers[0].turns[0].input["command"] = "true"  # type: ignore[index]
        stopped = await launch._step_in(cli.StepIn(action="interrupt", options=cli.Options(json=True)), run.engine)
        assert json.loads(stopped)["type"] == "interrupt"
        await run.until(called(LISTEN))
        await launch._step_in(cli.StepIn(action="steer", text="Use SQLite.", reference="demo"), run.engine)
        await finished(run)
        said = {taken.text for taken in run.all(events.InstructionTaken)}
        assert said == {"", "Mind it.", "Use SQLite."}
        with pytest.raises(ProjectNotFound, match="No project runs"):
            await launch._step_in(cli.StepIn(action="steer", text="Too late."), run.engine)
