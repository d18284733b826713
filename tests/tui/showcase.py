"""A canned engine for pictures of the dashboard: seven projects with fixed records, and what happens on demand."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.paths import Paths
from orchestrator_tui.domain.commands import Command
from orchestrator_tui.domain.errors import OrchestratorError, ProjectNotFound, StoreUnavailable
from orchestrator_tui.domain.events import Event, InputRequested, Live, Recorded, WorkItemStatusChanged
from orchestrator_tui.domain.limits import Bounds, Resource, Scope, Spending, spent_by
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    Project,
    ProjectOverview,
    RunByWorker,
    SessionLog,
    Snapshot,
    SyncState,
    WorkerRecord,
    WorkItem,
)
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.budget import uses
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.forecast import forecast, passed
from orchestrator_tui.phases.faces import artifact_markdown
from orchestrator_tui.tui import screens
from orchestrator_tui.tui.app import DashboardApp
from orchestrator_tui.tui.bridge import Contact
from orchestrator_tui.tui.link import Link
from orchestrator_tui.tui.widgets.log_panel import LogPanel
from tests.tui.board import Board, setup_for
from tests.tui.portfolio import AUTH_PATCH, portfolio
from tests.tui.stage import NOON, WIDE
from tests.tui.stories import chatbot, links, recipes, shop, tasks, weather
from tests.tui.story import Story
from tests.tui.story_records import overview_of, recorded

PORTFOLIO = "my-portfolio"
SHOP = "e-commerce"
WEATHER = "weather-station"
RECIPES = "recipe-box"
LINKS = "link-checker"


@cache
def world() -> tuple[tuple[Story, ...], tuple[Recorded, ...]]:
    """All projects, the newest first, and everything that has happened by noon; nobody changes them."""
    makers = (portfolio, shop, weather, recipes, chatbot, links, tasks)
    stories = tuple(make(NOON) for make in makers)
    return stories, recorded(stories)


def _took(story: Story, item: WorkItem) -> Spending:
    """What the sessions at an item have used."""
    mine = [one for one in story.sessions.values() if one.work_item_id == item.id and one.ended_at is not None]
    lasted = [(one.ended_at - one.started_at).total_seconds() for one in mine if one.ended_at is not None]
    return sum((spent_by(one.usage, sessions=1) for one in mine), Spending(seconds=sum(lasted)))


class Showcase:
    """An `EngineClient`. `gone` makes it a store that cannot be reached; `happens` adds to what has happened;
    it does not end before `may_end`, and hands nothing over before `may_hand_over`."""

    def __init__(self, *, empty: bool = False) -> None:
        stories, log = ((), ()) if empty else world()
        self._stories = {story.id: story for story in stories}
        self._log = list(log)
        self._requests = [request for story in stories for request in story.requests]
        self._artifacts = [artifact for story in stories for artifact in story.artifacts]
        self._told = asyncio.Condition()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.may_hand_over = asyncio.Event()
        self.may_hand_over.set()
        self.hurry = asyncio.Event()
        self._claimed: set[str] = set()
        self.gone = False
        self.submitted: list[Command] = []

    @property
    def projects_known(self) -> Collection[str]:
        """The ids of all projects."""
        return self._stories.keys()

    # What tests do

    async def happens(self, project_id: str, *told: Event, at: datetime = NOON) -> None:
        """These events are stored and told."""
        async with self._told:
            for event in told:
                self._log.append(Recorded(seq=len(self._log) + 1, at=at, project_id=project_id, event=event))
            self._told.notify_all()

    async def claim(self, project_id: str, *keys: str) -> None:
        """These items are begun."""
        items = [one for one in self._stories[project_id].items.values() if one.key in keys]
        # The stories are those of all tests.
        self._claimed.update(item.id for item in items)
        for item in items:
            claimed = WorkItemStatusChanged(
                work_item_id=item.id, key=item.key, old=item.status, new=WorkItemStatus.IN_PROGRESS, reason="claimed"
            )
            await self.happens(project_id, claimed)

    async def keep(self, engine: EngineClient, hurry: asyncio.Event) -> None:
        """Hand over what runs; `hurry` is what a person says meanwhile."""
        self.hurry = hurry
        await self.may_hand_over.wait()

    async def break_down(self) -> None:
        """The store is gone from now on."""
        async with self._told:
            self.gone = True
            self._told.notify_all()

    async def rewrite_architecture(self) -> None:
        """Somebody else puts another document in place of the one that waits for approval in the shop."""
        old = self._artifacts_of(SHOP)[-1]
        stack = [*old.content["stack"], {"area": "mail", "choice": "Postmark", "reason": "Receipts must arrive."}]
        new = replace(old, id=f"{old.id}-again", content={**old.content, "stack": stack}, content_hash="another hash")
        self._artifacts.append(new)
        request = next(one for one in self._requests if one.project_id == SHOP)
        asked = replace(request, id=f"{request.id}-again", artifact_id=new.id, content_hash=new.content_hash)
        self._requests[self._requests.index(request)] = asked
        await self.happens(
            SHOP,
            InputRequested(
                request_id=asked.id,
                kind=asked.kind,
                phase=PhaseName.ARCHITECTURE,
                title=asked.title,
                content_hash=asked.content_hash,
                choices=asked.choices,
            ),
        )

    # The engine

    async def submit(self, command: Command) -> str:
        self.submitted.append(command)
        raise OrchestratorError("Nothing can be changed in a showcase.")

    @asynccontextmanager
    async def subscribe(self, after_seq: int, *, project_id: str | None = None) -> AsyncIterator[AsyncIterator[Live]]:
        yield self._live(after_seq, project_id)

    async def _live(self, after_seq: int, project_id: str | None) -> AsyncIterator[Live]:
        while True:
            async with self._told:
                while len(self._log) == after_seq and not self.gone:
                    await self._told.wait()
            self._reach()
            for one in self._log[after_seq:]:
                if project_id in (None, one.project_id):
                    yield one
            after_seq = len(self._log)

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        self._reach()
        overviews = [self._overview(story) for story in self._stories.values()]
        found = [one for one in overviews if before is None or one.project.number < before]
        return Snapshot(seq=len(self._log), projects=tuple(found[:limit]), total=len(overviews))

    async def find_project(self, reference: str) -> Project:
        for story in self._stories.values():
            if reference in (story.id, str(story.project.number)):
                return story.project
        raise ProjectNotFound(f"There is no project {reference!r}.")

    async def projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]:
        in_order = sorted((story.project for story in self._stories.values()), key=lambda one: one.number)
        return [one for one in in_order if one.number > after][:limit]

    async def overview(self, project_id: str) -> ProjectOverview:
        self._reach()
        return self._overview(self._stories[project_id])

    async def workers(self) -> Sequence[WorkerRecord]:
        one = WorkerRecord(
            id="11111111-1111-4111-8111-111111111111",
            name="build-1-4711",
            process="process 4711 on build-1 since 1",
            concurrency=3,
            load=0.7,
            started_at=NOON,
            heartbeat=NOON,
            projects=tuple(
                RunByWorker(project_id=story.id, number=story.project.number, name=story.project.name)
                for story in self._stories.values()
                if story.project.status is PipelineStatus.RUNNING
            ),
        )
        other = replace(
            one, id="22222222-2222-4222-8222-222222222222", name="build-2-815", draining=True, load=0.1, projects=()
        )
        return [one, other]

    async def bounds(self, project_id: str) -> Bounds:
        story, overview = self._stories[project_id], await self.overview(project_id)
        usage = overview.total_usage
        finished = [_took(story, item) for item in story.items.values() if item.status is WorkItemStatus.DONE]
        foretold = forecast(overview.items, [one for one in finished if one.sessions])
        spent = spent_by(usage, sessions=len(story.sessions))
        limits = {(Scope.PROJECT, Resource.MONEY): 50.0, (Scope.PROJECT, Resource.SESSIONS): 1000.0}
        return Bounds(
            at=NOON,
            limits=uses(limits, {Scope.PROJECT: spent}),
            forecast=foretold,
            passed=passed(limits, spent, foretold.left) if foretold else (),
        )

    async def items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        items = [
            replace(one, status=WorkItemStatus.IN_PROGRESS) if one.id in self._claimed else one
            for one in self._stories[project_id].items.values()
        ]
        return [one for one in items if one.number > after and status in (None, one.status)][:limit]

    async def comments(self, item_id: str, *, after: str | None = None, limit: int | None = None) -> Sequence[Comment]:
        comments = [one for story in self._stories.values() for one in story.comments]
        return [one for one in comments if one.work_item_id == item_id]

    async def tracker(self, project_id: str) -> SyncState:
        return SyncState(kind="database")

    async def tracker_plan(self, project_id: str, kind: str) -> Sequence[str]:
        return ()

    async def item_diff(self, item_id: str) -> str:
        return AUTH_PATCH if item_id.startswith(PORTFOLIO) else ""

    async def commits(self, project_id: str, *, limit: int = 500) -> Sequence[CommitEntry]:
        return self._stories[project_id].commits[:limit]

    async def commit_diff(self, project_id: str, commit: str | None) -> str:
        return AUTH_PATCH

    async def artifact_text(self, artifact_id: str) -> str:
        artifact = next(one for one in self._artifacts if one.id == artifact_id)
        return artifact_markdown(self._stories[artifact.project_id].project, artifact)

    async def artifacts(
        self, project_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Artifact]:
        return self._artifacts_of(project_id)

    async def sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        sessions = self._stories[project_id].sessions.values()
        return [one for one in sessions if one.session_number > after][:limit]

    async def requests(
        self, project_id: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[InputRequest]:
        self._reach()
        return [one for one in self._requests if project_id in (None, one.project_id)]

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return [one for one in self._log[after_seq:] if project_id in (None, one.project_id)][:limit]

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        before = before_seq if before_seq is not None else len(self._log) + 1
        return [one for one in self._log[: before - 1] if one.project_id == project_id][-limit:]

    def _overview(self, story: Story) -> ProjectOverview:
        request = next((one for one in self._requests if one.project_id == story.id), None)
        return replace(overview_of(story), waiting_for=request)

    def _artifacts_of(self, project_id: str) -> list[Artifact]:
        return [one for one in self._artifacts if one.project_id == project_id]

    def _reach(self) -> None:
        if self.gone:
            raise StoreUnavailable("The database does not answer.", hint="Is its disk full, or its server down?")


class ShowcaseApp(DashboardApp):
    """The dashboard without what comes and goes by itself."""

    CSS_PATH = str(Path(screens.__file__).with_name("main.tcss"))

    def notify(self, *args: Any, **kwargs: Any) -> None:
        """No notification covers what is shown."""


@asynccontextmanager
async def showcase(
    home: Path,
    *,
    size: tuple[int, int] = WIDE,
    client: Showcase | None = None,
    selected: str = PORTFOLIO,
    theme: str = "dark",
    **given: Any,
) -> AsyncIterator[Board]:
    """The dashboard over a canned engine at noon, with a project selected."""
    client = client or Showcase()
    start = Launch(
        paths=Paths(config=Path("/tmp/ada/config"), data=home, logs=home),
        environ={"HOME": "/home/ada", "COLORTERM": "truecolor"},
        cwd=Path("/tmp/ada"),
        overrides={"tui": {"theme": theme}},
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[EngineClient]:
        if selected in client.projects_known:
            app.select(selected)
        yield client
        await client.may_end.wait()

    async with Link(opened) as link:
        given = {"keep": client.keep, "workspace": Path("/tmp/ada/projects"), **given}
        setup = setup_for(start, link, clock=lambda: NOON, theme_is_chosen=True, **given)
        app = ShowcaseApp(setup)
        app.animation_level = "none"
        async with app.run_test(size=size) as pilot:
            it = Board(app, pilot)
            await it.until(lambda: app.bridge.contact is Contact.OPEN and resting(app))
            try:
                yield it
            finally:
                client.may_end.set()
                client.may_hand_over.set()


LASTING = ("themes", "engine", "settings", "leave", "keep")
"""Workers that wait for something from outside."""


def resting(app: DashboardApp) -> bool:
    """Whether everything that was asked for has been read and shown; what came into logs is shown now."""
    bridge = app.bridge
    if bridge.contact is Contact.OPEN and bridge.feed is not None and not bridge.feed.loaded:
        return False
    for screen in app.screen_stack:
        for panel in screen.query(LogPanel):
            panel.flush()
            if panel.view.is_attached and panel.view._height:
                # While a log is followed its scroll bar only says about where it is, depending on what came when.
                panel.view._reflect(panel.view._top)
    return not any(worker.name not in LASTING and not worker.is_finished for worker in app.workers)
