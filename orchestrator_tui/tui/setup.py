"""What the dashboard is started with."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator_tui.config.paths import Paths
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.link import Link

if TYPE_CHECKING:
    from orchestrator_tui.config.loader import Settings


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on with a project, the most recent unfinished one without a `reference`."""

    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything the dashboard needs from outside.

    Attributes:
        load_settings: reads the settings, for the first time after the first paint; raises SettingsError.
        project_file: the settings file that belongs to the folder the program was started in.
        workspace: the folder in which new projects are made, unless the settings name one; None when the engine is on
            another machine, which has folders of its own.
        theme: the theme to start with, as far as it is known without the settings.
        rehearsal_idea: what a rehearsal builds; read when it is asked for, raises ScenarioBroken.
        first: says what to do as soon as the engine is there; may read files, raises what `CreateProject` may.
        theme_is_chosen: whether somebody set the theme, so that the terminal's abilities do not decide.
        place: where the projects are kept, in a few words.
        is_attached: whether the engine is that of the background server, which nobody named.
        keep: has a background server go on with what the engine runs; it raises why that is not possible, and then the
            engine goes on. Once the event is set no agent is waited for. None where there is nothing to keep.
        on_terminal: called right before the terminal is taken over.
    """

    link: Link
    load_settings: "Callable[[], Settings]"
    paths: Paths
    environ: Mapping[str, str] = field(repr=False)
    project_file: Path
    workspace: Path | None
    has_credentials: bool
    rehearsal_idea: Callable[[], tuple[str, str]]
    first: Callable[[], CreateProject | GoOn | None] = lambda: None
    theme: str = "dark"
    theme_is_chosen: bool = False
    place: str = "local · SQLite"
    is_attached: bool = False
    keep: Callable[[EngineClient, asyncio.Event], Awaitable[None]] | None = None
    clock: Callable[[], datetime] = now
    on_terminal: Callable[[], None] = lambda: None

    @property
    def is_remote(self) -> bool:
        """Whether the engine goes on when the dashboard is left."""
        return self.workspace is None
