"""Who may talk to the server: a browser that was given the printed address, and no page but our own."""

import hmac
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from orchestrator_tui.config.address import Address

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ENTER = "Open the address that orchestrator-tui printed when it started.\n"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_PAGE_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # The terminal sets its own styles while it runs.
    "script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self' {websocket}"
)
_DOWNLOAD_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


class Guard:
    """Checks every request: the Host and the Origin against DNS rebinding and foreign pages, and a secret cookie.

    The secret comes in the first address and goes into a cookie that no script can read and no other site can send.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._token = secrets.token_urlsafe(32)
        # Cookies know no ports: without it, two servers would overwrite each other's.
        self._cookie = f"orchestrator-{address.port}"

    @property
    def entrance(self) -> str:
        """The address that lets a browser in."""
        return f"{self._address.origin}/?token={self._token}"

    def protect(self, app: web.Application) -> None:
        """Put the checks before everything that `app` answers."""
        app.middlewares.append(self._check)
        app.on_response_prepare.append(self._add_headers)

    @web.middleware
    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.getall("Host", []) not in [[host] for host in self._address.hosts]:
            return _refuse(f"This dashboard is at {self._address.origin} only; --public-url names another address.\n")
        if not self._is_own_page(request):
            return _refuse("Another site may not do that.\n")
        if request.path == "/" and "token" in request.query:
            return self._enter(request.query["token"])
        if not self._is_token(request.cookies.get(self._cookie, "")):
            return _refuse(_ENTER)
        return await handler(request)

    def _is_own_page(self, request: web.Request) -> bool:
        """Browsers always say which page opens a WebSocket, so one without an Origin is refused."""
        origins = request.headers.getall("Origin", [])
        return origins == [self._address.origin] or (not origins and request.path != "/ws")

    def _enter(self, token: str) -> web.Response:
        if not self._is_token(token):
            return _refuse(_ENTER)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            self._cookie, self._token, path="/", httponly=True, samesite="Strict", secure=self._address.encrypted
        )
        return response

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(errors="replace"), self._token.encode())

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(_HEADERS)
        is_download = request.path.startswith("/download/")
        policy = _DOWNLOAD_POLICY if is_download else _PAGE_POLICY.format(websocket=self._address.websocket_origin)
        response.headers["Content-Security-Policy"] = policy


def _refuse(why: str) -> web.Response:
    return web.Response(status=403, text=why)
