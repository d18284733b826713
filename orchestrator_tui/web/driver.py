"""What the dashboard's process reads and writes when its terminal is a browser tab."""

import logging
import os
from codecs import getincrementaldecoder
from functools import partial
from threading import Lock
from typing import Any

from textual import messages
from textual.drivers._byte_stream import ByteStream
from textual.drivers.web_driver import WebDriver, _ExitInput

from orchestrator_tui.tui.pasting import PasteParser

logger = logging.getLogger(__name__)


class BrowserDriver(WebDriver):
    """Also ends the app, as a closed tab does, when the server is gone: nobody else would tell it."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._writing = Lock()
        self._write = partial(self._write_packet)

    def run_input_thread(self) -> None:
        """Textual's own reads pastes with a parser that takes escape sequences in them for keys."""
        try:
            self._read_input()
        except _ExitInput:
            pass
        except Exception:
            # The edge of a thread: the app ends with it, below.
            logger.exception("what the server sent cannot be read")
        finally:
            self._input_reader.close()
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())

    def _read_input(self) -> None:
        parser, packets = PasteParser(self._debug), ByteStream()
        decode = getincrementaldecoder("utf-8")("replace").decode
        for data in self._input_reader:
            for kind, payload in packets.feed(data) if data else ():
                if kind != "D":
                    self._on_meta(kind, payload)
                # Half a character is no text yet; none at all would be the end of the stream.
                elif text := decode(payload):
                    for message in parser.feed(text):
                        self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def _write_packet(self, packet: bytes) -> int:
        """Write all of `packet`, in one piece even when threads write at once; nobody reads it after the server."""
        rest = memoryview(packet)
        with self._writing:
            try:
                while rest:
                    rest = rest[os.write(self.fileno, rest) :]
            except BrokenPipeError:
                pass
        return len(packet)
