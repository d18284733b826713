"""How tests follow a run whose database or disk fails under it."""

from collections.abc import Sequence

import pytest

from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.engine import LocalEngine
from tests.crash.lineage import broken_history
from tests.running import Watched


def item_done(event: events.Event) -> bool:
    return isinstance(event, events.WorkItemStatusChanged) and event.new is WorkItemStatus.DONE


def database_url(start: Launch) -> str:
    return start.environ.get("DATABASE_URL") or sqlite_url(start.paths.database)


async def told_of_trouble(run: Watched) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as told:
        await run.until_rest()
    return told.value


async def rest_at_last(run: Watched) -> PipelineStatus:
    """How it comes to rest; whoever follows subscribes again when told of trouble, as front ends do."""
    while True:
        try:
            return await run.until_rest()
        except StoreUnavailable:
            continue


async def what_was_told_is_stored(run: Watched, engine: LocalEngine) -> Sequence[Recorded]:
    """All stored events, after a check that they begin with what was told and tell of nothing impossible."""
    stored = await engine.events(limit=10_000)
    assert run.seen == stored[: len(run.seen)], "something was told that was not stored"
    assert list(broken_history(stored)) == []
    return stored
