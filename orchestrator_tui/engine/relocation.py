"""Takes a known project up as it lies now: its folder was moved, or its repository is lost and begun anew."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import DirectoryUnusable, StateFileDamaged, StateFileMissing
from orchestrator_tui.domain.records import Project
from orchestrator_tui.engine import statefile
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.creation import all_projects
from orchestrator_tui.engine.repository import Commit, verified, verified_commit
from orchestrator_tui.engine.runs import Runs
from orchestrator_tui.engine.workspace import Workspace

FIRST_COMMIT = "The files as they were found"


async def take_up(
    runs: Runs, folder: Path, *, workspace_of: Callable[[Project], Checkout], new_repository: bool
) -> str | None:
    """Store where a known project lies that has left the folder it had before; its id, or None when there is none.

    With `new_repository` the files as they are become the first commit of one, also where no project has moved; nothing
    counts as checked then.

    Raises:
        DirectoryUnusable: the project's repository did not come with it; or a new one is wanted, and there is one.
        AlreadyOwned, IllegalTransition: it is at work.
    """
    project = moved = await _left_behind(runs.store, folder)
    if project is None and new_repository:
        project = await asyncio.to_thread(_lying_in, await all_projects(runs.store), folder)
    if project is None:
        return None
    async with runs.holding(project) as store:
        workspace = workspace_of(project if moved is None else replace(project, directory=str(folder)))
        commit = await begin_repository(workspace) if new_repository else None
        if not new_repository:
            await workspace.check(verified_commit((await store.pipeline_state(project.id)).last_successful_step))
        await workspace.take_along_worktrees(Path(project.directory))
        async with store.transaction() as unit:
            if moved is not None:
                await unit.move_project(project.id, project.directory, str(folder))
                unit.record(project.id, events.ProjectMoved(old=project.directory, new=str(folder)))
            if new_repository:
                await unit.save_pipeline(project.id, last_successful_step=verified(None))
            if commit is not None:
                unit.record(project.id, commit.made())
    return project.id


async def begin_repository(workspace: Workspace) -> Commit | None:
    """Commit all files in a new repository; None when there are none.

    Raises:
        DirectoryUnusable: there is a repository already.
    """
    if await asyncio.to_thread(os.path.lexists, workspace.directory / ".git"):
        raise DirectoryUnusable(
            workspace.directory,
            "there is a repository already",
            hint="Leave --new-repository out. If it is not the project's, move its .git folder away first.",
        )
    await workspace.initialize()
    return await workspace.commit(FIRST_COMMIT)


async def _left_behind(store: Store, folder: Path) -> Project | None:
    """The known project that the state file in `folder` is of, when nothing of it is in its own folder any more."""
    try:
        known = (await asyncio.to_thread(statefile.read_state, folder)).project.id
    except (StateFileMissing, StateFileDamaged):
        return None
    project = next((one for one in await all_projects(store) if one.id == known), None)
    if project is None or await asyncio.to_thread(is_there, Path(project.directory)):
        return None
    return project


def _lying_in(projects: Sequence[Project], folder: Path) -> Project | None:
    real = os.path.realpath(folder)
    return next((one for one in projects if os.path.realpath(one.directory) == real), None)


def is_there(folder: Path) -> bool:
    """Whether something of a project is in `folder`."""
    return any(os.path.lexists(folder / name) for name in (".git", statefile.STATE_FILE))
