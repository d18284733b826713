"""What the stored events tell, beside what is stored: both must be the same at every moment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator_tui.console import fold as console
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Snapshot, Usage, WorkItem
from orchestrator_tui.tui.view import Dashboard, PhaseView, ProjectView, fold, from_snapshot

SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def contradictions(snapshot: Snapshot, recorded: Sequence[Recorded]) -> list[str]:
    """Where the records of a moment differ from what all events up to it tell."""
    retold = Dashboard()
    for one in recorded:
        if one.seq <= snapshot.seq:
            retold = fold(retold, one)
    stored = from_snapshot(snapshot)
    found = [] if retold.seq == snapshot.seq else [f"events up to {retold.seq} of {snapshot.seq}"]
    for project_id in sorted(stored.projects.keys() | retold.projects.keys()):
        found += _differences(_facts(stored.projects.get(project_id)), _facts(retold.projects.get(project_id)))
    return found


def item_contradictions(items: Sequence[WorkItem], recorded: Sequence[Recorded]) -> list[str]:
    """Where the items of a project at rest differ from what its events tell."""
    state = console.ConsoleState()
    for one in recorded:
        state = console.fold(state, one)
    stored = {item.key: (item.title, item.status) for item in items}
    return _differences(stored, {item.key: (item.title, item.status) for item in state.items.values()})


def _facts(project: ProjectView | None) -> Mapping[str, object]:
    """What both must agree on: not who runs it, since giving a lease back is no event."""
    if project is None:
        return {}
    agents = {agent.agent_id: (agent.phase, agent.role, agent.number) for agent in project.running_agents}
    phases = {name.value: _phase(phase) for name, phase in project.phases.items()}
    named = ("number", "name", "directory", "rehearsal", "status", "reason", "current_phase", "items")
    facts = {name: getattr(project, name) for name in named}
    return {**facts, **phases, "agents": agents, "waiting": project.waiting}


def _phase(phase: PhaseView) -> PhaseView:
    """Progress is told only, and the moment of an event is not quite that of its change."""
    since = SOME_TIME if phase.running_since else None
    return replace(
        phase, done=0, total=0, running_since=since, seconds=round(phase.seconds, 3), usage=_rounded(phase.usage)
    )


def _rounded(usage: Usage) -> Usage:
    return replace(usage, cost_usd=round(usage.cost_usd, 6))


def _differences(stored: Mapping[str, object], retold: Mapping[str, object]) -> list[str]:
    return [
        f"{name}: stored {stored.get(name)}, told {retold.get(name)}"
        for name in sorted(stored.keys() | retold.keys())
        if stored.get(name) != retold.get(name)
    ]
