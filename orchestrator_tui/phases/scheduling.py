"""Which item is handed out next while others are worked on: its turn has come, and it gets in nobody's way."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from orchestrator_tui.backends.base import TOUCHES, WorkTracker
from orchestrator_tui.domain.errors import StaleState
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from orchestrator_tui.phases.task_breakdown import all_items

Scope = frozenset[str]
"""What an item is planned to change: paths without a slash at their end, and names, in lower case."""

_GLOB = "*?[{"


async def claim_next(
    tracker: WorkTracker,
    project_id: str,
    phase: PhaseName,
    running: Sequence[WorkItem],
    waiting: Collection[str] = (),
) -> WorkItem | None:
    """The next ready item that collides with none of `running` and is none of those `waiting` by their ids, claimed;
    None when there is none for now."""
    if not waiting and not any(map(scope_of, running)):
        return await tracker.get_next_work_item(project_id, phase)
    while (chosen := await find_next(tracker, project_id, phase, running, waiting)) is not None:
        # The tracker takes in first what people have changed.
        await tracker.get_work_item(chosen.id)
        with suppress(StaleState):
            return await tracker.update_work_item(
                chosen.id, {"status": WorkItemStatus.IN_PROGRESS}, expected=WorkItemStatus.TODO, reason="claimed"
            )
    return None


async def find_next(
    tracker: WorkTracker, project_id: str, phase: PhaseName, running: Sequence[WorkItem], waiting: Collection[str]
) -> WorkItem | None:
    """The item that `claim_next` would claim now."""
    items = await all_items(tracker, project_id)
    return next_item(items, running, phase, waiting)


def next_item(
    items: Iterable[WorkItem], running: Iterable[WorkItem], phase: PhaseName, waiting: Collection[str] = ()
) -> WorkItem | None:
    """The first ready item, in the order of the tracker, that collides neither with a running one nor with one whose
    turn has come before and that only waits for these: so nothing waits for ever. None of those `waiting`, by their
    ids, for something else."""
    held = [scope_of(item) for item in running]
    for item in ready(items, phase):
        if item.id in waiting:
            continue
        scope = scope_of(item)
        if not any(collide(scope, other) for other in held):
            return item
        held.append(scope)
    return None


def ready(items: Iterable[WorkItem], phase: PhaseName) -> list[WorkItem]:
    """What could be begun, in the order of the tracker: urgent first, then what most wait for, then the oldest."""
    known = list(items)
    done = {item.id for item in known if item.status is WorkItemStatus.DONE}
    waiting = Counter(other for item in known for other in item.dependencies)
    found = [
        item
        for item in known
        if item.status is WorkItemStatus.TODO and item.phase is phase and done.issuperset(item.dependencies)
    ]
    return sorted(found, key=lambda item: (item.priority, -waiting[item.id], item.number))


def scope_of(item: WorkItem) -> Scope:
    """What an item is planned to change; empty when it does not say."""
    named = item.metadata.get(TOUCHES) or ()
    return frozenset(_plain(str(name)) for name in named) if isinstance(named, list | tuple) else frozenset()


def collide(one: Scope, other: Scope) -> bool:
    """Whether two scopes share something: the same name, or a path that lies in the other."""
    return any(_within(a, b) or _within(b, a) for a in one for b in other)


def _within(inner: str, outer: str) -> bool:
    return not outer or inner == outer or inner.startswith(f"{outer}/")


def _plain(name: str) -> str:
    """A path or name to be compared; of a pattern the folder that all it matches lies in, "" for the whole project."""
    text = name.strip().casefold().removeprefix("./")
    at = min((text.index(mark) for mark in _GLOB if mark in text), default=None)
    if at is not None:
        text = text[:at].rpartition("/")[0]
    return "" if text == "." else text.rstrip("/")
