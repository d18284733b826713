"""Looks at what work needs before there is any: an engine's own start, the server's readiness, a project to be made."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator_tui.config.folders import nearest, writable
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.domain.errors import CredentialsMissing, DiskFull, UsageError
from orchestrator_tui.engine.room import require_room
from orchestrator_tui.prompts import check_prompts, prompt_folders
from orchestrator_tui.runtimes import Runtimes
from orchestrator_tui.sandboxes import Sandboxes


def missing_database(launch: Launch) -> Path | None:
    """The SQLite file of this start when there is none yet, or none any more."""
    if launch.connect or read_secrets(launch.environ).database_url or launch.paths.database.exists():
        return None
    return launch.paths.database


def new_projects_folder(launch: Launch) -> Path:
    """The folder that new projects are made in.

    Raises:
        SettingsError.
    """
    return launch.settings().project.workspace or launch.paths.workspace


async def lacking_credentials(launch: Launch) -> str:
    """What keeps real sessions from being started, or ""."""
    secrets = read_secrets(launch.environ)
    if launch.scenario or secrets.claude_code_oauth_token or secrets.anthropic_api_key:
        return ""
    return CredentialsMissing().message


async def lacking_folder(launch: Launch) -> str:
    """What keeps new projects from getting a folder and from being stored, or ""."""
    return await asyncio.to_thread(_lacking_folder, launch)


def _lacking_folder(launch: Launch) -> str:
    folder = new_projects_folder(launch)
    if not writable(folder):
        return "The folder of new projects cannot be written."
    try:
        for one in (nearest(folder), launch.paths.data):
            require_room(one)
    except DiskFull as full:
        return full.message
    return ""


async def require_runnable(
    launch: Launch, runtimes: Runtimes, sandboxes: Sandboxes, rehearsal: bool, config: Mapping[str, Any]
) -> None:
    """Refuse a project that could not run, before anything of it is made; `config` is what is stored with it.

    Raises:
        UsageError, SettingsError, PromptBroken, ScenarioBroken, CredentialsMissing, SandboxMissing.
    """
    check_prompts(prompt_folders(launch.paths))
    if not rehearsal and launch.scenario is not None:
        raise UsageError(
            "Only rehearsals are built here: it was started with --rehearsal.",
            hint='Make it a rehearsal ("rehearsal": true in a request), or start without --rehearsal.',
        )
    settings = launch.settings(config.get("settings", {}))
    await runtimes.of(settings, config, rehearsal=rehearsal)
    (await sandboxes.decide(settings, rehearsal=rehearsal)).require()
