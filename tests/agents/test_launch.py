import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from orchestrator_tui.agents import launch
from orchestrator_tui.agents.cli_file import make_launcher, make_shell
from orchestrator_tui.agents.leftovers import end_leftovers, end_strays
from tests.agents.support import paths_in

SHOW = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv[1:]]))"


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    return make_launcher(paths_in(tmp_path / "a 'strange' folder"))


def run(launcher: Path, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([launcher, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_the_cli_gets_the_built_environment_and_nothing_else(launcher: Path) -> None:
    packed = launch.pack(sys.executable, {"ONE": "1", "PWD": "/built"}, os.getpid())
    given = {
        launch.VARIABLE: packed,
        "ANTHROPIC_API_KEY": "planted",
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        "CLAUDE_AGENT_SDK_VERSION": "1",
        "PWD": str(Path.cwd()),
    }
    shown = run(launcher, "-c", SHOW, "an argument", "$HOME", environment=given)
    environment, arguments = json.loads(shown.stdout)
    assert environment.pop("LC_CTYPE", "C.UTF-8")
    assert environment == {
        "ONE": "1",
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        "CLAUDE_AGENT_SDK_VERSION": "1",
        "PWD": str(Path.cwd()),
    }
    assert arguments == ["an argument", "$HOME"]


@pytest.mark.parametrize("packed", [None, "", "not json", "[]", "{}", '{"cli": "x", "environment": 3, "parent": 1}'])
def test_without_a_built_environment_it_refuses(launcher: Path, packed: str | None) -> None:
    environment = {} if packed is None else {launch.VARIABLE: packed}
    shown = run(launcher, "-p", "hello", environment=environment)
    assert shown.returncode == launch.REFUSED and "refused" in shown.stderr and not shown.stdout


def test_asking_for_the_version_needs_nothing(launcher: Path) -> None:
    assert run(launcher, "--version", environment={}).returncode == 0


def test_a_cli_that_is_not_there_is_an_error(launcher: Path) -> None:
    shown = run(launcher, environment={launch.VARIABLE: launch.pack("/no/such/cli", {}, os.getpid())})
    assert shown.returncode == launch.REFUSED and "/no/such/cli" in shown.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal")
def test_a_cli_whose_parent_is_not_the_one_that_wants_it_ends(launcher: Path) -> None:
    packed = launch.pack(sys.executable, {}, os.getpid() + 1)
    assert run(launcher, "-c", SHOW, environment={launch.VARIABLE: packed}).stdout == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal")
def test_the_cli_dies_with_its_parent_even_when_that_is_killed(launcher: Path) -> None:
    child = "import time; print('up', flush=True); time.sleep(60)"
    parent = (
        "import json, os, subprocess, sys\n"
        "from orchestrator_tui.agents import launch\n"
        "packed = launch.pack(sys.executable, {}, os.getpid())\n"
        f"subprocess.run([{str(launcher)!r}, '-c', {child!r}], env={{launch.VARIABLE: packed}})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGKILL)
        # End of file comes when nobody holds the pipe any more: the parent and the launched program are both gone.
        assert process.stdout.read() == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")
@pytest.mark.parametrize("end", [end_leftovers, end_strays])
def test_what_gave_up_its_environment_its_session_and_its_parent_is_found_below_the_cli(
    launcher: Path, end: Callable[[str, str], int]
) -> None:
    stray = "import time; print('up', flush=True); time.sleep(600)"
    tool = (
        "import os, subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {stray!r}], env={{}}, start_new_session=True)\n"
    )
    cli = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {tool!r}]); sys.stdin.read()"
    mark = str(uuid4())
    packed = launch.pack(sys.executable, {"AGENT": mark}, os.getpid())
    process = subprocess.Popen(
        [launcher, "-c", cli], env={launch.VARIABLE: packed}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        assert end("AGENT", mark) >= 1
        # End of file comes when nobody holds the pipe any more.
        process.communicate(timeout=60)


def test_the_launcher_is_private_and_written_once(launcher: Path, tmp_path: Path) -> None:
    for private in (launcher, launcher.parent, launcher.parent.parent):
        assert private.stat().st_mode & 0o777 == 0o700
    before = launcher.stat().st_mtime_ns
    assert make_launcher(paths_in(tmp_path / "a 'strange' folder")).stat().st_mtime_ns == before
    assert [file.name for file in launcher.parent.iterdir()] == [launcher.name]


def test_the_shell_of_the_cli_has_no_credentials(tmp_path: Path) -> None:
    shell = make_shell(paths_in(tmp_path), "/bin/sh")
    given = {"ANTHROPIC_API_KEY": "planted", "CLAUDE_CODE_OAUTH_TOKEN": "planted", "KEPT": "kept"}
    shown = run(shell, "-c", 'echo "$ANTHROPIC_API_KEY$CLAUDE_CODE_OAUTH_TOKEN$KEPT"', environment=given)
    assert shown.stdout == "kept\n"
