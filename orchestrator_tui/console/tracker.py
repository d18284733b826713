"""The command `tracker`: where a project's work items are kept, brought to the same state, moved elsewhere."""

import json
from collections.abc import Sequence
from typing import Any

from orchestrator_tui import cli
from orchestrator_tui.console import pick
from orchestrator_tui.domain import words
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.commands import MoveTracker, SyncTracker
from orchestrator_tui.domain.records import Project, SyncState
from orchestrator_tui.engine.client import EngineClient


async def used(engine: EngineClient, asked: cli.UseTracker) -> str:
    """Carry it out; returns what there is to say.

    Raises:
        OrchestratorError: it cannot be done; nothing is lost, and it can be done again.
    """
    project = await pick.newest(engine, asked.reference)
    match asked.action:
        case "move":
            assert asked.to is not None
            if asked.dry_run:
                return _plan(await engine.tracker_plan(project.id, asked.to), asked)
            await engine.submit(MoveTracker(project_id=project.id, kind=asked.to, force=asked.force))
        case "sync":
            await engine.submit(SyncTracker(project_id=project.id))
        case _:
            pass
    project = await engine.find_project(project.id)
    state = await engine.tracker(project.id)
    if asked.options.json:
        return json.dumps(as_json(project, state), ensure_ascii=False) + "\n"
    return "\n".join(lines(project, state)) + "\n"


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
        again = f"{cli.PROGRAM} {cli.TRACKER} move {project.number} --to {project.tracker}"
        told.append(f"The move from {project.leaving} was cut short; finish it with: {again}")
    return told


def as_json(project: Project, state: SyncState) -> dict[str, Any]:
    """The same as JSON-safe data."""
    found: dict[str, Any] = to_plain(state)
    return {"type": "tracker", "id": project.id, "number": project.number, "leaving": project.leaving, **found}


def _plan(planned: Sequence[str], asked: cli.UseTracker) -> str:
    if asked.options.json:
        return json.dumps({"type": "tracker_plan", "lines": list(planned)}, ensure_ascii=False) + "\n"
    return "\n".join([*planned, "Nothing was done."]) + "\n"
