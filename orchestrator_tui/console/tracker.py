"""How a project's tracker stands, as lines or JSON; pure: records in, text or plain data out."""

from typing import Any

from orchestrator_tui.domain import words
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.records import Project, SyncState


def lines(project: Project, state: SyncState) -> list[str]:
    """How a project's tracker stands, on a few lines."""
    facts = [
        ("Project", f"{project.number} {words.one_line(project.name)}"),
        ("Tracker", state.kind),
        ("Items at", words.one_line(state.link or "the program's database", 1000)),
        ("Waiting", f"{words.plural(state.pending, 'change')} to be written there" if state.pending else "nothing"),
        ("In sync", state.last_synced.isoformat(" ", "seconds") if state.last_synced else "-"),
        ("Problem", words.one_line(state.last_error, 600) if state.last_error else "none"),
    ]
    told = words.table((f"{name}:", value) for name, value in facts)
    if project.leaving is not None:
        again = f"orchestrator-tui tracker move {project.number} --to {project.tracker}"
        told.append(f"The move from {project.leaving} was cut short; finish it with: {again}")
    return told


def as_json(project: Project, state: SyncState) -> dict[str, Any]:
    """The same as JSON-safe data."""
    found: dict[str, Any] = to_plain(state)
    return {"type": "tracker", "id": project.id, "number": project.number, "leaving": project.leaving, **found}
