"""The conversations of agents: entries of the CLI's transcripts, in the order they came."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select

from orchestrator_tui.database.models import transcripts
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.records import TranscriptKey

ROWS_AT_ONCE = 50
"""Small enough that turning them into JSON or back does not hold up the event loop."""

_column = transcripts.c


async def append(runner: Runner, key: TranscriptKey, entries: Sequence[Mapping[str, Any]], *, one_writer: bool) -> None:
    """Add entries at the end; one whose `uuid` is there already, or came earlier in `entries`, is left out."""
    if not one_writer:
        await _lock(runner, key)
    last = (await runner.run(select(func.coalesce(func.max(_column.ordinal), 0)).where(*_within(key)))).scalar_one()
    moment = now()
    for start in range(0, len(entries), ROWS_AT_ONCE):
        new = await _not_stored(runner, key, entries[start : start + ROWS_AT_ONCE])
        rows = [_row(key, ordinal, entry, moment) for ordinal, entry in enumerate(new, start=last + 1)]
        if rows:
            await runner.run(insert(transcripts), rows)
        last += len(rows)


async def load(runner: Runner, key: TranscriptKey) -> Sequence[dict[str, Any]]:
    """All entries in order."""
    query = select(_column.ordinal, _column.entry).where(*_within(key)).order_by(_column.ordinal).limit(ROWS_AT_ONCE)
    entries: list[dict[str, Any]] = []
    last = 0
    while rows := (await runner.run(query.where(_column.ordinal > last))).all():
        entries += [row.entry for row in rows]
        last = rows[-1].ordinal
    return entries


async def sessions(runner: Runner, project_key: str) -> Mapping[str, datetime]:
    """Session ids of main conversations, each with the moment of its last entry."""
    query = (
        select(_column.session_id, func.max(_column.created_at).label("last"))
        .where(_column.project_key == project_key, _column.subpath == "")
        .group_by(_column.session_id)
    )
    return {row.session_id: row.last for row in await runner.run(query)}


async def subpaths(runner: Runner, project_key: str, session_id: str) -> Sequence[str]:
    """What a conversation has beside the main one, sorted."""
    query = (
        select(_column.subpath)
        .where(_column.project_key == project_key, _column.session_id == session_id, _column.subpath != "")
        .distinct()
        .order_by(_column.subpath)
    )
    return (await runner.run(query)).scalars().all()


async def remove(runner: Runner, key: TranscriptKey) -> None:
    """Forget a conversation; the main one takes everything below it along."""
    where = _within(key)
    await runner.run(delete(transcripts).where(*(where if key.subpath else where[:2])))


def _within(key: TranscriptKey) -> tuple[ColumnElement[bool], ...]:
    return (
        _column.project_key == key.project_key,
        _column.session_id == key.session_id,
        _column.subpath == key.subpath,
    )


async def _lock(runner: Runner, key: TranscriptKey) -> None:
    """Keep other writers of this conversation away until the commit; of a new one there is no row yet to lock."""
    name = "\n".join((key.project_key, key.session_id, key.subpath))
    await runner.run(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def _not_stored(
    runner: Runner, key: TranscriptKey, entries: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    named = {uuid for entry in entries if (uuid := _uuid(entry)) is not None}
    stored = select(_column.entry_uuid).where(*_within(key), _column.entry_uuid.in_(named))
    known = set((await runner.run(stored)).scalars()) if named else set()
    new = []
    for entry in entries:
        uuid = _uuid(entry)
        if uuid is None or uuid not in known:
            new.append(entry)
        if uuid is not None:
            known.add(uuid)
    return new


def _row(key: TranscriptKey, ordinal: int, entry: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    return {
        "project_key": key.project_key,
        "session_id": key.session_id,
        "subpath": key.subpath,
        "ordinal": ordinal,
        "entry_uuid": _uuid(entry),
        "entry": dict(entry),
        "created_at": moment,
    }


def _uuid(entry: Mapping[str, Any]) -> str | None:
    """What tells an entry from all others; some kinds of entries have none."""
    uuid = entry.get("uuid")
    return uuid if isinstance(uuid, str) and uuid else None
