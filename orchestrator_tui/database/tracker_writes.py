"""What is kept about outside trackers: what things are called there, and the changes that still have to reach them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from orchestrator_tui.database.models import tracker_links, tracker_outbox
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.database.writes import Writes, upsert_into
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.records import OutboxEntry, TrackerLink

IN_ONE_STATEMENT = 500


class TrackerWrites(Writes):
    """The part of a unit of work that concerns outside trackers."""

    async def save_links(self, links: Sequence[TrackerLink]) -> None:
        if not links:
            return
        upsert = upsert_into(self._runner, tracker_links)
        statement = upsert.on_conflict_do_update(
            index_elements=list(tracker_links.primary_key),
            set_={"remote_id": upsert.excluded.remote_id, "data": upsert.excluded.data},
        )
        await self._runner.run(statement, [_link_values(link) for link in links])

    async def enqueue(self, entries: Sequence[OutboxEntry]) -> None:
        if entries:
            await self._runner.run(insert(tracker_outbox), [_entry_values(entry) for entry in entries])

    async def dequeue(self, seqs: Sequence[int]) -> None:
        for some in _batched(seqs):
            await self._runner.run(delete(tracker_outbox).where(tracker_outbox.c.seq.in_(some)))

    async def mark_attempted(self, seqs: Sequence[int]) -> None:
        attempted = {"attempts": tracker_outbox.c.attempts + 1}
        for some in _batched(seqs):
            await self._runner.run(update(tracker_outbox).where(tracker_outbox.c.seq.in_(some)).values(attempted))

    async def set_aside(self, seqs: Sequence[int], error: str | None) -> None:
        for some in _batched(seqs):
            await self._runner.run(update(tracker_outbox).where(tracker_outbox.c.seq.in_(some)).values(error=error))


async def outbox(runner: Runner, project_id: str, tracker: str, after: int, limit: int) -> Sequence[OutboxEntry]:
    """The oldest entries above `after`, in order."""
    column = tracker_outbox.c.seq
    query = select(tracker_outbox).where(*_outbox_of(project_id, tracker), column > after).order_by(column).limit(limit)
    return [_entry(row) for row in await runner.run(query)]


async def outbox_size(runner: Runner, project_id: str, tracker: str) -> int:
    query = select(func.count()).select_from(tracker_outbox).where(*_outbox_of(project_id, tracker))
    return int((await runner.run(query)).scalar_one())


async def links(
    runner: Runner,
    project_id: str,
    tracker: str,
    kind: str,
    *,
    local_ids: Sequence[str] | None = None,
    remote_ids: Sequence[str] | None = None,
) -> Mapping[str, TrackerLink]:
    """Links of one kind by local id."""
    column = tracker_links.c
    query = select(tracker_links).where(column.project_id == project_id, column.tracker == tracker, column.kind == kind)
    wanted, of = (remote_ids, column.remote_id) if local_ids is None else (local_ids, column.local_id)
    queries = [query] if wanted is None else [query.where(of.in_(some)) for some in _batched(wanted)]
    found = [_link(row) for one in queries for row in await runner.run(one)]
    return {link.local_id: link for link in found}


def _outbox_of(project_id: str, tracker: str) -> tuple[ColumnElement[bool], ...]:
    return tracker_outbox.c.project_id == project_id, tracker_outbox.c.tracker == tracker


def _batched(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), IN_ONE_STATEMENT):
        yield values[start : start + IN_ONE_STATEMENT]


def _link_values(link: TrackerLink) -> dict[str, Any]:
    return {
        "project_id": link.project_id,
        "tracker": link.tracker,
        "kind": link.kind,
        "local_id": link.local_id,
        "remote_id": link.remote_id,
        "data": to_plain(link.data),
    }


def _link(row: Row[Any]) -> TrackerLink:
    return TrackerLink(
        project_id=row.project_id,
        tracker=row.tracker,
        kind=row.kind,
        local_id=row.local_id,
        remote_id=row.remote_id,
        data=row.data,
    )


def _entry_values(entry: OutboxEntry) -> dict[str, Any]:
    return {
        "project_id": entry.project_id,
        "tracker": entry.tracker,
        "kind": entry.kind,
        "work_item_id": entry.work_item_id,
        "data": to_plain(entry.data),
        "attempts": entry.attempts,
        "error": entry.error,
        "created_at": entry.created_at or now(),
    }


def _entry(row: Row[Any]) -> OutboxEntry:
    return OutboxEntry(
        seq=row.seq,
        project_id=row.project_id,
        tracker=row.tracker,
        kind=row.kind,
        work_item_id=row.work_item_id,
        data=row.data,
        attempts=row.attempts,
        error=row.error,
        created_at=row.created_at,
    )
