"""Small rehearsal scenarios for tests: the generated one, with answers put before or taken away."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from orchestrator_tui.agents.rehearsal.generate import write_generated_scenario

Answer = Mapping[str, Any]


def answer(phase: str, role: str, *turns: Mapping[str, Any], subject: str = "*", attempt: int | str = "*") -> Answer:
    return {"phase": phase, "role": role, "subject": subject, "attempt": attempt, "turns": list(turns)}


def structured(**fields: Any) -> Mapping[str, Any]:
    return {"structured": fields}


def write(name: str, content: str) -> Mapping[str, Any]:
    return {"tool": "Write", "input": {"file_path": f"${{directory}}/{name}", "content": content}}


def bash(command: str) -> Mapping[str, Any]:
    return {"tool": "Bash", "input": {"command": command}}


def planned(ref: str, *, title: str | None = None, depends_on: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    item = {
        "ref": ref,
        "title": title or f"Module {ref}",
        "description": f"Write {ref}.py with a function `name`, and test_{ref}.py.",
        "acceptance": [f"{ref}.name() returns {ref}"],
        "depends_on": list(depends_on),
    }
    return {**item, **more}


def write_scenario(
    folder: Path, *first: Answer, items: int = 2, without: Callable[[Answer], bool] = lambda _: False
) -> Path:
    """The generated scenario with the answers `first` before its own, those that `without` picks left out."""
    file = write_generated_scenario(folder, items)
    tables = tomllib.loads(file.read_text())
    tables["answers"] = [*first, *(entry for entry in tables["answers"] if not without(entry))]
    file.write_text(tomli_w.dumps(tables))
    return file
