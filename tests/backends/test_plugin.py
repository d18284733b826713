"""A tracker of a package that is really installed: built, put beside the program, and found by its entry point."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator_tui.backends import registry
from orchestrator_tui.backends.conformance import CONTRACTS
from tests.backends.bench import bench
from tests.console.test_import import ROOT, folder_in, program

PACKAGE = Path(__file__).with_name("plugin")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package is installed in."""
    folder = tmp_path_factory.mktemp("installed")
    source, site = str(shutil.copytree(PACKAGE, folder / "source")), str(folder / "site")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--no-compile", "--target"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, site, source]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    return folder / "site"


def test_a_project_moves_to_a_tracker_that_was_installed(installed: Path, tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    path = f"{installed}:{ROOT}"
    program(tmp_path, "import", "demo")
    moved = program(tmp_path, "tracker", "move", "1", "--to", "board", "--json", PYTHONPATH=path)
    told = json.loads(moved.stdout)
    assert (told["kind"], told["link"], told["last_error"]) == ("board", str(folder / "BOARD.md"), None)
    first, second = (folder / "BOARD.md").read_text().splitlines()
    assert first.startswith("- [x] TASK-1 ") and second.startswith("- [ ] TASK-2 ")
    without = program(tmp_path, "tracker", "sync", "1")
    assert without.returncode == 2 and "There is no work tracker board." in without.stderr


async def test_a_tracker_that_was_installed_can_be_tried_on_the_contracts(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    opens = registry.find_tracker("board")
    assert registry.names()[-1] == "board"
    assert Path(sys.modules["board_tracker"].__file__ or "").parent == installed
    monkeypatch.delitem(sys.modules, "board_tracker")
    for number, contract in enumerate(CONTRACTS[::6]):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with bench(folder, opens) as here:
            await contract(here)
