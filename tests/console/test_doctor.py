import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui import cli
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.doctor import State, look
from orchestrator_tui.domain.errors import StoreUnavailable, UsageError
from orchestrator_tui.start import given
from tests.sandboxed import failing_bubblewrap, needs_sandbox

KEY = "sk-ant-api03-never-shown-271828"


def examined(home: Path, **environ: str) -> dict[str, Any]:
    """What is found on a machine with nothing but PATH and a home, by name."""
    found = look(given(cli.Doctor(), {"PATH": os.environ["PATH"], "HOME": str(home), **environ}))
    return {finding.what: finding for finding in found}


def run(home: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "orchestrator_tui", "doctor", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_thing_a_run_needs_is_looked_at_and_nothing_is_made(tmp_path: Path) -> None:
    found = examined(tmp_path, ANTHROPIC_API_KEY=KEY)
    assert list(found) == [
        "Python",
        "settings",
        "git",
        "Claude CLI",
        "credentials",
        "sandbox",
        "database",
        "disk",
        "terminal",
    ]
    for what in ("Python", "settings", "git", "Claude CLI", "credentials", "database"):
        assert found[what].state is State.OK, found[what]
    assert KEY not in repr(found)
    assert not list(tmp_path.iterdir())


@needs_sandbox
def test_a_sandbox_that_works_is_told(tmp_path: Path) -> None:
    assert examined(tmp_path)["sandbox"].text.startswith("works")


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = failing_bubblewrap(tmp_path / "bin")
    found = examined(tmp_path, PATH=str(path), ORCHESTRATOR_SANDBOX__MODE="on")
    assert (found["git"].state, found["git"].text) == (State.FAIL, "not found in PATH")
    assert (found["credentials"].state, found["sandbox"].state) == (State.FAIL, State.FAIL)
    assert "--rehearsal" in found["credentials"].hint
    assert found["terminal"].state is State.WARN
    assert all(finding.hint for finding in found.values() if finding.state is not State.OK)


def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path: Path) -> None:
    found = examined(tmp_path, DATABASE_URL="postgresql://ada:pl4nted-passw0rd@127.0.0.1:1/main")
    assert found["database"].state is State.FAIL
    assert "pl4nted" not in repr(found)
    found = examined(tmp_path, DATABASE_URL="nonsense")
    assert found["database"].state is State.FAIL


async def test_a_file_that_is_no_database_is_told_as_a_start_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.db"
    file.write_text("no database at all, but long enough to be read as the head of one" * 20)
    found = examined(tmp_path, ORCHESTRATOR_HOME=str(tmp_path))["database"]
    with pytest.raises(StoreUnavailable) as refused:
        async with open_store(sqlite_url(file)):
            pass
    assert (found.state, found.text, found.hint) == (State.FAIL, refused.value.message, refused.value.hint)
    assert "orchestrator-tui import FOLDER" in found.hint


def test_a_database_with_a_torn_page_is_told(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE things (name TEXT)")
        connection.executemany("INSERT INTO things VALUES (?)", [("word " * 50,)] * 200)
    assert examined(tmp_path, ORCHESTRATOR_HOME=str(tmp_path))["database"].state is State.OK
    with file.open("r+b") as torn:
        torn.seek(4096 + 100)
        torn.write(b"\xff" * 4096)
    found = examined(tmp_path, ORCHESTRATOR_HOME=str(tmp_path))["database"]
    assert (found.state, found.text) == (State.FAIL, f"The database {file}: it is damaged.")
    assert "orchestrator-tui import FOLDER" in found.hint


def test_it_works_with_broken_settings_and_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text("[agent]\nmodle = 1\n")
    ended = run(tmp_path, ORCHESTRATOR_HOME=str(tmp_path))
    assert ended.returncode == 1
    assert "fail  settings" in ended.stdout
    assert "agent.modle" in ended.stdout
    assert "ok    git" in ended.stdout
    assert ended.stderr == ""


def test_as_json_each_finding_has_its_state_and_hint(tmp_path: Path) -> None:
    ended = run(tmp_path, "--json", ANTHROPIC_API_KEY=KEY)
    told = json.loads(ended.stdout)
    assert all(set(one) == {"what", "state", "text", "hint"} for one in told)
    assert {one["state"] for one in told} <= {"ok", "warn", "fail"}
    assert ended.returncode == int(any(one["state"] == "fail" for one in told))
    assert KEY not in ended.stdout


@pytest.mark.parametrize("arguments", ["doctor now", "doctor --resume", "doctor --idea x", "doctor --web"])
def test_it_takes_nothing_else(arguments: str) -> None:
    with pytest.raises(UsageError):
        cli.parse(arguments.split())


def test_the_flag_is_the_setting() -> None:
    start = given(cli.parse(["--no-sandbox", "--rehearsal"]), {"HOME": "/nowhere"})  # type: ignore[arg-type]
    assert start.overrides == {"sandbox": {"mode": "off"}}
    assert "--no-sandbox" in cli.dashboard_arguments(cli.ServeWeb(options=cli.Options(no_sandbox=True)))
