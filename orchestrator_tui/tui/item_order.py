"""The work items of a project in the order of the dashboard: what is at work first, what is done folded away; pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.tui.item_tree import ItemRow, tree

ORDER = (WorkItemStatus.IN_PROGRESS, WorkItemStatus.BLOCKED, WorkItemStatus.TODO, WorkItemStatus.DONE)
_PLACES = {status: place for place, status in enumerate(ORDER)}
_DONE = _PLACES[WorkItemStatus.DONE]

Rank = tuple[int, int, int]
"""State, priority, number: what sorts lower comes first."""


@dataclass(frozen=True, slots=True)
class DoneRow:
    """Stands for all that is done; those rows follow it when it is `opened`."""

    count: int
    opened: bool


def ordered(items: Sequence[WorkItem], *, opened: bool) -> list[ItemRow | DoneRow]:
    """The rows of the tree. One that has children stands where the most urgent of them would; what is done with all
    below it is folded into the last row. Linear in the number of items but for sorting."""
    rows = tree(items)
    parents = _parents(rows)
    ranks = _ranks(rows, parents)
    live, done = _children(ranks, parents)
    result: list[ItemRow | DoneRow] = [*_walk(rows, live)]
    count = len(rows) - len(result)
    if count:
        result.append(DoneRow(count, opened))
        result += _walk(rows, done) if opened else []
    return result


def _parents(rows: Sequence[ItemRow]) -> list[int]:
    """The row above each in the tree, -1 for those at the top."""
    path: list[int] = []
    parents = []
    for at, row in enumerate(rows):
        del path[row.depth :]
        parents.append(path[-1] if path else -1)
        path.append(at)
    return parents


def _ranks(rows: Sequence[ItemRow], parents: Sequence[int]) -> list[Rank]:
    """The rank of each row or of the most urgent one below it."""
    ranks = [(_PLACES[row.item.status], row.item.priority, row.item.number) for row in rows]
    for at in range(len(rows) - 1, -1, -1):
        if (parent := parents[at]) >= 0:
            ranks[parent] = min(ranks[parent], ranks[at])
    return ranks


def _children(ranks: Sequence[Rank], parents: Sequence[int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """The rows below each (-1: at the top) in their order, of what is to be done and of what is done."""
    live: dict[int, list[int]] = defaultdict(list)
    done: dict[int, list[int]] = defaultdict(list)
    for at in sorted(range(len(ranks)), key=ranks.__getitem__):
        parent = parents[at]
        if ranks[at][0] != _DONE:
            live[parent].append(at)
        else:
            done[parent if parent >= 0 and ranks[parent][0] == _DONE else -1].append(at)
    done[-1].sort(key=lambda at: ranks[at][2])
    return live, done


def _walk(rows: Sequence[ItemRow], children: dict[int, list[int]]) -> list[ItemRow]:
    """The rows from the top down, each with the depth it is met at."""
    found: list[ItemRow] = []
    stack = [(at, 0) for at in reversed(children.get(-1, ()))]
    while stack:
        at, depth = stack.pop()
        found.append(ItemRow(rows[at].item, depth, rows[at].needs))
        stack.extend((child, depth + 1) for child in reversed(children.get(at, ())))
    return found
