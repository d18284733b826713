"""Decides whether an agent may run a Bash command: the whole of it must be understood, and each part allowed."""

import os
from pathlib import Path

from orchestrator_tui.agents.decision import Decision, allow, ask, deny
from orchestrator_tui.agents.rules import NO_RULES, Rules
from orchestrator_tui.agents.sandbox import Boundary
from orchestrator_tui.agents.shell_walk import Line
from orchestrator_tui.agents.shell_words import Refused, parse
from orchestrator_tui.agents.variables import Variables

_REASONS_SHOWN = 3


def decide(command: str, *, directory: Path, here: Path | None = None, rules: Rules = NO_RULES) -> Decision:
    """Whether `command` may run in the project `directory`, by a shell that stands in `here` (the same by default).

    Denied if any part of it is denied, else asked if any part is to be asked, whatever the parts are wrapped in.
    `Decision.pattern` of an ask is the command itself; "" when what is asked stands in a file that may change.
    Reads the file system, so it belongs in a thread.
    """
    boundary = Boundary.around(directory)
    try:
        start = Path(os.path.realpath(here or boundary.root))
        if not start.is_relative_to(boundary.root):
            raise Refused(f"The shell stands outside the project. Go back with `cd {boundary.root}`.")
        root = parse(command)
        line = Line(boundary, rules, variables=Variables.of(root))
        line.visit(root, frozenset({start}))
        line.traces.check()
    except Refused as refusal:
        return deny(str(refusal))
    except RecursionError:
        return deny("The command is nested too deeply. Write it in several steps.")
    questions = dict.fromkeys([*line.traces.questions, *line.traces.questions_in_files])
    if not questions:
        return allow("every part of the command is allowed")
    return ask(" ".join(list(questions)[:_REASONS_SHOWN]), "" if line.traces.questions_in_files else command)
