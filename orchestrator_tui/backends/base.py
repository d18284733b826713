"""The work tracker: where work items live (the seed's interface, grown where the engine needs it)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator_tui.domain.records import Comment, ItemCounts, Project, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus


class WorkTracker(ABC):
    """Keeps the work items of projects. Every change of an item's status is a compare-and-set."""

    @abstractmethod
    async def initialize(self, project_id: str, project_dir: Path) -> Project:
        """Make the tracker ready for a project and return it."""

    @abstractmethod
    async def create_work_item(self, item: WorkItem) -> WorkItem:
        """Store one item; `number` 0 means the next free one.

        Raises:
            UnknownDependency: a dependency or the parent does not exist in the project.
        """

    @abstractmethod
    async def create_work_items(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        """Store all items or none; they may depend on each other by id.

        Raises:
            UnknownDependency: a dependency or parent exists neither here nor among `items`, or they form a circle.
        """

    @abstractmethod
    async def update_work_item(
        self,
        item_id: str,
        updates: Mapping[str, Any],
        *,
        expected: WorkItemStatus | None = None,
        reason: str | None = None,
    ) -> WorkItem:
        """Change fields of an item (`status`, `title`, `description`, `priority`, `labels`, `metadata`, …).

        With `expected`, only when the item's status is that one. `metadata` is merged over what is there.

        Raises:
            StaleState: the status was another one.
            KeyError: no such item.
        """

    @abstractmethod
    async def get_next_work_item(self, project_id: str, phase: PhaseName) -> WorkItem | None:
        """Claim the next ready item: `todo`, every dependency `done`; by priority, then how many items
        wait for it (most first), then age. It is `in_progress` when returned. None when nothing is ready."""

    @abstractmethod
    async def get_work_item(self, item_id: str) -> WorkItem:
        """One item. Raises KeyError when there is none."""

    @abstractmethod
    async def list_work_items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        """Items with a number above `after`, in order of number."""

    @abstractmethod
    async def add_comment(self, item_id: str, content: str, *, author: str) -> Comment:
        """Leave a note on an item."""

    @abstractmethod
    async def list_comments(self, item_id: str) -> Sequence[Comment]:
        """An item's notes, oldest first."""

    @abstractmethod
    async def get_progress_summary(self, project_id: str) -> ItemCounts:
        """How many items are in each state."""
