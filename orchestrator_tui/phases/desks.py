"""Where an item is worked on, and how what was made there becomes part of the project."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from orchestrator_tui.domain.errors import PhaseFailed
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.engine.conversation import Conversation
from orchestrator_tui.engine.repository import verified
from orchestrator_tui.engine.worktree import Worktree
from orchestrator_tui.phases.attempts import Attempts, Objection
from orchestrator_tui.phases.base import PhaseInput
from orchestrator_tui.phases.merge_queue import MergeQueue
from orchestrator_tui.phases.repair import Repair
from orchestrator_tui.phases.services import Services

OUTPUT_SHOWN = 600


class Desk(ABC):
    """One item's place. `services` are those of its folder, once the desk is open; `sharers` is how many agents may be
    at work at the same time."""

    def __init__(self, services: Services, given: PhaseInput, item: WorkItem, command: str, sharers: int = 1) -> None:
        self.services = services
        self.sharers = sharers
        self._given = given
        self._item = item
        self._command = command

    @abstractmethod
    async def finished_before(self) -> str | None:
        """The commit of the item's work, when an earlier run has made it and main is green. Not one that it was done
        with before somebody asked for it again."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[None]:
        """Have a folder to work in."""

    @abstractmethod
    async def base(self) -> str | None:
        """The commit that the work is told against, also what the agent has committed by itself."""

    @abstractmethod
    async def objection(self, attempts: Attempts, conversation: Conversation | None) -> Objection | None:
        """Why work that passes the check here cannot become part of the project as it is; None when nothing speaks
        against it, or when the item's status was changed meanwhile.

        It is that of the agent in the `conversation`; None for work on an item that a person calls done."""

    @abstractmethod
    async def commit(self) -> str | None:
        """The commit of the work as a part of the project; None when there is none. After `objection`."""

    @abstractmethod
    async def keep(self, commit: str | None) -> None:
        """Remember `commit` as the newest green one, unless that is done."""

    @property
    def _done_before(self) -> str | None:
        """The commit at which the item was done, where it was put back after that."""
        known = self._item.metadata.get("commit")
        return str(known) if known else None

    @property
    def _message(self) -> str:
        return f"{self._item.key}: {self._item.title}"


class SharedDesk(Desk):
    """The project's own folder, for one item at a time."""

    def __init__(self, services: Services, repair: Repair, given: PhaseInput, item: WorkItem, command: str) -> None:
        super().__init__(services, given, item, command)
        self._repair = repair

    async def finished_before(self) -> str | None:
        if await self.services.workspace.commit_of(self._item.id, after=self._done_before) is None:
            return None
        verdict = await self.services.verify(self._given, self._command, self._item)
        return await self.services.workspace.head() if verdict.passed else None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def base(self) -> str | None:
        return await self._repair.last_green(self._given)

    async def objection(self, attempts: Attempts, conversation: Conversation | None) -> Objection | None:
        return None

    async def commit(self) -> str | None:
        workspace = self.services.workspace
        commit = await workspace.commit(self._message, item_id=self._item.id, since=await self.base())
        if commit is not None:
            self.services.tell(self._given, commit.made(self._item))
        return await workspace.head()

    async def keep(self, commit: str | None) -> None:
        await self.services.log.flush()
        async with self.services.store.transaction() as unit:
            await unit.save_pipeline(self._given.project.id, last_successful_step=verified(commit))


class OwnDesk(Desk):
    """A worktree; what is made in it goes through the merge queue."""

    def __init__(
        self,
        services: Services,
        queue: MergeQueue,
        given: PhaseInput,
        item: WorkItem,
        command: str,
        sharers: int,
        prepare: str,
    ) -> None:
        """`prepare` makes a fresh worktree ready; "" for nothing."""
        super().__init__(services, given, item, command, sharers)
        self._queue = queue
        self._prepare = prepare
        self._commit: str | None = None

    async def finished_before(self) -> str | None:
        commit = await self.services.checkout.commit_of(self._item.id, after=self._done_before)
        if commit is not None:
            await self._queue.make_green()
        return commit

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        checkout, key = self.services.checkout, self._item.key
        worktree = await checkout.open_worktree(key)
        self.services = replace(self.services, workspace=worktree)
        await make_ready(self.services, self._given, self._prepare, self._item)
        yield
        # Not after an error: whoever gives the item back then keeps what is in it.
        await checkout.close_worktree(key)

    async def base(self) -> str | None:
        return await self._worktree.base()

    async def objection(self, attempts: Attempts, conversation: Conversation | None) -> Objection | None:
        brought = await self._queue.bring_in(
            self._item,
            self.services,
            self._worktree,
            self._message,
            attempts,
            conversation=conversation,
            expected=WorkItemStatus.DONE if conversation is None else WorkItemStatus.IN_PROGRESS,
        )
        if isinstance(brought, Objection):
            return brought
        self._commit = brought
        return None

    async def commit(self) -> str | None:
        return self._commit

    async def keep(self, commit: str | None) -> None:
        """The queue has."""

    @property
    def _worktree(self) -> Worktree:
        assert isinstance(self.services.workspace, Worktree)
        return self.services.workspace


async def make_ready(services: Services, given: PhaseInput, prepare: str, item: WorkItem | None = None) -> None:
    """Run the command that makes what git does not keep, in the folder of `services`; "" makes nothing.

    Raises:
        PhaseFailed: it failed.
    """
    if not prepare:
        return
    verdict = await services.verify(given, prepare, item)
    if not verdict.passed:
        raise PhaseFailed(
            f"phases.implement.prepare, `{prepare}`, ended with exit code {verdict.exit_code} in "
            f"{services.workspace.directory}: {verdict.output.strip()[-OUTPUT_SHOWN:]}",
            hint="Correct the command, or let it prepare nothing that the project does not have yet; then resume.",
        )
