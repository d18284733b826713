import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus, PipelineStatus
from tests.running import NO_PLANNING
from tests.tui.board import REHEARSED, Board, board
from tests.tui.played import Playing, without_plan

BREAKDOWN = PhaseName.TASK_BREAKDOWN
ONE_TRY = {"phases": {**NO_PLANNING["phases"], "task_breakdown": {"max_rounds": 1}}}
GONE_WRONG = ("task breakdown phase of small failed", "`ghost`, which does not exist")


@asynccontextmanager
async def failing(home: Path, autonomy: str = "checkpoint") -> AsyncIterator[tuple[Board, Playing]]:
    """A project whose plan never fits together, until what is played is another scenario."""
    runtime = Playing(without_plan())
    async with board(home, first=REHEARSED, runtime=runtime, settings=ONE_TRY, autonomy=autonomy) as it:
        yield it, runtime


async def test_what_failed_is_shown_with_its_reason_and_tried_again_by_a_key(tmp_path: Path) -> None:
    async with failing(tmp_path / "home") as (it, runtime):
        await it.question(*GONE_WRONG, "t Try again", "s Stop the project")
        runtime.scenario = generated_scenario(2)
        await it.press("t")
        await it.question("small waits for you", "Task breakdown", "a Approve")


async def test_a_hint_goes_to_the_agent_that_tries_again(tmp_path: Path) -> None:
    async with failing(tmp_path / "home") as (it, runtime):
        await it.question(*GONE_WRONG)
        await it.press("h")
        await it.shows("What should the agent know?")
        runtime.scenario = generated_scenario(2)
        await it.type("no ghosts")
        await it.press("escape")
        await it.shows("Try again with a hint")
        await it.press("h", "ctrl+s")
        await it.question("small waits for you", "Task breakdown", "a Approve")
        assert "no ghosts" in runtime.prompts[-1]


async def test_a_phase_that_fails_again_asks_again_and_a_command_with_a_hint_answers(tmp_path: Path) -> None:
    async with failing(tmp_path / "home") as (it, runtime):
        await it.question(*GONE_WRONG)
        await it.press("escape")
        before = len(runtime.prompts)
        await it.command("/retry")
        await it.until(lambda: len(runtime.prompts) > before)
        await it.question(*GONE_WRONG)
        await it.press("escape")
        await it.refused("/approve", "small does not wait for that.")
        runtime.scenario = generated_scenario(2)
        await it.send("/retry Only what exists.")
        await it.question("small waits for you", "a Approve")
        assert "Only what exists." in runtime.prompts[-1]


async def test_what_others_build_on_cannot_be_left_out_and_that_is_said(tmp_path: Path) -> None:
    async with failing(tmp_path / "home") as (it, _):
        await it.question(*GONE_WRONG)
        assert "Leave it out" not in it.shown
        await it.press("k")
        await it.press("escape")
        await it.refused("/skip", "This cannot be left out", "/retry tries it again")
        assert it.project.phases[BREAKDOWN].status is PhaseStatus.FAILED


async def test_why_the_next_try_could_not_begin_stands_in_the_question_itself(tmp_path: Path) -> None:
    async with failing(tmp_path / "home") as (it, _):
        await it.question(*GONE_WRONG)
        shutil.rmtree(it.project.directory)
        await it.press("t")
        await it.shows("folder is gone", "key closes this.")
        assert "meanwhile" not in it.shown


async def test_a_document_that_cannot_be_written_is_asked_about_like_any_failure(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you", "Ideation")
        in_the_way = Path(it.project.directory) / ".orchestrator" / "architecture.md"
        in_the_way.mkdir()
        await it.press("a")
        await it.question("architecture phase of small failed", "cannot be written", "t Try again")
        in_the_way.rmdir()
        await it.press("t")
        await it.question("small waits for you", "Architecture", "a Approve")


async def test_stopping_what_failed_takes_the_same_key_twice(tmp_path: Path) -> None:
    async with failing(tmp_path / "home") as (it, _):
        await it.question(*GONE_WRONG)
        await it.press("s")
        await it.shows("Stop the project? s again to stop")
        await it.look()
        await it.press("s")
        await it.rests(PipelineStatus.STOPPED)
        await it.until(lambda: it.app.screen is it.app.main_screen)


async def test_without_checkpoints_a_failure_is_told_and_the_same_key_tries_again(tmp_path: Path) -> None:
    async with failing(tmp_path / "home", autonomy="full") as (it, runtime):
        await it.rests(PipelineStatus.FAILED)
        await it.shows("failed", "task breakdown")
        await it.refused("/retry with a hint", "small does not wait for that.")
        it.app.main_screen.input_bar.fill("")
        runtime.scenario = generated_scenario(2)
        await it.press("escape", "t")
        await it.rests(PipelineStatus.COMPLETED)
