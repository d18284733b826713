"""What an implementing agent is told besides its item: bounded, whatever the size of the project."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.phases import documents
from orchestrator_tui.phases.answers import Architecture
from orchestrator_tui.phases.base import PhaseInput
from orchestrator_tui.phases.planning import parse
from orchestrator_tui.phases.services import content_of

ARCHITECTURE_LIMIT = 6_000
TREE_LIMIT = 4_000
NOTES_LIMIT = 600
COMMENT_LIMIT = 400
PROMPT_LIMIT = 23_000
"""Characters of the whole implement prompt: below 6,000 tokens at four characters each."""
SHARES = (1.0, 0.6, 0.3, 0.1)
"""How much of each limit is used, the first share whose prompt fits."""
NEIGHBOURS = 8
COMMENTS = 5
_WORD = re.compile(r"[a-z0-9_]{3,}")


def architecture_extract(given: PhaseInput, item: WorkItem, limit: int = ARCHITECTURE_LIMIT) -> str:
    """The architecture, cut to what has to do with an item: at most `limit` characters."""
    content = content_of(given, PhaseName.ARCHITECTURE)
    if not content:
        return ""
    if edited := content.get("edited_markdown"):
        return str(edited)[:limit]
    document: Architecture = parse(Architecture, content)
    text = documents.architecture(document)
    if len(text) <= limit:
        return text
    words = set(_WORD.findall(f"{item.title} {item.description} {' '.join(item.labels)}".casefold()))
    shorter = document.model_copy(
        update={
            "components": [part for part in document.components if _touches(part.name, words)],
            "data_models": [model for model in document.data_models if _touches(model.name, words)],
            "decisions": [],
        }
    )
    return documents.architecture(shorter)[:limit]


async def neighbours(tracker: WorkTracker, item: WorkItem) -> list[dict[str, Any]]:
    """The items this one depends on, and its parent: where they stand and what their makers noted."""
    ids = [*item.dependencies, *([item.parent_id] if item.parent_id else [])][:NEIGHBOURS]
    found = [await tracker.get_work_item(item_id) for item_id in ids]
    return [
        {
            "key": other.key,
            "title": other.title,
            "status": other.status.value,
            "notes": str(other.metadata.get("notes", ""))[:NOTES_LIMIT],
        }
        for other in found
    ]


async def comments(tracker: WorkTracker, item: WorkItem) -> list[dict[str, Any]]:
    """The newest notes on an item."""
    newest = (await tracker.list_comments(item.id))[-COMMENTS:]
    return [{"author": comment.author, "content": comment.content[:COMMENT_LIMIT]} for comment in newest]


def shorter(entries: Sequence[Mapping[str, Any]], field: str, limit: int) -> list[dict[str, Any]]:
    """The entries with one text field cut to `limit` characters."""
    return [{**entry, field: str(entry[field])[:limit]} for entry in entries]


def first_lines(text: str, limit: int) -> str:
    """As many whole lines as fit into `limit` characters; says so when some are missing."""
    if len(text) <= limit:
        return text
    kept = text[: max(0, limit - 20)].rpartition("\n")[0]
    return f"{kept}\n… and more files"


def item_facts(item: WorkItem) -> Mapping[str, Any]:
    """An item as its prompt shows it."""
    return {
        "key": item.key,
        "title": item.title,
        "description": item.description,
        "acceptance": list(item.acceptance),
        "labels": list(item.labels),
    }


def _touches(name: str, words: set[str]) -> bool:
    parts: Sequence[str] = _WORD.findall(name.casefold())
    return any(part in words for part in parts)
