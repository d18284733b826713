"""Killed while an item is given back, or between its commit and its note: a later start finds what was done."""

import asyncio
import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.engine.repository import Commit
from orchestrator_tui.engine.workspace import Workspace
from tests.crash import moves
from tests.crash.child import die
from tests.crash.program import program
from tests.crash.test_signals import RESUME, ended_at_work
from tests.lives import lived


def killed_once_set_aside(home: Path, arguments: Sequence[str]) -> None:
    """Resume, and be killed as soon as half-made work is a patch and no longer in the files."""
    set_aside = Workspace.set_aside

    async def setting_aside(self: Workspace, name: str, moment: datetime) -> Path | None:
        patch = await set_aside(self, name, moment)
        if patch is not None:
            die()
        return patch

    Workspace.set_aside = setting_aside  # type: ignore[method-assign]
    program(home, arguments)


def killed_once_committed(home: Path) -> None:
    """Run, and be killed as soon as an item's commit is made and nothing else is stored about it."""
    commit = Workspace.commit

    async def committing(
        self: Workspace, message: str, *, item_id: str | None = None, phase: str | None = None, since: str | None = None
    ) -> Commit | None:
        made = await commit(self, message, item_id=item_id, phase=phase, since=since)
        if item_id:
            die()
        return made

    Workspace.commit = committing  # type: ignore[method-assign]
    asyncio.run(moves._alone(home, ()))


async def test_work_that_was_set_aside_by_a_start_that_was_killed_is_named_by_the_next(tmp_path: Path) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    code = await asyncio.to_thread(ended_at_work, home, PhaseName.IMPLEMENT, signal.SIGKILL, told)
    assert code == -signal.SIGKILL
    code = await asyncio.to_thread(lived, killed_once_set_aside, home, RESUME, output=told)
    assert code == -signal.SIGKILL, told.read_text()
    assert await asyncio.to_thread(lived, program, home, RESUME, output=told) == 0, told.read_text()
    async with open_store(sqlite_url(home / "orchestrator.db")) as store:
        (project,) = await store.list_projects()
        assert project.status is PipelineStatus.COMPLETED
        (patch,) = (Path(project.directory) / ".orchestrator" / "patches").iterdir()
        items = await store.list_items(project.id)
        comments = [one.content for item in items for one in await store.list_comments(item.id)]
        prompts = [one.event for one in await store.events(limit=10_000) if isinstance(one.event, events.AgentPrompted)]
    kept = f".orchestrator/patches/{patch.name}"
    assert any(f"kept in {kept}" in comment for comment in comments)
    # Its agent cannot go on here: the one that follows is told where the work is.
    assert any(kept in event.text and "Somebody was at this task" in event.text for event in prompts)


async def test_the_notes_of_an_agent_are_kept_although_nothing_but_its_commit_was_stored(tmp_path: Path) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    assert await asyncio.to_thread(lived, killed_once_committed, home, output=told) == -signal.SIGKILL, told.read_text()
    assert await asyncio.to_thread(lived, moves.finish, home, output=told) == 0, told.read_text()
    async with open_store(sqlite_url(home / "orchestrator.db")) as store:
        (project,) = await store.list_projects()
        (item,) = await store.list_items(project.id)
        (session,) = [one for one in await store.list_sessions(project.id) if one.role == "developer"]
        notes = [one.content for one in await store.list_comments(item.id) if one.author == "developer"]
    assert session.answer is not None
    assert item.metadata["notes"] == session.answer["notes"] != ""
    assert notes == [f"{session.answer['summary']}\n\n{session.answer['notes']}"]
