from pathlib import Path

import pytest

from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import RequestClosed
from orchestrator_tui.domain.statuses import Choice, PhaseName, PhaseStatus, PipelineStatus
from tests.running import FAST, NO_PLANNING, launch, watched
from tests.scenarios import answer, structured, write_scenario

NEVER = structured(status="blocked", summary="It cannot be done.", notes="")
AFTER_AN_ERROR = {"error_recovery": {"max_consecutive_errors": 1}}


async def test_a_phase_that_failed_can_be_left_out_and_stays_out(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s", answer("implement", "developer", NEVER, subject="item00002", attempt=1), items=2
    )
    settings = {**NO_PLANNING, "phases": {**NO_PLANNING["phases"], "testing": {"enabled": False}}}
    async with watched(launch(tmp_path / "home", scenario, autonomy="checkpoint", **settings)) as run:
        await run.create()
        await run.until_rest()
        await run.answer(Choice.APPROVE)
        assert await run.until_rest() is PipelineStatus.PAUSED
        await run.answer(Choice.SKIP)
        assert await run.until_rest() is PipelineStatus.COMPLETED
        phases = (await run.engine.overview(run.project_id)).state.phases
        assert phases[PhaseName.IMPLEMENT].status is PhaseStatus.SKIPPED
        skipped = [event for event in run.all(events.PhaseStatusChanged) if event.new is PhaseStatus.SKIPPED]
        assert skipped[-1].reason in ("left out by a person", "disabled in the settings")
        assert "left out by a person" in [event.reason for event in skipped]


async def test_what_nothing_can_do_without_cannot_be_left_out(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s", without=lambda entry: entry["phase"] == "task_breakdown")
    start = launch(tmp_path / "home", scenario, autonomy="checkpoint", **NO_PLANNING, **AFTER_AN_ERROR)
    async with watched(start) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert Choice.SKIP not in (await run.request()).choices


async def test_a_document_edited_on_disk_is_shown_before_it_can_be_approved(tmp_path: Path) -> None:
    async with watched(launch(tmp_path / "home", write_scenario(tmp_path / "s"), autonomy="checkpoint", **FAST)) as run:
        await run.create()
        await run.until_rest()
        file = Path((await run.project()).directory) / ".orchestrator" / "requirements.md"
        file.write_text(file.read_text() + "\nIt must also sing.\n")
        with pytest.raises(RequestClosed, match="was changed meanwhile"):
            await run.answer(Choice.APPROVE)
        assert "It must also sing." in (await run.request()).body
        await run.answer(Choice.APPROVE)
        await run.until_rest()
        assert "It must also sing." in file.read_text()
