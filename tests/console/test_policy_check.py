import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator_tui import cli
from orchestrator_tui.__main__ import main
from orchestrator_tui.domain.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("command", "code", "verdict"), [("git status", 0, "allow"), ("npm install", 3, "ask"), ("sudo ls", 1, "deny")]
)
def test_the_verdict_is_printed_with_its_reason_and_is_the_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, code: int, verdict: str
) -> None:
    assert main(["policy", "check", command]) == code
    printed = capsys.readouterr().out
    assert printed.startswith(f"{verdict}: ") and printed.count("\n") == 1 and len(printed) > 20
    assert main(["policy", "check", command, "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == verdict and told["command"] == command and told["reason"]
    assert told["pattern"] == (command if verdict == "ask" else "")


def test_the_settings_of_the_folder_count(folder: Path) -> None:
    (folder / "orchestrator.toml").write_text(
        '[permissions]\nallow = ["npm install *", "sudo *"]\nask = ["make *"]\ndeny = ["git log *"]\n'
    )
    codes = {"npm install left-pad": 0, "sudo ls": 1, "make": 3, "git log -1": 1, "git status": 0}
    assert {command: main(["policy", "check", command]) for command in codes} == codes


def test_the_command_line_and_the_environment_count_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["policy", "check", "npm ci", "--set", 'permissions.allow=["npm ci"]']) == 0
    assert main(["policy", "check", "npm ci", "--set", "permissions.allow=npm ci"]) == 0
    monkeypatch.setenv("ORCHESTRATOR_PERMISSIONS__DENY", '["ls *", "cat *"]')
    assert main(["policy", "check", "ls"]) == main(["policy", "check", "cat x"]) == 1


def test_another_folder_can_be_named(folder: Path) -> None:
    assert main(["policy", "check", "cat ../notes", "--directory", ".."]) == 1
    assert main(["policy", "check", f"cat {folder.parent}/notes"]) == 1
    assert main(["policy", "check", f"cat {folder.parent}/notes", "--directory", ".."]) == 0


def test_a_command_is_read_from_standard_input(folder: Path) -> None:
    def checked(text: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "orchestrator_tui", "policy", "check", "-"]
        return subprocess.run(command, input=text, capture_output=True, timeout=60, check=False)

    assert checked(b"ls\ncat a.txt\n").returncode == 0
    assert checked(b"ls\nsudo cat a.txt\n").returncode == 1
    broken = checked(b"ls \xff\n")
    assert broken.returncode == 2 and b"UTF-8" in broken.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["policy"], ["policy", "check"], ["policy", "check", "git", "status"], ["policy", "list", "x"],
        ["policy", "check", "ls", "--resume"], ["policy", "check", "ls", "--idea", "x"],
        ["policy", "check", "ls", "--directory", "missing"], ["policy", "check", "ls", "--config", "missing.toml"],
        ["policy", "check", "ls", "--set", "permissions.allow=[1]"],
        ["policy", "check", "ls", "--set", 'permissions.allow=["ls | sh"]'],
        ["policy", "check", "ls", "--set", 'permissions.deny=["*"]'],
        ["policy", "check", "ls", "--set", 'permissions.deny=["\'open"]'],
    ],
)  # fmt: skip
def test_errors_are_told_apart_from_a_denial(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == "" and "orchestrator-tui:" in told.err and "Internal" not in told.err
    assert main([*arguments, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["type"] == "error"


def test_the_options_of_a_command_without_quotes_are_told_to_be_put_into_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "check", "ls", "-la"]) == main(["policy", "check", "git", "status"]) == 2
    assert capsys.readouterr().err.count("Put the command in quotes") == 2


def test_settings_that_cannot_be_read_are_an_error_too(folder: Path) -> None:
    (folder / "orchestrator.toml").write_text("[permissions\n")
    assert main(["policy", "check", "ls"]) == 2


def test_a_broken_check_is_an_error_and_no_permission(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("planted failure")

    monkeypatch.setattr("orchestrator_tui.agents.policy.decide", broken)
    assert main(["policy", "check", "ls"]) == 2
    assert "could not be checked" in capsys.readouterr().err


def test_what_is_asked_of_the_policy_is_one_value() -> None:
    assert cli.parse(["policy", "check", "ls -la", "--json"]) == cli.CheckPolicy(
        command="ls -la", options=cli.Options(json=True)
    )
    with pytest.raises(UsageError, match="takes one command"):
        cli.parse(["policy", "check", "ls", "-la"[1:]])
