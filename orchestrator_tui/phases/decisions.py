"""Leaves it to a person what becomes of work items that were given up, while everything else goes on."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.domain.records import InputRequest, WorkItem
from orchestrator_tui.domain.statuses import Choice, RequestStatus, WorkItemStatus
from orchestrator_tui.engine import questions
from orchestrator_tui.phases.attempts import ATTEMPTS, ENGINE
from orchestrator_tui.phases.services import Services

DECISION = "decision"
"""The field of a blocked item's metadata that names the request about it."""
LEFT_OUT = "left_out"
"""The field of a blocked item's metadata that says that the project is finished without it."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The questions about blocked items of one run. Answers are data; what follows from them is done here, by the
    run that holds the project."""

    services: Services
    tracker: WorkTracker

    async def ask(self, item: WorkItem, report: str) -> None:
        """Open the question about an item that was just blocked, whose metadata names it already."""
        await self.services.log.flush()
        async with self.services.store.transaction() as unit:
            await questions.open_request(unit, questions.about_item(item, str(item.metadata[DECISION]), report))

    async def act(self, project_id: str) -> frozenset[str]:
        """Do what was decided meanwhile; returns the ids of the questions that still wait."""
        waiting: set[str] = set()
        for item in await _all(self.tracker, project_id, WorkItemStatus.BLOCKED):
            request_id = item.metadata.get(DECISION)
            if not isinstance(request_id, str):
                continue
            try:
                request = await self.services.store.get_request(request_id)
            except KeyError:
                # The run ended between blocking the item and asking about it.
                await self.ask(item, await self._last_report(item))
                waiting.add(request_id)
                continue
            if request.status is RequestStatus.OPEN:
                waiting.add(request_id)
            elif request.choice is Choice.SKIP:
                await self._leave_out(item, request)
            else:
                await self._try_again(item, request)
        return frozenset(waiting)

    async def _leave_out(self, item: WorkItem, request: InputRequest) -> None:
        await self.tracker.add_comment(item.id, f"Left out, as {request.answered_by} decided.", author=ENGINE)
        await self.tracker.update_work_item(item.id, {"metadata": {DECISION: None, LEFT_OUT: True}})

    async def _try_again(self, item: WorkItem, request: InputRequest) -> None:
        """With what the person said about it; a question that was withdrawn was so because the project was resumed."""
        if request.text:
            await self.tracker.add_comment(item.id, request.text, author=request.answered_by or "person")
        answered = request.status is RequestStatus.ANSWERED
        await self.tracker.update_work_item(
            item.id,
            {"status": WorkItemStatus.TODO, "metadata": {DECISION: None, ATTEMPTS: []}},
            expected=WorkItemStatus.BLOCKED,
            reason=f"{request.answered_by} wants it tried again" if answered else "resumed",
        )

    async def _last_report(self, item: WorkItem) -> str:
        told = [one for one in await self.tracker.list_comments(item.id) if one.author == ENGINE]
        return told[-1].content if told else "No report of it was kept."


async def leave_out(tracker: WorkTracker, project_id: str) -> bool:
    """Whether the project can be finished without what a person left out: no other item is left but those that need
    one of these, which are left out with them."""
    items = await _all(tracker, project_id, None)
    out = {item.id for item in items if item.metadata.get(LEFT_OUT)}
    open_items = [item for item in items if item.status is not WorkItemStatus.DONE]
    grown = True
    while grown:
        more = {item.id for item in open_items if out & {*item.dependencies, item.parent_id or ""}} - out
        grown = bool(more)
        out |= more
    if not out or any(item.id not in out for item in open_items):
        return False
    for item in open_items:
        if item.status is WorkItemStatus.TODO:
            await tracker.update_work_item(
                item.id,
                {"status": WorkItemStatus.BLOCKED, "metadata": {LEFT_OUT: True}},
                expected=WorkItemStatus.TODO,
                reason="it needs something that was left out",
            )
    return True


async def _all(tracker: WorkTracker, project_id: str, status: WorkItemStatus | None) -> Sequence[WorkItem]:
    found: list[WorkItem] = []
    while page := await tracker.list_work_items(
        project_id, status=status, after=found[-1].number if found else 0, limit=500
    ):
        found.extend(page)
    return found
