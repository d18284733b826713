"""A project's tracker from outside of its run: how it stands, synced on request, its items moved to another one."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import MoveTracker
from orchestrator_tui.domain.errors import (
    AlreadyOwned,
    IllegalTransition,
    LeaseLost,
    OrchestratorError,
    TrackerUnusable,
)
from orchestrator_tui.domain.records import Project, SyncState
from orchestrator_tui.engine.runs import Runs

OpenTrackerOf = Callable[[Project, Store, str], AbstractAsyncContextManager[WorkTracker]]
"""Opens the tracker of a project, by its kind; raises OrchestratorError when it cannot be used."""


async def state_of(store: Store, runs: Runs, project: Project) -> SyncState:
    """How the project's tracker stands, from the run that has it, or as it was kept last."""
    running = runs.tracker_of(project.id)
    if running is not None:
        return await running.status(project.id)
    kept = await store.sync_state(project.id)
    return kept if kept is not None and kept.kind == project.tracker else SyncState(kind=project.tracker)


async def sync(runs: Runs, project: Project, open_tracker: OpenTrackerOf) -> SyncState:
    """Bring both sides to the same state now.

    Raises:
        IllegalTransition: another process runs the project.
        TrackerUnusable: it cannot be opened.
    """
    running = runs.tracker_of(project.id)
    if running is not None:
        # One that is just coming to rest has given its lease back.
        with suppress(LeaseLost):
            return await running.sync(project.id)
    try:
        async with runs.holding(project) as store, open_tracker(project, store, project.tracker) as tracker:
            return await tracker.sync(project.id)
    except AlreadyOwned as error:
        who = error.owner.partition(" since ")[0]
        raise IllegalTransition(
            f"{project.name} is running in {who}.", hint="Its tracker is kept in sync there, by itself."
        ) from error


async def plan(store: Store, project: Project, kind: str, open_tracker: OpenTrackerOf) -> Sequence[str]:
    """What `move` would do, a line each; nothing is done.

    Raises:
        TrackerUnusable: one of the trackers cannot be used.
    """
    if kind == project.tracker:
        left = f"; {project.leaving} is still to be left in order" if project.leaving else ""
        return [f"the items are in {kind} already{left}"]
    async with open_tracker(project, store, kind) as target:
        counts = await target.get_progress_summary(project.id)
        made = await target.preview(project.id)
    return [f"{counts.total} work items of {project.name} move from {project.tracker} to {kind}", *made]


async def move(runs: Runs, project: Project, command: MoveTracker, open_tracker: OpenTrackerOf) -> None:
    """Keep the project's items in another tracker. Ended at any moment and done again, it goes on where it was: the
    database has all items all the time, and only once they are all in the new tracker does that count.

    Raises:
        AlreadyOwned, IllegalTransition: the project is at work.
        TrackerUnusable: one of the two cannot be used now; nothing has moved.
    """
    if command.kind != project.tracker:
        # Whatever is wrong with it is told before anything is touched.
        async with open_tracker(project, runs.store, command.kind):
            pass
    async with runs.holding(project) as store:
        project = await store.find_project(project.id)
        if project.leaving is not None:
            await _leave(project, store, open_tracker, force=command.force)
        if command.kind == project.tracker:
            return
        async with _source(project, store, open_tracker, force=command.force) as source:
            state = await _fill(project, store, command.kind, open_tracker)
            counts = await store.item_counts(project.id)
            async with store.transaction() as unit:
                leaving = project.tracker if source is not None else None
                await unit.set_tracker(project.id, command.kind, leaving=leaving)
                await unit.save_sync(project.id, state)
                moved = events.TrackerMoved(old=project.tracker, new=command.kind, items=counts.total, link=state.link)
                unit.record(project.id, moved)
            if source is not None:
                await _retire(project, command.kind, store, source)


@asynccontextmanager
async def _source(
    project: Project, store: Store, open_tracker: OpenTrackerOf, *, force: bool
) -> AsyncIterator[WorkTracker | None]:
    """The present tracker, with what people changed there taken in; None when it cannot be used, with `force`.

    Raises:
        TrackerUnusable: it cannot be used, without `force`.
    """
    async with _open_if_usable(project, store, project.tracker, open_tracker, force=force) as source:
        if source is not None:
            state = await source.sync(project.id)
            if state.last_error is not None and not force:
                raise _unusable(project.tracker, state.last_error)
        yield source


@asynccontextmanager
async def _open_if_usable(
    project: Project, store: Store, kind: str, open_tracker: OpenTrackerOf, *, force: bool
) -> AsyncIterator[WorkTracker | None]:
    """The tracker of that kind; with `force` None when it cannot be opened."""
    async with AsyncExitStack() as stack:
        tracker: WorkTracker | None = None
        try:
            tracker = await stack.enter_async_context(open_tracker(project, store, kind))
        except OrchestratorError as error:
            if not force:
                raise _unusable(kind, error.line()) from error
        yield tracker


async def _fill(project: Project, store: Store, kind: str, open_tracker: OpenTrackerOf) -> SyncState:
    """Have all items in the new tracker, closed again so that everything is really there.

    Raises:
        TrackerUnusable: it cannot be reached now.
    """
    async with open_tracker(project, store, kind) as target:
        await target.initialize(project.id, Path(project.directory))
        state = await target.sync(project.id)
    if state.last_error is not None or state.pending:
        raise TrackerUnusable(
            f"Not all items are in {kind} yet: {state.last_error or f'{state.pending} are missing'}.",
            hint=f"{project.tracker} still keeps them; do it again to go on.",
        )
    return state


async def _leave(project: Project, store: Store, open_tracker: OpenTrackerOf, *, force: bool) -> None:
    """The end of a move that was cut short."""
    assert project.leaving is not None
    async with _open_if_usable(project, store, project.leaving, open_tracker, force=force) as source:
        if source is not None:
            await _retire(project, project.tracker, store, source)


async def _retire(project: Project, kind: str, store: Store, source: WorkTracker) -> None:
    await source.retire(project.id)
    async with store.transaction() as unit:
        await unit.set_tracker(project.id, kind)


def _unusable(kind: str, reason: str) -> TrackerUnusable:
    return TrackerUnusable(
        f"{kind}, which keeps the items now, cannot be used: {reason.rstrip('.')}.",
        hint="Mend that first; or move with --force, and lose what people changed there since.",
    )
