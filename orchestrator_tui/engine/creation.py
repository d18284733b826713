"""Starts a project: name, slug, folder and first row, or nothing at all."""

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator_tui.config.folders import check_directory, unusable
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import ToolMissing
from orchestrator_tui.domain.naming import free_slug, name_from_idea, slugify
from orchestrator_tui.domain.records import Project
from orchestrator_tui.engine.folders import Folders


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folder:
    path: Path
    made: bool


async def create_project(
    store: Store, command: CreateProject, *, folders: Folders, config: Mapping[str, Any]
) -> Project:
    """Store a new project and make its folder, unless each machine that runs it makes one of its own.

    Raises:
        DirectoryUnusable: the folder cannot be written or has something in it.
        ToolMissing: git is not installed.
    """
    if shutil.which("git") is None:
        raise ToolMissing("git", hint="Install git and try again; every step of a project is committed with it.")
    name = (command.name or name_from_idea(command.idea)).strip()[:255]
    taken = {project.slug for project in await all_projects(store)}
    if command.directory is None:
        taken |= await asyncio.to_thread(_names_in, folders.workspace)
    slug = free_slug(slugify(name), taken)
    folder: _Folder | None = None
    if command.directory or folders.are_shared:
        folder = await asyncio.to_thread(_make, folders.workspace / (command.directory or slug))
    try:
        async with store.transaction() as unit:
            project = await unit.create_project(
                project_id=new_id(),
                name=name,
                slug=slug,
                description=command.idea,
                directory=str(folder.path) if folder else slug,
                rehearsal=command.rehearsal,
                config=config,
                created_by=command.by or "",
            )
            unit.record(
                project.id,
                events.ProjectCreated(
                    number=project.number,
                    name=name,
                    slug=slug,
                    directory=project.directory,
                    idea=command.idea,
                    rehearsal=command.rehearsal,
                ),
            )
    except BaseException:
        if folder and folder.made:
            with suppress(OSError):
                folder.path.rmdir()
        raise
    return project


def _names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


async def all_projects(store: Store) -> list[Project]:
    """Every project, in order of number."""
    found: list[Project] = []
    while page := await store.list_projects(after=found[-1].number if found else 0, limit=1000):
        found.extend(page)
    return found


def _make(directory: Path) -> _Folder:
    directory = directory.expanduser().absolute()
    check_directory(directory)
    try:
        made = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(directory, error) from error
    return _Folder(path=directory, made=made)
