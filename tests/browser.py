"""Drives a headless Chromium over the DevTools protocol: opens pages, types, reads the terminal in them."""

import asyncio
import itertools
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), "Backspace": (8, ""), "F1": (112, ""), "F5": (116, "")}
CONTROL = 2

# The page keeps its terminal to itself: this catches it as it is made.
CATCH_TERMINAL = """
Object.defineProperty(Object.prototype, "terminal", {
  configurable: true,
  set(value) {
    Object.defineProperty(this, "terminal", {value, writable: true});
    if (value && value.buffer) window.caughtTerminal = value;
  },
});
window.screenText = () => {
  const terminal = window.caughtTerminal;
  if (!terminal) return "";
  const buffer = terminal.buffer.active;
  const line = (row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true, 0, terminal.cols) ?? "";
  return Array.from({length: terminal.rows}, (_, row) => line(row)).join("\\n");
};
window.until = (reached) => new Promise((resolve) => {
  const look = () => { const value = reached(); value ? resolve(value) : setTimeout(look, 20); };
  look();
});
"""


def find_browser() -> str | None:
    """The first Chromium on this machine."""
    return next((path for program in PROGRAMS if (path := shutil.which(program))), None)


class BrowserError(Exception):
    """The browser refused a command, or the page threw an error."""


@dataclass
class Page:
    """One tab. `requests` are the addresses it asked for, `complaints` what went to its console as an error."""

    browser: "Browser"
    target: str
    session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self.browser.send(method, self.session, **parameters)

    async def go(self, url: str) -> None:
        await self.send("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Wait until a JavaScript expression holds, also while the page is being replaced by another."""
        while True:
            with suppress(BrowserError):
                return await self.evaluate(f"until(() => {condition})")
            await asyncio.sleep(0.02)

    async def until_screen_has(self, words: str) -> str:
        """Wait until the terminal shows `words`; all that it shows then."""
        text: str = await self.until(f"screenText().includes({json.dumps(words)}) && screenText()")
        return text

    async def type(self, text: str) -> None:
        for letter in text:
            await self.send("Input.dispatchKeyEvent", type="keyDown", text=letter, key=letter)
            await self.send("Input.dispatchKeyEvent", type="keyUp", key=letter)

    async def press(self, key: str, modifiers: int = 0) -> None:
        """Press a named key, or a letter together with a modifier."""
        code, text = KEYS[key] if key in KEYS else (ord(key.upper()), "")
        named = {"key": key, "code": key if key in KEYS else f"Key{key.upper()}", "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", modifiers=modifiers, text=text, **named)
        await self.send("Input.dispatchKeyEvent", type="keyUp", modifiers=modifiers, **named)

    async def resize(self, width: int, height: int) -> None:
        """Give the page another size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.send("Emulation.setDeviceMetricsOverride", **size)

    async def close(self) -> None:
        await self.browser.send("Target.closeTarget", targetId=self.target)

    def heard(self, method: str, told: dict[str, Any]) -> None:
        """Keep what the browser tells about this page."""
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(told["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.complaints.append(told["entry"]["text"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(told["type"])
                self.browser.post("Page.handleJavaScriptDialog", self.session, accept=True)


class Browser:
    """A running browser; answers are matched to commands by number."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._posting: set[asyncio.Task[Any]] = set()

    async def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Give a command and wait for its answer.

        Raises:
            BrowserError: it was refused.
        """
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        told = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        await self._socket.send_json(told)
        return await answer

    def post(self, method: str, session: str, **parameters: Any) -> None:
        """Give a command without waiting."""
        task = asyncio.create_task(self.send(method, session, **parameters))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def new_page(self) -> Page:
        """An empty tab."""
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, target, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.send(f"{domain}.enable")
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=CATCH_TERMINAL)
        return page

    async def listen(self) -> None:
        """Take what the browser says until it closes."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answered(told)
            elif told.get("sessionId") in self._pages:
                self._pages[told["sessionId"]].heard(told["method"], told["params"])

    def _answered(self, told: dict[str, Any]) -> None:
        waiting = self._waiting.pop(told["id"])
        if waiting.done():
            return
        if "error" in told:
            waiting.set_exception(BrowserError(told["error"]["message"]))
        else:
            waiting.set_result(told["result"])


@asynccontextmanager
async def open_browser(program: str, profile: Path) -> AsyncIterator[Browser]:
    """A headless browser with an empty profile of its own."""
    process = await _start(program, profile)
    try:
        async with ClientSession() as session, session.ws_connect(await _endpoint(process), max_msg_size=0) as socket:
            browser = Browser(socket)
            listening = asyncio.create_task(browser.listen(), name="browser")
            try:
                yield browser
                with suppress(BrowserError):
                    await browser.send("Browser.close")
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    finally:
        await _end(process)


async def _start(program: str, profile: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--window-size=1200,800",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
    )


async def _endpoint(process: Process) -> str:
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode(errors="replace"):
        if line.startswith("DevTools listening on "):
            return line.removeprefix("DevTools listening on ").strip()
    raise BrowserError("The browser ended before it listened.")


async def _end(process: Process) -> None:
    assert process.stderr is not None
    with suppress(ProcessLookupError):
        process.terminate()
    await process.stderr.read()
    await process.wait()
