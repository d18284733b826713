import asyncio
import os
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.run import Run
from tests.conftest import PostgresForTests
from tests.crash.lineage import Outcome, differences, outcome_of
from tests.engine.conftest import ITEMS
from tests.engine.outages import database_url, item_done, rest_at_last, told_of_trouble, what_was_told_is_stored
from tests.lives import light_scenario
from tests.own_postgres import own_postgres
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "8"))
"""More than what is tried again waits for at most; set the variable for a longer one."""
LEASE_SECONDS = 3
"""Runs out while the server is away."""


async def test_a_run_waits_for_a_lost_database_and_goes_on_by_itself_when_it_is_back(
    tmp_path: Path, postgres: PostgresForTests
) -> None:
    async with postgres.migrated_database() as url:
        start = launch(tmp_path / "home", None, **NO_PLANNING)
        start = replace(start, environ={**start.environ, "DATABASE_URL": url})
        async with open_engine(start, runtime=ReplayRuntime(light_scenario(4))) as engine:
            run = Watched(engine=engine)
            await run.create()
            await run.until(item_done)
            async with postgres.gone(url):
                await told_of_trouble(run)
                with pytest.raises(StoreUnavailable):
                    await engine.submit(StopProject(project_id=run.project_id))
            assert await rest_at_last(run) is PipelineStatus.COMPLETED
            overview = await engine.overview(run.project_id)
            assert overview.items.done == overview.items.total == 4
            recorded = await what_was_told_is_stored(run, engine)
            commits = Counter(one.event.message for one in recorded if isinstance(one.event, events.CommitMade))
            assert max(commits.values()) == 1


async def test_a_server_that_crashes_and_is_away_for_a_while_costs_a_run_nothing_but_time(
    tmp_path: Path, undisturbed: Outcome
) -> None:
    with own_postgres() as server:
        start = launch(tmp_path / "home", None, run={"lease_seconds": LEASE_SECONDS}, **NO_PLANNING)
        start = replace(start, environ={**start.environ, "DATABASE_URL": server.url})
        runtime = ReplayRuntime(light_scenario(ITEMS))
        async with open_engine(start, runtime=runtime) as engine:
            run = Watched(engine=engine)
            await run.create()
            await run.until(item_done)
            await server.stop()
            await told_of_trouble(run)
            begun = len(runtime.started)
            with pytest.raises(StoreUnavailable, match="it cannot be reached"):
                await engine.submit(StopProject(project_id=run.project_id))
            await asyncio.sleep(OUTAGE_SECONDS)
            assert len(runtime.started) == begun, "work was begun that could not be stored"
            await server.start()
            assert await rest_at_last(run) is PipelineStatus.COMPLETED
            await what_was_told_is_stored(run, engine)
        outcome, _ = await outcome_of(server.url)
    assert differences(undisturbed, outcome) == []


BROKEN = {
    "an agent's call is stored": events.AgentCalledTool,
    "an item is claimed": events.WorkItemStatusChanged,
    "a result is stored": events.ArtifactStored,
}


def break_once(monkeypatch: pytest.MonkeyPatch, kind: type[events.Event], breaking: "asyncio.Event") -> None:
    """The first transaction with an event of `kind` does not come to its end."""
    store_events = SqlUnitOfWork.store_events

    async def storing(self: SqlUnitOfWork) -> tuple[Recorded, ...]:
        recorded = await store_events(self)
        if not breaking.is_set() and any(isinstance(one.event, kind) for one in recorded):
            breaking.set()
            raise StoreUnavailable("The connection broke.")
        return recorded

    monkeypatch.setattr(SqlUnitOfWork, "store_events", storing)


async def test_a_run_whose_agent_was_told_first_that_nothing_could_be_stored_goes_on_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, broke = Run._ended, asyncio.Event()

    async def told_before(run: Run, work: "asyncio.Task[None]") -> None:
        # By now the database is back, and whoever waited for the log has heard of it.
        with suppress(StoreUnavailable):
            await run.log.flush()
        await ended(run, work)

    monkeypatch.setattr(Run, "_ended", told_before)
    break_once(monkeypatch, events.AgentCalledTool, broke)
    async with open_engine(
        launch(tmp_path / "home", None, **NO_PLANNING), runtime=ReplayRuntime(light_scenario(ITEMS))
    ) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await rest_at_last(run) is PipelineStatus.COMPLETED
    assert broke.is_set()


@pytest.mark.parametrize("moment", BROKEN)
async def test_a_connection_that_breaks_while_something_is_stored_is_no_failure_of_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Outcome, moment: str
) -> None:
    broke = asyncio.Event()
    break_once(monkeypatch, BROKEN[moment], broke)
    start = launch(tmp_path / "home", None, **NO_PLANNING)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(ITEMS))) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await rest_at_last(run) is PipelineStatus.COMPLETED
        await what_was_told_is_stored(run, engine)
    assert broke.is_set()
    outcome, _ = await outcome_of(database_url(start))
    assert differences(undisturbed, outcome) == []
