"""Builds a project again from the state file and the commits in its folder, or leaves everything as it is."""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator_tui.config.check import problems_in
from orchestrator_tui.config.folders import writable
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import (
    AlreadyOwned,
    DirectoryUnusable,
    OrchestratorError,
    ProjectKnown,
    StaleState,
    StateFileDamaged,
    StateFileMissing,
    ToolMissing,
)
from orchestrator_tui.domain.naming import free_slug, slugify
from orchestrator_tui.domain.records import Comment, Dossier, PipelineState, Project
from orchestrator_tui.domain.statuses import AT_WORK, PhaseStatus, PipelineStatus, RequestStatus, WorkItemStatus
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine import statefile
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.creation import all_projects
from orchestrator_tui.engine.relocation import begin_repository
from orchestrator_tui.engine.repository import verified, verified_commit
from orchestrator_tui.engine.settling import IMPORTED, Settled, interrupted, settled
from orchestrator_tui.engine.workspace import NOTES_FOLDER, Workspace
from orchestrator_tui.phases.artifacts import stored_event

LONGEST_SILENCE = 300.0
"""Seconds after which a process of another host that gave no sign of life counts as gone."""

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_DOCUMENTS = ("requirements.md", "architecture.md", "work_items.md")
_OWN_CONFIG = ("settings", "scenario", "backend", "leaving")

WorkspaceOf = Callable[[Project], Checkout]


async def import_project(
    store: Store, folder: Path, *, workspace_of: WorkspaceOf, new_repository: bool = False, by: str = ""
) -> str:
    """Store the project whose `folder`, a checked one, this is, as it rests; returns its id. With `new_repository` its
    own is lost, and another is begun with the files as they are.

    It is `by`'s from now on: the state file, which agents could have changed, says nothing about whose budget counts.

    Raises:
        DirectoryUnusable: its repository is gone; or a new one is wanted, and there is one.
        StateFileMissing, StateFileDamaged: the message says what git still has, the hint what to do.
        ProjectKnown: it is in the database already.
        AlreadyOwned: a process still runs it, from another database.
        ToolMissing: git is not installed.
    """
    if shutil.which("git") is None:
        raise ToolMissing("git", hint="Install git and try again; the commits of the project are read with it.")
    projects = await all_projects(store)
    known = [replace(one, directory=str(workspace_of(one).directory)) for one in projects]
    _refuse_known(known, folder, None)
    try:
        dossier = await asyncio.to_thread(_read, folder)
    except (StateFileMissing, StateFileDamaged) as error:
        raise await _explained(error, workspace_of(_placeholder(folder))) from error
    _refuse_known(known, folder, dossier.project.id)
    _refuse_running(dossier.state)
    project = replace(_renamed(dossier.project, folder, {known.slug for known in projects}), created_by=by)
    workspace = workspace_of(project)
    if new_repository:
        await begin_repository(workspace)
        dossier = replace(dossier, state=replace(dossier.state, last_successful_step=verified(None)))
    await workspace.take_along_worktrees(Path(dossier.project.directory))
    return await _store_project(store, replace(dossier, project=project), workspace)


async def _store_project(store: Store, dossier: Dossier, workspace: Workspace) -> str:
    await workspace.mend()
    await workspace.check(verified_commit(dossier.state.last_successful_step))
    finished = await workspace.finished_items()
    moment = now()
    known = settled(dossier, finished, ended_at=dossier.state.last_sign_of_life, at=moment)
    try:
        async with store.transaction() as unit:
            stored = await unit.import_project(replace(known.dossier, comments=()))
            patch = await _set_aside(workspace, dossier, known, moment)
            complete = replace(interrupted(known, patch, moment), project=stored)
            await unit.add_comments(complete.comments)
            new = complete.comments[len(dossier.comments) :]
            unit.record(stored.id, _imported(stored, known), *_standing(replace(complete, comments=new), known))
    except StaleState as error:
        _refuse_known(await all_projects(store), workspace.directory, dossier.project.id)
        raise StateFileDamaged(
            workspace.directory / statefile.STATE_FILE, "an id in it belongs to another project of the database"
        ) from error
    return stored.id


async def _set_aside(workspace: Workspace, dossier: Dossier, known: Settled, moment: datetime) -> str | None:
    """Keep the unfinished work of the item that was under way as a patch; returns its name.

    The state file may be older than the claim of that item: whatever is not committed in a project that was at work
    is no person's change to be kept in place.
    """
    was_at_work = dossier.project.status in (*AT_WORK, PipelineStatus.NOT_STARTED)
    if not (known.requeued or was_at_work) or not (workspace.directory / ".git").exists():
        return None
    patch = await workspace.set_aside(known.requeued[0].key if known.requeued else "import", moment)
    return patch.name if patch else None


def checked_folder(directory: Path) -> Path:
    """The folder of a project, without links on its way.

    Raises:
        DirectoryUnusable: there is no such folder, or it cannot be written.
    """
    try:
        folder = directory.resolve()
    except (OSError, RuntimeError) as error:
        raise DirectoryUnusable(directory, f"it cannot be followed: {error}", hint="Name another one.") from error
    if not folder.is_dir():
        raise DirectoryUnusable(folder, "there is no such folder", hint="Name the folder of a project.")
    if not writable(folder):
        raise DirectoryUnusable(folder, "the folder cannot be written", hint="Change its permissions.")
    return folder


def _read(folder: Path) -> Dossier:
    """The dossier in a folder, with nothing in it that a run could not use."""
    dossier = statefile.read_state(folder)
    if problem := next(_unusable(dossier), None):
        raise StateFileDamaged(folder / statefile.STATE_FILE, problem)
    return dossier


def _unusable(dossier: Dossier) -> Iterator[str]:
    config, step = dossier.project.config, dossier.state.last_successful_step
    commit = verified_commit(step)
    if commit is not None and not _COMMIT.fullmatch(commit):
        yield "state last_successful_step: it names no commit"
    settings = config.get("settings", {})
    if not isinstance(settings, dict):
        yield "project config settings: a group of settings was expected"
    else:
        yield from problems_in(settings, lambda key: "project config")
    for name in ("scenario", "backend", "leaving"):
        if not isinstance(config.get(name), str | None):
            yield f"project config {name}: a name was expected"


def _refuse_known(projects: Sequence[Project], folder: Path, project_id: str | None) -> None:
    """Raises ProjectKnown for a project that is in the database by its id or its folder."""
    real = os.path.realpath(folder)
    for project in projects:
        same_folder = os.path.realpath(project.directory) == real
        if not same_folder and project.id != project_id:
            continue
        resume = f"orchestrator-tui --resume {project.number}"
        where = "" if same_folder else f", with the folder {project.directory}"
        hint = f"{resume} goes on with it."
        if not same_folder:
            hint = f"{resume} goes on there. To go on here, move that folder away first, then import this one."
        raise ProjectKnown(
            f"{folder} is project {project.number} ({one_line(project.name, 60)}) of this database already{where}.",
            number=project.number,
            hint=hint,
        )


def _refuse_running(state: PipelineState) -> None:
    """Raises AlreadyOwned when the process that wrote the file may still be at work in the folder."""
    if state.owner is None or owner.is_gone(state.owner):
        return
    silent = (now() - state.last_sign_of_life).total_seconds()
    if owner.is_here(state.owner) or silent < LONGEST_SILENCE:
        raise AlreadyOwned(state.owner)


def _renamed(project: Project, folder: Path, taken: set[str]) -> Project:
    """The project where it lies now, with a slug of its own and only the settings that a run reads."""
    return replace(
        project,
        name=one_line(project.name, 255) or "project",
        slug=free_slug(slugify(project.slug), taken),
        directory=str(folder),
        config=_trusted(project.config),
    )


def _trusted(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without what a person alone may say: what agents are shut in by."""
    own = {name: value for name, value in config.items() if name in _OWN_CONFIG}
    if "settings" in own:
        own["settings"] = {name: value for name, value in own["settings"].items() if name != "sandbox"}
    return own


def _imported(project: Project, known: Settled) -> events.ProjectImported:
    items = known.dossier.items
    return events.ProjectImported(
        number=project.number,
        name=project.name,
        slug=project.slug,
        directory=project.directory,
        idea=project.description,
        rehearsal=project.rehearsal,
        current_phase=known.dossier.project.current_phase,
        items=len(items),
        done=sum(item.status is WorkItemStatus.DONE for item in items),
        by_commit=len(known.by_commit),
        requeued=len(known.requeued),
    )


def _standing(dossier: Dossier, known: Settled) -> Iterator[events.Event]:
    """The events that bring whoever follows to where the project stands; of its comments, those given."""
    for phase in dossier.state.phases.values():
        if phase.status is not PhaseStatus.PENDING:
            yield events.PhaseStatusChanged(
                phase=phase.phase,
                old=PhaseStatus.PENDING,
                new=phase.status,
                round=phase.round,
                seconds=phase.seconds,
                reason=IMPORTED,
            )
    yield from (stored_event(artifact) for artifact in dossier.artifacts)
    for item in dossier.items:
        yield events.WorkItemCreated(
            work_item_id=item.id,
            key=item.key,
            title=item.title,
            priority=item.priority,
            labels=item.labels,
            parent_id=item.parent_id,
            dependencies=item.dependencies,
        )
        if item.status is not WorkItemStatus.TODO:
            yield events.WorkItemStatusChanged(
                work_item_id=item.id, key=item.key, old=WorkItemStatus.TODO, new=item.status, reason=IMPORTED
            )
    keys = {item.id: item.key for item in dossier.items}
    yield from (_commented(comment, keys[comment.work_item_id]) for comment in dossier.comments)
    for request in dossier.requests:
        if request.status is RequestStatus.OPEN:
            yield events.InputRequested(
                request_id=request.id,
                kind=request.kind,
                phase=request.phase,
                title=request.title,
                content_hash=request.content_hash,
                choices=request.choices,
            )
    status, reason = known.dossier.project.status, dossier.state.shutdown_reason
    if status is not PipelineStatus.NOT_STARTED:
        yield events.PipelineStatusChanged(old=PipelineStatus.NOT_STARTED, new=status, reason=reason)


def _commented(comment: Comment, key: str) -> events.WorkItemCommented:
    return events.WorkItemCommented(
        work_item_id=comment.work_item_id,
        key=key,
        comment_id=comment.id,
        author=comment.author,
        text=comment.content,
    )


async def _explained(error: StateFileMissing | StateFileDamaged, workspace: Workspace) -> OrchestratorError:
    """The same error with what the folder still has, and what can be done with it."""
    folder = workspace.directory
    commits = await _commits(workspace)
    documents = [f"{NOTES_FOLDER}/{name}" for name in _DOCUMENTS if (folder / NOTES_FOLDER / name).is_file()]
    aside = sorted(entry.name for entry in folder.glob(f"{statefile.STATE_FILE}.damaged-*"))
    if not commits and not documents and isinstance(error, StateFileMissing):
        return StateFileMissing(error.file, hint="This is no project's folder; name one that orchestrator-tui made.")
    told = [commits, f"The documents {', '.join(documents)} are there." if documents else ""]
    told += [
        "The plan with its items, the approvals and the notes were in the state file alone: they cannot be built again "
        "from git, so nothing was imported.",
        f"Put a whole {statefile.STATE_FILE} back from a backup and import again"
        + (f" ({', '.join(aside[-3:])} may hold parts of it)." if aside else "."),
    ]
    if documents:
        told += [f"Or begin anew from what is there: orchestrator-tui --idea-file {folder / documents[0]}"]
    hint = "\n".join(line for line in told if line)
    if isinstance(error, StateFileMissing):
        return StateFileMissing(error.file, hint=hint)
    return StateFileDamaged(error.file, error.reason, hint=hint)


async def _commits(workspace: Workspace) -> str:
    """What git still has, in words; nothing when there is no repository."""
    if not (workspace.directory / ".git").exists():
        return ""
    try:
        count, finished = await workspace.count(), await workspace.finished_items()
    except OrchestratorError as error:
        return f"The repository cannot be read either: {error.message}"
    if not count:
        return "The repository has no commit."
    return f"Every file of the last commit is there (commits: {count}, work items finished by them: {len(finished)})."


def _placeholder(folder: Path) -> Project:
    """A project of which no more is known than its folder; a rehearsal, so that git is given no credentials."""
    moment = now()
    return Project(
        id="",
        number=0,
        name=folder.name,
        slug="",
        description="",
        status=PipelineStatus.STOPPED,
        current_phase=None,
        directory=str(folder),
        rehearsal=True,
        config={},
        created_at=moment,
        updated_at=moment,
    )
