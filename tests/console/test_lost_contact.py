import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from orchestrator_tui.console import run as console
from orchestrator_tui.console.fold import ConsoleState
from orchestrator_tui.console.interrupts import Interrupts
from orchestrator_tui.console.outlet import Outlet
from orchestrator_tui.console.run import Run
from orchestrator_tui.console.view import View
from orchestrator_tui.domain import owner
from orchestrator_tui.domain.commands import Command
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import ProjectOverview, WorkerRecord
from tests.api.test_workers import worker
from tests.tui.showcase import PORTFOLIO, Showcase


class Told(View):
    """A view that keeps what people are told beside the events; `said` is set at each notice."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self.notices: list[str] = []
        self.lines: list[str] = []
        self.said = asyncio.Event()

    async def event(self, before: ConsoleState, after: ConsoleState, recorded: Recorded) -> None:
        pass

    async def say(self, lines: Sequence[str]) -> None:
        self.lines += lines

    async def notice(self, lines: Sequence[str]) -> None:
        self.notices += lines
        self.said.set()


class Engine(Showcase):
    """Runs one project, in a process that may be gone; `tries` counts how often it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = owner.this_process()
        self.tries = 0
        self.tried = asyncio.Condition()
        self.there: Sequence[WorkerRecord] = ()

    async def workers(self) -> Sequence[WorkerRecord]:
        return self.there

    async def submit(self, command: Command) -> str:
        return PORTFOLIO

    async def overview(self, project_id: str) -> ProjectOverview:
        async with self.tried:
            self.tries += 1
            self.tried.notify_all()
        found = await super().overview(project_id)
        return replace(found, state=replace(found.state, owner=self.owner))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(console, "OWNER_SECONDS", 0.001)


@asynccontextmanager
async def followed(engine: Engine) -> AsyncIterator[tuple[Told, "asyncio.Task[int]"]]:
    async with Outlet(lambda: None) as outlet:
        view = Told(outlet)
        following = asyncio.create_task(Run(engine, view, Interrupts(), None).resume(PORTFOLIO, None))
        try:
            yield view, following
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def test_a_lost_engine_is_told_once_however_long_it_is_away_and_its_return_too() -> None:
    engine = Engine()
    async with followed(engine) as (view, following):
        async with engine.tried:
            await engine.tried.wait_for(lambda: engine.tries > 3)
        await engine.break_down()
        await view.said.wait()
        lost_at = engine.tries
        async with engine.tried:
            await engine.tried.wait_for(lambda: engine.tries > lost_at + 20)
        assert len(view.notices) == 1
        view.said.clear()
        engine.gone = False
        await view.said.wait()
        assert view.notices[1] == "Database: it is there again."
        assert not following.done()


async def test_a_project_whose_process_was_killed_is_not_waited_for() -> None:
    engine = Engine()
    async with followed(engine) as (view, following):
        async with engine.tried:
            await engine.tried.wait_for(lambda: engine.tries > 5)
        assert not following.done()
        engine.there = [replace(worker("dead-7"), silent_seconds=60.0)]
        engine.owner = owner.this_process().replace(" since ", " since 9")
        assert await following == 3
        assert any("its process is gone" in line for line in (*view.lines, *view.notices))


async def test_a_project_whose_worker_was_killed_is_followed_until_another_has_it() -> None:
    engine = Engine()
    engine.owner = owner.this_process().replace(" since ", " since 9")
    engine.there = [worker("other-7")]
    async with followed(engine) as (_, following):
        async with engine.tried:
            await engine.tried.wait_for(lambda: engine.tries > 20)
        assert not following.done()
