"""How a work item looks in Linear, and an issue as a work item: both as the same plain values, to be compared."""

import re
import uuid
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from orchestrator_tui.backends.linear.remote import Issue
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus

BLOCKED_LABEL = "blocked"
"""Linear has no state for it: an issue that is not started and has this label is a blocked item."""
CRITERIA = "## Acceptance criteria"
NO_PRIORITY = 3
"""The priority of an issue that has none."""
LONGEST_TITLE = 500

TYPES: Mapping[WorkItemStatus, tuple[str, ...]] = {
    WorkItemStatus.TODO: ("unstarted", "backlog", "triage"),
    WorkItemStatus.IN_PROGRESS: ("started",),
    WorkItemStatus.DONE: ("completed",),
    WorkItemStatus.BLOCKED: ("unstarted", "backlog", "triage"),
}
"""Types of workflow states an item of that status is put into, the first that the team has."""
_STATUS: Mapping[str, WorkItemStatus] = {
    "triage": WorkItemStatus.TODO,
    "backlog": WorkItemStatus.TODO,
    "unstarted": WorkItemStatus.TODO,
    "started": WorkItemStatus.IN_PROGRESS,
    "completed": WorkItemStatus.DONE,
}
_NOTHING_LEFT_TO_DO = ("canceled", "duplicate")

_CRITERION = re.compile(r"^\s*[-*+]\s+(?:\[[ xX]?\]\s+)?(.+?)\s*$")
_DECORATION = re.compile(r"[\s*_\\+`-]+")
_LINK = re.compile(r"\[([^\]\s]+)\]\(<?(?:https?://)?\1/?>?\)|<(https?://[^>\s]+)>")
"""An address that Linear made a link of, or that stands in brackets."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Values = dict[str, Any]
"""Fields of a `WorkItem` by name, JSON-safe: what both sides have of it."""


def is_id(text: str) -> bool:
    """Whether an issue's id can be that of an item."""
    return _UUID.fullmatch(text) is not None


def fixed_id(*parts: str) -> str:
    """An id made of `parts`, always the same, in the form of a UUID 4, which is what Linear takes from its clients:
    whatever is asked for a second time has the id that it had the first time."""
    digest = sha256("\0".join(parts).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def of_item(item: WorkItem) -> Values:
    """What Linear should have of an item."""
    return {
        "title": item.title[:LONGEST_TITLE],
        "description": item.description,
        "acceptance": list(item.acceptance),
        "status": item.status.value,
        "priority": item.priority,
        "labels": list(item.labels),
        "parent_id": item.parent_id,
    }


def of_issue(issue: Issue, label_names: Mapping[str, str]) -> Values:
    """What Linear has of an item; `label_names` are by id."""
    labels = [label_names[label_id] for label_id in issue.label_ids if label_id in label_names]
    description, acceptance = split(issue.description or "")
    return {
        "title": issue.title,
        "description": description,
        "acceptance": acceptance,
        "status": status_of(issue, labels).value,
        "priority": int(issue.priority) if 1 <= issue.priority <= 4 else NO_PRIORITY,
        "labels": [label for label in labels if label.casefold() != BLOCKED_LABEL],
        "parent_id": issue.parent.id if issue.parent else None,
    }


def status_of(issue: Issue, labels: Iterable[str]) -> WorkItemStatus:
    """Nothing is left to do of what a person cancelled or deleted."""
    if is_cancelled(issue):
        return WorkItemStatus.DONE
    status = _STATUS.get(issue.state.type, WorkItemStatus.TODO)
    is_blocked = any(label.casefold() == BLOCKED_LABEL for label in labels)
    return WorkItemStatus.BLOCKED if is_blocked and status is WorkItemStatus.TODO else status


def is_cancelled(issue: Issue) -> bool:
    """Whether a person does not want it done any more."""
    return bool(issue.trashed) or issue.state.type in _NOTHING_LEFT_TO_DO


def typed(name: str, value: Any) -> Any:
    """A plain value as `WorkItem` has it."""
    if name == "status":
        return WorkItemStatus(value)
    return tuple(value) if isinstance(value, list) else value


def same(name: str, one: Any, other: Any) -> bool:
    """Whether two plain values of a field mean the same: Linear writes Markdown in its own way, and labels without
    regard to case or order."""
    if name == "labels":
        return _folded(one) == _folded(other)
    if name in ("title", "description", "acceptance"):
        return _bare(one) == _bare(other)
    return bool(one == other)


def differing(one: Values, other: Values) -> list[str]:
    """The fields of `one` that `other` has another value of, or does not have."""
    return [name for name, value in one.items() if name not in other or not same(name, value, other[name])]


def body(values: Values) -> str:
    """An issue's description: the item's, and its acceptance criteria as a list."""
    if not values["acceptance"]:
        return str(values["description"])
    criteria = "\n".join(f"* {criterion}" for criterion in values["acceptance"])
    return f"{values['description']}\n\n{CRITERIA}\n\n{criteria}".strip()


def split(text: str) -> tuple[str, list[str]]:
    """Description and acceptance criteria of what `body` made, also after a person has changed it."""
    before, found, after = text.partition(CRITERIA)
    if not found:
        return text.strip(), []
    lines = [line for line in after.splitlines() if line.strip()]
    matches = [_CRITERION.match(line) for line in lines]
    rest = [line for line, match in zip(lines, matches, strict=True) if match is None]
    return "\n\n".join([before.strip(), *rest]).strip(), [match[1] for match in matches if match]


def _folded(labels: Iterable[str]) -> set[str]:
    return {label.casefold() for label in labels}


def _bare(value: Any) -> str:
    text = "\n".join(value) if isinstance(value, list) else str(value)
    return _DECORATION.sub("", _LINK.sub(lambda found: found[1] or found[2], text))
