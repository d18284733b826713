"""The whole dashboard for tests: the real app over a real engine, whose model is played without the CLI."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from orchestrator_tui.agents.base import AgentRuntime
from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.app import MAIN, DashboardApp
from orchestrator_tui.tui.bridge import Contact
from orchestrator_tui.tui.guard import QUIET
from orchestrator_tui.tui.link import Link, OpenClient
from orchestrator_tui.tui.screens.asking import Question
from orchestrator_tui.tui.screens.new_project import NewProjectScreen
from orchestrator_tui.tui.setup import GoOn, Setup
from orchestrator_tui.tui.view import ProjectView
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, launch
from tests.tui.clients import usual
from tests.tui.stage import WIDE, sees, text_of, until

PATIENCE = 120.0
"""Seconds; on a busy machine everything takes long."""

First = CreateProject | GoOn | None
EXAMPLE = ("Small modules that tell their names.", "example")


@dataclass
class Board:
    """A dashboard on a screen, and what a person does with it."""

    app: DashboardApp
    pilot: Pilot[int]

    @property
    def client(self) -> EngineClient:
        return self.app.context.client

    @property
    def shown(self) -> str:
        """What is on the screen."""
        return text_of(self.pilot)

    @property
    def project(self) -> ProjectView:
        """The selected one."""
        assert self.app.selected is not None
        return self.app.selected

    async def until(self, reached: Callable[[], object]) -> None:
        """Let the app work until something holds; the screen is shown when it never does."""
        try:
            async with asyncio.timeout(PATIENCE):
                await until(self.pilot, reached)
        except TimeoutError:
            pytest.fail(f"not within {PATIENCE} s; the screen is:\n{self.shown}")

    async def shows(self, *texts: str) -> str:
        """Wait until all of these are on the screen; the screen then."""
        await self.until(lambda: sees(self.pilot, *texts))
        return self.shown

    async def says(self, words: str) -> None:
        """Wait until these words are on the screen, over however many lines."""
        await self.until(lambda: words in " ".join(self.shown.replace("│", " ").split()))

    async def question(self, *texts: str) -> None:
        """Wait until a question is open that shows these and whose keys count."""
        await self.until(lambda: self.app.asker.ready and sees(self.pilot, *texts))

    async def look(self) -> None:
        """Look at what has opened for as long as it takes until a key decides."""
        await self.until(lambda: monotonic() - self.app.last_key_at >= QUIET)
        if isinstance(screen := self.app.screen, Question | NewProjectScreen):
            await self.until(lambda: screen.guard.is_open)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type into whatever has the focus, key by key."""
        await self.pilot.press(*("space" if character == " " else character for character in text))

    @property
    def now(self) -> float:
        """Seconds on the clock of the app's loop."""
        return asyncio.get_running_loop().time()

    @property
    def typed(self) -> str:
        """What stands in the input bar."""
        return self.app.main_screen.input_bar.text

    async def rests(self, *statuses: PipelineStatus) -> None:
        """Wait until the selected project is in one of these states."""
        await self.until(lambda: self.app.selected is not None and self.project.status in statuses)

    async def leave(self) -> None:
        """Back to the main screen, as with Esc."""
        while self.app.screen is not self.app.main_screen:
            before = self.app.screen, self.shown
            await self.pilot.press("escape")
            await self.until(partial(lambda was: (self.app.screen, self.shown) != was, before))

    async def paste(self, text: str) -> None:
        """Paste into whatever has the focus."""
        self.app.post_message(events.Paste(text))
        await self.pilot.pause()

    async def send(self, text: str) -> None:
        """Paste a line into the empty input bar and send it."""
        self.app.main_screen.input_bar.fill("")
        await self.paste(text)
        await self.pilot.press("enter")

    async def refused(self, text: str, *told: str) -> None:
        """Send a line that cannot be carried out: it says why, and what was typed stays to be mended."""
        await self.send(text)
        await self.shows(*told)
        assert self.typed == text

    async def command(self, text: str) -> None:
        """Type a line into the input bar and send it."""
        self.app.main_screen.input_bar.focus_text()
        await self.type(text)
        await self.pilot.press("enter")


def setup_for(start: Launch, link: Link, **given: Any) -> Setup:
    """What the program's own start would give, without anything of this machine."""
    settings = start.settings()
    made = Setup(
        link=link,
        load_settings=start.settings,
        paths=start.paths,
        environ=start.environ,
        project_file=start.project_file,
        workspace=start.paths.workspace,
        has_credentials=False,
        rehearsal_idea=lambda: EXAMPLE,
        theme=settings.tui.theme,
        theme_is_chosen=settings.origin("tui.theme") != "default",
        place="local · SQLite",
    )
    return replace(made, **given)


@asynccontextmanager
async def board(
    home: Path,
    *,
    items: int = 2,
    autonomy: str = "checkpoint",
    size: tuple[int, int] = WIDE,
    first: First | Callable[[], First] = None,
    settings: Mapping[str, Any] = FAST,
    clock: Callable[[], datetime] = now,
    runtime: AgentRuntime | None = None,
    environ: Mapping[str, str] | None = None,
    opening: Callable[[OpenClient], OpenClient] = usual,
    reached: Contact | None = Contact.OPEN,
    notifications: bool = False,
    **given: Any,
) -> AsyncIterator[Board]:
    """The dashboard with its engine open; the model builds `items` small modules, or what another `runtime` plays.

    `opening` gets the way the engine is opened and gives another one; `reached` is what is waited for.
    """
    start = launch(home, None, autonomy=autonomy, **settings)
    start = replace(start, environ={**start.environ, **(environ or {})})
    played = runtime or ReplayRuntime(generated_scenario(items))
    async with Link(opening(lambda: open_engine(start, runtime=played))) as link:
        app = DashboardApp(
            setup_for(start, link, first=first if callable(first) else lambda: first, clock=clock, **given)
        )
        async with app.run_test(size=size, notifications=notifications) as pilot:
            it = Board(app, pilot)
            await it.until(lambda: app.current_mode == MAIN)
            await it.until(lambda: reached in (None, app.bridge.contact))
            yield it


REHEARSED = CreateProject(idea="Small modules that tell their names.", name="small", rehearsal=True)
"""A project to start with."""
