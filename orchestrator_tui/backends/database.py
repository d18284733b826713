"""The work tracker on the program's own database."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator_tui.backends import dependencies
from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import UnknownDependency
from orchestrator_tui.domain.records import Comment, ItemCounts, Project, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus


class DatabaseTracker(WorkTracker):
    """Items, their changes and the events of both go into one transaction."""

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
                unit.record(item.project_id, _created(item))
        return created

    async def update_work_item(
        self,
        item_id: str,
        updates: Mapping[str, Any],
        *,
        expected: WorkItemStatus | None = None,
        reason: str | None = None,
    ) -> WorkItem:
        before = await self._store.get_item(item_id)
        async with self._store.transaction() as unit:
            item = await unit.update_item(item_id, updates, expected=expected)
            if "status" in updates and item.status is not before.status:
                unit.record(item.project_id, _changed(item, before.status, reason))
        return item

    async def get_next_work_item(self, project_id: str, phase: PhaseName) -> WorkItem | None:
        async with self._store.transaction() as unit:
            item = await unit.claim_next_item(project_id, phase)
            if item is not None:
                unit.record(project_id, _changed(item, WorkItemStatus.TODO, "claimed"))
        return item

    async def get_work_item(self, item_id: str) -> WorkItem:
        return await self._store.get_item(item_id)

    async def list_work_items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        return await self._store.list_items(project_id, status=status, after=after, limit=limit)

    async def add_comment(self, item_id: str, content: str, *, author: str) -> Comment:
        item = await self._store.get_item(item_id)
        async with self._store.transaction() as unit:
            comment = await unit.add_comment(item_id, content, author=author)
            unit.record(
                item.project_id,
                events.WorkItemCommented(
                    work_item_id=item_id, key=item.key, comment_id=comment.id, author=author, text=content
                ),
            )
        return comment

    async def list_comments(self, item_id: str) -> Sequence[Comment]:
        return await self._store.list_comments(item_id)

    async def get_progress_summary(self, project_id: str) -> ItemCounts:
        return await self._store.item_counts(project_id)

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


def _created(item: WorkItem) -> events.WorkItemCreated:
    return events.WorkItemCreated(
        work_item_id=item.id,
        key=item.key,
        title=item.title,
        priority=item.priority,
        labels=item.labels,
        parent_id=item.parent_id,
        dependencies=item.dependencies,
    )


def _changed(item: WorkItem, old: WorkItemStatus, reason: str | None) -> events.WorkItemStatusChanged:
    return events.WorkItemStatusChanged(work_item_id=item.id, key=item.key, old=old, new=item.status, reason=reason)
