import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import AnswerRequest, CreateProject, EditArtifact, ResumeProject, StopProject
from orchestrator_tui.domain.errors import (
    DirectoryUnusable,
    IllegalTransition,
    RequestClosed,
    ScenarioBroken,
    SettingsError,
)
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    Choice,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    WorkItemStatus,
)
from tests.replay_runtime import replaying
from tests.running import FAST, NO_PLANNING, launch, watched
from tests.scenarios import answer, bash, planned, structured, write, write_scenario

GOOD = 'def name() -> str:\n    return "{ref}"\n'
WRONG = 'def name() -> str:\n    return "something else"\n'
TEST = """import unittest
import {ref}


class NameTest(unittest.TestCase):
    def test_tells_its_name(self):
        self.assertEqual({ref}.name(), "{ref}")
"""
DONE = structured(status="done", summary="Done.", notes="Nothing left.")


def log_of(directory: str) -> list[str]:
    shown = subprocess.run(
        ["git", "log", "--format=%s", "--reverse"], cwd=directory, capture_output=True, text=True, check=True
    )
    return shown.stdout.splitlines()


async def test_an_idea_becomes_a_committed_program_through_all_phases(tmp_path: Path) -> None:
    async with watched(launch(tmp_path / "home", write_scenario(tmp_path / "s", items=3))) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        overview = await run.engine.overview(run.project_id)
        assert (overview.items.done, overview.items.total) == (3, 3)
        assert log_of(overview.project.directory) == [
            "Scaffold of demo",
            *(
                f"{item.key}: {item.title}"
                for item in sorted(
                    await run.engine.items(run.project_id), key=lambda item: item.completed_at or item.created_at or 0
                )
            ),
        ]
        states = {name: phase.status for name, phase in overview.state.phases.items()}
        assert states.pop(PhaseName.DEPLOY) is PhaseStatus.SKIPPED
        assert set(states.values()) == {PhaseStatus.COMPLETED}
        assert all(usage.tokens > 0 for usage in overview.usage.values())
        outputs = {artifact.output_type for artifact in await run.engine.artifacts(run.project_id)}
        assert outputs >= {"requirements", "architecture", "work_items", "initialization", "test_plan", "test_report"}
        (merged, _) = run.all(events.SwarmMerged)
        assert (merged.members, merged.missing) == (("requirements", "feasibility", "risks"), ())
        assert [recorded.seq for recorded in run.seen] == sorted({recorded.seq for recorded in run.seen})


async def test_an_agent_s_word_is_not_enough_and_the_output_goes_back_as_a_hint(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        answer(
            "implement",
            "developer",
            write("item00001.py", WRONG),
            write("test_item00001.py", TEST.format(ref="item00001")),
            DONE,
            subject="item00001",
            attempt=1,
        ),
        answer(
            "implement",
            "developer",
            bash("cat item00001.py"),
            write("item00001.py", GOOD.format(ref="item00001")),
            DONE,
            subject="item00001",
            attempt=2,
        ),
        items=1,
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING), runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        (item,) = await run.engine.items(run.project_id)
        verdicts = [event.passed for event in run.all(events.VerifyFinished) if event.work_item_id == item.id]
        assert verdicts == [False, True]
        hint = next(event for event in run.all(events.AgentPrompted) if event.kind == "verify_failed")
        assert "something else" in hint.text
        assert item.status is WorkItemStatus.DONE
        assert sum("TASK-1" in line for line in log_of((await run.project()).directory)) == 1


async def test_an_item_that_never_gets_green_is_blocked_and_independent_work_goes_on(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        answer(
            "task_breakdown",
            "planner",
            structured(items=[planned("item00001", priority=1), planned("item00002")], complete=True),
        ),
        answer(
            "implement",
            "developer",
            write("item00001.py", WRONG),
            write("test_item00001.py", TEST.format(ref="item00001")),
            DONE,
            subject="item00001",
        ),
        without=lambda entry: entry["phase"] == "task_breakdown",
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING), runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.FAILED
        bad, good = await run.engine.items(run.project_id)
        assert (bad.status, good.status) == (WorkItemStatus.BLOCKED, WorkItemStatus.DONE)
        directory = Path((await run.project()).directory)
        assert not (directory / "item00001.py").exists()
        assert [patch for patch in (directory / ".orchestrator" / "patches").iterdir() if "TASK-1" in patch.name]
        assert any("1 of 2 work items could not be finished" in e.message for e in run.all(events.ErrorOccurred))


async def test_with_one_planner_failed_the_swarm_goes_on_with_two_and_says_so(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        answer("ideation", "risks", {"fault": {"kind": "status", "status": 400, "times": 50}, "say": "never"}),
        without=lambda entry: entry["phase"] == "ideation" and entry["role"] == "risks",
    )
    start = launch(tmp_path / "home", scenario, autonomy="checkpoint", error_recovery={"max_consecutive_errors": 1})
    async with watched(start) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        (merged,) = run.all(events.SwarmMerged)
        assert (merged.members, merged.missing) == (("requirements", "feasibility"), ("risks",))
        assert "risks" in (await run.request()).body


async def test_unknown_and_circular_dependencies_go_back_with_the_exact_complaint(tmp_path: Path) -> None:
    wrong = structured(items=[planned("a", depends_on=("b",)), planned("b", depends_on=("a", "ghost"))], complete=True)
    right = structured(items=[planned("a"), planned("b", depends_on=("a",))], complete=True)
    scenario = write_scenario(
        tmp_path / "s",
        answer("task_breakdown", "planner", wrong, attempt=1),
        answer("task_breakdown", "planner", right, attempt=2),
        without=lambda entry: entry["phase"] == "task_breakdown",
    )
    async with watched(
        launch(tmp_path / "home", scenario, autonomy="checkpoint", **NO_PLANNING), runtime=replaying(scenario)
    ) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        (complaint,) = [event.text for event in run.all(events.AgentPrompted) if event.kind == "complaint"]
        assert "`b` depends on `ghost`, which does not exist" in complaint
        assert "`a` -> `b` -> `a`" in complaint
        assert await run.engine.items(run.project_id) == []
        await run.answer(Choice.APPROVE)
        await run.until(lambda event: isinstance(event, events.WorkItemCreated) and event.title == "Module b")
        first, second = await run.engine.items(run.project_id)
        assert second.dependencies == (first.id,)


async def test_a_plan_that_never_fits_together_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    wrong = structured(items=[planned("a", depends_on=("ghost",))], complete=True)
    scenario = write_scenario(
        tmp_path / "s",
        answer("task_breakdown", "planner", wrong),
        without=lambda entry: entry["phase"] == "task_breakdown",
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING), runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.FAILED
        assert await run.engine.items(run.project_id) == []
        assert any("`ghost`, which does not exist" in event.message for event in run.all(events.ErrorOccurred))


async def test_duplicates_of_a_later_pass_are_merged_and_links_to_them_follow(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        answer("task_breakdown", "planner", structured(items=[planned("a")], complete=False), subject="1"),
        answer(
            "task_breakdown",
            "planner",
            structured(
                items=[planned("again", title="The module a"), planned("b", depends_on=("again",))], complete=True
            ),
            subject="2",
        ),
        without=lambda entry: entry["phase"] == "task_breakdown",
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING), runtime=replaying(scenario)) as run:
        await run.create()
        await run.until(lambda event: isinstance(event, events.WorkItemCreated) and event.title == "Module b")
        first, second = await run.engine.items(run.project_id)
        assert (first.title, second.title) == ("Module a", "Module b")
        assert second.dependencies == (first.id,)


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_is_wrong(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        answer("testing", "tester", structured(summary="s", passed=1, failed=2, failures=[]), attempt=1),
        answer("testing", "tester", structured(summary="s", passed=3, failed=0, failures=[]), attempt=2),
        items=1,
        without=lambda entry: entry["role"] == "tester",
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING), runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        (again,) = [event.text for event in run.all(events.AgentPrompted) if event.kind == "invalid_answer"]
        assert "failed is 2, but failures is empty" in again


async def test_what_testing_finds_becomes_work_and_is_tested_again(tmp_path: Path) -> None:
    failure = {"ref": "late", "title": "It breaks", "description": "d", "acceptance": ["it works"], "priority": 1}
    scenario = write_scenario(
        tmp_path / "s",
        answer("testing", "tester", structured(summary="s", passed=1, failed=1, failures=[failure]), subject="1"),
        answer("testing", "tester", structured(summary="s", passed=2, failed=0, failures=[]), subject="2"),
        items=1,
        without=lambda entry: entry["role"] == "tester",
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING), runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        _, found = await run.engine.items(run.project_id)
        assert (found.title, found.status, found.labels) == ("It breaks", WorkItemStatus.DONE, ("found-by-testing",))
        state = (await run.engine.overview(run.project_id)).state
        assert (state.phases[PhaseName.TESTING].round, state.phases[PhaseName.IMPLEMENT].round) == (2, 2)


async def test_testing_that_always_finds_something_ends_after_its_rounds(tmp_path: Path) -> None:
    failure = {"ref": "late", "title": "It breaks", "description": "d", "acceptance": ["it works"], "priority": 1}
    scenario = write_scenario(
        tmp_path / "s",
        answer("testing", "tester", structured(summary="s", passed=1, failed=1, failures=[failure])),
        items=1,
        without=lambda entry: entry["role"] == "tester",
    )
    start = launch(tmp_path / "home", scenario, phases={**NO_PLANNING["phases"], "testing": {"max_rounds": 2}})
    async with watched(start, runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.FAILED
        assert any("After 2 rounds of testing" in event.message for event in run.all(events.ErrorOccurred))


async def test_a_file_broken_by_hand_in_a_finished_program_is_noticed_and_repaired(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        {
            **answer(
                "implement",
                "repairer",
                bash("git restore --source=${green} --staged --worktree ."),
                structured(status="done", summary="Restored what was broken.", notes=""),
            ),
            "captures": {"green": "Last green commit: ([0-9a-f]+)"},
        },
        items=2,
        without=lambda entry: entry["role"] == "repairer",
    )
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING), runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        directory = Path((await run.project()).directory)
        good = (directory / "item00001.py").read_text()
        sessions = await run.engine.sessions(run.project_id)

        await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert (await run.project()).status is PipelineStatus.COMPLETED
        assert len(await run.engine.sessions(run.project_id)) == len(sessions)

        (directory / "item00001.py").write_text(WRONG)
        await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert (directory / "item00001.py").read_text() == good
        assert (await run.engine.sessions(run.project_id))[-1].role == "repairer"


async def test_a_checkpoint_waits_and_the_pipeline_goes_on_only_after_a_yes(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s", items=1)
    start = launch(tmp_path / "home", scenario, autonomy="checkpoint", **FAST)
    async with watched(start, runtime=replaying(scenario)) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        request = await run.request()
        assert (request.kind, request.phase) == (RequestKind.APPROVAL, PhaseName.IDEATION)
        with pytest.raises(RequestClosed):
            await run.engine.submit(
                AnswerRequest(request_id=request.id, choice=Choice.APPROVE, content_hash="of another document")
            )
        with pytest.raises(IllegalTransition):
            await run.engine.submit(
                AnswerRequest(request_id=request.id, choice=Choice.SKIP, content_hash=request.content_hash)
            )
        project_id = run.project_id

    async with watched(start, project_id, runtime=replaying(scenario)) as run:
        assert (await run.request()).id == request.id
        await run.answer(Choice.APPROVE)
        await run.until(
            lambda event: isinstance(event, events.InputRequested) and event.phase is PhaseName.ARCHITECTURE
        )
        await run.until_rest()
        with pytest.raises(RequestClosed):
            await run.engine.submit(
                AnswerRequest(request_id=request.id, choice=Choice.APPROVE, content_hash=request.content_hash)
            )


async def test_words_of_a_person_lead_to_another_round_that_is_given_them(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s", items=1)
    async with watched(
        launch(tmp_path / "home", scenario, autonomy="checkpoint", **FAST), runtime=replaying(scenario)
    ) as run:
        await run.create()
        await run.until_rest()
        with pytest.raises(IllegalTransition):
            await run.answer(Choice.REQUEST_CHANGES, "   ")
        await run.answer(Choice.REQUEST_CHANGES, "Names in capitals, please.")
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert (await run.engine.overview(run.project_id)).state.phases[PhaseName.IDEATION].round == 2
        assert "Names in capitals, please." in run.all(events.AgentPrompted)[-1].text


async def test_an_edited_document_is_asked_about_again_and_is_what_later_phases_read(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s", items=1)
    async with watched(
        launch(tmp_path / "home", scenario, autonomy="checkpoint", **FAST), runtime=replaying(scenario)
    ) as run:
        await run.create()
        await run.until_rest()
        shown = await run.request()
        await run.engine.submit(
            EditArtifact(request_id=shown.id, content_hash=shown.content_hash, markdown="# Only whispering modules\n")
        )
        renewed = await run.request()
        assert renewed.content_hash != shown.content_hash
        face = Path((await run.project()).directory) / ".orchestrator" / "requirements.md"
        assert face.read_text() == "# Only whispering modules\n"
        with pytest.raises(RequestClosed):
            await run.engine.submit(
                AnswerRequest(request_id=shown.id, choice=Choice.APPROVE, content_hash=shown.content_hash)
            )
        await run.answer(Choice.APPROVE)
        prompt = await run.until(lambda event: isinstance(event, events.AgentPrompted) and "whispering" in event.text)
        assert prompt


async def test_a_stopped_run_puts_its_item_back_and_goes_on_after_a_resume(tmp_path: Path) -> None:
    slow = bash("until test -e go; do sleep 0.1; done")
    scenario = write_scenario(
        tmp_path / "s",
        answer("implement", "developer", write("half.txt", "half"), slow, DONE, subject="item00002", attempt=1),
        items=2,
    )
    start = launch(tmp_path / "home", scenario, **NO_PLANNING)
    async with watched(start) as run:
        await run.create()
        await run.until(lambda event: isinstance(event, events.AgentCalledTool) and event.tool == "Bash")
        stopping = asyncio.create_task(run.engine.submit(StopProject(project_id=run.project_id)))
        await run.until(lambda event: isinstance(event, events.StopProgressed))
        (Path((await run.project()).directory) / "go").touch()
        await stopping
        assert await run.until_rest() is PipelineStatus.STOPPED
        overview = await run.engine.overview(run.project_id)
        assert overview.items.in_progress == 0
        assert overview.state.phases[PhaseName.IMPLEMENT].status is PhaseStatus.PENDING
        directory = Path(overview.project.directory)
        assert not (directory / "half.txt").exists()
        (patch,) = (directory / ".orchestrator" / "patches").iterdir()
        assert "half.txt" in patch.read_text()
        assert run.all(events.AgentFinished)[-1].status is AgentStatus.INTERRUPTED
        project_id = run.project_id

    write_scenario(tmp_path / "s", items=2)
    async with watched(start, project_id) as run:
        await run.engine.submit(ResumeProject(project_id=project_id))
        while await run.until_rest() is not PipelineStatus.COMPLETED:
            continue
        overview = await run.engine.overview(project_id)
        assert overview.items.done == overview.items.total == 2
        assert len(log_of(overview.project.directory)) == 3


async def test_two_projects_run_at_once_and_do_not_mix(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s", items=2)
    async with watched(launch(tmp_path / "home", scenario, **NO_PLANNING)) as one:
        await one.create(name="one")
        other = type(one)(engine=one.engine)
        await other.create(name="other")
        assert await one.until_rest() is PipelineStatus.COMPLETED
        assert await other.until_rest() is PipelineStatus.COMPLETED
        assert len(log_of((await one.project()).directory)) == 3
        assert len(log_of((await other.project()).directory)) == 3
        assert (await one.project()).number != (await other.project()).number


async def test_a_folder_with_something_in_it_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    async with watched(launch(tmp_path / "home", write_scenario(tmp_path / "s"))) as run:
        with pytest.raises(DirectoryUnusable, match="not empty"):
            await run.engine.submit(CreateProject(idea="x", directory=str(full), rehearsal=True))
        assert await run.engine.projects() == []
        assert [entry.name for entry in full.iterdir()] == ["mine.txt"]


async def test_a_broken_scenario_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    broken = tmp_path / "scenario.toml"
    broken.write_text("name = 3\n")
    home = tmp_path / "home"
    async with watched(launch(home, broken)) as run:
        with pytest.raises(ScenarioBroken):
            await run.create()
        assert await run.engine.projects() == []
        assert not (home / "workspace").exists()


@pytest.mark.parametrize(
    ("config", "error"),
    [({"scenario": "{broken}"}, ScenarioBroken), ({"settings": {"agent": {"max_parallel": 0}}}, SettingsError)],
)
async def test_what_a_project_is_to_have_of_its_own_is_looked_at_before_anything_is_made(
    tmp_path: Path, config: dict[str, Any], error: type[Exception]
) -> None:
    broken = tmp_path / "scenario.toml"
    broken.write_text("name = 3\n")
    config = {key: str(broken) if value == "{broken}" else value for key, value in config.items()}
    home = tmp_path / "home"
    async with watched(launch(home, write_scenario(tmp_path / "s"))) as run:
        with pytest.raises(error):
            await run.engine.submit(CreateProject(idea="x", rehearsal=True, config=config))
        assert await run.engine.projects() == []
        assert not (home / "workspace").exists()
