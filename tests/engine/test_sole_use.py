import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_tui.agents.rehearsal.scenario import load_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import owner
from orchestrator_tui.domain.commands import ImportProject, ResumeProject
from orchestrator_tui.domain.errors import AlreadyOwned
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.sole_use import LOCK_FILE, sole_use
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch
from tests.scenarios import write_scenario

HOLDING = """
import sys
from pathlib import Path
from orchestrator_tui.engine.sole_use import sole_use
with sole_use(Path(sys.argv[1]), "process 7 on here since 1"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / ".orchestrator"


@pytest.fixture
def other(notes: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that works in the folder."""
    command = [sys.executable, "-c", HOLDING, str(notes)]
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, env=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_in_which_another_process_works_is_refused_with_its_name(
    notes: Path, other: "subprocess.Popen[str]"
) -> None:
    with pytest.raises(AlreadyOwned, match="process 7 on here") as caught, sole_use(notes, "me"):
        pass
    assert "another database" in caught.value.hint


def test_a_process_that_was_killed_keeps_nobody_out(notes: Path, other: "subprocess.Popen[str]") -> None:
    other.kill()
    other.wait()
    with sole_use(notes, "me"):
        assert (notes / LOCK_FILE).read_text() == "me"


def test_an_owner_whose_lease_was_taken_is_not_waited_for_and_the_new_one_is_safe(
    notes: Path, other: "subprocess.Popen[str]"
) -> None:
    new = sole_use(notes, "me", over="process 7 on here since 1")
    with new, pytest.raises(AlreadyOwned, match="in me"), sole_use(notes, "a third one"):
        pass


def test_what_is_no_lock_file_keeps_nobody_from_working(tmp_path: Path, notes: Path) -> None:
    with sole_use(tmp_path / "gone" / ".orchestrator", "me"):
        pass
    outside = tmp_path / "outside"
    outside.mkdir()
    notes.symlink_to(outside)
    with sole_use(notes, "me"):
        assert list(outside.iterdir()) == []
    (notes / LOCK_FILE).unlink()
    (notes / LOCK_FILE).symlink_to(outside / "file")
    with sole_use(notes, "me"):
        assert list(outside.iterdir()) == []


async def test_two_databases_that_know_one_folder_do_not_run_it_at_once(tmp_path: Path) -> None:
    played = ReplayRuntime(load_scenario(write_scenario(tmp_path / "s", items=2)))
    async with open_engine(launch(tmp_path / "one", None, **NO_PLANNING), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        folder = Path((await run.project()).directory)
    async with open_engine(launch(tmp_path / "two", None), runtime=played) as engine:
        project_id = await engine.submit(ImportProject(directory=str(folder)))
        with sole_use(folder / ".orchestrator", owner.this_process()), pytest.raises(AlreadyOwned):
            await engine.submit(ResumeProject(project_id=project_id))
        overview = await engine.overview(project_id)
        assert overview.state.owner is None
        await engine.submit(ResumeProject(project_id=project_id))
