"""Where webhook receivers are in the stored events, on SQLite or PostgreSQL."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from orchestrator_tui.database.event_log import last_seq, read_kinds
from orchestrator_tui.database.ledger import Read, Write
from orchestrator_tui.database.models import webhook_places
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import StaleState
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.notices import Place


class SqlPlaces:
    """The places beside a store; `read` asks a question in a transaction, `write` opens one that commits."""

    def __init__(self, read: Read, write: Write) -> None:
        self._read = read
        self._write = write

    async def begin(self, name: str) -> None:
        async def known(runner: Runner) -> bool:
            return (await runner.run(_row_of(name))).one_or_none() is not None

        if not await self._read(known):
            # Another process may be just as quick.
            with suppress(StaleState):
                async with self._write() as runner:
                    values = {"name": name, "seq": await last_seq(runner), "attempts": 0}
                    await runner.run(insert(webhook_places).values(values))

    async def find(self, name: str) -> Place:
        async def found(runner: Runner) -> Place:
            return _place((await runner.run(_row_of(name))).one())

        place: Place = await self._read(found)
        return place

    async def take_turn(self, name: str, by: str, until: datetime, *, is_gone: Callable[[str], bool]) -> Place | None:
        async with self._write() as runner:
            row = (await runner.run(_row_of(name).with_for_update())).one()
            free = row.turn_of in (None, by) or row.turn_until <= now() or is_gone(row.turn_of)
            if not free:
                return None
            taken = update(webhook_places).where(webhook_places.c.name == name)
            await runner.run(taken.values(turn_of=by, turn_until=until))
            return _place(row)

    async def move(self, name: str, by: str, place: Place, until: datetime) -> bool:
        moved = update(webhook_places).where(webhook_places.c.name == name, webhook_places.c.turn_of == by)
        async with self._write() as runner:
            values = {"seq": place.seq, "attempts": place.attempts, "next_at": place.next_at, "turn_until": until}
            return (await runner.run(moved.values(values))).rowcount == 1

    async def end_turn(self, name: str, by: str) -> None:
        ended = update(webhook_places).where(webhook_places.c.name == name, webhook_places.c.turn_of == by)
        async with self._write() as runner:
            await runner.run(ended.values(turn_of=None, turn_until=None))

    async def to_tell(self, after_seq: int, kinds: Sequence[str], limit: int) -> tuple[Sequence[Recorded], int]:
        async def asked(runner: Runner) -> tuple[Sequence[Recorded], int]:
            # Read first: what is committed in between comes with the next question.
            last = await last_seq(runner)
            found = await read_kinds(runner, after_seq, last, kinds, limit)
            return found, found[-1].seq if len(found) == limit else last

        told: tuple[Sequence[Recorded], int] = await self._read(asked)
        return told


def _row_of(name: str) -> Any:
    return select(webhook_places).where(webhook_places.c.name == name)


def _place(row: Row[Any]) -> Place:
    return Place(seq=row.seq, attempts=row.attempts, next_at=row.next_at)
