"""How tests follow a run whose database or disk fails under it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.engine.shutdown import StopOrder
from orchestrator_tui.engine.taking_up import TakingUp
from tests.crash.lineage import broken_history
from tests.running import Watched


@dataclass
class Tries:
    """How often a run that ended for trouble was tried to be taken up again."""

    count: int = 0
    another: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def counted(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        tries, take_up = cls(), TakingUp.turn

        async def counting(taking_up: TakingUp, project: Project, order: StopOrder) -> Any:
            tries.count += 1
            tries.another.set()
            return await take_up(taking_up, project, order)

        monkeypatch.setattr(TakingUp, "turn", counting)
        return tries

    async def more(self, times: int) -> None:
        """Wait until it was tried so many times more."""
        wanted = self.count + times
        while self.count < wanted:
            self.another.clear()
            await self.another.wait()


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
