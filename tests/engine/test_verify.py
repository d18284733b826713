import os
from pathlib import Path

import pytest

from orchestrator_tui.engine.verify import Verifier, objection


@pytest.fixture
def verifier() -> Verifier:
    return Verifier({"PATH": os.environ["PATH"]}, timeout_seconds=20)


def has_ended(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split()[2] == "Z"


async def test_exit_code_zero_is_green_and_anything_else_is_red(verifier: Verifier, tmp_path: Path) -> None:
    assert (await verifier.run("test -d .", tmp_path)).passed
    red = await verifier.run("echo what is wrong; exit 3", tmp_path)
    assert (red.passed, red.exit_code, red.output) == (False, 3, "what is wrong\n")


async def test_the_check_sees_only_the_environment_it_is_given(verifier: Verifier, tmp_path: Path) -> None:
    verdict = await verifier.run("env", tmp_path)
    names = {line.split("=")[0] for line in verdict.output.splitlines()}
    assert names <= {"PATH", "PWD", "_", "SHLVL", "OLDPWD"}


async def test_a_check_that_never_ends_is_ended_with_its_children(tmp_path: Path) -> None:
    verifier = Verifier({"PATH": os.environ["PATH"]}, timeout_seconds=0.5)
    verdict = await verifier.run("sleep 600 & echo $! > child; wait", tmp_path)
    assert (verdict.passed, verdict.timed_out, verdict.exit_code) == (False, True, 124)
    assert has_ended(int((tmp_path / "child").read_text()))


async def test_of_a_long_output_the_beginning_and_the_end_are_kept(verifier: Verifier, tmp_path: Path) -> None:
    verdict = await verifier.run("echo first; seq 100000; echo last", tmp_path)
    assert verdict.output.startswith("first\n")
    assert verdict.output.endswith("last\n")
    assert len(verdict.output) < 20_000


@pytest.mark.parametrize(
    "command",
    ["true", " : ", "exit 0", "echo fine", "true && echo ok", "pytest || true", "make test; true", "pytest &", "a\nb"],
)
def test_a_check_that_cannot_fail_is_refused(command: str) -> None:
    assert objection(command) is not None


@pytest.mark.parametrize(
    "command",
    ["pytest -q", "python3 -m unittest", "make check && echo fine", "npm test 2>&1 | tail -5", "./verify.sh"],
)
def test_an_honest_check_is_taken(command: str) -> None:
    assert objection(command) is None
