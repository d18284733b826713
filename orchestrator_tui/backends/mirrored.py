"""What trackers share that keep the items elsewhere too: the database first, and people's changes brought back.

The program's database stays the truth of the engine. A change of the program goes into it first, with its event, and
from there to the other side. What a person changed on the other side comes back as an `Outside`. The rule where both
changed the same field since they were last the same: the person's value counts, and the conflict is told as an event.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator_tui.backends import dependencies
from orchestrator_tui.backends.base import ASKED_FOR, ATTEMPTS, DECISION, HELD, LEFT_OUT, TrackerContext
from orchestrator_tui.backends.database import LINKS, DatabaseTracker, comment_event, created_event, status_event
from orchestrator_tui.database.base import UnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.errors import UnknownDependency
from orchestrator_tui.domain.records import Comment, Project, SyncState, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus

PERSON = "person"
"""The author of what comes from the other side, where that does not say who."""

TITLE = "Work items"

KEPT_HERE = "The items are kept in the database meanwhile, and the project goes on."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutsideChange:
    """What a person did to an item.

    Attributes:
        fields: new values by the field's name in `WorkItem`.
        base: the values of these fields when both sides were last known to be the same. One that is left out means
            that it is not known, and that the database's counts for it.
    """

    item_id: str
    fields: Mapping[str, Any]
    base: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """What people did on the other side. Taking it in twice does no harm.

    Attributes:
        new: items that came up there, with ids of their own; `number` 0.
        comments: new ones, with ids of their own; they may be about items in `new`.
    """

    new: tuple[WorkItem, ...] = ()
    changes: tuple[OutsideChange, ...] = ()
    comments: tuple[Comment, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changes or self.comments)


class MirroredTracker(DatabaseTracker):
    """A base for trackers of one project that keep its items on another side, too.

    Subclasses override `changed` (or `also`, for an outbox that is written in the same transaction) to learn of the
    program's changes, and call `take_in` with what people did. Neither is called for what `take_in` stores.
    """

    where: str
    """The other side in words for people, such as the name of its file."""

    def __init__(self, context: TrackerContext) -> None:
        super().__init__(context.store)
        self._project = context.project
        self._state = SyncState(kind=self.kind)

    @property
    def project(self) -> Project:
        return self._project

    async def status(self, project_id: str) -> SyncState:
        return self._state

    async def take_in(self, outside: Outside, *, also: Callable[[UnitOfWork], Awaitable[None]] | None = None) -> None:
        """Store what people did on the other side, with its events, all or nothing; `also` is part of the transaction.

        Raises:
            UnknownDependency: a dependency or parent does not exist, or they would form a circle.
            KeyError: a change or a comment is about an item that does not exist.
        """
        if not outside:
            return
        await self._check_outside(outside)
        new_comments = await self._unknown_comments(outside.comments)
        async with self._store.transaction() as unit:
            await self._add_new(unit, outside.new)
            for change in outside.changes:
                await self._change(unit, change)
            await unit.add_comments(new_comments)
            for comment in new_comments:
                unit.record(self.project.id, comment_event(await unit.item(comment.work_item_id), comment))
            if also is not None:
                await also(unit)

    async def report(self, *, kept: bool = True, hint: str = KEPT_HERE, **fields: Any) -> None:
        """Change how the tracker stands (fields of `SyncState`), and tell an error that was not there before.

        With `kept` off only this process knows, which is enough for what changes all the time. `hint` is what is said
        beside a new error.
        """
        if self._state.last_synced is None:
            await self._recall_sync()
        before, self._state = self._state, replace(self._state, **fields)
        error = self._state.last_error
        is_new = error is not None and error != before.last_error
        if before.last_error is not None and error is None:
            logger.info("%s can be used again", self.where, extra={"project": self.project.id})
        if not kept and not is_new:
            return
        async with self._store.transaction() as unit:
            await unit.save_sync(self.project.id, self._state)
            if is_new:
                self.tell(unit, str(error), hint)

    async def _recall_sync(self) -> None:
        """When both sides were the same last, and where the other one is, is known although it is away right now."""
        kept = await self._store.sync_state(self.project.id)
        if kept is not None and kept.kind == self.kind:
            self._state = replace(self._state, link=self._state.link or kept.link, last_synced=kept.last_synced)

    def tell(self, unit: UnitOfWork, message: str, hint: str) -> None:
        """Record a problem of the tracker as an event."""
        unit.record(self.project.id, events.ErrorOccurred(title=TITLE, message=message, hint=hint))

    async def _add_new(self, unit: UnitOfWork, items: Sequence[WorkItem]) -> None:
        missing = [
            replace(item, metadata={**item.metadata, **_marks(item.status), ASKED_FOR: PERSON})
            for item in items
            if not await _exists(unit, item.id)
        ]
        for item in await unit.add_work_items(missing):
            unit.record(self.project.id, created_event(item))
            if item.status is not WorkItemStatus.TODO:
                unit.record(self.project.id, status_event(item, WorkItemStatus.TODO, self._reason))

    async def _change(self, unit: UnitOfWork, change: OutsideChange) -> None:
        item = await unit.item(change.item_id)
        updates: dict[str, Any] = {}
        for name, theirs in change.fields.items():
            ours = getattr(item, name)
            if ours == theirs:
                continue
            updates[name] = theirs
            if ours != change.base.get(name, ours):
                unit.record(self.project.id, self._conflict(item, name, ours, theirs))
        if not updates:
            return
        if "status" in updates:
            updates["metadata"] = {**updates.get("metadata", {}), **_marks(updates["status"])}
        changed = await unit.update_item(item.id, updates)
        if changed.status is not item.status:
            unit.record(self.project.id, status_event(changed, item.status, self._reason))
        if edited := tuple(name for name in updates if name not in ("status", "metadata")):
            unit.record(
                self.project.id,
                events.WorkItemEdited(
                    work_item_id=item.id,
                    key=item.key,
                    title=changed.title,
                    fields=edited,
                    by=PERSON,
                    where=self.where,
                ),
            )

    @property
    def _reason(self) -> str:
        return f"set by a person in {self.where}"

    def _conflict(self, item: WorkItem, name: str, ours: Any, theirs: Any) -> events.WorkItemConflict:
        logger.warning(
            "%s: %s was changed on both sides; a person's value counts: %r, not %r",
            item.key,
            name,
            to_plain(theirs),
            to_plain(ours),
            extra={"project": self.project.id},
        )
        return events.WorkItemConflict(
            work_item_id=item.id,
            key=item.key,
            field=name,
            ours=_shown(ours),
            theirs=_shown(theirs),
            where=self.where,
        )

    async def _unknown_comments(self, comments: Sequence[Comment]) -> list[Comment]:
        known: set[str] = set()
        for item_id in {comment.work_item_id for comment in comments}:
            known |= {comment.id for comment in await self._store.list_comments(item_id)}
        return [comment for comment in comments if comment.id not in known]

    async def _check_outside(self, outside: Outside) -> None:
        changes = [change for change in outside.changes if LINKS & change.fields.keys()]
        if not changes and not outside.new:
            return
        links: dict[str, Sequence[str]] = {}
        parents: dict[str, str | None] = {}
        for item in [*outside.new, *await self.all_items(self.project.id)]:
            links[item.id], parents[item.id] = item.dependencies, item.parent_id
        for change in changes:
            links[change.item_id] = change.fields.get("dependencies", links[change.item_id])
            parents[change.item_id] = change.fields.get("parent_id", parents[change.item_id])
        if problems := dependencies.complaints(links, parents, ()):
            raise UnknownDependency("; ".join(problems))


def _marks(status: WorkItemStatus) -> dict[str, Any]:
    """What an item's metadata keeps of a status that a person gave it."""
    match status:
        case WorkItemStatus.TODO:
            # Who wants it tried again does not mean that only the tries are left which it had.
            return {ATTEMPTS: [], DECISION: None, LEFT_OUT: None, ASKED_FOR: PERSON, HELD: None}
        case WorkItemStatus.BLOCKED:
            return {HELD: PERSON}
        case _:
            return {HELD: None}


async def _exists(unit: UnitOfWork, item_id: str) -> bool:
    try:
        await unit.item(item_id)
    except KeyError:
        return False
    return True


def _shown(value: Any) -> str:
    plain = to_plain(value)
    return (", ".join(map(str, plain)) if isinstance(plain, list) else str(plain))[:300]
