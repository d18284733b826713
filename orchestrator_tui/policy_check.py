"""Says whether agents may run a command in a folder, by the built-in rules and the folder's settings."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from orchestrator_tui import cli, start
from orchestrator_tui.agents import policy
from orchestrator_tui.agents.decision import Decision, Verdict
from orchestrator_tui.agents.rules import Rules
from orchestrator_tui.agents.shell_words import MOST_CHARACTERS
from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.text import clean

_READ_AT_MOST = 8 * MOST_CHARACTERS


def check_policy(asked: cli.CheckPolicy, environ: Mapping[str, str] | None = None) -> int:
    """Print the decision and why; returns 0 for allow, 3 for ask, 1 for deny.

    Raises:
        OrchestratorError: the settings or the command cannot be read, or there is no such folder.
    """
    given = start.given(asked, os.environ if environ is None else environ)
    directory = given.cwd / os.path.expanduser(asked.directory or "")  # noqa: PTH111
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a folder.", hint="Name the folder of a project with --directory.")
    rules = Rules.of(given.settings().permissions)
    command = _read() if asked.command == "-" else asked.command
    decision = policy.decide(command, directory=Path(directory), rules=rules)
    sys.stdout.write(_told(decision, command, as_json=asked.options.json))
    return _exit_code(decision.verdict)


def _read() -> str:
    """The command on standard input, without its last line end.

    Raises:
        UsageError: it is no text in UTF-8.
    """
    try:
        return sys.stdin.buffer.read(_READ_AT_MOST).decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise UsageError("The command is not text in UTF-8.", hint="Write it in UTF-8.") from error


def _told(decision: Decision, command: str, *, as_json: bool) -> str:
    if as_json:
        told = {
            "verdict": decision.verdict.value,
            "reason": decision.reason,
            "command": command,
            "pattern": decision.pattern,
        }
        return json.dumps(told, ensure_ascii=False) + "\n"
    return f"{decision.verdict.value}: {' '.join(clean(decision.reason).split())}\n"


def _exit_code(verdict: Verdict) -> int:
    match verdict:
        case Verdict.ALLOW:
            return 0
        case Verdict.ASK:
            return 3
        case Verdict.DENY:
            return 1
    assert_never(verdict)
