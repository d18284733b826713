"""The work tracker in Linear: the database first, an outbox in its transaction, a worker between both sides."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from orchestrator_tui.backends.base import TrackerContext
from orchestrator_tui.backends.linear import progress
from orchestrator_tui.backends.linear.claim import release
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.errors import LinearDenied, LinearError, LinearMissing, LinearTaken, RateLimited
from orchestrator_tui.backends.linear.limits import backoff
from orchestrator_tui.backends.linear.links import (
    BEGINNING,
    ISSUE,
    PROJECT,
    TRACKER,
    IssueLink,
    ProjectLink,
    issue_link,
    project_link,
)
from orchestrator_tui.backends.linear.mapping import differing, of_item
from orchestrator_tui.backends.linear.place import Place, find_place, own_project_id
from orchestrator_tui.backends.linear.receiver import Receiver
from orchestrator_tui.backends.linear.requests import COMMENT, CREATE, PROGRESS, UPDATE
from orchestrator_tui.backends.linear.sender import Sender
from orchestrator_tui.backends.linear.webhook import Webhooks
from orchestrator_tui.backends.mirrored import MirroredTracker, Outside
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.database.base import UnitOfWork
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import LeaseLost, StoreUnavailable, TrackerUnusable
from orchestrator_tui.domain.records import Comment, OutboxEntry, Project, SyncState, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus

GATHER_SECONDS = 0.5
"""How long changes are gathered before they are sent: what follows at once goes with the same request."""
AT_ONCE_SECONDS = 20.0
"""How long somebody waits for both sides to be the same: a run at its beginning, a person who asks for it; the latter
waits on as long as there is less to send each time."""
AT_END_SECONDS = 5.0
"""How long the end of a run waits for the outbox to be sent; what is left is sent the next time."""
DENIED_SECONDS = 60.0

logger = logging.getLogger(__name__)


class LinearTracker(MirroredTracker):
    """Items of one project, which are issues in Linear too. An async context manager's product: see `open_tracker`."""

    kind = TRACKER
    where = "Linear"

    def __init__(self, context: TrackerContext, client: LinearClient) -> None:
        super().__init__(context)
        self._settings = context.settings.backend.linear
        self._client = client
        self._sender = Sender(self.project, self._store, client)
        self._receiver = Receiver(self, self._store, client)
        self._webhooks = Webhooks(read_secrets(context.environ).linear_webhook_secret or "")
        self._place: Place | None = None
        self._linked: set[str] = set()
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._ready = asyncio.Event()

    async def load(self) -> None:
        """Read which items have an issue, before anything is changed."""
        self._linked = set(await self._store.tracker_links(self.project.id, TRACKER, ISSUE))

    async def initialize(self, project_id: str, project_dir: Path) -> Project:
        """See `WorkTracker.initialize`.

        Raises:
            TrackerUnusable: nothing of the project is in Linear yet, and a person has to put something right first.
        """
        is_there = await self._found_place()
        await self._catch_up()
        self._ready.set()
        await self._sender.take_back_what_was_set_aside()
        if is_there:
            await self._in_time(AT_ONCE_SECONDS)
        return await self._store.find_project(project_id)

    async def retire(self, project_id: str) -> None:
        """Others may have the project in Linear from now on, unless that cannot be told there soon."""
        if self._place is not None:
            try:
                async with asyncio.timeout(AT_END_SECONDS):
                    await release(self._client, self._place.document_id, self.project)
            except (LinearError, TimeoutError) as error:
                told = "%s in Linear is still kept for this project: %r"
                logger.warning(told, self._place.project.name, error, extra={"project": self.project.id})

    async def preview(self, project_id: str) -> Sequence[str]:
        items = await self.all_items(self.project.id)
        missing = sum(item.id not in self._linked for item in items)
        name, team = self._settings.project or self.project.name, self._settings.team or "the key's only team"
        return (f"the project {name} in Linear, in {team}, gets {missing} issues; {len(items) - missing} have one",)

    async def sync(self, project_id: str) -> SyncState:
        async with self._turn:
            # At once, lest the worker sends it to what it knew of Linear before.
            if await self._sender.take_back_what_was_set_aside():
                self._place = None
        before: int | None = None
        while True:
            await self._in_time(AT_ONCE_SECONDS)
            state = await self.status(project_id)
            if not state.pending or state.last_error or (before is not None and state.pending >= before):
                return state
            before = state.pending

    async def status(self, project_id: str) -> SyncState:
        return replace(self._state, pending=await self._pending())

    def handle_webhook(self, body: bytes, headers: Mapping[str, str]) -> bool:
        concerns = self._webhooks.accept(body, headers)
        if concerns:
            self._woken.set()
        return concerns

    async def also(self, unit: UnitOfWork, items: Sequence[WorkItem], comment: Comment | None = None) -> None:
        if comment is not None:
            await unit.enqueue([self._entry(COMMENT, item.id, comment_id=comment.id) for item in items])
            return
        await self._enqueue_new(unit, [item for item in items if item.id not in self._linked])
        there = [item for item in items if item.id in self._linked]
        ended = [item for item in there if item.status in (WorkItemStatus.DONE, WorkItemStatus.BLOCKED)]
        entries = [self._entry(UPDATE, item.id) for item in there]
        await unit.enqueue([*entries, *([self._entry(PROGRESS)] if ended else [])])

    def changed(self, items: Sequence[WorkItem]) -> None:
        self._linked |= {item.id for item in items}
        self._woken.set()

    async def take_in(self, outside: Outside, *, also: Callable[[UnitOfWork], Awaitable[None]] | None = None) -> None:
        # Before it is stored: whoever claims one at once is to find that it has an issue.
        self._linked |= {item.id for item in outside.new}
        await super().take_in(outside, also=also)

    async def work(self) -> None:
        """Keep both sides the same until cancelled, or until the project is another process's."""
        await self._ready.wait()
        failures = 0
        while True:
            try:
                await self._wait(failures)
                await self._synchronise()
                failures = 0
            except RateLimited as error:
                # As long as Linear says, and longer each time that it says so again.
                failures += 1
                await self._rest(error.seconds)
            except (LinearDenied, LinearMissing, LinearTaken):
                await self._rest(DENIED_SECONDS)
            except LinearError:
                failures += 1
            except LeaseLost:
                return
            except StoreUnavailable as error:
                if error.final:
                    return
                failures += 1
            except Exception as error:
                # The edge of a task: what nobody planned for keeps Linear from being up to date, and nothing else.
                logger.exception("What is new cannot be exchanged with Linear", extra={"project": self.project.id})
                with suppress(LeaseLost, StoreUnavailable):
                    await self.report(last_error=f"The exchange with Linear broke: {type(error).__name__}: {error}")
                failures += 1

    async def _wait(self, failures: int) -> None:
        """Until there is something to do; after failures only longer and longer, whatever there is to do."""
        if failures:
            await asyncio.sleep(backoff(failures))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.poll_seconds):
                await self._woken.wait()
                await asyncio.sleep(GATHER_SECONDS)

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._woken.set()

    async def flush(self) -> None:
        """At the end of a run: send what is left, if that can be done soon."""
        with suppress(LeaseLost, StoreUnavailable):
            if self._ready.is_set() and await self._pending():
                await self._in_time(AT_END_SECONDS)

    async def _in_time(self, seconds: float) -> None:
        with suppress(LinearError, TimeoutError):
            async with asyncio.timeout(seconds):
                await self._synchronise()

    async def _synchronise(self) -> None:
        """First read, then send: what a person changed is known before anything is written over it.

        Raises:
            LinearError: not now; it is reported.
        """
        async with self._turn:
            self._woken.clear()
            try:
                place, link = await self._located()
                if not place.is_new:
                    await self._receiver.receive(place, link)
                place.is_new = False
                self._receiver.expect(await self._sender.send(place))
            except LinearError as error:
                if isinstance(error, LinearMissing):
                    # What is there is looked for again: somebody may have mended it.
                    self._place = None
                await self.report(last_error=error.message, pending=await self._pending())
                raise
            await self.report(
                link=link.url,
                last_error=await self._sender.what_was_set_aside(),
                last_synced=now(),
                pending=await self._pending(),
                kept=self._state.last_error is not None or self._state.link != link.url,
            )

    async def _found_place(self) -> bool:
        """Whether it is known where the items go; False when Linear cannot be reached now, which is waited for.

        Raises:
            TrackerUnusable: a setting or the key is wrong, told before hours of work end without one issue.
        """
        if await self._store.tracker_links(self.project.id, TRACKER, PROJECT):
            return True
        try:
            async with asyncio.timeout(AT_ONCE_SECONDS), self._turn:
                await self._located()
        except TimeoutError:
            return False
        except (LinearDenied, LinearMissing, LinearTaken) as error:
            raise TrackerUnusable(error.message, hint=error.hint) from error
        except LinearError as error:
            await self.report(last_error=error.message, pending=await self._pending())
            return False
        return True

    async def _located(self) -> tuple[Place, ProjectLink]:
        link = project_link(await self._store.tracker_links(self.project.id, TRACKER, PROJECT))
        if self._place is None:
            content = progress.content(self.project, await self.all_items(self.project.id))
            linked = link.remote_id if link is not None else None
            self._place = await find_place(self._client, self._settings, self.project, linked=linked, content=content)
        place = self._place
        if link is None or link.remote_id != place.project.id:
            # In a project of its own there are no issues but those of its items.
            is_own = place.project.id == own_project_id(self.project)
            since = BEGINNING if is_own else now()
            link = ProjectLink(remote_id=place.project.id, url=place.project.url, since=since)
            async with self._store.transaction() as unit:
                await unit.save_links([link.stored(self.project.id)])
        return place, link

    async def _catch_up(self) -> None:
        """Put into the outbox what was changed while the items were kept elsewhere: new ones with their comments.

        When they come back from another tracker, also the comments and relations of those that were here before.
        """
        links = await self._store.tracker_links(self.project.id, TRACKER, ISSUE)
        common = {item_id: issue_link(link).common for item_id, link in links.items()}
        items = await self.all_items(self.project.id)
        missing = [item for item in items if item.id not in common]
        behind = [item.id for item in items if (known := common.get(item.id)) and differing(of_item(item), known)]
        comments = [comment for item in missing for comment in await self._store.list_comments(item.id)]
        old: list[Comment] = []
        if self.project.tracker != TRACKER:
            behind = [item.id for item in items if item.id in common]
            old = [comment for item_id in behind for comment in await self._store.list_comments(item_id)]
        if missing or behind:
            async with self._store.transaction() as unit:
                await self._enqueue_new(unit, missing)
                await unit.enqueue([self._entry(UPDATE, item_id) for item_id in behind])
                await unit.enqueue([self._entry(COMMENT, one.work_item_id, comment_id=one.id) for one in comments])
                # Most of these are there, which is looked for before what was tried already is sent again.
                tried = [self._entry(COMMENT, one.work_item_id, comment_id=one.id) for one in old]
                await unit.enqueue([replace(entry, attempts=1) for entry in tried])
            self._linked |= {item.id for item in missing}

    async def _pending(self) -> int:
        return await self._store.outbox_size(self.project.id, TRACKER)

    async def _enqueue_new(self, unit: UnitOfWork, items: Iterable[WorkItem]) -> None:
        """Issues to be made, under the ids of their items; how they belong together is said once all are there."""
        new = list(items)
        await unit.save_links([IssueLink(item_id=item.id, issue_id=item.id).stored(self.project.id) for item in new])
        relations = [self._entry(UPDATE, item.id) for item in new if item.dependencies or item.parent_id]
        await unit.enqueue([*(self._entry(CREATE, item.id) for item in new), *relations])

    def _entry(self, kind: str, item_id: str | None = None, **data: str) -> OutboxEntry:
        return OutboxEntry(project_id=self.project.id, tracker=TRACKER, kind=kind, work_item_id=item_id, data=data)


def require_key(environ: Mapping[str, str]) -> str:
    """The API key.

    Raises:
        TrackerUnusable: there is none.
    """
    key = read_secrets(environ).linear_api_key
    if not key:
        raise TrackerUnusable(
            "Linear cannot be used without an API key.",
            hint="Set LINEAR_API_KEY in the environment, or choose another backend.type.",
        )
    return key


@asynccontextmanager
async def open_tracker(context: TrackerContext) -> AsyncIterator[LinearTracker]:
    """The tracker of a project in Linear, and its worker.

    Raises:
        TrackerUnusable: there is no API key.
    """
    key = require_key(context.environ)
    async with LinearClient(context.settings.backend.linear.api_url, key) as client:
        tracker = LinearTracker(context, client)
        await tracker.load()
        worker = asyncio.create_task(tracker.work(), name=f"linear-{context.project.slug}")
        try:
            yield tracker
            worker.cancel()
            await tracker.flush()
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
