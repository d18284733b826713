"""Plays a scenario's turns on a folder, with the real CLI's rules for its file tools but without the CLI."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.rehearsal.scenario import STRUCTURED_TOOL, Scenario, Turn
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.phases.answers import Breakdown, PlannedItem
from orchestrator_tui.phases.task_breakdown import Plan
from tests.rehearsal.support import session_request


@dataclass(frozen=True, slots=True)
class Effect:
    """What one turn did: its tool, the exit code (0 for a file tool that worked), and what came out."""

    tool: str
    exit_code: int
    output: str = ""


@dataclass(slots=True)
class Session:
    """One session in `directory`; it may only change files it has read or written, as in the CLI."""

    directory: Path
    known: set[Path] = field(default_factory=set)
    with_bash: bool = True

    def play(self, turns: Sequence[Turn]) -> tuple[list[Effect], Mapping[str, Any]]:
        """The effects of `turns` in order, and the structured answer they end with."""
        effects = [self._effect(turn) for turn in turns if turn.tool not in (None, STRUCTURED_TOOL)]
        return effects, turns[-1].input

    def _effect(self, turn: Turn) -> Effect:
        match turn.tool:
            case "Bash" if not self.with_bash:
                return Effect("Bash", 0)
            case "Bash":
                exit_code, output = shell(turn.input["command"], self.directory)
                return Effect("Bash", exit_code, output)
            case "Read" | "Write" | "Edit":
                complaint = self._file_tool(turn)
                return Effect(turn.tool, 1 if complaint else 0, complaint)
        raise AssertionError(f"the replay knows no tool {turn.tool}")

    def _file_tool(self, turn: Turn) -> str:
        """Does what the tool does; returns its complaint, empty when it worked."""
        path = Path(turn.input["file_path"])
        if turn.tool == "Read" and not path.exists():
            return f"{path.name} does not exist"
        if turn.tool != "Read" and path.exists() and path not in self.known:
            return f"{path.name} has not been read yet"
        self.known.add(path)
        if turn.tool == "Write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(turn.input["content"], encoding="utf-8")
        if turn.tool == "Edit":
            return _edit(path, turn.input["old_string"], turn.input["new_string"])
        return ""


def _edit(path: Path, old: str, new: str) -> str:
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        return f"{path.name} holds the text to replace {text.count(old)} times"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return ""


def shell(command: str, directory: Path) -> tuple[int, str]:
    """Exit code and output of a shell's command line, in an environment with nothing but a path."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def turns_of(
    scenario: Scenario,
    directory: Path,
    phase: PhaseName,
    role: str,
    subject: str = "",
    *,
    prompt_number: int = 1,
    **more: Any,
) -> tuple[Turn, ...]:
    """What a session plays after its prompt number `prompt_number`; `more` are fields of its request."""
    request = session_request(phase=phase, role=role, subject=subject, directory=directory, **more)
    return scenario.turns(request, prompt_number)


def planned(scenario: Scenario, directory: Path) -> tuple[Plan, list[Breakdown]]:
    """The plan after all passes of the task breakdown, put together by the phase's own rules, and the passes."""
    plan, passes = Plan(), list[Breakdown]()
    while not passes or not passes[-1].complete:
        turns = turns_of(scenario, directory, PhaseName.TASK_BREAKDOWN, "planner", str(len(passes) + 1))
        passes.append(Breakdown.model_validate(turns[-1].input))
        assert plan.problems(passes[-1].items) == []
        plan.take(passes[-1].items)
    return plan, passes


def in_order(items: Sequence[PlannedItem], *, late_first: bool = False) -> list[PlannedItem]:
    """The items as the tracker hands them out: by priority, then most dependents, then age; or all that reversed."""
    waiting = list(items)
    ordered: list[PlannedItem] = []
    dependents = {item.ref: sum(item.ref in other.depends_on for other in items) for item in items}
    while waiting:
        done = {item.ref for item in ordered}
        ready = sorted(
            (item for item in waiting if done.issuperset(item.depends_on)),
            key=lambda item: (item.priority, -dependents[item.ref]),
        )
        assert ready, f"these depend on each other: {[item.ref for item in waiting]}"
        chosen = ready[-1 if late_first else 0]
        ordered.append(chosen)
        waiting.remove(chosen)
    return ordered


def files_of(directory: Path) -> dict[str, str]:
    """Every file of the project by its path, caches and git's own left out."""
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not {".git", "__pycache__"} & set(path.parts)
    }
