import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import SetLimit
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.bridge import FIRST_PAGE, Bridge, Contact
from orchestrator_tui.tui.view import Dashboard
from tests.conftest import make_project
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch
from tests.tui.stage import played_project


@dataclass
class Told:
    """What a bridge has told, and a way to wait for it."""

    bridge: Bridge = field(init=False)
    recorded: list[Recorded] = field(default_factory=list)
    _again: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.bridge = Bridge(self.tell)

    def tell(self, dashboard: Dashboard, recorded: tuple[Recorded, ...]) -> None:
        self.recorded += recorded
        self._again.set()

    async def until(self, reached: Callable[[Bridge], object]) -> None:
        while not reached(self.bridge):
            self._again.clear()
            await self._again.wait()


@asynccontextmanager
async def following(engine: EngineClient) -> AsyncIterator[Told]:
    told = Told()
    task = asyncio.create_task(told.bridge.run(engine))
    try:
        await told.until(lambda bridge: bridge.contact is Contact.OPEN)
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_project_that_is_selected_late_shows_what_its_agents_did_and_all_its_items(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", items=4) as run, following(run.engine) as told:
        told.bridge.select(run.project_id)
        await told.until(lambda bridge: bridge.feed is not None and bridge.feed.loaded)
        feed = told.bridge.feed
        assert feed is not None
        assert [item.status for item in feed.items.values()] == [WorkItemStatus.DONE] * 4
        sessions = await run.engine.sessions(run.project_id)
        assert set(feed.agents) == {session.id for session in sessions}
        assert all(agent_id in feed.logs for agent_id in list(feed.agents)[-4:])


async def test_a_run_that_is_followed_from_its_start_ends_as_the_store_says(tmp_path: Path) -> None:
    runtime = ReplayRuntime(generated_scenario(4))
    async with (
        open_engine(launch(tmp_path / "home", None, **FAST), runtime=runtime) as engine,
        following(engine) as told,
    ):
        run = Watched(engine=engine)
        await run.create()
        told.bridge.select(run.project_id)
        await told.until(lambda bridge: any(is_completed(one.event) for one in told.recorded))
        project = told.bridge.dashboard.projects[run.project_id]
        assert (project.items.done, project.items.total, project.running_agents) == (4, 4, [])
        feed = told.bridge.feed
        assert feed is not None
        await told.until(lambda bridge: len(feed.items) == 4)
        assert {item.status for item in feed.items.values()} == {WorkItemStatus.DONE}
        seqs = [one.seq for one in told.recorded]
        assert seqs == sorted(set(seqs))


async def test_a_question_answered_by_somebody_else_no_longer_waits(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run, following(run.engine) as told:
        (asked,) = told.bridge.dashboard.projects[run.project_id].waiting
        await run.answer(Choice.APPROVE)
        await told.until(lambda bridge: asked not in bridge.dashboard.projects[run.project_id].waiting)


async def test_older_projects_are_read_page_by_page_and_counted_from_the_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    start = launch(home, None)
    async with open_store(sqlite_url(start.paths.database)) as store:
        for number in range(1, FIRST_PAGE + 31):
            await make_project(store, f"p{number}")
    async with open_engine(start) as engine, following(engine) as told:
        bridge = told.bridge
        assert (len(bridge.dashboard.projects), bridge.dashboard.total) == (FIRST_PAGE, FIRST_PAGE + 30)
        assert await bridge.load_more()
        assert len(bridge.dashboard.projects) == FIRST_PAGE + 30
        assert not await bridge.load_more()


async def test_a_project_beyond_the_pages_is_learned_of_when_it_moves(tmp_path: Path) -> None:
    home = tmp_path / "home"
    start = launch(home, None)
    async with open_store(sqlite_url(start.paths.database)) as store:
        oldest = await make_project(store, "oldest")
        for number in range(FIRST_PAGE + 5):
            await make_project(store, f"p{number}")
    async with open_engine(start, runtime=ReplayRuntime(generated_scenario(1))) as engine, following(engine) as told:
        assert oldest.id not in told.bridge.dashboard.projects
        limit = SetLimit(project_id=oldest.id, scope=Scope.PROJECT, resource=Resource.MONEY, amount=1)
        await engine.submit(limit)
        await told.until(lambda bridge: oldest.id in bridge.dashboard.projects)


def is_completed(event: events.Event) -> bool:
    return isinstance(event, events.PipelineStatusChanged) and event.new is PipelineStatus.COMPLETED
