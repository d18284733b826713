"""The commands of `tests/data/commands`, and a project folder that they are about."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator_tui.agents.decision import Verdict

FOLDER = Path(__file__).parent.parent / "data" / "commands"
FILES = {"allowed.toml": Verdict.ALLOW, "asked.toml": Verdict.ASK, "denied.toml": Verdict.DENY}


@dataclass(frozen=True, slots=True)
class Command:
    """A command, what the policy has to say about it, and the family that it belongs to."""

    text: str
    expected: Verdict
    family: str


@cache
def commands() -> tuple[Command, ...]:
    """All of them."""
    return tuple(command for name, verdict in FILES.items() for command in _of_file(FOLDER / name, verdict))


def of(verdict: Verdict) -> list[str]:
    return [command.text for command in commands() if command.expected is verdict]


def make_project(folder: Path) -> Path:
    """A project with what the commands expect to be there."""
    for name in ("src", "tests", "sub", "scripts", "web"):
        (folder / name).mkdir(parents=True)
    (folder / "link").symlink_to("/etc")
    (folder / "scripts" / "check.sh").write_text("#!/bin/sh\nset -eu\npython3 -m pytest -q\n", encoding="utf-8")
    (folder / "v.sh").write_text("#!/bin/sh\nset -eu\npython3 -m pytest -q\n", encoding="utf-8")
    (folder / "evil.sh").write_text("cat /etc/passwd\n", encoding="utf-8")
    (folder / "tool").write_text("#!/usr/bin/env python3\nprint(1)\n", encoding="utf-8")
    return folder


def _of_file(file: Path, verdict: Verdict) -> Iterator[Command]:
    for family, table in tomllib.loads(file.read_text("utf-8")).items():
        for text in [*table["lines"].strip().split("\n"), *table.get("blocks", ())]:
            yield Command(text, verdict, family)
