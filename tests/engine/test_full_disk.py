import errno
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import DiskFull
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine import room
from orchestrator_tui.engine.statefile import read_state
from orchestrator_tui.engine.workspace import Workspace
from tests.crash.lineage import Outcome, differences, outcome_of
from tests.engine.conftest import ITEMS
from tests.engine.outages import Tries, database_url, item_done, rest_at_last, told_of_trouble, what_was_told_is_stored
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch

MEGABYTES = 8


@dataclass(frozen=True)
class Disk:
    """A disk of `MEGABYTES`."""

    path: Path

    def fill(self, *, but: int = 0) -> None:
        """Leave no more than `but` bytes free."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                assert error.errno == errno.ENOSPC
            file.truncate(max(0, file.tell() - but))

    def make_room(self) -> None:
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "none", str(path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can be mounted by root alone")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def project_on(disk: Path, home: Path) -> Launch:
    return launch(home, None, project={"workspace": str(disk / "work")}, **NO_PLANNING)


def database_on(disk: Path, home: Path) -> Launch:
    start = launch(home, None, **NO_PLANNING)
    return replace(start, environ={**start.environ, "DATABASE_URL": sqlite_url(disk / "store.db")})


def everything_on(disk: Path, home: Path) -> Launch:
    return launch(disk / "home", None, **NO_PLANNING)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Tries:
    return Tries.counted(monkeypatch)


@pytest.mark.parametrize("on", [project_on, database_on, everything_on])
async def test_a_run_waits_while_the_disk_is_full_says_so_and_goes_on_when_there_is_room(
    tmp_path: Path, disk: Disk, undisturbed: Outcome, tries: Tries, on: Callable[[Path, Path], Launch]
) -> None:
    start = on(disk.path, tmp_path / "home")
    runtime = ReplayRuntime(light_scenario(ITEMS))
    async with open_engine(start, runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until(item_done)
        disk.fill()
        told = await told_of_trouble(run)
        assert "the disk is full" in told.message
        assert "Make room" in told.hint
        begun = len(runtime.started)
        await tries.more(2)
        assert len(runtime.started) == begun, "work was begun that could not be kept"
        disk.make_room()
        assert await rest_at_last(run) is PipelineStatus.COMPLETED
        stored = await what_was_told_is_stored(run, engine)
        directory = Path((await run.project()).directory)
    outcome, _ = await outcome_of(database_url(start))
    assert differences(undisturbed, outcome) == []
    assert read_state(directory).project.status is PipelineStatus.COMPLETED
    if on is project_on:
        in_log = [one.event for one in stored if isinstance(one.event, events.ErrorOccurred)]
        assert [error.title for error in in_log] == ["Disk full"]


async def test_unfinished_work_that_does_not_fit_into_a_patch_stays_where_it_is(disk: Disk) -> None:
    workspace = Workspace(disk.path / "work", {"PATH": "/usr/bin:/bin", "HOME": str(disk.path)})
    workspace.directory.mkdir()
    await workspace.initialize()
    work = workspace.directory / "work.txt"
    work.write_text("begun\n")
    await workspace.commit("Begun")
    # Git's own copy of it is small, the patch is not.
    lines = "The same line.\n" * 150_000
    work.write_text(lines)
    disk.fill(but=room.NEEDED + 500_000)
    with pytest.raises(DiskFull):
        await workspace.set_aside("TASK-1", now())
    assert work.read_text() == lines
    assert list((workspace.notes / "patches").iterdir()) == []
    disk.make_room()
    patch = await workspace.set_aside("TASK-1", now())
    assert patch is not None
    assert work.read_text() == "begun\n"
    assert await workspace.put_back(patch)
    assert work.read_text() == lines
