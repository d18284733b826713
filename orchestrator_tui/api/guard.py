"""What every request must pass first: the right host, no foreign page, JSON, a size, a token, and not too often."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator_tui.api.access import Doorkeeper
from orchestrator_tui.api.base import Limits, Options
from orchestrator_tui.api.problems import Refused, answer_to
from orchestrator_tui.api.rates import Rates
from orchestrator_tui.domain.access import Token
from orchestrator_tui.domain.errors import AccessDenied, OrchestratorError

OPEN_PATHS = frozenset({"/health", "/ready"})
"""What needs no token: whether the server is there, for whoever watches over it."""

HOOKS = "/webhooks/"
"""Below it a tracker's signature takes the place of a token."""

_SAFE_METHODS = ("GET", "HEAD")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """An ASGI application around another; `scope["state"]["token"]` is who asks, for those inside."""

    def __init__(self, app: ASGIApp, options: Options, doorkeeper: Callable[[], Doorkeeper]) -> None:
        self._app = app
        self._hosts = options.hosts
        self._limits = options.limits
        self._doorkeeper = doorkeeper
        self._requests = Rates(options.limits.per_second, options.limits.burst)
        self._failures = Rates(options.limits.failures_per_minute / 60, options.limits.failures_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = _Body(receive, self._limits)

        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                if body.refusal is not None and not begun:
                    # Those inside only know that there was something wrong with the body.
                    raise body.refusal
                begun = True
                if message["status"] == 401 and scope["path"].startswith(HOOKS):
                    self._failures.wait(address_of(scope))
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            await self._check(scope)
            await self._app(scope, body.receive, guarded)
        except Exception as error:
            # Whatever it is, there is an answer, as long as none has begun.
            if begun:
                raise
            refusal, body.refusal = body.refusal or error, None
            await answer_to(refusal)(scope, receive, guarded)

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if [host.lower() for host in headers.getlist("host")] not in [[host] for host in self._hosts]:
            hint = "Use the address that it printed; --public-url names another one."
            raise Refused(421, AccessDenied("This server does not answer to that name.", hint=hint))
        if not self._is_own_page(headers):
            raise Refused(403, AccessDenied("Another site may not do that."))
        if scope["method"] not in _SAFE_METHODS and not _is_json(headers.get("content-type", "")):
            error = OrchestratorError("JSON is expected.", hint="Send it with Content-Type: application/json.")
            raise Refused(415, error)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._limits.body_bytes:
            raise _too_large(self._limits)
        if scope["path"].startswith(HOOKS):
            if wait := self._failures.left(address_of(scope)):
                raise _too_often(wait)
        elif scope["path"] not in OPEN_PATHS:
            scope.setdefault("state", {})["token"] = await self._token(scope, headers)

    def _is_own_page(self, headers: Headers) -> bool:
        """A browser says which page a request comes from; a program says nothing."""
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        return all(_host_of(origin) in self._hosts for origin in headers.getlist("origin"))

    async def _token(self, scope: Scope, headers: Headers) -> Token:
        scheme, _, text = headers.get("authorization", "").partition(" ")
        token = await self._doorkeeper().who(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            # Whoever has a token gets in, also from an address that others guess from, such as that of a proxy.
            if wait := self._failures.wait(address_of(scope)):
                raise _too_often(wait)
            hint = "Send Authorization: Bearer TOKEN; orchestrator-tui token create makes one."
            error = AccessDenied("A token is needed." if not text else "This token is not known.", hint=hint)
            raise Refused(401, error, {"WWW-Authenticate": "Bearer"})
        if wait := self._requests.wait(token.id):
            raise _too_often(wait)
        return token


def _host_of(origin: str) -> str:
    """The host of an origin; "" when there is none in it."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def address_of(scope: Scope) -> str:
    """The address of who asks, without the port."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


class _Body:
    """A request's body, which must not be too large and must arrive in time."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive = receive
        self._limits = limits
        self._size = 0
        self._whole = False
        self._end: float | None = None
        self.refusal: Refused | None = None

    async def receive(self) -> Message:
        if self._whole:
            # What comes now is that the client is gone, after however long.
            return await self._receive()
        if self._end is None:
            # All of it, not each piece of it.
            self._end = asyncio.get_running_loop().time() + self._limits.body_seconds
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError as error:
            self.refusal = Refused(408, OrchestratorError("The body of the request did not arrive in time."))
            raise self.refusal from error
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._limits.body_bytes:
            self.refusal = _too_large(self._limits)
            raise self.refusal
        return message


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _too_large(limits: Limits) -> Refused:
    error = OrchestratorError(f"The body of the request has more than {limits.body_bytes:,} bytes.", hint="Send less.")
    return Refused(413, error, {"Connection": "close"})


def _too_often(wait: float) -> Refused:
    error = OrchestratorError("Too many requests.", hint="Wait a moment.")
    return Refused(429, error, {"Retry-After": str(max(1, round(wait)))})
