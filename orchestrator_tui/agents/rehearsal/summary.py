"""One page about a scenario for its author: which sessions it answers and what each turn does."""

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator_tui.agents.rehearsal.scenario import STRUCTURED_TOOL, Answer, Scenario, Turn, load_scenario
from orchestrator_tui.agents.rehearsal.schema import ANY, ROLES
from orchestrator_tui.domain.errors import ScenarioBroken
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName


def summarize(scenario: Scenario) -> str:
    """The page: what it is, a line for each answer by phase, and the roles nothing answers."""
    lines = [f"{scenario.name}: {scenario.title} (project {scenario.project_name})"]
    lines.append(f"{len(scenario.answers)} answers, {sum(len(a.turns) for a in scenario.answers)} turns")
    for phase in PHASE_ORDER:
        lines += ["", phase.value, *_phase_lines(scenario, phase)]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Load and check the scenario at the path given; 0 with its summary, 2 with what is wrong."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m orchestrator_tui.agents.rehearsal.scenario PATH\n")
        return 2
    try:
        scenario = load_scenario(Path(arguments[0]))
    except ScenarioBroken as error:
        sys.stderr.write(f"{error.message} {error.hint}".strip() + "\n")
        return 2
    sys.stdout.write(summarize(scenario) + "\n")
    return 0


def _phase_lines(scenario: Scenario, phase: PhaseName) -> list[str]:
    answers = [answer for answer in scenario.answers if answer.phase is phase]
    lines = [_answer_line(answer) for answer in answers]
    answered = {answer.role for answer in answers}
    missing = [] if ANY in answered else [role for role in ROLES[phase] if role not in answered]
    return [*lines, f"  no answer for: {', '.join(missing)}"] if missing else lines


def _answer_line(answer: Answer) -> str:
    attempt = "" if answer.attempt is None else f" attempt {answer.attempt}"
    subject = "" if answer.subject == ANY else f" {answer.subject}"
    return f"  {answer.role}{subject}{attempt}: {len(answer.turns)} turns: {', '.join(map(_turn_word, answer.turns))}"


def _turn_word(turn: Turn) -> str:
    word = {None: "text", STRUCTURED_TOOL: "answer"}.get(turn.tool, turn.tool) or ""
    target = turn.input.get("file_path") or turn.input.get("command")
    if turn.tool != STRUCTURED_TOOL and isinstance(target, str):
        word += f" {' '.join(target.replace('${directory}/', '').split())[:40]}"
    return "".join([*(f"[{fault.kind}] " for fault in turn.faults), word])
