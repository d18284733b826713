"""A server that is Linear to tests: real HTTP, our documents executed, its limits, its troubles, its webhooks."""

import asyncio
import contextlib
import hmac
import json
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn
from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator_tui.domain.clock import new_id
from tests.backends.linear.complexity import AN_HOUR, MOST_FOR_ONE, points
from tests.backends.linear.world import Node, World

KEY = "lin_api_testtesttest"
SECRET = "lin_wh_testtesttest"
PER_HOUR = 1_500

CUT_BEFORE, CUT_AFTER, BUSY, LIMITED = "cut before", "cut after", "busy", "limited"
"""Troubles of one request: the line is cut before or after it was carried out, 503, 429 with Retry-After."""

SCHEMA = build_schema(Path(__file__).with_name("schema.graphql").read_text())


class Cut(Response):
    """No answer: the line is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["transport"].abort()
        while (await receive())["type"] != "http.disconnect":
            pass


class _Protocol(H11Protocol):
    """One connection, which whoever answers finds in the scope's state, to cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


@dataclass
class FakeLinear:
    """The server's side of the tests.

    Attributes:
        delay: seconds until a request is carried out.
        troubles: of the next requests, one each; None is a request without.
        points: what an hour has of complexity, and used what of it is gone.
        asked: the first words of each request that was let in. moments: when they came, in Unix seconds.
        turned_away: requests that came while it was away.
        before: called with their number, from 1.
        done: called when a request was carried out and is not answered yet.
    """

    world: World = field(default_factory=World)
    limit: int = PER_HOUR
    points: int = AN_HOUR
    used: int = 0
    troubles: deque[str | None] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    refused: int = 0
    is_away: bool = False
    turned_away: int = 0
    delay: float = 0.0
    before: Callable[[int], None] = lambda number: None
    done: Callable[[int], None] = lambda number: None
    url: str = ""
    answered: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self._window_ends = time.time() + 3_600
        self.world.told = self._tell
        self.webhooks: list[tuple[bytes, dict[str, str]]] = []

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/graphql", self._graphql, methods=["POST"])])

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so, looked at after each request."""
        async with self.answered:
            await self.answered.wait_for(reached)

    async def _graphql(self, request: Request) -> Response:
        response = await self._answer(request)
        async with self.answered:
            self.answered.notify_all()
        return response

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        if self.is_away:
            self.turned_away += 1
            return JSONResponse({}, 503)
        if request.headers.get("authorization") != KEY:
            errors = [{"message": "Authentication required", "extensions": {"code": "AUTHENTICATION_ERROR"}}]
            return JSONResponse({"errors": errors}, 401)
        cost = points(body["query"], body["variables"])
        if cost > MOST_FOR_ONE:
            errors = [{"message": "Query too complex", "extensions": {"code": "INPUT_ERROR"}}]
            return JSONResponse({"errors": errors}, 400, self._headers(cost))
        if len(self.asked) >= self.limit or self.used + cost > self.points:
            self.refused += 1
            errors = [{"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}]
            return JSONResponse({"errors": errors}, 400, self._headers(cost))
        trouble = self.troubles.popleft() if self.troubles else None
        if trouble == BUSY:
            return JSONResponse({"errors": [{"message": "upstream"}]}, 503)
        if trouble == LIMITED:
            return JSONResponse({}, 429, {"retry-after": "0"})
        self.used += cost
        self.asked.append(body["query"].partition("(")[0].partition("{")[0].strip())
        self.moments.append(time.time())
        number = len(self.asked)
        self.before(number)
        await asyncio.sleep(self.delay)
        if trouble == CUT_BEFORE:
            return Cut()
        result = graphql_sync(SCHEMA, body["query"], self.world.root, variable_values=body["variables"])
        self.done(number)
        if trouble == CUT_AFTER:
            return Cut()
        return JSONResponse(result.formatted, 200 if result.data is not None else 400, self._headers(cost))

    def _headers(self, cost: int) -> dict[str, str]:
        reset = str(int(self._window_ends * 1_000))
        return {
            "x-complexity": str(cost),
            "x-ratelimit-requests-limit": str(self.limit),
            "x-ratelimit-requests-remaining": str(max(0, self.limit - len(self.asked))),
            "x-ratelimit-requests-reset": reset,
            "x-ratelimit-complexity-limit": str(self.points),
            "x-ratelimit-complexity-remaining": str(self.points - self.used),
            "x-ratelimit-complexity-reset": reset,
        }

    def _tell(self, kind: str, node: Node) -> None:
        payload = {"type": kind, "action": "update", "data": {"id": node["id"]}}
        self.webhooks.append(signed(payload))


def signed(payload: dict[str, Any], *, secret: str = SECRET, at: float | None = None) -> tuple[bytes, dict[str, str]]:
    """A webhook's body and headers as Linear sends them; `at` is its moment in Unix seconds, now when not given."""
    moment = int((time.time() if at is None else at) * 1_000)
    body = json.dumps({**payload, "webhookTimestamp": moment}).encode()
    signature = hmac.new(secret.encode(), body, sha256).hexdigest()
    return body, {"Linear-Signature": signature, "Linear-Delivery": new_id(), "Linear-Event": str(payload["type"])}


class _Server(uvicorn.Server):
    """A guest in the test's loop: it leaves signals and loggers alone."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            # An idle connection is kept longer than the client keeps it, as servers do.
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=1,
                timeout_keep_alive=60,
            )
        )
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def served(fake: FakeLinear) -> AsyncIterator[FakeLinear]:
    """The server on a port of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        fake.url = f"http://127.0.0.1:{listening.getsockname()[1]}/graphql"
        server = _Server(fake.app())
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="fake-linear")
        await server.ready.wait()
        try:
            yield fake
        finally:
            server.should_exit = True
            await serving
