"""Opens the dashboard on a terminal; everything heavy is imported after the first paint."""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from orchestrator_tui import cli, start
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.app import DashboardApp
from orchestrator_tui.tui.collector import settle_collector
from orchestrator_tui.tui.link import Link
from orchestrator_tui.tui.setup import GoOn, Setup

Invocation = cli.StartProject | cli.ContinueProject


def open_dashboard(invocation: Invocation) -> int:
    """Run the dashboard until the person leaves; returns the exit code.

    Raises:
        OrchestratorError: whatever ended it, in words for people.
    """
    launch = start.given(invocation, os.environ)
    with start.in_words(launch, invocation):
        return asyncio.run(_run(invocation, launch))


async def _run(invocation: Invocation, launch: Launch) -> int:
    async with Link(lambda: _engine(launch)) as link:
        app = DashboardApp(setup_of(invocation, launch, link))
        code = await app.run_async()
        if app.broke is not None:
            raise app.broke
        return code or 0


def setup_of(invocation: Invocation, launch: Launch, link: Link) -> Setup:
    """What the dashboard is started with.

    Raises:
        SettingsError, ScenarioBroken.
    """
    settings, secrets = launch.settings(), read_secrets(launch.environ)
    credentials = bool(secrets.claude_code_oauth_token or secrets.anthropic_api_key)
    return Setup(
        link=link,
        settings=settings,
        load_settings=launch.settings,
        paths=launch.paths,
        environ=launch.environ,
        project_file=launch.project_file,
        workspace=settings.project.workspace or launch.paths.workspace,
        has_credentials=credentials and launch.scenario is None,
        rehearsal_idea=lambda: _rehearsal(launch.scenario or cli.DEFAULT_SCENARIO),
        first=_first(invocation, launch),
        theme_is_chosen=settings.origin("tui.theme") != "default",
        place="PostgreSQL" if (secrets.database_url or "").startswith("postgres") else "local · SQLite",
    )


def _first(invocation: Invocation, launch: Launch) -> CreateProject | GoOn | None:
    if isinstance(invocation, cli.ContinueProject):
        return GoOn(invocation.reference)
    idea, name, project = invocation.idea, None, launch.settings().project
    if idea is None and invocation.rehearsal is not None:
        idea, name = _rehearsal(invocation.rehearsal)
    if idea is None:
        return None
    return CreateProject(
        idea=idea,
        name=project.name or name,
        directory=str(project.directory) if project.directory else None,
        rehearsal=invocation.rehearsal is not None,
    )


def _rehearsal(name: str) -> tuple[str, str]:
    """Idea and name of what a scenario builds.

    Raises:
        ScenarioBroken: it is not there, or cannot be used.
    """
    scenario = start.scenario(name)
    assert scenario is not None
    return scenario.idea, scenario.project_name


@asynccontextmanager
async def _engine(launch: Launch) -> AsyncIterator[EngineClient]:
    # In a thread: importing takes half a second, and keys must work meanwhile.
    compose: Any = await asyncio.to_thread(importlib.import_module, "orchestrator_tui.compose")
    async with compose.open_engine(launch) as engine:
        settle_collector()
        yield engine
