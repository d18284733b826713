import asyncio
import json
import re
import resource
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator_tui.api import wire
from orchestrator_tui.api.base import Limits
from orchestrator_tui.api.sse import read_events
from orchestrator_tui.api.stream import EventStream
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import AgentDelta, AgentSaid, Live, Recorded, Resync
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.api.serving import Served, served
from tests.api.test_routes import made, waiting


class Reading:
    """What comes out of a stream, one event after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()
        self._events = read_events(self._lines)

    async def opened(self) -> "Reading":
        """Once the server follows what happens."""
        assert await anext(self._lines) == "retry: 2000"
        return self

    async def next(self) -> tuple[str, Any]:
        async for name, data in self._events:
            if name:
                return name, json.loads(data)
        return "", None

    async def seqs(self, count: int) -> list[int]:
        return [(await self.next())[1]["seq"] for _ in range(count)]


@asynccontextmanager
async def reading(http: httpx.AsyncClient, **how: Any) -> AsyncIterator[Reading]:
    async with http.stream("GET", "/events", **how) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        # Held here: what nobody holds is collected, and its connection closed with it.
        stream = await Reading(response).opened()
        yield stream


async def stored(it: Served) -> int:
    return len(await it.engine.events())


async def test_a_reader_that_comes_back_misses_nothing_and_gets_nothing_twice(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http() as http:
        await made(it, http)
        total = await stored(it)
        async with reading(http, params={"after_seq": 0}) as stream:
            assert await stream.seqs(4) == [1, 2, 3, 4]
        async with reading(http, headers={"Last-Event-ID": "4"}) as stream:
            assert await stream.seqs(total - 4) == list(range(5, total + 1))
            # And goes on with what happens.
            await http.post("/projects/1/stop", json={})
            assert await stream.seqs(1) == [total + 1]
        # What was read counts more than where it once began.
        async with reading(http, params={"after_seq": 0}, headers={"Last-Event-ID": "2"}) as stream:
            assert await stream.seqs(1) == [3]


async def test_without_a_number_it_begins_now_and_a_project_can_be_chosen(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http() as http:
        await made(it, http)
        total = await stored(it)
        async with reading(http) as stream, reading(http, params={"project": "1", "after_seq": 0}) as first:
            await made(it, http, name="other")
            assert await stream.seqs(1) == [total + 1]
            assert await first.seqs(total) == list(range(1, total + 1))
        for params in ({"project": "nobody"}, {"after_seq": "x"}, {"after_seq": -1}):
            assert (await http.get("/events", params=params)).status_code in (404, 422)
        assert (await http.get("/events", headers={"Last-Event-ID": "x"})).status_code == 422


async def test_a_number_that_no_event_has_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http() as http:
        run = await made(it, http)
        last = await stored(it)
        for how in ({"params": {"after_seq": last + 1}}, {"headers": {"Last-Event-ID": str(last + 1)}}):
            refused = await http.get("/events", **how)
            assert (refused.status_code, refused.json()["error"]) == (409, "IllegalTransition")
        async with reading(http, params={"after_seq": last}) as stream:
            await it.engine.submit(StopProject(project_id=run.project_id))
            assert (await stream.next())[1]["seq"] == last + 1


async def test_text_that_is_being_written_has_no_id(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http() as http, reading(http) as stream:
        it.engine._bus.publish_delta(AgentDelta(project_id="p", agent_id="a", text="I wi"))
        assert await stream.next() == ("delta", {"project_id": "p", "agent_id": "a", "text": "I wi"})


async def test_silence_is_broken_by_signs_of_life_and_ends_when_the_token_is_revoked(tmp_path: Path) -> None:
    async with (
        served(tmp_path / "home", limits=Limits(heartbeat_seconds=0.05)) as it,
        it.http(Scope.READ) as http,
        http.stream("GET", "/events") as response,
    ):
        lines = response.aiter_lines()
        while await anext(lines) != ": alive":
            pass
        await it.ledger.revoke_token(it.tokens[Scope.READ].split("_")[1])
        assert {line async for line in lines} <= {": alive", ""}


async def test_there_is_room_for_so_many_streams(tmp_path: Path) -> None:
    async with served(tmp_path / "home", limits=Limits(streams=1)) as it, it.http() as http:
        async with reading(http, params={"after_seq": 0}):
            assert (await http.get("/events")).status_code == 503
        while (await http.get("/metrics")).text.count("orchestrator_event_streams 1.0"):
            pass
        async with reading(http):
            pass


async def test_streams_end_with_the_server(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it:
        http = it.http()
        opened = http.stream("GET", "/events")
        response = await opened.__aenter__()
    assert [line async for line in response.aiter_lines() if line.startswith("data")] == []
    await opened.__aexit__(None, None, None)
    await http.aclose()


class Told:
    """An engine whose stream tells what it is given."""

    def __init__(self, *told: Live | Exception) -> None:
        self._told = told

    @asynccontextmanager
    async def subscribe(self, after_seq: int, *, project_id: str | None = None) -> AsyncIterator[AsyncIterator[Live]]:
        async def stream() -> AsyncIterator[Live]:
            for one in self._told:
                if isinstance(one, Exception):
                    raise one
                yield one
            await asyncio.Event().wait()

        yield stream()


class Reader:
    """An ASGI server's side of one stream; it takes `room` messages and then nothing more."""

    def __init__(self, room: int = 1_000) -> None:
        self.body = b""
        self.room = room
        self.gone = asyncio.Event()
        self.closed = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.room -= 1
        if self.room < 0:
            await asyncio.Event().wait()
        self.body += message.get("body", b"")

    async def read(self, engine: Any, limits: Limits = Limits()) -> None:  # noqa: B008
        async def allowed() -> bool:
            return True

        stream = EventStream(
            engine,
            0,
            None,
            limits,
            allowed=allowed,
            closing=asyncio.Event(),
            opened=lambda: None,
            closed=self.closed.set,
            sent=lambda: None,
        )
        await stream({}, self.receive, self.send)


def said(seq: int) -> Recorded:
    return Recorded(seq=seq, at=now(), project_id="p", event=AgentSaid(agent_id="a", text="x"))


async def test_a_reader_that_takes_nothing_any_more_is_let_go() -> None:
    reader = Reader(room=3)
    await reader.read(Told(*map(said, range(1, 10))), Limits(send_seconds=0.05))
    assert reader.closed.is_set()
    assert b"id: 1\n" in reader.body
    assert b"id: 3\n" not in reader.body


async def test_a_reader_that_is_gone_ends_its_stream() -> None:
    reader = Reader()
    reading = asyncio.create_task(reader.read(Told()))
    reader.gone.set()
    await reading
    assert reader.closed.is_set()


async def test_a_reader_that_was_too_slow_is_told_where_to_read_on() -> None:
    reader = Reader()
    await reader.read(Told(said(1), Resync(after_seq=1), StoreUnavailable("It is closed.", final=True)))
    assert b'event: resync\ndata: {"after_seq":1}\n\n' in reader.body
    assert b"trouble" not in reader.body


@contextmanager
def files_for(connections: int) -> Iterator[None]:
    """Room for both ends of so many connections, as far as this machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"a process of this machine may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def slow_reader(it: Served, after_seq: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose stream is open; hardly anything has room on its way, so that nothing is sent unless read."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", int(it.host.partition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=connection, limit=2_048)
    token = it.tokens[Scope.READ]
    head = f"GET /events?after_seq={after_seq} HTTP/1.1\r\nHost: {it.host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode())
    assert b" 200 " in await reader.readline()
    await reader.readuntil(b"retry: 2000")
    return reader, writer


async def open_streams(http: httpx.AsyncClient) -> int:
    numbers = (await http.get("/metrics")).text
    (line,) = [one for one in numbers.splitlines() if one.startswith("orchestrator_event_streams ")]
    return int(float(line.split()[1]))


async def test_a_thousand_readers_that_take_nothing_cost_little_and_keep_nobody_waiting(tmp_path: Path) -> None:
    limits = Limits(send_seconds=300, burst=10_000)
    with files_for(1_000):
        async with served(tmp_path / "home", limits=limits) as it, it.http() as http:
            run = await made(it, http)
            began = await stored(it)
            slow = []
            for _ in range(20):
                slow += await asyncio.gather(*(slow_reader(it, began) for _ in range(50)))
            assert await open_streams(http) == 1_000
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            async with reading(http, params={"after_seq": began}) as quick:
                first = began + 1
                for _ in range(2):
                    async with it.engine._store.transaction() as unit:
                        unit.record(run.project_id, *(AgentSaid(agent_id="a", text="x" * 30_000) for _ in range(10)))
                    # Whoever reads has everything at once, whatever the others do.
                    assert await quick.seqs(10) == list(range(first, first + 10))
                    first += 10
                asked = await waiting(http)
                answer = await http.post("/projects/1/approve", json={"content_hash": asked["content_hash"]})
                assert answer.status_code == 200
                assert await run.until_rest() is PipelineStatus.PAUSED
            # All that was said to all of them is 600 megabytes.
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert grown < 300 * (1 << 20 if sys.platform == "darwin" else 1 << 10)
            # Who reads on after all misses nothing and gets nothing twice.
            reader, _ = slow[500]
            told = b""
            while f"\nid: {first - 1}\n".encode() not in told:
                told += await reader.read(100_000)
            seqs = [int(one) for one in re.findall(rb"\nid: (\d+)\n", told) if int(one) < first]
            assert seqs == list(range(began + 1, first))
            for _, writer in slow:
                writer.close()
            while await open_streams(http):
                """Asking gives others a turn."""


async def test_trouble_is_told_before_the_stream_ends() -> None:
    reader = Reader()
    await reader.read(Told(StoreUnavailable("The disk is full.", hint="Make room.")))
    data = reader.body.split(b"event: trouble\ndata: ")[1].split(b"\n")[0].decode()
    with pytest.raises(StoreUnavailable, match="The disk is full"):
        wire.live_from("trouble", data)
