"""Killed around the commit of a phase's work: the work is not done twice, and nothing of it is lost."""

import asyncio
import subprocess
from collections import Counter
from pathlib import Path
from signal import SIGKILL

import pytest

from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from tests.crash import moves
from tests.crash.moves import Moment
from tests.lives import lived

SCAFFOLD, TESTS = "Scaffold of demo", "Whole-program tests, round 1"


def subjects(folder: Path) -> list[str]:
    told = subprocess.run(["git", "log", "--format=%s"], cwd=folder, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()


@pytest.mark.parametrize("before_commit", [True, False], ids=["before it is recorded", "right after"])
@pytest.mark.parametrize(("message", "role"), [(SCAFFOLD, "initializer"), (TESTS, "tester")])
async def test_what_a_phase_has_committed_is_not_made_again(
    tmp_path: Path, message: str, role: str, before_commit: bool
) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    moment = Moment("CommitMade", {"message": message}, before_commit=before_commit)
    assert await asyncio.to_thread(lived, moves.killed_at, home, moment, (), output=told) == -SIGKILL, told.read_text()
    assert await asyncio.to_thread(lived, moves.finish, home, output=told) == 0, told.read_text()
    async with open_store(sqlite_url(home / "orchestrator.db")) as store:
        (project,) = await store.list_projects()
        sessions = Counter(one.role for one in await store.list_sessions(project.id))
        recorded = [one.event for one in await store.events(limit=10_000)]
    made = [event.message for event in recorded if isinstance(event, events.CommitMade)]
    assert sessions[role] == 1
    assert sorted(made) == sorted(subjects(Path(project.directory)))
    assert made.count(message) == 1


async def test_a_scaffold_that_was_not_committed_is_kept_as_a_patch_and_made_in_an_empty_folder(tmp_path: Path) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    moment = Moment("AgentFinished", {"status": "completed"}, nth=3, before_commit=True)
    assert await asyncio.to_thread(lived, moves.killed_at, home, moment, (), output=told) == -SIGKILL, told.read_text()
    async with open_store(sqlite_url(home / "orchestrator.db")) as store:
        (project,) = await store.list_projects()
        assert project.current_phase == "initialize"
    assert await asyncio.to_thread(lived, moves.finish, home, output=told) == 0, told.read_text()
    (patch,) = (Path(project.directory) / ".orchestrator" / "patches").iterdir()
    assert "verify.sh" in patch.read_text()
    assert subjects(Path(project.directory)).count(SCAFFOLD) == 1
