"""From the engine's stream of events to the dashboard: folded one by one, told to the screens once a frame."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum

from orchestrator_tui.domain import owner
from orchestrator_tui.domain.errors import OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.events import AgentDelta, Live, Recorded
from orchestrator_tui.domain.ownership import LEFT, WAITS_FOR_TAKEOVER, why_left
from orchestrator_tui.domain.records import Snapshot
from orchestrator_tui.domain.statuses import AT_WORK
from orchestrator_tui.engine.client import EngineClient, as_they_are
from orchestrator_tui.tui.feed import Feed
from orchestrator_tui.tui.view import Dashboard, ProjectView, died, fold, introduced, joined

FRAMES = 10
"""A second: how often at most the screens are told what happened."""

FIRST_PAGE = 100
BREATH = 200
"""Events folded before keys and the screen get a turn."""

RETRY_SECONDS, LONGEST_RETRY_SECONDS = 2.0, 8.0
"""How long after losing the engine it is tried again at first, and at most."""
OWNERS_SECONDS = 2.0


class Contact(StrEnum):
    """How the dashboard stands with the engine."""

    OPENING = "opening"
    OPEN = "open"
    LOST = "lost"


class Bridge:
    """Follows one engine. `tell` is called at most `FRAMES` times a second, with what was stored since the last time.

    What is shown stays as it is while the store cannot be read; it is tried again until it can. `trouble` is why
    nothing more could be stored, until something is.
    """

    def __init__(self, tell: Callable[[Dashboard, tuple[Recorded, ...]], None]) -> None:
        self._tell = tell
        self.client: EngineClient | None = None
        self.dashboard = Dashboard()
        self.feed: Feed | None = None
        self.contact = Contact.OPENING
        self.problem: OrchestratorError | None = None
        self.trouble: OrchestratorError | None = None
        self._streamed = False
        self._recorded: list[Recorded] = []
        self._changed = asyncio.Event()
        self._bottom: int | None = None
        self._group: asyncio.TaskGroup | None = None
        self._loading: asyncio.Task[None] | None = None

    # What the screens ask for

    def select(self, project_id: str | None) -> None:
        """Follow another project closely: its logs and items are read, then kept up to date."""
        if self.feed is not None and self.feed.project_id == project_id:
            return
        if self._loading is not None:
            self._loading.cancel()
        self.feed = Feed(project_id) if project_id is not None else None
        self._load_feed()
        self._changed.set()

    async def load_more(self) -> bool:
        """Add the next page of older projects; whether there was one.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        if self.client is None or self._bottom is None:
            return False
        page = await self.client.snapshot(before=self._bottom, limit=FIRST_PAGE)
        await self._read(page)
        return bool(page.projects)

    async def learn_of(self, project_id: str) -> None:
        """Add a project that is beyond the pages read so far.

        Raises:
            ProjectNotFound, StoreUnavailable.
        """
        assert self.client is not None
        if project_id not in self.dashboard.projects:
            number = (await self.client.find_project(project_id)).number
            await self._join(await self.client.snapshot(before=number + 1, limit=1))

    # Following

    async def run(self, client: EngineClient) -> None:
        """Follow the engine until cancelled."""
        self.client = client
        async with asyncio.TaskGroup() as self._group:
            group = self._group
            group.create_task(self._frames(), name="frames")
            group.create_task(self._follow(client), name="follow")
            group.create_task(self._watch_owners(), name="owners")

    async def _follow(self, client: EngineClient) -> None:
        pause = RETRY_SECONDS
        while True:
            try:
                await self._follow_once(client)
            except StoreUnavailable as error:
                self.contact, self.problem = Contact.LOST, error
                if self._streamed:
                    self.trouble, pause = error, RETRY_SECONDS
                self._changed.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)

    async def _watch_owners(self) -> None:
        """A process that was killed tells nobody: what it ran is looked after. Of processes of a server's machine only
        the server knows; it is asked about projects that nothing was heard of since the last look."""
        heard: Mapping[str, int] = {}
        while True:
            await asyncio.sleep(OWNERS_SECONDS)
            # What waits to be taken over does so as long as there are workers.
            at_work = [
                one
                for one in self.dashboard.projects.values()
                if one.status in AT_WORK or one.reason == WAITS_FOR_TAKEOVER
            ]
            gone = await self._gone(at_work)
            gone += await self._said_to_be_gone([one for one in at_work if heard.get(one.id) == one.seq])
            heard = {one.id: one.seq for one in at_work}
            projects = self.dashboard.projects
            dead = {one.id: died(one, why) for one, why in gone if projects.get(one.id) is one and one.reason != why}
            if dead:
                self.dashboard = replace(self.dashboard, projects={**projects, **dead})
                self._changed.set()

    async def _gone(self, at_work: Sequence[ProjectView]) -> list[tuple[ProjectView, str]]:
        """Those whose processes on this machine are gone, and why they rest."""
        gone = [one for one in at_work if one.owner is not None and owner.is_gone(one.owner)]
        with suppress(OrchestratorError):
            assert self.client is not None
            why = why_left(await self.client.workers() if gone else ())
            return [(one, why) for one in gone]
        return []

    async def _said_to_be_gone(self, quiet: Sequence[ProjectView]) -> list[tuple[ProjectView, str]]:
        found: list[tuple[ProjectView, str]] = []
        # Whoever cannot answer now is asked again.
        with suppress(OrchestratorError):
            for one in quiet:
                assert self.client is not None
                state = (await self.client.overview(one.id)).state
                if state.shutdown_reason in LEFT:
                    found.append((one, state.shutdown_reason))
        return found

    async def _follow_once(self, client: EngineClient) -> None:
        self._streamed = False
        snapshot = await client.snapshot(limit=FIRST_PAGE)
        self.dashboard = Dashboard(seq=snapshot.seq)
        await self._read(snapshot)
        self.contact, self.problem = Contact.OPEN, None
        if self.feed is not None:
            self.feed = Feed(self.feed.project_id)
            self._load_feed()
        self._changed.set()
        async with client.subscribe(snapshot.seq) as stream:
            self._streamed = True
            count = 0
            async for live in stream:
                await self._take(live)
                count += 1
                if count % BREATH == 0:
                    await asyncio.sleep(0)

    async def _take(self, live: Live) -> None:
        match live:
            case Recorded():
                self.trouble = None
                if live.project_id not in self.dashboard.projects:
                    await self._learn_quietly(live.project_id)
                self.dashboard = fold(self.dashboard, live)
                self._recorded.append(live)
                self._changed.set()
            case AgentDelta():
                # Logs are painted by a timer of their own.
                pass
            case _:
                return
        if self.feed is not None and live.project_id == self.feed.project_id:
            self.feed.take(live)

    async def _learn_quietly(self, project_id: str) -> None:
        """A project that another process takes up again; one that is being created is told by its own event."""
        try:
            await self.learn_of(project_id)
        except StoreUnavailable:
            raise
        except OrchestratorError:
            return

    def _load_feed(self) -> None:
        if self._group is not None and self.client is not None and self.feed is not None:
            self._loading = self._group.create_task(self._load(self.client, self.feed), name="load-feed")

    async def _load(self, client: EngineClient, feed: Feed) -> None:
        try:
            await self.learn_of(feed.project_id)
            await feed.load(client, self.dashboard.projects[feed.project_id])
            project = introduced(self.dashboard.projects[feed.project_id], feed.agents)
            self.dashboard = replace(self.dashboard, projects={**self.dashboard.projects, project.id: project})
        except OrchestratorError as error:
            self.problem = error
        self._changed.set()

    async def _frames(self) -> None:
        """Tell what changed; at once when it was quiet before, else once a frame."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            recorded, self._recorded = tuple(self._recorded), []
            await self._renew_items()
            self._tell(self.dashboard, recorded)
            await asyncio.sleep(1 / FRAMES)

    async def _renew_items(self) -> None:
        feed = self.feed
        if feed is not None and feed.loaded and not feed.items_complete and self.client is not None:
            try:
                await feed.load_items(self.client)
            except StoreUnavailable as error:
                self.problem = error

    async def _read(self, page: Snapshot) -> None:
        """Add a page; the newest projects come first in it, without a gap, so the last of them is how far we are."""
        await self._join(page)
        if newest := page.projects[:FIRST_PAGE]:
            self._bottom = newest[-1].project.number

    async def _join(self, page: Snapshot) -> None:
        assert self.client is not None
        found = tuple(await as_they_are(self.client, page.projects))
        self.dashboard = joined(self.dashboard, replace(page, projects=found))
        self._changed.set()
