"""The web server: a guarded page with a terminal in it, and a WebSocket that connects it to a dashboard's process."""

import asyncio
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path

import textual_serve
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from textual_serve.server import Server, to_int

from orchestrator_tui.config.address import Address
from orchestrator_tui.web.guard import Guard
from orchestrator_tui.web.tab import Tab

logger = logging.getLogger(__name__)

_OWN_FILES = Path(__file__).parent / "page"
_LIBRARY_FILES = Path(textual_serve.__file__).parent / "static"
_FONT_SIZES = range(6, 65)


class DashboardServer(Server):
    """Starts `command` for each tab. `tabs` counts the ones whose dashboards have not ended yet."""

    def __init__(self, command: Sequence[str], address: Address) -> None:
        super().__init__(shlex.join(command), public_url=address.origin, title="orchestrator-tui")
        self.tabs = 0
        self.guard = Guard(address)
        self._arguments = tuple(command)
        self._address = address
        self._websockets: set[web.WebSocketResponse] = set()
        pages = Environment(loader=FileSystemLoader(_OWN_FILES), autoescape=True, undefined=StrictUndefined)
        self._page = pages.get_template("index.html")

    async def make_app(self) -> web.Application:
        """The guarded web application."""
        return await self._make_app()

    async def _make_app(self) -> web.Application:
        app = web.Application()
        self.guard.protect(app)
        app.add_routes(
            [
                web.get("/", self._index, name="index"),
                web.get("/ws", self.handle_websocket, name="websocket"),
                web.get("/download/{key}", self.handle_download, name="download"),
                web.static("/page", _OWN_FILES, name="page"),
                web.static("/static", _LIBRARY_FILES, name="static"),
            ]
        )
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def on_shutdown(self, app: web.Application) -> None:
        """Close every tab; its handler then waits for the dashboard's end."""
        closing = [socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._websockets]
        await asyncio.gather(*closing, return_exceptions=True)

    async def _index(self, request: web.Request) -> web.Response:
        size = to_int(request.query.get("fontsize", ""), 16)
        text = self._page.render(
            font_size=min(max(size, _FONT_SIZES[0]), _FONT_SIZES[-1]),
            websocket=f"{self._address.websocket_origin}/ws",
        )
        return web.Response(text=text, content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a dashboard for as long as its tab is open."""
        websocket = web.WebSocketResponse(heartbeat=15, compress=False)
        await websocket.prepare(request)
        tab = Tab(self._arguments, request, websocket, self.download_manager)
        self._websockets.add(websocket)
        self.tabs += 1
        try:
            await tab.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            async for message in websocket:
                await _pass_on(message, tab, websocket)
        except OSError as error:
            logger.warning("a tab broke: %s", error)
        finally:
            self._websockets.discard(websocket)
            await tab.stop()
            self.tabs -= 1
        return websocket


async def _pass_on(message: WSMessage, tab: Tab, websocket: web.WebSocketResponse) -> None:
    """Give the dashboard what happened in the tab; what nobody understands is left alone."""
    try:
        told = message.json() if message.type is WSMsgType.TEXT else None
    except ValueError:
        return
    match told:
        case ["stdin", str(typed)]:
            await tab.send_bytes(typed.encode(errors="replace"))
        case ["resize", {"width": int(width), "height": int(height)}]:
            await tab.set_terminal_size(width, height)
        case ["ping", sent]:
            await websocket.send_json(["pong", sent])
        case ["focus"]:
            await tab.focus()
        case ["blur"]:
            await tab.blur()
