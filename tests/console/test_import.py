import json
import os
import subprocess
import sys
from pathlib import Path

from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.engine.statefile import STATE_FILE, render, write_state
from tests.engine.dossiers import at_work, item

ROOT = Path(__file__).parent.parent.parent


def program(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program's end; it knows nothing of this machine but PATH, and what `environment` says."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environ |= environment
    command = [sys.executable, "-m", "orchestrator_tui", *arguments]
    return subprocess.run(command, env=environ, cwd=home, capture_output=True, text=True, timeout=120, check=False)


def folder_in(home: Path) -> Path:
    folder = home / "demo"
    folder.mkdir()
    write_state(folder, render(at_work(item(1, WorkItemStatus.DONE), item(2, WorkItemStatus.IN_PROGRESS))))
    return folder


def test_a_project_is_imported_told_and_refused_the_second_time(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    told = program(tmp_path, "import", "demo")
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[0] == "Imported as project 1: 1 of 2 work items are done."
    assert lines[1].startswith("Back in the queue")
    assert "Go on with: orchestrator-tui --resume 1" in told.stdout
    again = program(tmp_path, "import", str(folder), "--json")
    assert again.returncode == 2
    assert again.stderr.startswith("orchestrator-tui: Import: ")
    assert "is project 1 (Demo) of this database already" in json.loads(again.stdout)["message"]
    assert "Demo" in program(tmp_path, "--status").stdout


def test_an_import_is_told_as_one_line_of_json(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    told = program(tmp_path, "--json", "import", "demo")
    assert told.returncode == 0
    assert told.stdout.count("\n") == 1
    found = json.loads(told.stdout)
    assert (found["type"], found["number"], found["directory"]) == ("imported", 1, str(folder))
    assert (found["status"], found["by_commit"], found["requeued"]) == ("stopped", 0, 1)


def test_a_damaged_file_is_exit_code_1_and_a_folder_without_one_2(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    (folder / STATE_FILE).write_text("{")
    damaged = program(tmp_path, "import", "demo")
    assert (damaged.returncode, damaged.stdout) == (1, "")
    assert all(line.startswith("orchestrator-tui: State file: ") for line in damaged.stderr.splitlines())
    (folder / STATE_FILE).unlink()
    missing = program(tmp_path, "import", "demo")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert program(tmp_path, "import", "nowhere").returncode == 2
    assert "There are no projects yet." in program(tmp_path, "--status").stdout


def test_a_folder_that_was_moved_is_told_where_it_lies_now(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    assert program(tmp_path, "import", "demo").returncode == 0
    folder.rename(tmp_path / "moved")
    told = program(tmp_path, "import", "moved")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[0] == f"Project 1 lies in {tmp_path / 'moved'} now."
    assert "Go on with: orchestrator-tui --resume 1" in told.stdout
    (tmp_path / "moved").rename(tmp_path / "again")
    found = json.loads(program(tmp_path, "import", "again", "--json").stdout)
    assert (found["type"], found["number"], found["directory"]) == ("moved", 1, str(tmp_path / "again"))


def test_a_repository_is_begun_anew_only_with_an_import(tmp_path: Path) -> None:
    refused = program(tmp_path, "--resume", "1", "--new-repository")
    assert refused.returncode == 2
    assert "import FOLDER --new-repository" in refused.stderr
    folder = folder_in(tmp_path)
    (folder / "notes.txt").write_text("there\n")
    assert program(tmp_path, "import", "demo").returncode == 0
    told = program(tmp_path, "import", "demo", "--new-repository")
    assert told.stdout.splitlines()[0] == (
        "Project 1 goes on in a new repository: its files as they are are the first commit."
    )
    assert (folder / ".git").is_dir()
