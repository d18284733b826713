"""Work items as the rows of a tree, or as a flat list of those that match; pure, and linear in their number."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.tui.wrapping import lower


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with its depth in the tree and the keys of what it waits for."""

    item: WorkItem
    depth: int
    needs: tuple[str, ...]


def tree(items: Sequence[WorkItem]) -> list[ItemRow]:
    """Every item once, children after their parent; one whose parents go in a circle stands at the top."""
    by_id = {item.id: item for item in items}
    children: dict[str | None, list[WorkItem]] = defaultdict(list)
    for item in items:
        children[item.parent_id if item.parent_id in by_id else None].append(item)
    rows: list[ItemRow] = []
    placed: set[str] = set()
    for root in (*children[None], *items):
        _place(root, by_id, children, placed, rows)
    return rows


def matching(
    items: Sequence[WorkItem], status: WorkItemStatus | None, needle: str, workers: Mapping[str, str]
) -> list[ItemRow]:
    """The rows of a state (None: of every state) whose key, title, labels or worker have all words of `needle`."""
    if status is None and not needle.strip():
        return tree(items)
    by_id = {item.id: item for item in items}
    wanted = lower(needle).split()
    return [
        ItemRow(item, 0, waits_for(item, by_id))
        for item in items
        if status in (None, item.status) and _has(item, wanted, workers.get(item.key, ""))
    ]


def waits_for(item: WorkItem, by_id: Mapping[str, WorkItem]) -> tuple[str, ...]:
    """The keys of what an item depends on that is not done; nothing for one that is done itself."""
    if item.status is WorkItemStatus.DONE:
        return ()
    needed = (by_id.get(other) for other in item.dependencies)
    return tuple(other.key for other in needed if other is not None and other.status is not WorkItemStatus.DONE)


def counts(items: Iterable[WorkItem]) -> dict[WorkItemStatus, int]:
    """How many items are in each state."""
    found = dict.fromkeys(WorkItemStatus, 0)
    for item in items:
        found[item.status] += 1
    return found


def _place(
    root: WorkItem,
    by_id: Mapping[str, WorkItem],
    children: Mapping[str | None, Sequence[WorkItem]],
    placed: set[str],
    rows: list[ItemRow],
) -> None:
    """The root and all below it; a stack, because agents may nest as deep as they like."""
    stack = [(root, 0)]
    while stack:
        item, depth = stack.pop()
        if item.id in placed:
            continue
        placed.add(item.id)
        rows.append(ItemRow(item, depth, waits_for(item, by_id)))
        stack.extend((child, depth + 1) for child in reversed(children.get(item.id, ())))


def _has(item: WorkItem, wanted: Sequence[str], worker: str) -> bool:
    text = lower(f"{item.key} {item.title} {' '.join(item.labels)} {worker}") if wanted else ""
    return all(word in text for word in wanted)
