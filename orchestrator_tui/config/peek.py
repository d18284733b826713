"""Looks for one setting without reading them all: for what must be known before there is time for that."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

LARGEST_FILE = 1_000_000


def peek(key: str, assignments: Iterable[str], environ: Mapping[str, str], files: Iterable[Path]) -> str | None:
    """The text of a dotted key: from the `KEY=VALUE` of the command line, the environment, the first file that has it.

    None when nobody sets it to a text. What is wrong in any source is passed over: reading the settings will tell.
    """
    wanted = f"{key}="
    for assignment in reversed(list(assignments)):
        if assignment.replace(" ", "").startswith(wanted):
            return assignment.partition("=")[2].strip().strip("\"'")
    if value := environ.get("ORCHESTRATOR_" + key.upper().replace(".", "__")):
        return value
    return next((found for file in files if (found := _in_file(key, file)) is not None), None)


def _in_file(key: str, file: Path) -> str | None:
    try:
        if file.stat().st_size > LARGEST_FILE:
            return None
        data: object = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    for name in key.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, str) else None
