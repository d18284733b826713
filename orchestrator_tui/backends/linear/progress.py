"""The document in Linear's project that says how far the project is."""

from collections.abc import Sequence

from orchestrator_tui.domain.records import Project, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus

MOST_NAMED = 20
"""Items of one kind that are listed by name."""


def title(project: Project) -> str:
    return f"Progress of {project.name}"


def content(project: Project, items: Sequence[WorkItem]) -> str:
    """Markdown: how many items are done, and which are being worked on or blocked."""
    by_status = {status: [item for item in items if item.status is status] for status in WorkItemStatus}
    done = len(by_status[WorkItemStatus.DONE])
    lines = [f"{done} of {len(items)} work items are done.", ""]
    lines += [f"* {status.value.replace('_', ' ')}: {len(some)}" for status, some in by_status.items()]
    for status in (WorkItemStatus.IN_PROGRESS, WorkItemStatus.BLOCKED):
        if some := by_status[status]:
            lines += ["", f"## {status.value.replace('_', ' ').capitalize()}", ""]
            lines += [f"* {item.key} {item.title}" for item in some[:MOST_NAMED]]
            if len(some) > MOST_NAMED:
                lines.append(f"* and {len(some) - MOST_NAMED} more")
    return "\n".join(lines)
