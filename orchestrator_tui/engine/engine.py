"""The engine in this process: takes commands, runs the pipelines of several projects, answers questions about them."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, assert_never

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events, owner
from orchestrator_tui.domain.commands import (
    AnswerRequest,
    Command,
    CreateProject,
    EditArtifact,
    ImportProject,
    ResumeProject,
    StopProject,
)
from orchestrator_tui.domain.errors import (
    AlreadyOwned,
    DiskFull,
    IllegalTransition,
    LeaseLost,
    OrchestratorError,
    RequestClosed,
    StoreUnavailable,
)
from orchestrator_tui.domain.events import Live, Recorded
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    Lease,
    PipelineState,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    WorkItem,
)
from orchestrator_tui.domain.statuses import EDITABLE, Choice, PipelineStatus, RequestKind, WorkItemStatus
from orchestrator_tui.engine import answers, room
from orchestrator_tui.engine.bus import Bus, follow
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.creation import create_project
from orchestrator_tui.engine.importing import import_project
from orchestrator_tui.engine.run import Run
from orchestrator_tui.engine.shutdown import StopOrder
from orchestrator_tui.engine.takeover import take_lease
from orchestrator_tui.engine.workspace import Workspace
from orchestrator_tui.phases.faces import artifact_markdown

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.5, 5.0
"""How long it takes at first, and at most, until it is tried again whether a lost database is back."""

OpenRun = Callable[[Project, Lease, StopOrder], AbstractAsyncContextManager[Run]]
"""Everything one run of a project needs, from the project's own stored settings, for the time of its lease."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """Where new projects go and how they are set up.

    Attributes:
        config: what is stored with a new project, so that a resume finds the same settings.
        workspace_of: the folder of a project, for looking at it.
        end_leftovers: ends every process that an earlier run of a project left behind; blocks for some milliseconds.
        lease_seconds, stop_seconds: see `RunSettings`.
        preflight: refuses a new project (rehearsal or not) that could not run, before anything is made.
    """

    workspace: Path
    config: Mapping[str, Any]
    preflight: Callable[[bool], Awaitable[None]]
    workspace_of: Callable[[Project], Workspace]
    end_leftovers: Callable[[str], int]
    lease_seconds: float
    stop_seconds: float


@dataclass(slots=True)
class _Running:
    """A project at work here: what can stop it, over all its runs, and the task that sees to it."""

    stop: StopOrder
    task: "asyncio.Task[None] | None" = None

    async def ended(self) -> None:
        """Wait until it no longer is."""
        if self.task is not None:
            await asyncio.wait({self.task})


@dataclass(slots=True)
class _Turn:
    """A run that may go. `stack` closes it and gives its lease back, unless that `is_lost`."""

    run: Run
    lease: Lease
    stack: AsyncExitStack
    is_lost: bool = False


class LocalEngine(EngineClient):
    """An async context manager; leaving it stops every run of this process gracefully."""

    def __init__(self, store: Store, bus: Bus, open_run: OpenRun, options: EngineOptions) -> None:
        self._store = store
        self._bus = bus
        self._open_run = open_run
        self._options = options
        self._owner = owner.this_process()
        self._runs: dict[str, _Running] = {}
        # Of each project one thing at a time is taken up or stopped here: to the lease this process is one owner.
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closing = asyncio.Event()
        self._being_taken_up = set[StopOrder]()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._stop_all)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # Commands

    async def submit(self, command: Command) -> str:
        match command:
            case CreateProject():
                await self._options.preflight(command.rehearsal)
                config = {**self._options.config, **command.config}
                project = await create_project(self._store, command, workspace=self._options.workspace, config=config)
                await self._start(project.id)
                return project.id
            case ImportProject(directory=directory):
                return await import_project(self._store, Path(directory), workspace_of=self._options.workspace_of)
            case ResumeProject(project_id=project_id):
                await self._resume(await self._store.find_project(project_id))
                return project_id
            case StopProject(project_id=project_id):
                await self._stop(await self._store.find_project(project_id), command.reason, force=command.force)
                return project_id
            case AnswerRequest():
                return await self._answer(command)
            case EditArtifact():
                return await self._edit(command)
            case _:
                assert_never(command)

    async def _answer(self, command: AnswerRequest) -> str:
        if command.choice is Choice.STOP:
            request = await self._store.get_request(command.request_id)
            await self._stop(await self._store.find_project(request.project_id), "user_request")
            return request.project_id
        if command.choice is Choice.APPROVE:
            await self._take_in_file(command)
        request = await answers.answer(self._store, command)
        project = await self._store.find_project(request.project_id)
        if project.status is PipelineStatus.PAUSED:
            await self._start(project.id)
        return project.id

    async def _edit(self, command: EditArtifact) -> str:
        request = await self._store.get_request(command.request_id)
        workspace = self._options.workspace_of(await self._store.find_project(request.project_id))

        async def write_face(artifact: Artifact) -> None:
            if artifact.file_path:
                await asyncio.to_thread(workspace.write_note, Path(artifact.file_path).name, command.markdown)

        await answers.edit(self._store, command, write_face)
        return request.project_id

    async def _take_in_file(self, command: AnswerRequest) -> None:
        """Somebody may have edited the document's file with a program of their own: that is an edit like any other.

        Raises:
            RequestClosed: it was; the question is asked again about the new text.
        """
        request = await self._store.get_request(command.request_id)
        is_about_document = request.kind is RequestKind.APPROVAL and request.phase in EDITABLE
        if not is_about_document or request.content_hash != command.content_hash:
            return
        artifact = await self._store.get_artifact(request.artifact_id or "")
        project = await self._store.find_project(request.project_id)
        note = Path(artifact.file_path or "").name
        text = await asyncio.to_thread(self._options.workspace_of(project).read_note, note) if note else None
        if text is None or text.strip() in ("", artifact_markdown(project, artifact).strip()):
            return
        edit = EditArtifact(
            request_id=request.id, content_hash=request.content_hash, markdown=text, by=str(artifact.file_path)
        )
        await answers.edit(self._store, edit)
        raise RequestClosed(
            f"{artifact.file_path} was changed meanwhile; its text is the document now.", hint="Look at it first."
        )

    async def _resume(self, project: Project) -> None:
        if await self._is_running(project):
            return
        waiting = await self._store.open_requests(project.id)
        if any(request.kind is not RequestKind.ERROR_DECISION for request in waiting):
            if project.status is PipelineStatus.PAUSED:
                return
        elif waiting:
            # Asking for the project to go on is the decision to try again.
            async with self._store.transaction() as unit:
                await unit.withdraw_requests(project.id)
                for request in waiting:
                    unit.record(project.id, events.InputWithdrawn(request_id=request.id, kind=request.kind))
        await self._start(project.id)

    async def _start(self, project_id: str) -> None:
        """Take the lease and run the project in a task of its own; it is running when this returns."""
        async with self._locks[project_id]:
            project = await self._store.find_project(project_id)
            if self._closing.is_set() or await self._is_running(project):
                return
            order = self._stop_order()
            self._being_taken_up.add(order)
            try:
                turn = await self._taken_up(project, order)
            finally:
                self._being_taken_up.discard(order)
            if turn is None:
                return
            running = _Running(order)
            task = running.task = asyncio.create_task(self._run(project, turn), name=f"pipeline-{project.slug}")
            self._runs[project.id] = running
            task.add_done_callback(lambda _: self._runs.pop(project.id, None))

    def _stop_order(self) -> StopOrder:
        return StopOrder(self._options.stop_seconds)

    async def _taken_up(self, project: Project, order: StopOrder) -> _Turn | None:
        """The lease, and a run that may go; None when there is nothing to do.

        Raises:
            StoreUnavailable: the database cannot be used, or what is done could not be kept on a full disk.
        """
        directory = Path(project.directory)
        room.require_room(directory)
        before = await self._store.pipeline_state(project.id)
        lease = await self._take_lease(before)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._release, lease)
            # Before anything else: what an earlier run left behind must not write beside the new one.
            await asyncio.to_thread(self._options.end_leftovers, project.id)
            run = await stack.enter_async_context(self._open_run(project, lease, order))
            with room.told_apart(directory):
                await run.workspace.mend()
                goes = await run.prepare(before.last_sign_of_life)
            if not goes:
                return None
            return _Turn(run, lease, stack.pop_all())

    async def _is_running(self, project: Project) -> bool:
        """Whether a run of ours is at work; one that has come to rest is waited for, so that another can follow."""
        running = self._runs.get(project.id)
        if running is None:
            return False
        if project.status is PipelineStatus.RUNNING:
            return True
        await running.ended()
        return False

    async def _run(self, project: Project, turn: _Turn | None) -> None:
        """Run the project until it rests. One that lost its database, or has no room left, is taken up again once
        it is back, in the same way as after a crash."""
        while turn is not None:
            try:
                await self._go(project, turn)
                return
            except asyncio.CancelledError:
                raise
            except LeaseLost as lost:
                logger.warning("%s: %s", project.slug, lost.message)
                turn.is_lost = True
                return
            except StoreUnavailable as error:
                await self._tell_trouble(project, error)
            except Exception as error:
                logger.exception("the run of %s broke", project.slug)
                await self._tell(turn.run, error)
                return
            finally:
                await finish(self._closed(turn))
            turn = await self._once_the_store_is_back(project, turn.run.stop)

    async def _go(self, project: Project, turn: _Turn) -> None:
        options = self._options
        with room.told_apart(Path(project.directory)):
            await turn.run.go(turn.lease, lease_seconds=options.lease_seconds, stop_seconds=options.stop_seconds)

    async def _tell_trouble(self, project: Project, error: StoreUnavailable) -> None:
        """Tell what the project waits for; a full disk need not be that of the database, which can then keep it."""
        logger.warning("%s: %s", project.slug, error.message)
        self._bus.fail(error)
        if isinstance(error, DiskFull):
            with suppress(StoreUnavailable):
                async with self._store.transaction() as unit:
                    told = events.ErrorOccurred(title=error.title, message=error.message, hint=error.hint)
                    unit.record(project.id, told)

    async def _closed(self, turn: _Turn) -> None:
        """Give the lease back; the state file then says that nobody runs the project."""
        await turn.stack.aclose()
        if not turn.is_lost:
            with suppress(StoreUnavailable):
                await turn.run.pipeline.mirror()

    async def _once_the_store_is_back(self, project: Project, order: StopOrder) -> _Turn | None:
        """The project's next turn; None when it is to stop, or somebody else has it by then."""
        wait = FIRST_LOOK_SECONDS
        while not order.wanted.is_set():
            try:
                return await self._taken_up(project, order)
            except StoreUnavailable:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await order.wanted.wait()
                wait = min(2 * wait, LONGEST_LOOK_SECONDS)
            except OrchestratorError as error:
                logger.warning("%s cannot go on: %s", project.slug, error.line())
                return None
        return None

    async def _tell(self, run: Run, error: Exception) -> None:
        """Store that a run broke; when even that cannot be stored, tell whoever listens."""
        try:
            await run.broke(error)
        except StoreUnavailable as unavailable:
            self._bus.fail(unavailable)

    async def _take_lease(self, state: PipelineState) -> Lease:
        return await take_lease(
            self._store, state, self._owner, lease_seconds=self._options.lease_seconds, giving_up=self._closing
        )

    async def _release(self, lease: Lease) -> None:
        """A lease that cannot be given back is found to be that of an ended process later."""
        with suppress(StoreUnavailable):
            async with self._store.transaction() as unit:
                await unit.release_lease(lease)

    async def _stop(self, project: Project, reason: str, *, force: bool = False) -> None:
        told = False
        while True:
            async with self._locks[project.id]:
                running = self._runs.get(project.id)
                if running is None:
                    project = await self._store.find_project(project.id)
                    # One that was told may have come to rest by itself in that moment.
                    if not told or project.status in (PipelineStatus.PAUSED, PipelineStatus.RUNNING):
                        await self._stop_idle(project, reason)
                    return
            running.stop.give(reason, force=force)
            await running.ended()
            told = True

    async def _stop_idle(self, project: Project, reason: str) -> None:
        """Stop a project that no run of ours has: it only waits for a person, or another process has it, or had it."""
        if project.status is PipelineStatus.STOPPED:
            return
        if project.status not in (PipelineStatus.PAUSED, PipelineStatus.RUNNING, PipelineStatus.STOPPING):
            raise IllegalTransition(f"{project.name} is {project.status}.", hint="There is nothing to stop.")
        before = await self._store.pipeline_state(project.id)
        try:
            lease = await self._take_lease(before)
        except AlreadyOwned as error:
            await self._stop_elsewhere(project, error.owner, reason)
            return
        order = self._stop_order()
        order.give(reason)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._release, lease)
            await asyncio.to_thread(self._options.end_leftovers, project.id)
            run = await stack.enter_async_context(self._open_run(project, lease, order))
            await run.workspace.mend()
            await run.close_sessions(before.last_sign_of_life)
            await run.stopped(reason)

    async def _stop_elsewhere(self, project: Project, owner: str, reason: str) -> None:
        """Ask the process that runs the project to stop it; its events tell how that goes."""
        async with self._store.transaction() as unit:
            if await unit.request_stop(project.id, owner):
                unit.record(project.id, events.StopRequested(owner=owner, reason=reason))

    async def _stop_all(self) -> None:
        self._closing.set()
        for order in self._being_taken_up:
            order.give("shutdown")
        for lock in list(self._locks.values()):
            # What is being taken up just now is among the runs then.
            async with lock:
                pass
        running = list(self._runs.values())
        for one in running:
            one.stop.give("shutdown")
        for one in running:
            await one.ended()

    # Questions

    @asynccontextmanager
    async def subscribe(self, after_seq: int, *, project_id: str | None = None) -> AsyncIterator[AsyncIterator[Live]]:
        def wanted(candidate: str) -> bool:
            return project_id is None or candidate == project_id

        with self._bus.subscription() as subscription:
            async with aclosing(follow(self._store, subscription, after_seq, wanted=wanted)) as stream:
                yield stream

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        return await self._store.snapshot(before=before, limit=limit)

    async def find_project(self, reference: str) -> Project:
        return await self._store.find_project(reference)

    async def projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]:
        return await self._store.list_projects(after=after, limit=limit)

    async def overview(self, project_id: str) -> ProjectOverview:
        return await self._store.overview(project_id)

    async def items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        return await self._store.list_items(project_id, status=status, after=after, limit=limit)

    async def comments(self, item_id: str) -> Sequence[Comment]:
        return await self._store.list_comments(item_id)

    async def item_diff(self, item_id: str) -> str:
        item = await self._store.get_item(item_id)
        workspace = self._options.workspace_of(await self._store.find_project(item.project_id))
        commit = item.metadata.get("commit")
        if isinstance(commit, str):
            return await workspace.show(commit)
        return await workspace.difference() if item.status is WorkItemStatus.IN_PROGRESS else ""

    async def commits(self, project_id: str, *, limit: int = 500) -> Sequence[CommitEntry]:
        return await self._options.workspace_of(await self._store.find_project(project_id)).log(limit)

    async def commit_diff(self, project_id: str, commit: str | None) -> str:
        workspace = self._options.workspace_of(await self._store.find_project(project_id))
        return await workspace.difference() if commit is None else await workspace.show(commit)

    async def artifact_text(self, artifact_id: str) -> str:
        artifact = await self._store.get_artifact(artifact_id)
        return artifact_markdown(await self._store.find_project(artifact.project_id), artifact)

    async def artifacts(self, project_id: str) -> Sequence[Artifact]:
        return await self._store.list_artifacts(project_id)

    async def sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        return await self._store.list_sessions(project_id, after=after, limit=limit)

    async def requests(self, project_id: str | None = None) -> Sequence[InputRequest]:
        return await self._store.open_requests(project_id)

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return await self._store.events(after_seq=after_seq, project_id=project_id, limit=limit)

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return await self._store.latest_events(project_id, before_seq=before_seq, limit=limit)
