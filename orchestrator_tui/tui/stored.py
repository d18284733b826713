"""Reads stretches of the event log from a client that gives it page by page."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import SessionLog
from orchestrator_tui.engine.client import EngineClient

PAGE = 500
SLACK = timedelta(seconds=5)
"""What belongs to a stretch may be stored a moment before or after it."""


async def events_between(
    client: EngineClient, project_id: str, start: datetime, end: datetime | None
) -> AsyncIterator[Recorded]:
    """A project's events from `start` to `end` (None: to the newest), a little more at both ends, the oldest first."""
    after = await _seq_before(client, project_id, start - SLACK)
    while page := await client.events(after_seq=after, project_id=project_id, limit=PAGE):
        for recorded in page:
            if end is not None and recorded.at > end + SLACK:
                return
            yield recorded
        after = page[-1].seq


def stretch(sessions: Sequence[SessionLog]) -> tuple[datetime, datetime | None] | None:
    """From when to when sessions ran, None for an end while one is at work; None without sessions."""
    if not sessions:
        return None
    ends = [session.ended_at for session in sessions]
    known = [end for end in ends if end is not None]
    return min(session.started_at for session in sessions), max(known) if len(known) == len(ends) else None


async def _seq_before(client: EngineClient, project_id: str, moment: datetime) -> int:
    """A `seq` after which everything from `moment` on is stored; halves the log instead of reading all of it."""
    newest = await client.latest_events(project_id, limit=1)
    low, high = 0, newest[-1].seq if newest else 0
    while high - low > PAGE:
        middle = (low + high) // 2
        first = await client.events(after_seq=middle, project_id=project_id, limit=1)
        if first and first[0].at < moment:
            low = first[0].seq
        else:
            high = middle
    return low
