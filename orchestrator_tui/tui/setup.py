"""What the dashboard is started with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from orchestrator_tui.config.loader import Settings
from orchestrator_tui.config.paths import Paths
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.tui.link import Link


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on with a project, the most recent unfinished one without a `reference`."""

    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything the dashboard needs from outside.

    Attributes:
        load_settings: reads the settings again; raises SettingsError.
        project_file: the settings file that belongs to the folder the program was started in.
        workspace: the folder in which new projects are made.
        rehearsal_idea: what a rehearsal builds; read when it is asked for, raises ScenarioBroken.
        first: what to do as soon as the engine is there.
        theme_is_chosen: whether somebody set the theme, so that the terminal's abilities do not decide.
        place: where the projects are kept, in a few words.
    """

    link: Link
    settings: Settings
    load_settings: Callable[[], Settings]
    paths: Paths
    environ: Mapping[str, str] = field(repr=False)
    project_file: Path
    workspace: Path
    has_credentials: bool
    rehearsal_idea: Callable[[], tuple[str, str]]
    first: CreateProject | GoOn | None = None
    theme_is_chosen: bool = False
    place: str = "local · SQLite"
    clock: Callable[[], datetime] = now
