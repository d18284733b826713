"""A work tracker of another package: the items of a project as a list to look at, in a file of its folder."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator_tui.backends.base import TrackerContext, WorkTracker
from orchestrator_tui.backends.mirrored import MirroredTracker
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.records import Project, SyncState, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus

FILE = "BOARD.md"


class BoardTracker(MirroredTracker):
    """Writes the list when it is asked to, and when it is closed after a change."""

    kind = "board"
    where = FILE

    def __init__(self, context: TrackerContext) -> None:
        super().__init__(context)
        self._file = Path(context.project.directory) / FILE
        self.is_behind = False

    async def initialize(self, project_id: str, project_dir: Path) -> Project:
        await self.sync(project_id)
        return await super().initialize(project_id, project_dir)

    async def sync(self, project_id: str) -> SyncState:
        items = await self.all_items(project_id)
        await asyncio.to_thread(self._file.write_text, "".join(map(_line, items)), encoding="utf-8")
        self.is_behind = False
        await self.report(link=str(self._file), last_synced=now())
        return await self.status(project_id)

    def changed(self, items: Sequence[WorkItem]) -> None:
        self.is_behind = True


def _line(item: WorkItem) -> str:
    mark = "x" if item.status is WorkItemStatus.DONE else " "
    return f"- [{mark}] {item.key} {item.title}\n"


@asynccontextmanager
async def open_tracker(context: TrackerContext) -> AsyncIterator[WorkTracker]:
    tracker = BoardTracker(context)
    yield tracker
    if tracker.is_behind:
        await tracker.sync(context.project.id)
