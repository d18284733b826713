"""A Messages API on loopback whose model is scripted: it runs inside the loop that enters it and ends with it."""

import asyncio
import contextlib
import hmac
import json
import logging
import math
import secrets
import socket
import time
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator_tui.agents.base import SessionRequest
from orchestrator_tui.agents.rehearsal.model import Refusal, Session, Sessions, decide
from orchestrator_tui.agents.rehearsal.playback import Playback
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.agents.rehearsal.stream import error_body
from orchestrator_tui.domain.clock import now

_HOST = "127.0.0.1"
_REQUESTS_KEPT = 2000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request the server answered.

    Attributes:
        session, role: the asking session's `agent_id` and role; "" when it is not a known one.
        kind: `turn`, `done`, `side`, `no answer`, `status 429`, `stall`, `cut`, `garbage`, `count_tokens`,
            `unauthorized`, `unknown session`, `malformed`.
    """

    time: datetime
    session: str
    role: str
    status: int
    kind: str


@dataclass(frozen=True, slots=True)
class RehearsalEndpoint:
    """Leads sessions to a rehearsal's model: each gets a secret path of its own that says who asks.

    The CLI tells of usage limits only when it is logged in, so with `logged_in` the token is a login and no API key.
    """

    url: str
    token: str
    sessions: Sessions
    logged_in: bool = False

    @property
    def scripted(self) -> bool:
        return True

    @property
    def account(self) -> str:
        return ""

    def environment(self, request: SessionRequest) -> Mapping[str, str]:
        """The variables for the CLI of `request`; the empty ones hide what the CLI could find in ours."""
        return {
            "ANTHROPIC_BASE_URL": f"{self.url}/s/{self.sessions.add(request)}",
            "ANTHROPIC_API_KEY": "" if self.logged_in else self.token,
            "ANTHROPIC_AUTH_TOKEN": "",
            "ANTHROPIC_CUSTOM_HEADERS": "",
            "CLAUDE_CODE_OAUTH_TOKEN": self.token if self.logged_in else "",
            "CLAUDE_CODE_USE_BEDROCK": "",
            "CLAUDE_CODE_USE_VERTEX": "",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "NO_PROXY": _HOST,
            "no_proxy": _HOST,
        }


class RehearsalServer:
    """The server of one scenario, open inside `async with`; a random port of 127.0.0.1 and a random token.

    `requests` holds the last requests, oldest first.

    Raises on entering:
        OSError: no port of the loopback address can be had.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.requests: deque[RequestRecord] = deque(maxlen=_REQUESTS_KEPT)
        self._token = f"rehearsal-{secrets.token_urlsafe(24)}"
        self._sessions = Sessions()
        self._endpoint: RehearsalEndpoint | None = None
        self._server = _LoopServer(self._app())
        self._serving: asyncio.Task[None] | None = None

    @property
    def endpoint(self) -> RehearsalEndpoint:
        """Where the model is; only inside the context."""
        if self._endpoint is None:
            raise RuntimeError("the rehearsal server is not open: use it with `async with`")
        return self._endpoint

    async def __aenter__(self) -> Self:
        listener = socket.create_server((_HOST, 0))
        url = f"http://{_HOST}:{listener.getsockname()[1]}"
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="rehearsal-server")
        try:
            await self._server.listening(self._serving)
        except BaseException:
            listener.close()
            await self._close()
            raise
        logged_in = self.scenario.has_usage_limit
        self._endpoint = RehearsalEndpoint(url, self._token, self._sessions, logged_in)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._endpoint = None
        await self._close()

    async def _close(self) -> None:
        self._server.hang_up()
        if self._serving is not None:
            await self._serving

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", _alive),
                Route("/s/{path}", _alive),
                Route("/s/{path}/", _alive),
                Route("/s/{path}/v1/messages", self._messages, methods=["POST"]),
                Route("/s/{path}/v1/messages/count_tokens", self._count_tokens, methods=["POST"]),
            ],
            exception_handlers={ClientDisconnect: _nobody_listens, 404: _not_found},
        )

    async def _messages(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Refusal):
            return self._refuse(session, None)
        body = await _json_body(request)
        if isinstance(body, Refusal):
            return self._refuse(body, session)
        match decide(self.scenario, session, body):
            case Refusal() as refusal:
                return self._refuse(refusal, session)
            case speech:
                self._note(session, 200, speech.kind)
                stream = body.get("stream") is True
                return Playback(speech, self.scenario.pace, stream=stream, request_id=_request_id())

    async def _count_tokens(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Refusal):
            return self._refuse(session, None)
        self._note(session, 200, "count_tokens")
        # Four bytes a token is the usual rule of thumb; nothing here depends on the number.
        return JSONResponse({"input_tokens": len(await request.body()) // 4})

    def _session(self, request: Request) -> Session | Refusal:
        if not _allowed(request, self._token):
            return Refusal(401, "invalid x-api-key", "unauthorized")
        session = self._sessions.get(request.path_params["path"])
        return session or Refusal(404, "no session of this rehearsal has this path", "unknown session")

    def _refuse(self, refusal: Refusal, session: Session | None) -> Response:
        self._note(session, refusal.status, refusal.kind)
        if refusal.kind == "no answer":
            _log.error("%s", refusal.text)
        request_id = _request_id()
        body = error_body(refusal.status, refusal.text, request_id)
        return JSONResponse(body, refusal.status, {"request-id": request_id, **_limit_headers(refusal)})

    def _note(self, session: Session | None, status: int, kind: str) -> None:
        agent, role = (session.request.agent_id, session.request.role) if session else ("", "")
        self.requests.append(RequestRecord(now(), agent, role, status, kind))


class _LoopServer(uvicorn.Server):
    """A uvicorn server that is a guest in somebody else's loop: it leaves signals and loggers alone."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def listening(self, serving: asyncio.Task[None]) -> None:
        """Wait until connections are taken; raises what ended `serving` before that."""
        ready = asyncio.create_task(self._ready.wait(), name="rehearsal-ready")
        try:
            await asyncio.wait((ready, serving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if serving.done():
            serving.result()

    def hang_up(self) -> None:
        """Take no more connections, end those that are open, and let `serve` return."""
        self.should_exit = True
        for server in getattr(self, "servers", ()):
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class _Protocol(H11Protocol):
    """One connection; the application finds its transport in the scope's state, to break it on purpose."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.access_log = False
        self.app_state = {**self.app_state, "transport": transport}


def _allowed(request: Request, token: str) -> bool:
    given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), token.encode())


async def _json_body(request: Request) -> Mapping[str, Any] | Refusal:
    try:
        body: dict[str, Any] = json.loads(await request.body())
    except ValueError as error:
        return Refusal(400, f"the body is not JSON: {error}", "malformed")
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return Refusal(400, "messages: expected a list of objects", "malformed")
    return body


def _limit_headers(refusal: Refusal) -> Mapping[str, str]:
    headers = {}
    if refusal.retry_after is not None:
        headers["retry-after"] = f"{refusal.retry_after:g}"
    if refusal.resets_in is not None:
        headers["anthropic-ratelimit-unified-status"] = "rejected"
        headers["anthropic-ratelimit-unified-reset"] = str(math.ceil(time.time() + refusal.resets_in))
        headers["anthropic-ratelimit-unified-representative-claim"] = "five_hour"
    return headers


async def _alive(request: Request) -> Response:
    return Response(status_code=200)


async def _not_found(request: Request, error: Exception) -> Response:
    request_id = _request_id()
    return JSONResponse(error_body(404, f"{request.url.path}: not found", request_id), 404)


async def _nobody_listens(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


def _request_id() -> str:
    return f"req_{secrets.token_hex(12)}"
