"""Writes to the terminal, and goes on living when that is gone: agents may be at work."""

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from orchestrator_tui.tui.pasting import PasteParser

LOOK_SECONDS = 0.1
"""How soon a key is noticed that could have been the beginning of a longer sequence."""


class Output:
    """A file whose reader may vanish: what is written then goes nowhere, and `lost` is called once."""

    def __init__(self, file: IO[str], lost: Callable[[], None]) -> None:
        self._file = file
        self._lost = lost
        self._is_lost = False

    def write(self, text: str) -> int:
        self._attempt(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._file.flush)

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def _attempt(self, work: Callable[[], object]) -> None:
        if self._is_lost:
            return
        try:
            work()
        except (OSError, ValueError):
            self._is_lost = True
            self._lost()


class TerminalGone(Message):
    """Nobody sees the app any more."""


class TerminalDriver(LinuxDriver):
    """Textual's own, whose writing thread would end with the terminal and then block the app for ever."""

    on_terminal: Callable[[], None] = staticmethod(lambda: None)
    """Called right before the terminal is taken over."""

    def __init__(self, app: App[Any], **settings: Any) -> None:
        super().__init__(app, **settings)
        self._file = cast("Any", Output(cast("IO[str]", self._file), self._gone))

    def start_application_mode(self) -> None:
        self.on_terminal()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def run_input_thread(self) -> None:
        """Textual's own reads pastes with a parser that takes escape sequences in them for keys."""
        parser = PasteParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(LOOK_SECONDS):
                    if not (data := self._read()):
                        self._gone()
                        return
                    # Half a character is no text yet.
                    if text := decode(data):
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def _read(self) -> bytes:
        """What was typed; nothing when the terminal is gone."""
        try:
            return os.read(self.fileno, 65536)
        except OSError:
            return b""

    def _gone(self) -> None:
        if (loop := self._app._loop) is not None:
            loop.call_soon_threadsafe(self._app.post_message, TerminalGone())


def driver_of(environ: Mapping[str, str], on_terminal: Callable[[], None]) -> type[Driver] | None:
    """The driver to use, which calls `on_terminal`; None lets Textual take the one that `TEXTUAL_DRIVER` names."""
    if environ.get("TEXTUAL_DRIVER"):
        return None
    return type("OwnDriver", (TerminalDriver,), {"on_terminal": staticmethod(on_terminal)})
