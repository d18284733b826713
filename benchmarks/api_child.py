"""The servers that the API's benchmark asks, each in a process of its own: ours, and a bare FastAPI handler.

Run with `python -m benchmarks.api_child ours|bare HOME`. It writes one JSON line with its address once it listens, and
a line `tick NUMBER SECONDS` for each event it has committed after a line came in on standard input.
"""

import asyncio
import json
import os
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import event
from starlette.responses import StreamingResponse

from orchestrator_tui.api.access import mint
from orchestrator_tui.api.base import Limits, Options
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.api.server import serving
from orchestrator_tui.compose import open_service
from orchestrator_tui.config.address import address_of, listen
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.events import AgentSaid, Recorded

UNLIMITED = Limits(per_second=1e9, burst=10**9)
PAUSE_SECONDS = 0.05


def launch(home: Path) -> Launch:
    """A start that knows nothing of this machine but PATH."""
    home.mkdir(exist_ok=True)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home)}
    return Launch(paths=find_paths(environ), environ=environ, cwd=home)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def wishes() -> AsyncIterator[int]:
    """How many events are wanted, line by line, until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield int(line)


async def tick(count: int, store: Callable[[int], Any]) -> None:
    """Have events stored one by one, and tell when each was committed."""
    for number in range(count):
        await store(number)
        await asyncio.sleep(PAUSE_SECONDS)


async def ours(home: Path) -> None:
    start = launch(home)
    with listen("127.0.0.1", 0) as listening:
        address = address_of(listening, "127.0.0.1", None)
        house = House(options=Options(hosts=address.hosts, workspace=home, limits=UNLIMITED))
        async with serving(house, listening, None), open_service(start) as service:
            minted = mint("bench", Scope.READ)
            await service.ledger.add_token(minted.token)
            house.open(service.engine, service.ledger)
            store, bus = service.engine._store, service.engine._bus
            (project, *_) = await service.engine.projects(limit=1)
            publish = bus.publish

            def noted(events: Sequence[Recorded]) -> None:
                moment = time.monotonic()
                publish(events)
                for one in events:
                    if isinstance(one.event, AgentSaid):
                        say(f"{one.event.text} {moment}")

            bus.publish = noted  # type: ignore[method-assign]

            async def commit(number: int) -> None:
                async with store.transaction() as unit:
                    unit.record(project.id, AgentSaid(agent_id="a", text=f"tick {number} "))

            say(json.dumps({"origin": address.origin, "token": minted.text}))
            async for count in wishes():
                await tick(count, commit)


async def traced(home: Path, ask: Callable[[Any], Any]) -> list[tuple[str, tuple[Any, ...]]]:
    """The statements that ours sends for an answer, as the driver gets them."""
    found: list[tuple[str, tuple[Any, ...]]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        found.append((statement, tuple(parameters)))

    async with open_service(launch(home)) as service:
        engine = service.engine._store._database.questions._engine  # type: ignore[attr-defined]
        event.listen(engine, "before_cursor_execute", note)
        await ask(service.engine)
    return [one for one in found if one[0].startswith("SELECT")]


async def bare(home: Path) -> None:
    """Handlers that do nothing but send the same statements to the driver and the rows to the client."""
    listing = await traced(home, lambda engine: engine.projects(limit=100))
    overview = await traced(home, _overview)
    app = FastAPI()
    queues: list[asyncio.Queue[bytes]] = []
    async with aiosqlite.connect(launch(home).paths.database) as connection:
        connection.row_factory = sqlite3.Row

        async def rows(statements: Sequence[tuple[str, tuple[Any, ...]]]) -> JSONResponse:
            found = [await connection.execute_fetchall(*statement) for statement in statements]
            return JSONResponse([[dict(row) for row in part] for part in found])

        @app.get("/projects")
        async def projects() -> JSONResponse:
            return await rows(listing)

        @app.get("/projects/{reference}")
        async def project(reference: str) -> JSONResponse:
            return await rows(overview)

        @app.get("/events")
        async def events() -> StreamingResponse:
            queue: asyncio.Queue[bytes] = asyncio.Queue()
            queues.append(queue)

            async def body() -> AsyncIterator[bytes]:
                yield b"retry: 2000\n\n"
                while True:
                    yield await queue.get()

            return StreamingResponse(body(), media_type="text/event-stream")

        async def commit(number: int) -> None:
            say(f"tick {number} {time.monotonic()}")
            for queue in queues:
                queue.put_nowait(b'data: {"text":"tick %d "}\n\n' % number)

        async with _served(app) as origin:
            say(json.dumps({"origin": origin, "token": "none"}))
            async for count in wishes():
                await tick(count, commit)


async def _overview(engine: Any) -> None:
    await engine.overview((await engine.find_project("1")).id)


@asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]), name="bare-server")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = server.force_exit = True
        await task


if __name__ == "__main__":
    asyncio.run({"ours": ours, "bare": bare}[sys.argv[1]](Path(sys.argv[2])))
