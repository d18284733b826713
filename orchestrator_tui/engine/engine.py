"""The engine in this process: takes commands, runs the pipelines of several projects, answers questions about them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, assert_never

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import (
    AnswerRequest,
    Command,
    CreateProject,
    EditArtifact,
    ImportProject,
    ResumeProject,
    StopProject,
)
from orchestrator_tui.domain.errors import AlreadyOwned, IllegalTransition, StoreUnavailable
from orchestrator_tui.domain.events import Live, Recorded
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    PipelineState,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    WorkItem,
)
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, RequestKind, WorkItemStatus
from orchestrator_tui.engine import answers, owner
from orchestrator_tui.engine.bus import Bus, follow
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.creation import create_project
from orchestrator_tui.engine.importing import import_project
from orchestrator_tui.engine.run import Run, last_sign_of_life
from orchestrator_tui.engine.workspace import Workspace
from orchestrator_tui.phases.faces import artifact_markdown

logger = logging.getLogger(__name__)

STALE = timedelta(minutes=5)
"""Age of a heartbeat after which its owner counts as gone (the seed's threshold)."""

RunFactory = Callable[[Project], Awaitable[Run]]
"""Makes everything a project's run needs, from the project's own stored settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """Where new projects go and how they are set up.

    Attributes:
        config: what is stored with a new project, so that a resume finds the same settings.
        workspace_of: the folder of a project, for looking at it.
        preflight: refuses a new project (rehearsal or not) that could not run, before anything is made.
    """

    workspace: Path
    config: Mapping[str, Any]
    preflight: Callable[[bool], Awaitable[None]]
    workspace_of: Callable[[Project], Workspace]
    heartbeat_seconds: float = 10.0


class LocalEngine(EngineClient):
    """An async context manager; leaving it stops every run of this process gracefully."""

    def __init__(self, store: Store, bus: Bus, make_run: RunFactory, options: EngineOptions) -> None:
        self._store = store
        self._bus = bus
        self._make_run = make_run
        self._options = options
        self._owner = owner.this_process()
        self._runs: dict[str, asyncio.Task[None]] = {}
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
                await self._start(project)
                return project.id
            case ImportProject(directory=directory):
                return await import_project(self._store, Path(directory), workspace_of=self._options.workspace_of)
            case ResumeProject(project_id=project_id):
                await self._resume(await self._store.find_project(project_id))
                return project_id
            case StopProject(project_id=project_id, reason=reason):
                await self._stop(await self._store.find_project(project_id), reason)
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
        request = await answers.answer(self._store, command)
        project = await self._store.find_project(request.project_id)
        if project.status is PipelineStatus.PAUSED:
            await self._start(project)
        return project.id

    async def _edit(self, command: EditArtifact) -> str:
        """The text counts as soon as it is stored; its face in the project's folder follows."""
        request = await answers.edit(self._store, command)
        artifact = await self._store.get_artifact(request.artifact_id or "")
        if artifact.file_path:
            workspace = self._options.workspace_of(await self._store.find_project(request.project_id))
            await asyncio.to_thread(workspace.write_note, Path(artifact.file_path).name, command.markdown)
        return request.project_id

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
        await self._start(project)

    async def _start(self, project: Project) -> None:
        """Take the lease and run the project in a task of its own; it is running when this returns."""
        if await self._is_running(project):
            raise IllegalTransition(f"{project.name} is running already.", hint="Follow it, or stop it first.")
        before = await self._store.pipeline_state(project.id)
        epoch = await self._take_lease(project, before)
        try:
            run = await self._make_run(project)
            something_to_do = await run.prepare(last_sign_of_life(before))
        except BaseException:
            await self._release(project)
            raise
        if not something_to_do:
            await self._release(project)
            return
        task = asyncio.create_task(self._run(project, run, epoch), name=f"pipeline-{project.slug}")
        self._runs[project.id] = task
        task.add_done_callback(lambda _: self._runs.pop(project.id, None))

    async def _is_running(self, project: Project) -> bool:
        """Whether a run of ours is at work; one that has come to rest is waited for, so that another can follow."""
        task = self._runs.get(project.id)
        if task is None:
            return False
        if project.status is PipelineStatus.RUNNING:
            return True
        await asyncio.wait({task})
        return False

    async def _run(self, project: Project, run: Run, epoch: int) -> None:
        try:
            await run.go(owner=self._owner, epoch=epoch, every_seconds=self._options.heartbeat_seconds)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            logger.exception("the run of %s broke", project.slug)
            await self._tell(run, error)
        finally:
            await finish(self._release_if_possible(project, run))

    async def _tell(self, run: Run, error: Exception) -> None:
        """Store that a run broke; when even that cannot be stored, tell whoever listens."""
        try:
            await run.broke(error)
        except StoreUnavailable as unavailable:
            self._bus.fail(unavailable)

    async def _release_if_possible(self, project: Project, run: Run) -> None:
        """A lease that cannot be given back is found to be that of an ended process later."""
        with suppress(StoreUnavailable):
            await self._release(project)
            await run.pipeline.mirror()

    async def _take_lease(self, project: Project, state: PipelineState) -> int:
        gone = state.owner is not None and owner.is_gone(state.owner)
        async with self._store.transaction() as unit:
            epoch = await unit.take_lease(project.id, self._owner, stale_before=now() - STALE, takeover=gone)
            unit.record(project.id, events.LeaseTaken(owner=self._owner, epoch=epoch))
        return epoch

    async def _release(self, project: Project) -> None:
        async with self._store.transaction() as unit:
            await unit.release_lease(project.id, self._owner)

    async def _stop(self, project: Project, reason: str) -> None:
        task = self._runs.get(project.id)
        if task is None:
            await self._stop_idle(project, reason)
            return
        task.cancel(reason)
        await asyncio.wait({task})
        project = await self._store.find_project(project.id)
        if project.status in (PipelineStatus.PAUSED, PipelineStatus.RUNNING):
            # It came to rest by itself in the moment it was to be stopped.
            await self._stop_idle(project, reason)

    async def _stop_idle(self, project: Project, reason: str) -> None:
        """Stop a project that nobody runs: it only waits for a person, or its process is gone."""
        state = await self._store.pipeline_state(project.id)
        if state.owner is not None and state.owner != self._owner and not owner.is_gone(state.owner):
            raise AlreadyOwned(state.owner)
        if project.status is PipelineStatus.STOPPED:
            return
        if project.status not in (PipelineStatus.PAUSED, PipelineStatus.RUNNING):
            raise IllegalTransition(f"{project.name} is {project.status}.", hint="There is nothing to stop.")
        run = await self._make_run(project)
        await run.stopped(reason)

    async def _stop_all(self) -> None:
        tasks = list(self._runs.values())
        for task in tasks:
            task.cancel("shutdown")
        if tasks:
            await asyncio.wait(tasks)

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
