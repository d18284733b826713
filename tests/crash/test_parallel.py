"""Killed at every step of the merge queue, while two developers work side by side and conflict with each other."""

import asyncio
import subprocess
from pathlib import Path
from signal import SIGKILL

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain.commands import ResumeProject
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.crash.child import COVERED, die_at_new_moments
from tests.crash.lineage import git, outcome_of
from tests.lives import lived
from tests.running import Watched, launch
from tests.team import Files, Team, beside, module_of, scenario_with

STEPS = frozenset({"MergeProgressed", "CommitMade", "AttemptFailed", "WorkItemStatusChanged"})
MOST_LIVES = 40


def conflicting(ref: str, number: int, folder: Path) -> Files:
    """Who finds the file there writes what both want."""
    if ref == "item00001":
        return module_of(ref)
    there = (folder / "shared.txt").exists()
    return {**module_of(ref), "shared.txt": "of both\n" if there else f"of {ref}\n"}


def one_life(home: Path, before_commit: bool) -> None:
    die_at_new_moments(home / COVERED, before_commit=before_commit, kinds=STEPS)
    asyncio.run(_led(home))


async def _led(home: Path) -> None:
    team = Team(scenario_with(3), conflicting)
    async with open_engine(launch(home, None, **beside(2)), runtime=team) as engine:
        run = Watched(engine=engine)
        if projects := await engine.projects():
            run.project_id = projects[0].id
            run.seen += await engine.latest_events(run.project_id, limit=1)
            await engine.submit(ResumeProject(project_id=run.project_id))
        else:
            await run.create()
        if (await run.project()).status is not PipelineStatus.COMPLETED:
            assert await run.until_rest() is PipelineStatus.COMPLETED


@pytest.mark.parametrize("before_commit", [True, False], ids=["before it is stored", "right after"])
def test_a_project_killed_at_every_step_of_the_merge_queue_ends_as_if_nothing_had_happened(
    tmp_path: Path, before_commit: bool
) -> None:
    home, told = tmp_path / "home", tmp_path / "told"
    home.mkdir()
    codes: list[int] = []
    while 0 not in codes:
        assert len(codes) < MOST_LIVES, told.read_text()
        codes.append(lived(one_life, home, before_commit, output=told))
        assert codes[-1] in (0, -SIGKILL), told.read_text()
    covered = (home / COVERED).read_text()
    assert "MergeProgressed" in covered
    assert "CommitMade TASK-3" in covered or before_commit
    outcome, _ = asyncio.run(outcome_of(sqlite_url(home / "orchestrator.db")))
    assert outcome.problems == []
    items = [message for message in outcome.commits.elements() if message.startswith("TASK-")]
    assert sorted(items) == [f"TASK-{number}: Module item0000{number}" for number in (1, 2, 3)]
    (folder,) = (home / "workspace").iterdir()
    assert (folder / "shared.txt").read_text() == "of both\n"
    assert git(folder, "branch", "--format=%(refname:short)").split() == ["main"]
    assert subprocess.run(["/bin/sh", "verify.sh"], cwd=folder, check=False).returncode == 0
