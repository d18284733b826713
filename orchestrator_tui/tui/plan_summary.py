"""The short form of a planned breakdown, for somebody who is to approve it; pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.phases.answers import PlannedItem, parents_first, planned_items
from orchestrator_tui.phases.documents import PRIORITIES

FIRST = 12
"""Items that are named."""


def plan_summary(content: Mapping[str, Any], more: str) -> str | None:
    """How many items of which priority, and the first ones, as Markdown; None when the plan cannot be read.

    `more` says how to see the rest.
    """
    try:
        items = parents_first(planned_items(content))
    except (ValidationError, KeyError, TypeError):
        return None
    found = Counter(item.priority for item in items)
    by_priority = ", ".join(f"{found[level]} {name}" for level, name in PRIORITIES.items() if found[level])
    lines = [f"# {len(items)} work items", "", by_priority + ".", ""]
    if shortfall := content.get("shortfall"):
        lines += [f"> {one_line(str(shortfall), 400)}", ""]
    numbers = {item.ref: number for number, item in enumerate(items, 1)}
    lines += [_line(item, numbers) for item in items[:FIRST]]
    rest = len(items) - FIRST
    lines += ["", f"And {rest} more: {more}." if rest > 0 else f"Each in full: {more}."]
    return "\n".join(lines) + "\n"


def _line(item: PlannedItem, numbers: Mapping[str, int]) -> str:
    after = ", ".join(f"TASK-{numbers[ref]}" for ref in item.depends_on if ref in numbers)
    facts = f"{PRIORITIES[item.priority]}, after {after}" if after else PRIORITIES[item.priority]
    return f"- TASK-{numbers[item.ref]} **{one_line(item.title, 200)}** · {facts}"
