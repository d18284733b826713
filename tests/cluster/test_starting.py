import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui import cli
from orchestrator_tui.compose import open_engine
from orchestrator_tui.console import workers
from orchestrator_tui.domain import words
from orchestrator_tui.domain.errors import SettingsError, UsageError
from orchestrator_tui.domain.records import RunByWorker
from orchestrator_tui.work import work
from tests.api.test_workers import worker
from tests.running import launch
from tests.terminal import ROOT


async def test_a_worker_is_refused_where_projects_are_not_left_to_workers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not left to workers"):
        await work(cli.Work(), launch(tmp_path / "home", None))


async def test_a_cluster_needs_a_database_that_several_machines_can_reach(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PostgreSQL"):
        async with open_engine(launch(tmp_path / "home", None, cluster={"enabled": True})):
            """It does not come to this."""
    # Nothing is left behind by what is refused.
    assert not (tmp_path / "home" / "orchestrator.db").exists()


def test_workers_are_asked_for_before_there_is_any_database(tmp_path: Path) -> None:
    def told(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ORCHESTRATOR_HOME": str(tmp_path / "o")}
        command = [sys.executable, "-m", "orchestrator_tui", *arguments]
        return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert told("--workers").stdout == f"{words.NO_WORKER}\n"
    assert json.loads(told("--workers", "--json").stdout) == {"type": "workers", "workers": []}
    refused = told("--drain", "one-7")
    assert refused.returncode == 2 and "There is no worker 'one-7'." in refused.stderr
    assert not (tmp_path / "o" / "orchestrator.db").exists()


def test_workers_are_told_with_what_they_run_and_how_they_stand() -> None:
    runs = RunByWorker(project_id="a", number=3, name="links")
    one, silent, drained = worker("one-7"), worker("silent-7"), worker("drained-7")
    told = workers.lines(
        [
            replace(one, projects=(runs,)),
            replace(silent, silent_seconds=3600.0),
            replace(drained, draining=True),
        ]
    )
    assert told == [
        "one-7: runs 1 of 3, load 0.5",
        "  3  links",
        "drained-7: drained",
        "silent-7: silent for 1h00m",
    ]
    assert workers.lines([]) == [words.NO_WORKER]


def test_who_is_silent_does_not_count_as_there() -> None:
    silent = replace(worker("silent-7"), silent_seconds=3600.0)
    runs = replace(silent, projects=(RunByWorker(project_id="a", number=3, name="links"),))
    assert words.workers([worker("one-7"), silent]) == "1 worker · 1 silent"
    assert words.workers([worker("one-7"), worker("two-7")]) == "2 workers"
    assert words.worker(runs) == "silent for 1h00m, runs 1 of 3"
