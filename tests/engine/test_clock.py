from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain import clock, events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import AlreadyOwned
from orchestrator_tui.domain.owner import this_process
from orchestrator_tui.domain.records import Lease, Project
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.engine import takeover
from orchestrator_tui.engine.heartbeat import Signs, heartbeat
from orchestrator_tui.engine.statefile import read_state
from tests.crash.lineage import Outcome, differences, outcome_of
from tests.database import samples
from tests.engine.conftest import ITEMS
from tests.engine.outages import database_url, item_done, what_was_told_is_stored
from tests.engine.test_takeover import ELSEWHERE
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

DAY = timedelta(days=1)
LEASE_SECONDS = 2


class WallClock:
    """The machine's clock, which somebody sets."""

    def __init__(self) -> None:
        self.off = timedelta()

    def now(self, zone: tzinfo) -> datetime:
        return datetime.now(zone) + self.off


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    wall = WallClock()
    monkeypatch.setattr(clock, "datetime", wall)
    return wall


async def test_a_run_does_not_mind_a_clock_that_is_set_a_day_on_and_two_back(
    tmp_path: Path, wall: WallClock, undisturbed: Outcome
) -> None:
    start = launch(tmp_path / "home", None, run={"lease_seconds": 3}, **NO_PLANNING)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(ITEMS))) as engine:
        run = Watched(engine=engine)
        await run.create()
        for off in (DAY, -DAY):
            await run.until(item_done)
            wall.off = off
        assert await run.until_rest() is PipelineStatus.COMPLETED
        await what_was_told_is_stored(run, engine)
        distances = [recorded.at - datetime.now(UTC) for recorded in run.seen]
        assert max(distances) > DAY / 2
        assert min(distances) < -DAY / 2
        assert len(run.all(events.LeaseTaken)) == 1
        assert all(0 <= event.seconds < 600 for event in run.all(events.AgentFinished))
        overview = await engine.overview(run.project_id)
        assert all(phase.seconds >= 0 for phase in overview.state.phases.values())
        comments = [one for item in await engine.items(run.project_id) for one in await engine.comments(item.id)]
    outcome, _ = await outcome_of(database_url(start))
    assert differences(undisturbed, outcome) == []
    kept = read_state(Path(overview.project.directory))
    assert kept.project.status is PipelineStatus.COMPLETED
    assert {comment.id for comment in kept.comments} == {comment.id for comment in comments}
    assert len(kept.items) == ITEMS


async def test_an_owner_that_beats_is_believed_however_its_clock_jumps(
    store: SqlStore, project: Project, wall: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = store.beat

    async def jumping(lease: Lease) -> bool:
        wall.off = -wall.off or DAY
        return await beat(lease)

    monkeypatch.setattr(store, "beat", jumping)
    async with store.transaction() as unit:
        lease = await unit.take_lease(project.id, ELSEWHERE)
    signs = Signs()
    async with heartbeat(store, lease, lease_seconds=LEASE_SECONDS, signs=signs):
        for off in (timedelta(), DAY, -DAY):
            wall.off = off
            state = await store.pipeline_state(project.id)
            with pytest.raises(AlreadyOwned):
                await takeover.take_lease(store, state, this_process(), lease_seconds=LEASE_SECONDS)
    assert not signs.lost.is_set()
    assert (await store.pipeline_state(project.id)).epoch == lease.epoch


async def test_the_newest_document_is_the_newest_although_the_clock_was_set_back(
    store: SqlStore, project: Project, wall: WallClock
) -> None:
    for round_number, off in enumerate((DAY, timedelta(), -DAY), 1):
        wall.off = off
        artifact = samples.artifact(project.id, round=round_number, created_at=now())
        async with store.transaction() as unit:
            await unit.add_artifact(artifact)
        latest = await store.latest_artifact(project.id, PhaseName.IDEATION)
        assert latest is not None
        assert latest.id == artifact.id
    listed = await store.list_artifacts(project.id)
    assert [artifact.round for artifact in listed] == [1, 2, 3]
