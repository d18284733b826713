"""How urgent a project is: of those that wait for a worker, and of sessions that wait for a seat, the highest first."""

from collections.abc import Mapping

from orchestrator_tui.domain.records import Project

LOWEST, HIGHEST = -1000, 1000


def own_priority(project: Project) -> int | None:
    """The priority that is kept with a project; None where it has that of the settings, or what is kept is none."""
    table: object = project.config
    for name in ("settings", "cluster"):
        table = table.get(name) if isinstance(table, Mapping) else None
    kept = table.get("priority") if isinstance(table, Mapping) else None
    try:
        # Text too: the command line may write a number so.
        priority = int(kept) if isinstance(kept, int | str) else None
    except ValueError:
        return None
    return priority if priority is not None and LOWEST <= priority <= HIGHEST else None
