from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.statuses import PipelineStatus, WorkItemStatus
from tests.conftest import PostgresForTests
from tests.crash.lineage import broken_history
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch


def item_done(event: events.Event) -> bool:
    return isinstance(event, events.WorkItemStatusChanged) and event.new is WorkItemStatus.DONE


async def rest_at_last(run: Watched) -> PipelineStatus:
    """How it comes to rest; whoever follows subscribes again when told of trouble, as front ends do."""
    while True:
        try:
            return await run.until_rest()
        except StoreUnavailable:
            continue


async def test_a_run_waits_for_a_lost_database_and_goes_on_by_itself_when_it_is_back(
    tmp_path: Path, postgres: PostgresForTests
) -> None:
    async with postgres.migrated_database() as url:
        start = launch(tmp_path / "home", None, **NO_PLANNING)
        start = replace(start, environ={**start.environ, "DATABASE_URL": url})
        async with open_engine(start, runtime=ReplayRuntime(generated_scenario(4))) as engine:
            run = Watched(engine=engine)
            await run.create()
            await run.until(item_done)
            async with postgres.gone(url):
                with pytest.raises(StoreUnavailable):
                    await run.until_rest()
                with pytest.raises(StoreUnavailable):
                    await engine.submit(StopProject(project_id=run.project_id))
            assert await rest_at_last(run) is PipelineStatus.COMPLETED
            overview = await engine.overview(run.project_id)
            assert overview.items.done == overview.items.total == 4
            recorded = await engine.events(limit=10_000)
            assert list(broken_history(recorded)) == []
            commits = Counter(one.event.message for one in recorded if isinstance(one.event, events.CommitMade))
            assert max(commits.values()) == 1
