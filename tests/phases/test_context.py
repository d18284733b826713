from pathlib import Path

from orchestrator_tui.agents.rehearsal.scenario import load_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.phases.context import first_lines, shorter
from orchestrator_tui.prompts import approximate_tokens
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched, launch
from tests.scenarios import answer, planned, structured, write_scenario


def long_items(pass_number: int) -> list[dict[str, object]]:
    """Forty items as long as the contract allows, each depending on the eight before it."""
    first = 1 + 40 * (pass_number - 1)
    return [
        planned(
            f"item{number:05}",
            depends_on=tuple(f"item{earlier:05}" for earlier in range(max(1, number - 8), number)),
            description="Long words describe it. " * 250,
            acceptance=[f"criterion {line} " * 20 for line in range(20)],
        )
        for number in range(first, first + 40)
    ]


async def test_the_implement_prompt_stays_small_in_a_project_of_two_hundred_long_items(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s",
        *(
            answer(
                "task_breakdown", "planner", structured(items=long_items(number), complete=False), subject=str(number)
            )
            for number in range(1, 6)
        ),
        without=lambda entry: entry["phase"] == "task_breakdown",
    )
    runtime = ReplayRuntime(load_scenario(scenario))
    start = launch(tmp_path / "home", None, phases={"task_breakdown": {"target_items": 200}})
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(lambda event: event == events.PhaseProgressed(phase=PhaseName.IMPLEMENT, done=12, total=200))
    prompts = [request.prompt for request in runtime.started if request.role == "developer"]
    assert len(prompts) >= 12
    assert max(approximate_tokens(prompt) for prompt in prompts) < 6_000
    assert all(f"criterion {line}" in prompts[-1] for line in range(20))


async def test_a_run_of_many_items_is_done_in_order_of_priority_and_dependencies(tmp_path: Path) -> None:
    runtime = ReplayRuntime(light_scenario(30))
    async with open_engine(launch(tmp_path / "home", None), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        items = {item.id: item for item in await engine.items(run.project_id)}
        done: set[str] = set()
        for event in run.all(events.WorkItemStatusChanged):
            if event.new == "in_progress":
                claimed = items[event.work_item_id]
                assert done.issuperset(claimed.dependencies)
                ready = [item for item in items.values() if item.id not in done and done.issuperset(item.dependencies)]
                assert claimed.priority == min(item.priority for item in ready)
            elif event.new == "done":
                done.add(event.work_item_id)


def test_a_cut_text_ends_with_a_whole_line_and_says_that_it_was_cut() -> None:
    assert first_lines("a\nb", 100) == "a\nb"
    assert (
        first_lines("\n".join(f"file-{n}" for n in range(100)), 60)
        == "file-0\nfile-1\nfile-2\nfile-3\nfile-4\n… and more files"
    )


def test_only_the_named_field_is_cut() -> None:
    assert shorter([{"notes": "abcdef", "title": "abcdef"}], "notes", 3) == [{"notes": "abc", "title": "abcdef"}]
