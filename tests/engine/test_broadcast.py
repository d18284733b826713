import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import AgentDelta, AgentSaid, Live, Recorded, Resync
from orchestrator_tui.engine.broadcast import Broadcast
from orchestrator_tui.engine.bus import Bus, follow
from tests.conftest import make_project


async def turn() -> None:
    """Let others work for a moment."""
    await asyncio.sleep(0.001)


class Counting:
    """A store that counts how often events are read."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.reads = 0

    async def last_seq(self) -> int:
        return await self._store.last_seq()

    async def events(self, **how: Any) -> Sequence[Recorded]:
        self.reads += 1
        return await self._store.events(**how)


class Crowd:
    """Many who follow one database: `here` is this process's store, `there` that of another one."""

    def __init__(self, bus: Bus, here: SqlStore, there: SqlStore, stack: AsyncExitStack) -> None:
        self.bus, self.here, self.there = bus, here, there
        self.read = Counting(here)
        self.broadcast = Broadcast(self.read, bus, look_seconds=0.01)  # type: ignore[arg-type]
        self._stack = stack

    async def join(self, after_seq: int) -> AsyncIterator[Live]:
        listener = await self._stack.enter_async_context(self.broadcast.subscription())
        following = follow(self.read, listener, after_seq, look_seconds=None)  # type: ignore[arg-type]
        return await self._stack.enter_async_context(aclosing(following))

    async def reading(self, stream: AsyncIterator[Live]) -> "asyncio.Future[Live]":
        """What comes next, once what was before is read."""
        before = self.read.reads
        upcoming = asyncio.ensure_future(anext(stream))
        while self.read.reads == before:
            await turn()
        return upcoming


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    bus, url = Bus(), sqlite_url(tmp_path / "store.db")
    async with open_store(url, publish=bus.publish) as here, open_store(url) as there, AsyncExitStack() as stack:
        yield Crowd(bus, here, there, stack)


async def made(store: SqlStore) -> tuple[str, int]:
    """A project, and the last event there is then."""
    return (await make_project(store, "small")).id, await store.last_seq()


async def said(store: SqlStore, project_id: str, count: int) -> None:
    async with store.transaction() as unit:
        unit.record(project_id, *(AgentSaid(agent_id="a", text=str(number)) for number in range(count)))


async def seqs(stream: AsyncIterator[Live], count: int) -> list[int]:
    found = [await anext(stream) for _ in range(count)]
    return [live.seq for live in found if isinstance(live, Recorded)]


async def test_what_another_process_stores_is_read_once_for_all_who_follow(crowd: Crowd) -> None:
    project_id, first = await made(crowd.there)
    streams = [await crowd.join(first) for _ in range(50)]
    upcoming = [asyncio.ensure_future(seqs(stream, 3)) for stream in streams]
    while crowd.read.reads < 51:
        """Each looks at what was before it."""
        await turn()
    before = crowd.read.reads
    await said(crowd.there, project_id, 3)
    assert {tuple(found) for found in await asyncio.gather(*upcoming)} == {(first + 1, first + 2, first + 3)}
    assert before < crowd.read.reads < before + 50


async def test_whoever_comes_later_gets_what_was_before_and_then_what_happens(crowd: Crowd) -> None:
    project_id, first = await made(crowd.here)
    early = await crowd.join(first)
    await said(crowd.here, project_id, 2)
    late = await crowd.join(0)
    assert await seqs(early, 2) == [first + 1, first + 2]
    assert await seqs(late, first + 2) == list(range(1, first + 3))
    await said(crowd.here, project_id, 1)
    assert await seqs(early, 1) == await seqs(late, 1) == [first + 3]


async def test_text_that_is_being_written_reaches_everybody(crowd: Crowd) -> None:
    upcoming = [await crowd.reading(await crowd.join(0)) for _ in range(3)]
    delta = AgentDelta(project_id="p", agent_id="a", text="I wi")
    crowd.bus.publish_delta(delta)
    assert await asyncio.gather(*upcoming) == [delta] * 3


async def test_whoever_is_too_slow_is_told_and_reads_on_and_nobody_else_is(crowd: Crowd) -> None:
    project_id, first = await made(crowd.here)
    slow, quick = await crowd.join(first), await crowd.join(first)
    both = [await crowd.reading(one) for one in (slow, quick)]
    await said(crowd.here, project_id, 1)
    await asyncio.gather(*both)
    for number in range(4):
        await said(crowd.here, project_id, 700)
        begin = first + 2 + 700 * number
        assert await seqs(quick, 700) == list(range(begin, begin + 700))
    assert isinstance(await anext(slow), Resync)
    assert await seqs(slow, 2_800) == list(range(first + 2, first + 2_802))


async def test_trouble_reaches_everybody_and_who_comes_again_is_served(crowd: Crowd) -> None:
    upcoming = [await crowd.reading(await crowd.join(0)) for _ in range(2)]
    crowd.bus.fail(StoreUnavailable("It is away."))
    for one in upcoming:
        with pytest.raises(StoreUnavailable, match="away"):
            await one
    _, last = await made(crowd.here)
    assert await seqs(await crowd.join(0), last) == list(range(1, last + 1))


async def test_when_nobody_follows_nothing_is_read(crowd: Crowd) -> None:
    async with crowd.broadcast.subscription():
        assert len(crowd.bus._subscriptions) == 1
    assert crowd.bus._subscriptions == []
