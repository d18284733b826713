"""What the dashboard's process reads and writes when its terminal is a browser tab."""

import os
from functools import partial
from threading import Lock
from typing import Any

from textual import messages
from textual.drivers.web_driver import WebDriver


class BrowserDriver(WebDriver):
    """Also ends the app, as a closed tab does, when the server is gone: nobody else would tell it."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._writing = Lock()
        self._write = partial(self._write_packet)

    def run_input_thread(self) -> None:
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())

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
