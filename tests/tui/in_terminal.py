"""A small app in a real pseudo-terminal, and everything it writes there; as a module it is that app."""

import asyncio
import os
import pty
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.widgets import Label, TextArea

from orchestrator_tui.config.settings import TuiSettings
from orchestrator_tui.tui.attention import Attention, Call, Why
from orchestrator_tui.tui.terminal_colors import choose_theme, colors_off
from orchestrator_tui.tui.themes import load_themes
from orchestrator_tui.tui.view import Dashboard

ROOT = Path(__file__).parents[2]


class Painted(App[Any]):
    """Shows accented text and a cursor, calls once, and leaves by itself."""

    CSS = "Screen { background: $background; } Label { color: $accent; background: $selection; }"

    def __init__(self) -> None:
        super().__init__(ansi_color=True if colors_off(os.environ) else None)
        for one in load_themes(Path("/nowhere")).themes.values():
            self.register_theme(one.theme)
        self.theme = choose_theme("dark", "CHOSEN" in os.environ, os.environ)
        self.attention = Attention(self, TuiSettings(), os.environ)

    def compose(self) -> ComposeResult:
        yield Label("accented")
        yield TextArea("typed")

    def on_ready(self) -> None:
        self.attention.notice(Dashboard(), ())
        self.attention.call([Call(project_id="a", project="my;shop", why=Why.WAITS, detail="Design")])
        self.call_after_refresh(self.exit)

    def on_unmount(self) -> None:
        self.attention.close()


async def written(environ: Mapping[str, str]) -> str:
    """What the app writes to a terminal of this environment."""
    ours, theirs = pty.openpty()
    given = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environ}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.tui.in_terminal", stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=given
    )
    os.close(theirs)
    try:
        output = await asyncio.to_thread(_read_all, ours)
        assert await program.wait() == 0, output
    finally:
        os.close(ours)
    return output


def _read_all(descriptor: int) -> str:
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            # Linux reports the end of the last writer so.
            piece = b""
        if not piece:
            return b"".join(pieces).decode(errors="replace")
        pieces.append(piece)


if __name__ == "__main__":
    Painted().run()
