import json
from pathlib import Path

from tests.console.test_import import folder_in, program


def test_the_items_of_a_project_are_moved_to_a_file_from_the_command_line(tmp_path: Path) -> None:
    folder_in(tmp_path)
    program(tmp_path, "import", "demo")
    file = tmp_path / "demo" / ".orchestrator" / "work_items.json"
    planned = program(tmp_path, "tracker", "move", "1", "--to", "json", "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert planned.stdout.splitlines()[0] == "2 work items of Demo move from database to json"
    assert planned.stdout.endswith("Nothing was done.\n")
    assert not file.exists()
    moved = program(tmp_path, "tracker", "move", "--to=json", "--json")
    told = json.loads(moved.stdout)
    assert (told["kind"], told["link"], told["pending"], told["last_error"]) == ("json", str(file), 0, None)
    assert [entry["status"] for entry in json.loads(file.read_text())["items"]] == ["done", "todo"]
    shown = program(tmp_path, "tracker", "status").stdout
    assert f"Items at:  {file}" in shown
    file.write_text("{")
    spoilt = program(tmp_path, "tracker", "sync")
    assert spoilt.returncode == 1
    assert "work_items.json, line 1: " in spoilt.stdout
    refused = program(tmp_path, "tracker", "move", "--to", "trello")
    assert refused.returncode == 2
    assert "There is no work tracker trello." in refused.stderr
