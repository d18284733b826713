"""A small app to try one widget or screen on: the real themes and keys, and a real engine where one is needed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual._context import visible_screen_stack
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.config.settings import KeymapSettings
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.keymap import Keymap
from orchestrator_tui.tui.messages import CommandGiven
from orchestrator_tui.tui.themes import load_themes
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch
from tests.tui.idling import worked_off

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEYS = Keymap(KeymapSettings())
WIDE = (120, 40)
SMALL = (80, 24)
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.05
"""Seconds between two looks at what is waited for."""


class Stage(App[Any]):
    """Shows `widgets`; keeps the messages of the types in `kept` in `seen`, and what was commanded in `commands`."""

    CSS = "Screen { background: $background; }"

    def __init__(self, *widgets: Widget, kept: tuple[type[Message], ...] = (), theme: str = "dark") -> None:
        super().__init__()
        for one in load_themes(Path("/nowhere")).themes.values():
            self.register_theme(one.theme)
        self.theme = theme
        self.set_keymap(KEYS.as_textual())
        self._shown = widgets
        self._kept = kept
        self.seen: list[Message] = []
        self.commands: list[str] = []

    def compose(self) -> ComposeResult:
        yield from self._shown

    def on_command_given(self, message: CommandGiven) -> None:
        self.commands.append(message.text)

    async def _on_message(self, message: Message) -> None:
        await super()._on_message(message)
        if isinstance(message, self._kept):
            self.seen.append(message)


async def until(pilot: Pilot[Any], reached: Callable[[], object]) -> None:
    """Let the app work until something holds; the test's time limit ends a wait for what never comes.

    To look takes time from what is waited for, so it is done the less often the longer that takes.
    """
    pause = SHORTEST_PAUSE
    while not reached():
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    await worked_off(pilot.app)


def context(client: EngineClient, home: Path, *, clock: Callable[[], datetime] = lambda: NOON) -> Context:
    environ = {"HOME": str(home), "ORCHESTRATOR_HOME": str(home)}
    return Context(client=client, keymap=KEYS, paths=find_paths(environ), environ=environ, clock=clock)


@asynccontextmanager
async def played_project(home: Path, *, items: int = 3, autonomy: str = "full") -> AsyncIterator[Watched]:
    """A project whose model is played without the CLI, at its first rest: `paused` in checkpoint mode."""
    runtime = ReplayRuntime(generated_scenario(items))
    async with open_engine(launch(home, None, autonomy=autonomy, **FAST), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        yield run


def strips_of(app: App[Any]) -> list[Strip]:
    """What is on the screen, styled; the screens below a modal are told to it, as when the app itself paints."""
    visible_screen_stack.set(app._background_screens)
    return app.screen._compositor.render_strips()


def text_of(pilot: Pilot[Any]) -> str:
    """What is on the screen, as lines of text."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips_of(pilot.app))


def sees(pilot: Pilot[Any], *texts: str) -> bool:
    """Whether all of these are on the screen, which is looked at once."""
    shown = text_of(pilot)
    return all(text in shown for text in texts)
