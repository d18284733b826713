"""What is said at the end of a run; pure: records in, lines out."""

from collections.abc import Sequence
from datetime import datetime

from orchestrator_tui.console import status, words
from orchestrator_tui.domain.records import Artifact, ProjectOverview
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus


def summary(overview: ProjectOverview, artifacts: Sequence[Artifact], commits: int, at: datetime) -> list[str]:
    """Where the program is, how to check and run it, and what each phase took."""
    project, items = overview.project, overview.items
    facts = [("Folder", project.directory), *_how_to(artifacts)]
    facts += [("Work items", f"{items.done} of {items.total} done{_blocked(overview)}"), ("Commits", str(commits))]
    lines = ["", _headline(overview), *words.table((f"  {name}:", value) for name, value in facts)]
    if project.rehearsal:
        lines += [f"  {words.REHEARSAL}"]
    return [*lines, "", *(f"  {row}" for row in status.phase_table(overview, at))]


def what_next(overview: ProjectOverview) -> list[str]:
    """How to go on with a project; nothing for one that is finished."""
    if overview.project.status is PipelineStatus.COMPLETED:
        return []
    if overview.waiting_for is not None:
        return status.how_to_answer(overview)
    return [f"To resume: {status.resume_command(overview)}", "To look at it: orchestrator-tui --status"]


def _headline(overview: ProjectOverview) -> str:
    project = overview.project
    name = f"Project {project.number} {words.one_line(project.name)}"
    reason = overview.state.shutdown_reason
    match project.status:
        case PipelineStatus.COMPLETED:
            return f"{name} is finished."
        case PipelineStatus.FAILED:
            return f"{name} failed{_error(overview)}."
        case _:
            return f"{name} is {project.status.value}{f' ({words.title(words.one_line(reason))})' if reason else ''}."


def _error(overview: ProjectOverview) -> str:
    failed = next((phase for phase in overview.state.phases.values() if phase.error), None)
    if failed is None:
        return ""
    return f" in {words.title(failed.phase)}: {words.one_line(failed.error or '', 400).rstrip('.')}"


def _blocked(overview: ProjectOverview) -> str:
    return f", {overview.items.blocked} blocked" if overview.items.blocked else ""


def _how_to(artifacts: Sequence[Artifact]) -> list[tuple[str, str]]:
    """The check and the instructions that the phases left, the newest of each."""
    found: dict[str, str] = {}
    for artifact in artifacts:
        if artifact.phase is PhaseName.INITIALIZE and (command := artifact.content.get("verify_command")):
            found["Check it"] = words.one_line(str(command))
        if artifact.phase is PhaseName.DEPLOY and (text := artifact.content.get("run_instructions")):
            found["Run it"] = words.one_line(str(text), 300)
    return list(found.items())
