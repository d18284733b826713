"""Gives an item back whose work was interrupted: to the queue, with a comment, its changes kept as a patch."""

from contextlib import suppress

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import StaleState
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.engine.checkout import Checkout

ENGINE = "engine"


async def hand_back(tracker: WorkTracker, workspace: Checkout, item: WorkItem, why: str) -> None:
    """`in_progress → todo`; nothing happens to an item that is in another state by now."""
    patch = await workspace.set_aside_item(item.key, now())
    if patch is None and item.updated_at is not None:
        # Whoever gave it back before may have come no further than this.
        patch = await workspace.newest_patch(item.key, since=item.updated_at)
    current = await tracker.get_work_item(item.id)
    if current.status is not WorkItemStatus.IN_PROGRESS:
        return
    shown = str(workspace.shown(patch)) if patch else None
    kept = f"; what was changed in the folder is kept in {shown}" if shown else ""
    await tracker.add_comment(
        item.id, f"Interrupted ({why.rstrip('.')}){kept}. It will be taken up again.", author=ENGINE
    )
    # A person may have set it to something else in this moment: that stands.
    with suppress(StaleState):
        await tracker.update_work_item(
            item.id,
            {"status": WorkItemStatus.TODO, "metadata": {"interrupted": True, "patch": shown}},
            expected=WorkItemStatus.IN_PROGRESS,
            reason="interrupted",
        )
