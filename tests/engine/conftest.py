"""What several tests of runs compare with."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.crash.lineage import Outcome, outcome_of
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

ITEMS = 3


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a project of `ITEMS` small items becomes when nothing happens to it."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    # In a thread of its own there is no other loop.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(_finished(home))).result()


async def _finished(home: Path) -> Outcome:
    start = launch(home, None, **NO_PLANNING)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(ITEMS))) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
    outcome, _ = await outcome_of(sqlite_url(start.paths.database))
    return outcome
