"""The seed's table "Continuous Checkpointing", a test a row: what is stored when the process is killed right then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest

from orchestrator_tui.config.settings import RunSettings
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.owner import this_process
from orchestrator_tui.domain.records import Lease, PipelineState, Project, SessionLog, WorkItem
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.heartbeat import BEATS, Signs, heartbeat
from tests.crash import moves
from tests.crash.moves import Fate, Moment
from tests.lives import lived


@dataclass(frozen=True, slots=True)
class Left:
    """What a killed process left in its store."""

    store: SqlStore
    project: Project
    state: PipelineState

    async def item(self) -> WorkItem:
        (item,) = await self.store.list_items(self.project.id)
        return item

    async def comments(self) -> list[str]:
        return [one.content for one in await self.store.list_comments((await self.item()).id)]

    async def sessions(self) -> list[SessionLog]:
        return list(await self.store.list_sessions(self.project.id))


@asynccontextmanager
async def left_at(tmp_path: Path, kind: str, /, *fates: Fate, nth: int = 1, **fields: str) -> AsyncIterator[Left]:
    """What is stored after a kill right after the `nth` event of a kind with these fields."""
    home, told = tmp_path / "home", tmp_path / "told"
    code = await asyncio.to_thread(lived, moves.killed_at, home, Moment(kind, fields, nth), fates, output=told)
    assert code == -SIGKILL, told.read_text()
    async with open_store(sqlite_url(home / "orchestrator.db")) as store:
        (project,) = await store.list_projects()
        yield Left(store, project, await store.pipeline_state(project.id))


async def test_when_a_phase_starts_its_status_running_is_saved(tmp_path: Path) -> None:
    async with left_at(tmp_path, "PhaseStatusChanged", phase="implement", new="running") as left:
        assert left.state.phases[PhaseName.IMPLEMENT].status is PhaseStatus.RUNNING
        assert left.project.current_phase is PhaseName.IMPLEMENT
        assert left.project.status is PipelineStatus.RUNNING


async def test_when_a_phase_completes_its_status_completed_and_its_output_are_saved(tmp_path: Path) -> None:
    async with left_at(tmp_path, "PhaseStatusChanged", phase="ideation", new="completed") as left:
        assert left.state.phases[PhaseName.IDEATION].status is PhaseStatus.COMPLETED
        output = await left.store.latest_artifact(left.project.id, PhaseName.IDEATION)
        assert output is not None
        assert output.content["summary"]
        assert output.file_path == ".orchestrator/requirements.md"
        assert (Path(left.project.directory) / output.file_path).is_file()


async def test_when_a_work_item_is_claimed_its_status_in_progress_is_saved(tmp_path: Path) -> None:
    async with left_at(tmp_path, "WorkItemStatusChanged", new="in_progress") as left:
        assert (await left.item()).status is WorkItemStatus.IN_PROGRESS


async def test_when_a_work_item_is_done_its_status_done_and_its_notes_are_saved(tmp_path: Path) -> None:
    async with left_at(tmp_path, "WorkItemStatusChanged", new="done") as left:
        item = await left.item()
        assert item.status is WorkItemStatus.DONE
        assert item.metadata["notes"] == "Nothing left."
        assert item.metadata["commit"]
        assert await left.comments() == ["Wrote item00001 and its test.\n\nNothing left."]


async def test_when_an_agent_session_ends_its_summary_and_its_last_progress_are_saved(tmp_path: Path) -> None:
    async with left_at(tmp_path, "AgentFinished", nth=4) as left:
        developer = (await left.sessions())[-1]
        assert (developer.role, developer.status) == ("developer", AgentStatus.COMPLETED)
        assert developer.ended_at is not None
        assert developer.summary == "At work as developer."
        assert developer.answer is not None
        assert [call.tool for call in developer.tool_calls] == ["Write", "Write"]
        assert developer.usage.cost_usd > 0


async def test_on_any_error_its_details_and_the_retry_count_are_saved(tmp_path: Path) -> None:
    works, second_try = Fate.WORKS, 5
    fates = (works, works, works, Fate.BREAKS)
    async with left_at(tmp_path, "AgentStarted", *fates, nth=second_try) as left:
        (attempt,) = (await left.item()).metadata["attempts"]
        assert (attempt["trouble"], attempt["then"], attempt["problem"]) == ("unknown", "fresh", "Broken.")
        assert await left.comments() == ["The session failed: Broken."]
        failed = (await left.sessions())[-2]
        assert (failed.status, failed.error) == (AgentStatus.FAILED, "Broken.")


async def test_every_60_seconds_at_the_latest_a_heartbeat_is_saved(
    store: SqlStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = next(limit.le for limit in RunSettings.model_fields["lease_seconds"].metadata if hasattr(limit, "le"))
    assert longest / BEATS <= 60
    async with store.transaction() as unit:
        lease = await unit.take_lease(project.id, this_process())
    first, beat, has_beaten = (await store.pipeline_state(project.id)).heartbeat, store.beat, asyncio.Event()

    async def beating(lease: Lease) -> bool:
        kept = await beat(lease)
        has_beaten.set()
        return kept

    monkeypatch.setattr(store, "beat", beating)
    async with heartbeat(store, lease, lease_seconds=0.03, signs=Signs()):
        await has_beaten.wait()
    last = (await store.pipeline_state(project.id)).heartbeat
    assert first is not None
    assert last is not None
    assert last > first
