"""A small app to run in a browser tab: shows what is typed, and tells through a pipe that it lives and how it ends."""

import os
import sys
import threading
from pathlib import Path

from textual.app import App, ComposeResult
from textual.events import Resize
from textual.widgets import Input, Static


class TypingApp(App[None]):
    """`/link URL` opens a link, `/quit` ends, `/crash` breaks, `/hang` stands still, `/flood` writes 40 MB."""

    def __init__(self, pipe: Path) -> None:
        super().__init__()
        # Open for as long as the process lives; fails when nobody listens.
        self._pipe = os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "w", buffering=1)

    def compose(self) -> ComposeResult:
        yield Input(placeholder="Say something")
        yield Static("", id="said", markup=False)
        yield Static("", id="size")

    def on_mount(self) -> None:
        self._pipe.write("started\n")

    def on_unmount(self) -> None:
        self._pipe.write("saved\n")

    def on_resize(self, resized: Resize) -> None:
        self.query_one("#size", Static).update(f"{resized.size.width} by {resized.size.height}")

    def on_input_changed(self, changed: Input.Changed) -> None:
        self.query_one("#said", Static).update(f"said: {changed.value}")

    async def on_input_submitted(self, submitted: Input.Submitted) -> None:
        match submitted.value.split():
            case ["/link", url]:
                self.open_url(url)
                submitted.input.clear()
                self._pipe.write("linked\n")
            case ["/quit"]:
                self.exit()
            case ["/crash"]:
                os.write(2, b"broken on \x1b[31mpurpose\x1b[0m\n")
                os._exit(3)
            case ["/hang"]:
                self._pipe.write("hangs\n")
                threading.Event().wait()
            case ["/flood"]:
                assert self._driver is not None
                for _ in range(400):
                    self._driver.write("x" * 100_000)


if __name__ == "__main__":
    TypingApp(Path(sys.argv[1])).run()
