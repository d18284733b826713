"""Opens the dashboard; what is heavy, the settings and the database among it, comes after the first paint."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from orchestrator_tui import cli
from orchestrator_tui.config.paths import SETTINGS_FILE, find_paths
from orchestrator_tui.config.peek import peek
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.config.whereabouts import Whereabouts, find_server
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.statuses import AT_WORK, PipelineStatus
from orchestrator_tui.domain.words import one_line, title
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.app import DashboardApp
from orchestrator_tui.tui.collector import settle_collector
from orchestrator_tui.tui.link import Link
from orchestrator_tui.tui.setup import GoOn, Setup
from orchestrator_tui.tui.view import ProjectView

if TYPE_CHECKING:
    from orchestrator_tui.config.launch import Launch

Invocation = cli.StartProject | cli.ContinueProject
THEME = "tui.theme"
INTERRUPTED = 130
"""The exit code of who did not wait for an orderly end."""


def open_dashboard(invocation: Invocation, on_terminal: Callable[[], None] = lambda: None) -> int:
    """Run the dashboard until the person leaves; returns the exit code. `on_terminal` is called right before it takes
    the terminal over.

    Raises:
        OrchestratorError: whatever ended it, in words for people.
    """
    opening = Opening(invocation, dict(os.environ), on_terminal)
    try:
        return asyncio.run(_run(opening))
    except (OrchestratorError, BrokenPipeError):
        raise
    except Exception as error:
        # The edge of the program.
        from orchestrator_tui import start

        raise start.told(error, opening.launch) from error


async def _run(opening: "Opening") -> int:
    async with Link(opening.engine) as link:
        app = DashboardApp(opening.setup(link))
        code = await app.run_async()
        in_background = app.leaving.is_kept or opening.background is not None
        words = farewell(app.selected, opening.invocation.options.connect, in_background=in_background)
        if app.leaving.is_abrupt:
            leave_at_once(words)
        if app.broke is not None:
            raise app.broke
    if not opening.environ.get("TEXTUAL_DRIVER"):
        _say(words)
    return code or 0


def farewell(project: ProjectView | None, connect: str | None = None, *, in_background: bool = False) -> str:
    """What is left on the terminal when the dashboard is gone: how the project on the screen goes on, if it does.
    `connect` is the server that it is on, if one was named."""
    if project is None:
        return ""
    goes_on = project.status is PipelineStatus.PAUSED and project.resumes_at is not None
    if in_background and (project.status in AT_WORK or goes_on):
        name = one_line(project.name, 60)
        return (
            f"{name} goes on in the background. Look at it with: {cli.PROGRAM}\n"
            f"End it with: {cli.PROGRAM} --stop --all\n"
        )
    if project.status is PipelineStatus.COMPLETED:
        place = f" on {connect}" if connect else ""
        return f"{one_line(project.name, 60)}: completed, in {one_line(project.directory, 400)}{place}\n"
    if connect and project.status in AT_WORK:
        return f"{one_line(project.name, 60)} goes on. Look at it with: {cli.PROGRAM} --connect {connect}\n"
    where = f" at {title(project.current_phase)}" if project.current_phase else ""
    waits = project.status is PipelineStatus.PAUSED and project.waits_for_person
    rests = " waits for you" if waits else f": {title(project.status)}"
    return (
        f"{one_line(project.name, 60)}{rests}{where}. "
        f"Go on with: {cli.PROGRAM} --resume {project.number}{f' --connect {connect}' if connect else ''}\n"
    )


def leave_at_once(words: str) -> NoReturn:
    """End the process now, whatever is still at work: what is stored is enough to go on from."""
    from orchestrator_tui.agents.environment import RUN_ID, THIS_RUN
    from orchestrator_tui.agents.leftovers import end_leftovers

    end_leftovers(RUN_ID, THIS_RUN)
    _say(words)
    os._exit(INTERRUPTED)


def _say(text: str) -> None:
    with suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()


@dataclass(frozen=True)
class Opening:
    """One start of the dashboard: what is known at once, and what is read and imported later, in a thread."""

    invocation: Invocation
    environ: Mapping[str, str] = field(repr=False)
    on_terminal: Callable[[], None] = lambda: None

    @cached_property
    def background(self) -> Whereabouts | None:
        """The background server that this start attaches to, if there is one."""
        if self.invocation.options.connect is not None:
            return None
        return find_server(find_paths(self.environ), read_secrets(self.environ).database_url)

    @property
    def connect(self) -> str | None:
        """The server whose projects are shown, if there is one."""
        return self.background.url if self.background else self.invocation.options.connect

    @cached_property
    def launch(self) -> "Launch":
        """Settings and everything for the engine; heavy.

        Raises:
            SettingsError: the command line has a setting that cannot be understood.
        """
        from orchestrator_tui import start

        given = start.given(self.invocation, self.environ)
        return replace(given, connect=self.background.url, is_attached=True) if self.background else given

    def setup(self, link: Link) -> Setup:
        """What the dashboard is started with; light."""
        paths, secrets, options = find_paths(self.environ), read_secrets(self.environ), self.invocation.options
        project_file = Path.cwd() / Path(options.config or SETTINGS_FILE)
        theme = peek(THEME, options.settings, self.environ, (project_file, paths.user_settings))
        credentials = bool(secrets.claude_code_oauth_token or secrets.anthropic_api_key)
        return Setup(
            link=link,
            load_settings=lambda: self.launch.settings(),
            paths=paths,
            environ=self.environ,
            project_file=project_file,
            workspace=paths.workspace if self.connect is None else None,
            # A server has its own, and says so when it has none.
            has_credentials=(credentials or self.connect is not None) and self.invocation.rehearsal is None,
            rehearsal_idea=lambda: _rehearsal(self.invocation.rehearsal or cli.DEFAULT_SCENARIO),
            first=self._first,
            theme=theme or "dark",
            theme_is_chosen=theme is not None,
            place="background" if self.background else _place(self.connect, secrets.database_url or ""),
            is_attached=self.background is not None,
            keep=self._keep if self.connect is None else None,
            on_terminal=self.on_terminal,
        )

    def _first(self) -> CreateProject | GoOn | None:
        if isinstance(self.invocation, cli.ContinueProject):
            return GoOn(self.invocation.reference)
        idea, name, project = self.invocation.idea, None, self.launch.settings().project
        if idea is None and self.invocation.rehearsal is not None:
            idea, name = _rehearsal(self.invocation.rehearsal)
        if idea is None:
            return None
        return CreateProject(
            idea=idea,
            name=project.name or name,
            directory=self._directory(project.directory),
            rehearsal=self.invocation.rehearsal is not None,
        )

    def _directory(self, setting: Path | None) -> str | None:
        """The project's folder; that of the settings is one of this machine, which a named server knows nothing of."""
        if self.invocation.options.connect is not None:
            return getattr(self.invocation, "directory", None)
        return str(setting) if setting else None

    async def _keep(self, engine: EngineClient, hurry: asyncio.Event) -> None:
        background: Any = await asyncio.to_thread(import_module, "orchestrator_tui.background")
        await background.keep_running(self.launch, self.invocation.options, engine, hurry)

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[EngineClient]:
        """The engine, with the program's log kept as long as it is open."""
        # In a thread: importing takes half a second, and keys must work meanwhile.
        compose: Any = await asyncio.to_thread(import_module, "orchestrator_tui.compose")
        start: Any = await asyncio.to_thread(import_module, "orchestrator_tui.start")
        with start.keeping_log(self.launch, self.invocation):
            async with compose.open_client(self.launch, wakes=True) as engine:
                settle_collector()
                yield engine


def _place(connect: str | None, database_url: str) -> str:
    """Where the projects are kept, in a few words."""
    if connect is not None:
        return one_line(connect.partition("://")[2] or connect, 40)
    return "PostgreSQL" if database_url.startswith("postgres") else "local · SQLite"


def _rehearsal(name: str) -> tuple[str, str]:
    """Idea and name of what a scenario builds.

    Raises:
        ScenarioBroken: it is not there, or cannot be used.
    """
    from orchestrator_tui import start

    scenario = start.scenario(name)
    assert scenario is not None
    return scenario.idea, scenario.project_name
