"""Lives of the program for tests that end them: each is a process, forked from one that has everything imported."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.agents.rehearsal.scenario import Scenario, Turn

_FORKED = get_context("forkserver")
_FORKED.set_forkserver_preload(
    [
        "orchestrator_tui.launch",
        "orchestrator_tui.agents.claude",
        "tests.crash.child",
        "tests.crash.moves",
        "tests.backends.linear.conftest",
        "tests.frozen",
    ]
)

PATIENCE = 90.0
"""Seconds; on a busy machine everything takes long."""

_CHECK = 'set -e\nfor module in item*.py; do test ! -e "$module" || test -s "test_$module"; done\n'


@contextmanager
def life(body: Callable[..., None], *given: object, output: Path | None = None) -> Iterator[ForkServerProcess]:
    """`body(*given)` in a process of its own, which is gone afterwards; what it writes goes into `output`."""
    process = _FORKED.Process(target=_begin, args=(output, body, *given))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def lived(body: Callable[..., None], *given: object, output: Path | None = None) -> int:
    """Live to the end; the exit code, or minus the signal that ended it."""
    with life(body, *given, output=output) as process:
        return code_of(process)


def code_of(process: ForkServerProcess) -> int:
    """The exit code of a life, or minus the signal that ended it, once it has ended."""
    process.join(PATIENCE)
    assert process.exitcode is not None, "it goes on and on"
    return process.exitcode


def _begin(output: Path | None, body: Callable[..., None], *given: object) -> None:
    # A group of its own, which it may kill.
    os.setsid()
    if output is not None:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, sys.stdout.fileno())
        os.dup2(descriptor, sys.stderr.fileno())
    body(*given)


def light_scenario(items: int) -> Scenario:
    """The generated scenario with a check that starts no Python, so that it takes a few milliseconds."""

    def light(turn: Turn) -> Turn:
        values = _light(turn.input)
        if str(values.get("file_path", "")).endswith("/verify.sh"):
            values = {**values, "content": _CHECK}
        return replace(turn, input=values)

    scenario = generated_scenario(items)
    answers = tuple(replace(one, turns=tuple(light(turn) for turn in one.turns)) for one in scenario.answers)
    return replace(scenario, answers=answers)


def _light(value: Any) -> Any:
    match value:
        case str():
            return value.replace("python3 verify.py", "sh verify.sh").replace("verify.py", "verify.sh")
        case dict():
            return {key: _light(inner) for key, inner in value.items()}
        case list():
            return [_light(inner) for inner in value]
        case _:
            return value
