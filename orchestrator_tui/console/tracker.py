"""How a project's tracker stands, as lines or JSON; pure: records in, text or plain data out."""

from typing import Any

from orchestrator_tui.console import status
from orchestrator_tui.domain import words
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.records import Project, ProjectOverview, SyncState
from orchestrator_tui.domain.statuses import PipelineStatus

DATABASE = "database"
"""The tracker that keeps the items nowhere else."""


def lines(project: Project, state: SyncState) -> list[str]:
    """How a project's tracker stands, on a few lines."""
    here = "the program's database"
    elsewhere = state.link or f"not in {state.kind} yet, in {here}"
    facts = [
        ("Project", f"{project.number} {words.one_line(project.name)}"),
        ("Tracker", state.kind),
        ("Items at", here if state.kind == DATABASE else words.one_line(elsewhere, 1000)),
        ("Waiting", f"{words.plural(state.pending, 'change')} to be written there" if state.pending else "nothing"),
        ("In sync", state.last_synced.isoformat(" ", "seconds") if state.last_synced else "-"),
        ("Problem", words.one_line(state.last_error, 600) if state.last_error else "none"),
    ]
    told = words.table((f"{name}:", value) for name, value in facts)
    if project.leaving is not None:
        again = f"orchestrator-tui tracker move {project.number} --to {project.tracker}"
        told.append(f"The move from {project.leaving} was cut short; finish it with: {again}")
    return told


def to_be_done(overview: ProjectOverview, connect: str | None = None) -> list[str]:
    """That a finished project does not begin by itself with what a person added."""
    todo = overview.items.todo
    if overview.project.status is not PipelineStatus.COMPLETED or not todo:
        return []
    return [
        f"{words.plural(todo, 'work item')} to be done; begin with: {status.resume_command(overview.project, connect)}"
    ]


def at_the_end(project: Project, state: SyncState, connect: str | None = None) -> list[str]:
    """That the items are not where people expect them, which nothing else would tell at the end of a run."""
    if state.last_error is None:
        return []
    waiting = f", {words.plural(state.pending, 'change')} waiting" if state.pending else ""
    return [
        f"Work tracker {state.kind}{waiting}: {words.one_line(state.last_error, 600)}",
        f"Once that is mended: orchestrator-tui tracker sync {project.number}{status.on_server(connect)}",
    ]


def as_json(project: Project, state: SyncState) -> dict[str, Any]:
    """The same as JSON-safe data."""
    found: dict[str, Any] = to_plain(state)
    return {"type": "tracker", "id": project.id, "number": project.number, "leaving": project.leaving, **found}
