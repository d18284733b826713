"""What is said at the end of a run; pure: records in, lines out."""

import re
from collections.abc import Sequence
from datetime import datetime

from orchestrator_tui.console import status
from orchestrator_tui.domain import words
from orchestrator_tui.domain.records import Artifact, ProjectOverview
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus

RUN_LINES = 6
"""Lines of the instructions that the summary shows."""
_STEP = re.compile(r"\n|\s+(?=\d{1,2}\.\s)")
"""Between two steps: a line break, or what precedes the number of the next one."""


def summary(
    overview: ProjectOverview,
    artifacts: Sequence[Artifact],
    commits: int,
    at: datetime,
    *,
    items_at: str | None = None,
) -> list[str]:
    """Where the program and its work items are, how to check and run it, and what each phase took."""
    project, items = overview.project, overview.items
    facts = [("Folder", status.folder(overview)), *_check(artifacts)]
    facts += [("Work items", f"{items.done} of {items.total} done{_blocked(overview)}")]
    facts += [("Items at", words.one_line(items_at, 1000))] if items_at else []
    facts += [("Commits", str(commits))]
    lines = ["", _headline(overview), *words.table((f"  {name}:", value) for name, value in facts)]
    lines += _how_to_run(artifacts)
    if project.rehearsal:
        lines += [f"  {words.REHEARSAL}"]
    return [*lines, "", *(f"  {row}" for row in status.phase_table(overview, at))]


def what_next(overview: ProjectOverview, connect: str | None = None) -> list[str]:
    """How to go on with a project; nothing for one that is finished. `connect` is the server that a person named."""
    if overview.project.status is PipelineStatus.COMPLETED:
        return []
    if overview.waiting_for is not None:
        return status.how_to_answer(overview, connect)
    resume = status.how_to_go_on(overview, "To resume", connect)
    look = f"To look at it: orchestrator-tui --status{status.on_server(connect)}"
    return [*status.why_paused(overview), *resume, look]


def _headline(overview: ProjectOverview) -> str:
    project = overview.project
    name = f"Project {project.number} {words.one_line(project.name)}"
    reason = words.why(overview.state.shutdown_reason, overview.state.resumes_at)
    match project.status:
        case PipelineStatus.COMPLETED:
            return f"{name} is finished."
        case PipelineStatus.FAILED:
            return f"{name} failed{_error(overview)}."
        case _:
            return f"{name} is {project.status.value}{f' ({reason})' if reason else ''}."


def _error(overview: ProjectOverview) -> str:
    failed = next((phase for phase in overview.state.phases.values() if phase.error), None)
    if failed is None:
        return ""
    return f" in {words.title(failed.phase)}: {words.one_line(failed.error or '', 400).rstrip('.')}"


def _blocked(overview: ProjectOverview) -> str:
    return f", {overview.items.blocked} blocked" if overview.items.blocked else ""


def _check(artifacts: Sequence[Artifact]) -> list[tuple[str, str]]:
    """The newest check that a phase left."""
    command = _newest(artifacts, PhaseName.INITIALIZE, "verify_command")
    return [("Check it", words.one_line(command))] if command else []


def _how_to_run(artifacts: Sequence[Artifact]) -> list[str]:
    """The newest instructions, a step a line."""
    steps = _STEP.split(_newest(artifacts, PhaseName.DEPLOY, "run_instructions"))
    lines = [line for step in steps if (line := words.one_line(step, 300))]
    if not lines:
        return []
    left = len(lines) - RUN_LINES
    lines = [*lines[:RUN_LINES], f"({left} more)"] if left > 0 else lines
    return ["  Run it:", *(f"    {line}" for line in lines)]


def _newest(artifacts: Sequence[Artifact], phase: PhaseName, key: str) -> str:
    found = [artifact.content.get(key) for artifact in artifacts if artifact.phase is phase]
    return next((str(text) for text in reversed(found) if text), "")
