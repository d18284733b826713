"""Taking a project up in this process, for whatever is to be done with it: its lease, its folder, its run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from orchestrator_tui.config.folders import unusable
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import owner
from orchestrator_tui.domain.errors import AlreadyOwned, StoreUnavailable
from orchestrator_tui.domain.records import Lease, PipelineState, Project
from orchestrator_tui.domain.statuses import AT_WORK
from orchestrator_tui.engine import room
from orchestrator_tui.engine.cluster import Cluster
from orchestrator_tui.engine.folders import EVERYWHERE, Folders
from orchestrator_tui.engine.heartbeat import Signs, heartbeat
from orchestrator_tui.engine.remotes import Remotes
from orchestrator_tui.engine.run import Run
from orchestrator_tui.engine.shutdown import StopOrder
from orchestrator_tui.engine.sole_use import sole_use
from orchestrator_tui.engine.takeover import take_lease, was_owner
from orchestrator_tui.engine.workspace import NOTES_FOLDER, require_folder

OpenRun = Callable[[Project, Lease, StopOrder], AbstractAsyncContextManager[Run]]
"""Everything one run of a project needs, from the project's own stored settings, for the time of its lease."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How runs are taken up and stopped.

    Attributes:
        end_leftovers: ends every process that an earlier run of a project left behind; blocks for some milliseconds.
        account_of: names the account that pays for a project's sessions now; "" for none.
        lease_seconds, stop_seconds: see `RunSettings`.
        cluster: where projects go that are to run, when that is not this process.
        folders: where projects lie on this machine.
    """

    end_leftovers: Callable[[str], int]
    account_of: Callable[[Project], str]
    lease_seconds: float
    stop_seconds: float
    cluster: Cluster | None = None
    folders: Folders = EVERYWHERE


@dataclass(slots=True)
class Turn:
    """A run that may go. `stack` closes it and gives its lease back, unless that `is_lost`."""

    run: Run
    lease: Lease
    stack: AsyncExitStack
    is_lost: bool = False


class TakingUp:
    """What this process, as an `owner`, does to have a project, and what it leaves when it no longer has it."""

    def __init__(
        self,
        store: Store,
        open_run: OpenRun,
        options: RunOptions,
        remotes: Remotes,
        giving_up: asyncio.Event,
    ) -> None:
        """Once `giving_up` is set nothing is waited for any more."""
        self.owner = owner.this_process()
        self._store = store
        self._open_run = open_run
        self._options = options
        self._remotes = remotes
        self._giving_up = giving_up

    async def turn(self, project: Project, order: StopOrder) -> Turn | None:
        """The lease, and a run that may go; None when there is nothing to do.

        Raises:
            FolderGone: the project is not on this machine.
            StoreUnavailable: the database cannot be used, or what is done could not be kept on a full disk.
        """
        directory = self._options.folders.of(project)
        if self._options.folders.are_shared:
            # Before the lease: whoever has the folder may be about to take it.
            await asyncio.to_thread(require_folder, directory)
        room.require_room(directory)
        self._remotes.require(project.id)
        before = await self._store.pipeline_state(project.id)
        lease = await self._take_lease(before)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._release, lease)
            # Its tracker may have become another one before the lease was ours.
            project = await self._store.find_project(project.id)
            await self._hold_folder(stack, project, before)
            # Before anything else: what an earlier run left behind must not write beside the new one.
            await asyncio.to_thread(self._options.end_leftovers, project.id)
            run = await stack.enter_async_context(self._open_run(project, lease, order))
            # A whole repository may have to come from elsewhere first.
            async with self.beating(lease):
                with room.told_apart(directory), self._remotes.watched(project.id):
                    await run.sync.take_up()
                    goes = await run.prepare(before.last_sign_of_life)
            if not goes:
                return None
            return Turn(run, lease, stack.pop_all())

    async def stop(self, project: Project, order: StopOrder, reason: str) -> None:
        """Stop a project in order that nobody runs any more; its folder need not be here.

        Raises:
            AlreadyOwned: another process runs it, or may do so.
        """
        before = await self._store.pipeline_state(project.id)
        lease = await self._take_lease(before)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._release, lease)
            if self._options.folders.of(project).is_dir():
                await self._hold_folder(stack, project, before)
            await asyncio.to_thread(self._options.end_leftovers, project.id)
            run = await stack.enter_async_context(self._open_run(project, lease, order))
            await run.sync.step_in(was_at_work=before.status in AT_WORK)
            await run.close_sessions(before.last_sign_of_life)
            await run.stopped(reason)
            await run.sync.leave()

    @asynccontextmanager
    async def holding(self, project: Project) -> AsyncIterator[Store]:
        """Keeps every other process from running the project; the store given writes only as long as that holds.

        Raises:
            AlreadyOwned: another process runs it, or may do so.
        """
        lease = await self._take_lease(await self._store.pipeline_state(project.id))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._release, lease)
            await stack.enter_async_context(self.beating(lease))
            yield self._store.fenced(lease, self._giving_up)

    def beating(self, lease: Lease) -> AbstractAsyncContextManager[None]:
        """Keeps a lease while the project has no run."""
        return heartbeat(self._store, lease, lease_seconds=self._options.lease_seconds, signs=Signs())

    async def _take_lease(self, state: PipelineState) -> Lease:
        return await take_lease(
            self._store,
            state,
            self.owner,
            lease_seconds=self._options.lease_seconds,
            giving_up=self._giving_up,
            # Elsewhere only a person takes up what was to be stopped.
            keeps_stop=self._options.cluster is not None,
        )

    async def _hold_folder(self, stack: AsyncExitStack, project: Project, before: PipelineState) -> None:
        """Have the project's folder on this machine to ourselves until `stack` is closed.

        Raises:
            AlreadyOwned: somebody works in it who is no owner by this database.
            DirectoryUnusable: it cannot be made.
        """
        folders = self._options.folders
        directory = folders.of(project)
        if not folders.are_shared:
            try:
                await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
            except OSError as error:
                raise unusable(directory, error) from error
        notes = directory / NOTES_FOLDER
        try:
            stack.enter_context(sole_use(notes, self.owner, over=before.owner))
        except AlreadyOwned as held:
            # One that is frozen on this machine may have been followed by several on others.
            if folders.are_shared or not await was_owner(self._store, project.id, held.owner):
                raise
            stack.enter_context(sole_use(notes, self.owner, over=held.owner))

    async def _release(self, lease: Lease) -> None:
        """A lease that cannot be given back is found to be that of an ended process later."""
        with suppress(StoreUnavailable):
            async with self._store.transaction() as unit:
                await unit.release_lease(lease)
