"""Which work item comes next, as one query on either database."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, cast, func, or_, select, true

from orchestrator_tui.database.columns import Identity
from orchestrator_tui.database.models import work_items
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus


def dependencies_of(dialect: str, item: FromClause, name: str) -> tuple[FromClause, ColumnElement[str]]:
    """The ids in `item.dependencies` as a table to join with, and its one column."""
    if dialect == "postgresql":
        elements = func.jsonb_array_elements_text(item.c.dependencies).table_valued("value").render_derived(name=name)
        return elements, cast(elements.c.value, Identity)
    listed = func.json_each(item.c.dependencies).table_valued("value", name=name)
    return listed, listed.c.value


def next_ready(dialect: str, project_id: str, phase: PhaseName, *, skip_locked: bool) -> Select[Any]:
    """The id of the item to do next: `todo`, every dependency `done`; urgent before less urgent, then what most
    items wait for, then the oldest. Locks its row; rows that others have locked are passed over, or waited for."""
    item = work_items.alias("item")
    waiting = _waiting_for(dialect, project_id)
    return (
        select(item.c.id)
        .select_from(item.outerjoin(waiting, waiting.c.id == item.c.id))
        .where(
            item.c.project_id == project_id,
            item.c.phase == phase.value,
            item.c.status == WorkItemStatus.TODO.value,
            ~_unfinished(dialect, item),
        )
        .order_by(item.c.priority, func.coalesce(waiting.c.dependents, 0).desc(), item.c.number)
        .limit(1)
        .with_for_update(key_share=True, skip_locked=skip_locked, of=item)
    )


def _unfinished(dialect: str, item: FromClause) -> ColumnElement[bool]:
    """Whether a dependency of `item` is not done; one that does not exist is not."""
    elements, needed_id = dependencies_of(dialect, item, "needed")
    needed = work_items.alias("needed_item")
    return (
        select(1)
        .select_from(elements.outerjoin(needed, needed.c.id == needed_id))
        .where(or_(needed.c.status.is_(None), needed.c.status != WorkItemStatus.DONE.value))
        .correlate(item)
        .exists()
    )


def _waiting_for(dialect: str, project_id: str) -> FromClause:
    """For each item of the project that others depend on: its `id` and how many do (`dependents`)."""
    other = work_items.alias("other")
    elements, needed_id = dependencies_of(dialect, other, "wanted")
    return (
        select(needed_id.label("id"), func.count().label("dependents"))
        .select_from(other.join(elements, true()))
        .where(other.c.project_id == project_id)
        .group_by(needed_id)
        .subquery("waiting")
    )
