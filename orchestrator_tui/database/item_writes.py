"""Writes to work items: adding, claiming the next one, changing, commenting."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update

from orchestrator_tui.database import rows
from orchestrator_tui.database.models import work_item_comments, work_items
from orchestrator_tui.database.ready import next_ready
from orchestrator_tui.database.writes import Writes
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.errors import StaleState
from orchestrator_tui.domain.records import Comment, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus

_CHANGEABLE = frozenset(
    {
        "title",
        "description",
        "acceptance",
        "status",
        "priority",
        "phase",
        "parent_id",
        "dependencies",
        "labels",
        "metadata",
    }
)


class ItemWrites(Writes):
    """The part of a unit of work that concerns work items."""

    async def add_work_items(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        if not items:
            return ()
        free = {
            project_id: await self._next_number(project_id, work_items.c.number)
            for project_id in sorted({item.project_id for item in items})
        }
        moment = now()
        stored = []
        for item in items:
            number = item.number or free[item.project_id]
            free[item.project_id] = max(free[item.project_id], number + 1)
            stored.append(
                replace(
                    item,
                    number=number,
                    created_at=item.created_at or moment,
                    updated_at=item.updated_at or moment,
                )
            )
        await self._runner.run(insert(work_items), [rows.item_values(item) for item in stored])
        return stored

    async def claim_next_item(self, project_id: str, phase: PhaseName) -> WorkItem | None:
        dialect = self._runner.connection.dialect.name
        # Who has locked the only one that is left need not be about to claim it: a tracker may be noting its link.
        for skip_locked in (True, False) if dialect == "postgresql" else (True,):
            ready = next_ready(dialect, project_id, phase, skip_locked=skip_locked)
            claimed = await self._runner.run(
                update(work_items)
                .where(work_items.c.id == ready.scalar_subquery())
                .values(status=WorkItemStatus.IN_PROGRESS.value, updated_at=now())
                .returning(work_items)
            )
            if (row := claimed.one_or_none()) is not None:
                return rows.work_item(row)
        return None

    async def update_item(
        self,
        item_id: str,
        updates: Mapping[str, Any],
        *,
        expected: WorkItemStatus | None = None,
        before: WorkItem | None = None,
    ) -> WorkItem:
        unknown = updates.keys() - _CHANGEABLE
        if unknown:
            raise TypeError(f"{', '.join(sorted(unknown))}: not a field of a work item that can be changed")
        item = before or await self.item(item_id)
        if expected is not None and item.status is not expected:
            raise StaleState(f"{item.key} is {item.status}, not {expected}.")
        changed = await self._runner.run(
            update(work_items).where(work_items.c.id == item_id).values(_changes(item, updates)).returning(work_items)
        )
        return rows.work_item(changed.one())

    async def item(self, item_id: str) -> WorkItem:
        query = select(work_items).where(work_items.c.id == item_id).with_for_update(key_share=True)
        row = (await self._runner.run(query)).one_or_none()
        if row is None:
            raise KeyError(item_id)
        return rows.work_item(row)

    async def add_comment(self, item_id: str, content: str, *, author: str) -> Comment:
        comment = Comment(id=new_id(), work_item_id=item_id, author=author, content=content, created_at=now())
        await self._runner.run(insert(work_item_comments).values(rows.comment_values(comment)))
        return comment

    async def add_comments(self, comments: Sequence[Comment]) -> None:
        if comments:
            await self._runner.run(insert(work_item_comments), [rows.comment_values(comment) for comment in comments])


def _changes(item: WorkItem, updates: Mapping[str, Any]) -> dict[str, Any]:
    moment = now()
    values: dict[str, Any] = to_plain(updates) | {"updated_at": moment}
    if "metadata" in updates:
        values["metadata"] = to_plain(item.metadata) | values["metadata"]
    if "status" in updates:
        done = values["status"] == WorkItemStatus.DONE
        values["completed_at"] = moment if done else None
    return values
