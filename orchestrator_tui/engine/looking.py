"""What a project's repository shows people: its commits, and what was changed; also where its folder is elsewhere."""

import asyncio

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.errors import NotOnThisMachine
from orchestrator_tui.domain.records import CommitEntry, Project, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.repository import verified_commit

PAGE = 1000
AUTHOR = "orchestrator-tui"


class Onlooker:
    """Looks at one project. Where machines have folders of their own (`is_shared` is off), what lies here may not be
    what the project is by now, or nothing: what the database has counts then."""

    def __init__(self, store: Store, project: Project, checkout: Checkout, *, is_shared: bool, me: str) -> None:
        """`me` is this process as an owner of projects."""
        self._store = store
        self._project = project
        self._checkout = checkout
        self._is_shared = is_shared
        self._me = me

    async def commits(self, limit: int) -> list[CommitEntry]:
        """The newest commits, the newest first.

        Raises:
            DirectoryUnusable: the folder or its repository is gone.
        """
        if await self._is_here():
            return await self._checkout.log(limit)
        found: list[CommitEntry] = []
        before: int | None = None
        while len(found) < limit:
            page = await self._store.latest_events(self._project.id, before_seq=before, limit=PAGE)
            if not page:
                break
            made = ((one.event, one.at) for one in reversed(page) if isinstance(one.event, events.CommitMade))
            found += [
                CommitEntry(
                    hash=event.commit,
                    subject=event.message,
                    author=AUTHOR,
                    at=at,
                    work_item_id=event.work_item_id,
                    files=event.files,
                    insertions=event.insertions,
                    deletions=event.deletions,
                )
                for event, at in made
            ]
            before = page[0].seq
        return found[:limit]

    async def commit(self, commit: str) -> str:
        """What a commit changed, as a patch.

        Raises:
            NotOnThisMachine: it is not here.
            PhaseFailed: there is no such commit.
        """
        if not self._is_shared and not await self._checkout.has(commit):
            raise await self._elsewhere(f"commit {commit[:12]} is not on this machine")
        return await self._checkout.show(commit)

    async def changes(self) -> str:
        """What is changed in the folder now, as a patch.

        Raises:
            NotOnThisMachine: the project is elsewhere.
        """
        if not await self._is_here():
            raise await self._elsewhere("the project is not on this machine now")
        return await self._checkout.difference()

    async def item(self, item: WorkItem) -> str:
        """What a work item changed, as a patch: its commit, or what is changed while it is worked on."""
        commit = item.metadata.get("commit")
        if isinstance(commit, str):
            return await self.commit(commit)
        if item.status is not WorkItemStatus.IN_PROGRESS:
            return ""
        if not await self._is_here():
            raise await self._elsewhere("the project is not on this machine now")
        desk = await asyncio.to_thread(self._checkout.desk, item.key)
        return await desk.difference() if desk is not None else ""

    async def _is_here(self) -> bool:
        """Whether the folder of this machine is the project's as it is now."""
        if self._is_shared:
            return True
        state = await self._store.pipeline_state(self._project.id)
        if state.owner == self._me:
            return True
        if state.owner is not None and not owner.is_here(state.owner):
            return False
        verified = verified_commit(state.last_successful_step)
        return verified is not None and await self._checkout.has(verified) and await self._checkout.head() == verified

    async def _elsewhere(self, what: str) -> NotOnThisMachine:
        state = await self._store.pipeline_state(self._project.id)
        where = f" It is in {state.owner.partition(' since ')[0]}." if state.owner else ""
        hint = f"Look at it where it is run, or in the repository of workspace.remote.{where}"
        return NotOnThisMachine(self._checkout.directory, what, hint=hint)
