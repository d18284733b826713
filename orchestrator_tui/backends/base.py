"""The work tracker: where work items live (the seed's interface, grown where the engine needs it).

A tracker is opened for one project, by a factory: `backends/registry.py` finds it by the name in `backend.type`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain.errors import WebhookRejected
from orchestrator_tui.domain.records import Comment, ItemCounts, Project, SyncState, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus

LINK = "link"
"""The key in an item's metadata of the address at which people find it in its tracker."""

ASKED_FOR = "asked_for"
"""The key in an item's metadata of who wants it done that was not planned so: a person's new or reopened item."""

ATTEMPTS = "attempts"
"""The key in an item's metadata of the failed attempts at it since somebody last asked for it."""

DECISION = "decision"
"""The key in a blocked item's metadata of the request about it."""

LEFT_OUT = "left_out"
"""The key in a blocked item's metadata that says that the project is finished without it."""

TOUCHES = "touches"
"""The key in an item's metadata of the files, folders and components that it is planned to change."""

HELD = "held"
"""The key in an item's metadata of who blocked it, when that was a person: a resume does not try it again."""


class WorkTracker(ABC):
    """Keeps the work items of projects. Every change of an item's status is a compare-and-set.

    What a person changes where the tracker keeps its items is taken in by itself; a person wins over the program.
    """

    kind: str
    """Its name in `backend.type`."""

    @abstractmethod
    async def initialize(self, project_id: str, project_dir: Path) -> Project:
        """Make the tracker ready for a project and return it: all its items are there, or are on their way. What
        cannot be reached now is no error: `status` tells it.

        Raises:
            TrackerUnusable: nothing of the project is there yet, and a person has to put something right first.
        """

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
            UnknownDependency: a new dependency or parent does not exist, or they would form a circle.
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
    async def note_in(
        self, unit: UnitOfWork, item_id: str, metadata: Mapping[str, Any], content: str, *, author: str
    ) -> WorkItem:
        """As part of a transaction of the caller's, merge `metadata` over what is there, and leave a note on the item
        unless `content` is empty. `noted` follows, once that is committed."""

    @abstractmethod
    def noted(self, item: WorkItem) -> None:
        """What `note_in` has made of an item is committed."""

    @abstractmethod
    async def list_comments(self, item_id: str) -> Sequence[Comment]:
        """An item's notes, oldest first."""

    @abstractmethod
    async def get_progress_summary(self, project_id: str) -> ItemCounts:
        """How many items are in each state."""

    @abstractmethod
    async def sync(self, project_id: str) -> SyncState:
        """Bring both sides to the same state now, as far as that is possible; what is not is told in the result."""

    @abstractmethod
    async def status(self, project_id: str) -> SyncState:
        """How the tracker stands; asks nobody outside of this process but the database."""

    def handle_webhook(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Take a webhook of where the items are kept, `body` as it was received; what changed is read at once, beside
        this call. Returns whether there is something to look at.

        Raises:
            WebhookRejected: it was not sent from there, or not now.
        """
        raise WebhookRejected(f"{self.kind} takes no webhooks.")

    async def preview(self, project_id: str) -> Sequence[str]:
        """What `initialize` would make where the tracker keeps its items, a line each; nothing is made."""
        return ()

    async def retire(self, project_id: str) -> None:
        """The project's items have moved to another tracker: leave what people find here in order."""
        return


@dataclass(frozen=True, kw_only=True)
class TrackerContext:
    """What a tracker is opened with.

    Attributes:
        store: the program's database, where the engine finds items whatever the tracker.
        settings: those of the project. environ: the program's environment, for credentials.
    """

    project: Project
    store: Store
    settings: SettingsModel
    environ: Mapping[str, str] = field(repr=False)


OpenTracker = Callable[[TrackerContext], AbstractAsyncContextManager[WorkTracker]]
"""Opens the tracker of a project; nothing outside is made or changed before `initialize`.

Raises:
    OrchestratorError: it cannot be used at all: no credentials, another process has it.
"""
