"""How a work item stands in the file: an entry with the fields that people read and edit, always in the same order."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator_tui.domain.records import Comment, WorkItem

VERSION = 1
Entry = Mapping[str, Any]

FIELDS: Mapping[str, str] = {
    "title": "title",
    "status": "status",
    "priority": "priority",
    "labels": "labels",
    "depends_on": "dependencies",
    "parent": "parent_id",
    "description": "description",
    "acceptance": "acceptance",
}
"""The fields that people may edit, and what they are called in `WorkItem`."""

_ABOUT = (
    "The work items of this project. Edit title, status (todo, done, blocked), priority (1 urgent to 4 low), labels, "
    "depends_on, parent, description, acceptance; add an item or a comment by an entry without id. "
    "Leave revision and every id as they are."
)
_A_LINE_EACH = frozenset({"description", "acceptance", "comments"})


def entry_of(item: WorkItem, keys: Mapping[str, str]) -> Entry:
    """An item without its comments; `keys` are those of all items by id."""
    return {
        "key": item.key,
        "title": item.title,
        "status": item.status.value,
        "priority": item.priority,
        "labels": list(item.labels),
        "depends_on": [keys.get(other, other) for other in item.dependencies],
        "parent": keys.get(item.parent_id, item.parent_id) if item.parent_id else None,
        "description": item.description,
        "acceptance": list(item.acceptance),
    }


def render_entry(entry: Entry, comments: Sequence[Comment], item_id: str) -> str:
    """The text of one item in the file, a field a line, indented as it stands there."""
    shown = {
        **entry,
        "description": _lines(entry["description"]),
        "comments": [_comment(comment) for comment in comments],
        "id": item_id,
    }
    return (
        "    {\n"
        + ",\n".join(f"      {_json(name)}: {_value(name, value)}" for name, value in shown.items())
        + "\n    }"
    )


def render_file(revision: int, entries: Iterable[str]) -> bytes:
    """The content of the file around the texts of its items."""
    head = f'{{\n  "about": {_json(_ABOUT)},\n  "version": {VERSION},\n  "revision": {revision},\n  "items": ['
    body = ",\n".join(entries)
    return (f"{head}\n{body}\n  ]\n}}\n" if body else f"{head}]\n}}\n").encode()


def _comment(comment: Comment) -> Mapping[str, Any]:
    return {
        "author": comment.author,
        "at": comment.created_at.isoformat(timespec="seconds"),
        "text": _lines(comment.content),
        "id": comment.id,
    }


def _lines(text: str) -> str | list[str]:
    """Text of several lines as a list of them, which is how a person can read it."""
    return text.split("\n") if "\n" in text else text


def _value(name: str, value: Any) -> str:
    if name in _A_LINE_EACH and isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"        {_json(one)}" for one in value) + "\n      ]"
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
