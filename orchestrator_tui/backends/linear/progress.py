"""The document in Linear's project that says how far the project is."""

import re
from collections.abc import Sequence

from orchestrator_tui.backends.linear.mapping import fixed_id
from orchestrator_tui.domain.records import Project, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus

MOST_NAMED = 20
"""Items of one kind that are listed by name."""
TITLE = "Progress of "
_KEEPER = re.compile(r"orchestrator-tui, project ([0-9a-f-]{36})")


def document_id(remote_id: str, number: int = 0) -> str:
    """The id of the `number`-th document of a project in Linear, which has one for each project that it was."""
    return fixed_id(remote_id, "progress", *([str(number)] if number else []))


def title(project: Project) -> str:
    return f"{TITLE}{project.name}"


def content(project: Project, items: Sequence[WorkItem]) -> str:
    """Markdown: how many items are done, which are being worked on or blocked, and whose they are."""
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
    lines += ["", f"Kept up to date by orchestrator-tui, project {project.id}."]
    return "\n".join(lines)


def keeper(text: str) -> str | None:
    """The id of the project that keeps a document up to date; None when it says of none."""
    # At its end: before that are titles of items, which say what they like.
    found = _KEEPER.findall(text)
    return found[-1] if found else None


def farewell(project: Project) -> str:
    """What the document says once the project keeps its items elsewhere."""
    return f"The work items of {project.name} are not kept here any more."
