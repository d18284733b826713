from dataclasses import replace
from pathlib import Path

from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.conftest import PostgresForTests
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched, launch


async def test_a_whole_pipeline_runs_on_postgresql(tmp_path: Path, postgres: PostgresForTests) -> None:
    async with postgres.database() as url:
        start = launch(tmp_path / "home", None)
        start = replace(start, environ={**start.environ, "DATABASE_URL": url})
        async with open_engine(start, runtime=ReplayRuntime(light_scenario(6))) as engine:
            run = Watched(engine=engine)
            await run.create()
            assert await run.until_rest() is PipelineStatus.COMPLETED
            overview = await engine.overview(run.project_id)
            assert (overview.items.done, overview.items.total) == (6, 6)
            assert [recorded.seq for recorded in run.seen] == list(range(1, run.seen[-1].seq + 1))
            assert len(run.all(events.CommitMade)) == 7
        assert not (tmp_path / "home" / "orchestrator.db").exists()
