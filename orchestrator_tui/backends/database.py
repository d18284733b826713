"""The work tracker on the program's own database."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from orchestrator_tui.backends import dependencies
from orchestrator_tui.backends.base import TrackerContext, WorkTracker
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import UnknownDependency
from orchestrator_tui.domain.records import Comment, ItemCounts, Project, SyncState, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus

PAGE = 500
LINKS = frozenset({"dependencies", "parent_id"})


class DatabaseTracker(WorkTracker):
    """Items, their changes and the events of both go into one transaction."""

    kind = "database"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def initialize(self, project_id: str, project_dir: Path) -> Project:
        return await self._store.find_project(project_id)

    async def create_work_item(self, item: WorkItem) -> WorkItem:
        (created,) = await self.create_work_items([item])
        return created

    async def create_work_items(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        if not items:
            return []
        await self._check(items)
        async with self._store.transaction() as unit:
            created = await unit.add_work_items(items)
            for item in created:
                unit.record(item.project_id, created_event(item))
            await self.also(unit, created)
        self.changed(created)
        return created

    async def update_work_item(
        self,
        item_id: str,
        updates: Mapping[str, Any],
        *,
        expected: WorkItemStatus | None = None,
        reason: str | None = None,
    ) -> WorkItem:
        if LINKS & updates.keys():
            await self._check_links(await self._store.get_item(item_id), updates)
        async with self._store.transaction() as unit:
            before = await unit.item(item_id)
            item = await unit.update_item(item_id, updates, expected=expected, before=before)
            if item.status is not before.status:
                unit.record(item.project_id, status_event(item, before.status, reason))
            await self.also(unit, [item])
        self.changed([item])
        return item

    async def get_next_work_item(self, project_id: str, phase: PhaseName) -> WorkItem | None:
        async with self._store.transaction() as unit:
            item = await unit.claim_next_item(project_id, phase)
            if item is not None:
                unit.record(project_id, status_event(item, WorkItemStatus.TODO, "claimed"))
                await self.also(unit, [item])
        if item is not None:
            self.changed([item])
        return item

    async def get_work_item(self, item_id: str) -> WorkItem:
        return await self._store.get_item(item_id)

    async def list_work_items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        return await self._store.list_items(project_id, status=status, after=after, limit=limit)

    async def add_comment(self, item_id: str, content: str, *, author: str) -> Comment:
        async with self._store.transaction() as unit:
            item = await unit.item(item_id)
            comment = await unit.add_comment(item_id, content, author=author)
            unit.record(item.project_id, comment_event(item, comment))
            await self.also(unit, [item], comment)
        self.changed([item])
        return comment

    async def note_in(
        self, unit: UnitOfWork, item_id: str, metadata: Mapping[str, Any], content: str, *, author: str
    ) -> WorkItem:
        item = await unit.update_item(item_id, {"metadata": metadata})
        comment = await unit.add_comment(item_id, content, author=author) if content else None
        if comment is not None:
            unit.record(item.project_id, comment_event(item, comment))
            await self.also(unit, [item], comment)
        await self.also(unit, [item])
        return item

    def noted(self, item: WorkItem) -> None:
        self.changed([item])

    async def list_comments(self, item_id: str) -> Sequence[Comment]:
        return await self._store.list_comments(item_id)

    async def get_progress_summary(self, project_id: str) -> ItemCounts:
        return await self._store.item_counts(project_id)

    async def sync(self, project_id: str) -> SyncState:
        return await self.status(project_id)

    async def status(self, project_id: str) -> SyncState:
        return SyncState(kind=self.kind)

    # For trackers that keep the items elsewhere, too.

    async def also(self, unit: UnitOfWork, items: Sequence[WorkItem], comment: Comment | None = None) -> None:
        """Part of the transaction of each change the program makes: `items` as they are now, and a new comment."""
        return

    def changed(self, items: Sequence[WorkItem]) -> None:
        """Called right after each commit of a change the program made."""
        return

    async def all_items(self, project_id: str) -> list[WorkItem]:
        """Every item of a project, in order of number."""
        found: list[WorkItem] = []
        while page := await self._store.list_items(project_id, after=found[-1].number if found else 0, limit=PAGE):
            found.extend(page)
        return found

    async def _check_links(self, item: WorkItem, updates: Mapping[str, Any]) -> None:
        others = await self.all_items(item.project_id)
        links = {other.id: other.dependencies for other in others}
        parents = {other.id: other.parent_id for other in others}
        links[item.id] = tuple(updates.get("dependencies", item.dependencies))
        parents[item.id] = updates.get("parent_id", item.parent_id)
        if problems := dependencies.complaints(links, parents, ()):
            raise UnknownDependency("; ".join(problems))

    async def _check(self, items: Sequence[WorkItem]) -> None:
        links = {item.id: item.dependencies for item in items}
        parents = {item.id: item.parent_id for item in items}
        mentioned = {other for others in links.values() for other in others} | {p for p in parents.values() if p}
        known: set[str] = set()
        for other in mentioned - set(links):
            try:
                if (await self._store.get_item(other)).project_id == items[0].project_id:
                    known.add(other)
            except KeyError:
                continue
        if problems := dependencies.complaints(links, parents, known):
            raise UnknownDependency("; ".join(problems))


@asynccontextmanager
async def open_tracker(context: TrackerContext) -> AsyncIterator[WorkTracker]:
    """The items of a project in the database, and nowhere else."""
    yield DatabaseTracker(context.store)


def created_event(item: WorkItem) -> events.WorkItemCreated:
    return events.WorkItemCreated(
        work_item_id=item.id,
        key=item.key,
        title=item.title,
        priority=item.priority,
        labels=item.labels,
        parent_id=item.parent_id,
        dependencies=item.dependencies,
    )


def status_event(item: WorkItem, old: WorkItemStatus, reason: str | None) -> events.WorkItemStatusChanged:
    return events.WorkItemStatusChanged(work_item_id=item.id, key=item.key, old=old, new=item.status, reason=reason)


def comment_event(item: WorkItem, comment: Comment) -> events.WorkItemCommented:
    return events.WorkItemCommented(
        work_item_id=item.id, key=item.key, comment_id=comment.id, author=comment.author, text=comment.content
    )
