import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import EditArtifact, ResumeProject, StopProject
from orchestrator_tui.domain.errors import IllegalTransition, RequestClosed, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import Choice, PhaseName, PhaseStatus, PipelineStatus, RequestKind
from tests.crash.moves import Fate, FatedRuntime
from tests.lives import light_scenario
from tests.running import FAST, NO_PLANNING, Watched, launch, watched
from tests.scenarios import answer, structured, write_scenario

NEVER = structured(status="blocked", summary="It cannot be done.", notes="")
BREAKS = Fate.BREAKS
AFTER_AN_ERROR = {"error_recovery": {"max_consecutive_errors": 1}}


@asynccontextmanager
async def played(start: Launch, *fates: Fate) -> AsyncIterator[Watched]:
    """An engine whose sessions go as `fates` say, with a project that has come to rest for the first time."""
    async with open_engine(start, runtime=FatedRuntime(light_scenario(1), list(fates))) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        yield run


async def test_an_item_that_was_given_up_can_be_left_out_and_stays_out(tmp_path: Path) -> None:
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
        overview = await run.engine.overview(run.project_id)
        assert overview.state.phases[PhaseName.IMPLEMENT].status is PhaseStatus.COMPLETED
        assert (overview.items.done, overview.items.blocked) == (1, 1)
        await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert (await run.engine.overview(run.project_id)).items == overview.items


async def test_a_phase_that_failed_can_be_left_out_and_stays_out(tmp_path: Path) -> None:
    async with played(launch(tmp_path / "home", None, autonomy="checkpoint", **FAST, **AFTER_AN_ERROR), BREAKS) as run:
        await run.answer(Choice.SKIP)
        assert await run.until_rest() is PipelineStatus.PAUSED
        phases = (await run.engine.overview(run.project_id)).state.phases
        assert phases[PhaseName.IDEATION].status is PhaseStatus.SKIPPED
        skipped = [event for event in run.all(events.PhaseStatusChanged) if event.new is PhaseStatus.SKIPPED]
        assert [event.reason for event in skipped] == ["left out by a person"]


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


async def test_an_edited_text_is_in_its_file_before_it_counts_so_that_no_crash_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: SqlUnitOfWork) -> tuple[Recorded, ...]:
        raise StoreUnavailable("The database is away.")

    async with played(launch(tmp_path / "home", None, autonomy="checkpoint", **FAST)) as run:
        shown = await run.request()
        edit = EditArtifact(request_id=shown.id, content_hash=shown.content_hash, markdown="# It must also sing\n")
        with monkeypatch.context() as patched, pytest.raises(StoreUnavailable):
            patched.setattr(SqlUnitOfWork, "store_events", away)
            await run.engine.submit(edit)
        assert (await run.request()).id == shown.id
        with pytest.raises(RequestClosed, match="was changed meanwhile"):
            await run.answer(Choice.APPROVE)
        assert (await run.request()).body == edit.markdown


async def test_what_asks_about_an_error_cannot_be_approved(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, autonomy="checkpoint", **FAST, **AFTER_AN_ERROR)
    async with played(start, Fate.BREAKS) as run:
        assert (await run.request()).kind is RequestKind.ERROR_DECISION
        with pytest.raises(IllegalTransition, match="cannot be answered with approve"):
            await run.answer(Choice.APPROVE)


async def test_resuming_twice_at_once_runs_a_project_once(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, autonomy="checkpoint", **FAST, **AFTER_AN_ERROR)
    async with played(start, Fate.BREAKS) as run:
        await run.engine.submit(StopProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.STOPPED
        taken = len(run.all(events.LeaseTaken))
        await asyncio.gather(*(run.engine.submit(ResumeProject(project_id=run.project_id)) for _ in range(3)))
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert len(run.all(events.LeaseTaken)) == taken + 1


async def test_a_project_that_is_just_taken_up_is_stopped_when_the_program_ends(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, autonomy="checkpoint", **FAST, **AFTER_AN_ERROR)
    async with played(start, Fate.BREAKS) as run:
        resumed = asyncio.create_task(run.engine.submit(ResumeProject(project_id=run.project_id)))
        await run.until(lambda event: isinstance(event, events.LeaseTaken))
    await resumed
    async with open_engine(start, runtime=FatedRuntime(light_scenario(1))) as engine:
        overview = await engine.overview(run.project_id)
        assert overview.project.status is PipelineStatus.STOPPED
        assert overview.state.owner is None
