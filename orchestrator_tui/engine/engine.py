"""The engine in this process: takes commands, runs the pipelines of several projects, answers questions about them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never

from orchestrator_tui.config.secrets import mask_tokens
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import (
    AnswerRequest,
    Command,
    CreateProject,
    DrainWorker,
    EditArtifact,
    ImportProject,
    InterruptAgent,
    LeaveNote,
    MoveTracker,
    RemovePermission,
    ResumeProject,
    SetLimit,
    SetPriority,
    SteerAgent,
    StopProject,
    SyncTracker,
)
from orchestrator_tui.domain.errors import (
    RequestClosed,
    TrackerUnusable,
)
from orchestrator_tui.domain.events import Live, Recorded
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    Project,
    ProjectOverview,
    SessionLog,
    Snapshot,
    SyncState,
    WorkerRecord,
    WorkItem,
)
from orchestrator_tui.domain.statuses import EDITABLE, Choice, PipelineStatus, RequestKind, WorkItemStatus
from orchestrator_tui.engine import answers, bounds, relocation, tracking
from orchestrator_tui.engine.bounds import OwnerLimitsNow
from orchestrator_tui.engine.bus import Bus, follow
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.cluster import drain
from orchestrator_tui.engine.confinement import asks_for_sandbox
from orchestrator_tui.engine.creation import create_project
from orchestrator_tui.engine.folders import Folders, is_outdated
from orchestrator_tui.engine.importing import checked_folder, import_project
from orchestrator_tui.engine.instructions import step_in
from orchestrator_tui.engine.looking import Onlooker
from orchestrator_tui.engine.priority import set_priority
from orchestrator_tui.engine.runs import PassOn, Runs
from orchestrator_tui.engine.tracking import OpenTrackerOf
from orchestrator_tui.phases.faces import artifact_markdown


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """Where new projects go and how they are set up.

    Attributes:
        folders: where projects lie on this machine.
        config: what is stored with a new project, so that a resume finds the same settings.
        workspace_of: the folder of a project, for looking at it.
        settings: those of this start; the limits of projects are in them.
        owner_limits: what the projects of each owner may use together, as the settings say by now.
        person: whose projects are that are made without saying by whom.
        hide: takes credentials out of what a person says.
        preflight: refuses a new project (rehearsal or not, and what is stored with it) that could not run, before
            anything is made.
        new_tracker: the kind of tracker for a new project, from what is stored with it.
        open_tracker: a tracker of a project, by its kind.
    """

    folders: Folders
    config: Mapping[str, Any]
    preflight: Callable[[bool, Mapping[str, Any]], Awaitable[None]]
    workspace_of: Callable[[Project], Checkout]
    settings: SettingsModel
    owner_limits: OwnerLimitsNow
    person: str
    new_tracker: Callable[[Mapping[str, Any]], str]
    open_tracker: OpenTrackerOf
    hide: Callable[[str], str] = mask_tokens


class LocalEngine(EngineClient):
    """Carries out what is commanded; `runs` are the projects that are at work by it."""

    def __init__(self, store: Store, bus: Bus, runs: Runs, options: EngineOptions) -> None:
        self._store = store
        self._bus = bus
        self._runs = runs
        self._options = options

    # Commands

    async def submit(self, command: Command) -> str:
        command = self._hidden(command)
        match command:
            case CreateProject():
                config = {**self._options.config, **command.config}
                await self._options.preflight(command.rehearsal, config)
                config |= {"backend": self._options.new_tracker(config)}
                command = replace(command, by=command.by or self._options.person)
                project = await create_project(self._store, command, folders=self._options.folders, config=config)
                await self._begin(project)
                return project.id
            case ImportProject():
                return await self._import(command)
            case ResumeProject(project_id=project_id, if_waiting=True):
                await self._runs.start_if_waiting(project_id)
                return project_id
            case ResumeProject(project_id=project_id):
                project = await self._store.find_project(project_id)
                await self._resume(project)
                return project.id
            case StopProject(project_id=project_id):
                project = await self._store.find_project(project_id)
                await self._runs.stop(project, command.reason, force=command.force)
                return project.id
            case AnswerRequest():
                return await self._answer(command)
            case EditArtifact():
                return await self._edit(command)
            case SetLimit(project_id=project_id):
                await bounds.set_limit(self._store, command, self._options.settings)
                return project_id
            case SetPriority(project_id=project_id):
                await set_priority(self._store, command, self._options.settings)
                await self._runs.queue_anew(project_id)
                return project_id
            case SyncTracker(project_id=project_id):
                await tracking.sync(self._runs, await self._store.find_project(project_id), self._options.open_tracker)
                return project_id
            case MoveTracker(project_id=project_id):
                project = await self._store.find_project(project_id)
                await tracking.move(self._runs, project, command, self._options.open_tracker)
                return project_id
            case SteerAgent() | LeaveNote() | InterruptAgent():
                await step_in(self._store, command)
                return command.project_id
            case RemovePermission():
                await answers.remove_permission(self._store, command)
                return command.project_id
            case DrainWorker(worker=worker):
                return await drain(self._store.roster, worker)
            case _:
                assert_never(command)

    async def _import(self, command: ImportProject) -> str:
        folder = await asyncio.to_thread(checked_folder, Path(command.directory))
        workspace_of, anew = self._options.workspace_of, command.new_repository
        by, known = command.by or self._options.person, None
        # A folder that is not here is not gone where every machine has its own.
        if self._options.folders.are_shared:
            known = await relocation.take_up(self._runs, folder, workspace_of=workspace_of, new_repository=anew)
        return known or await import_project(self._store, folder, workspace_of=workspace_of, new_repository=anew, by=by)

    async def _begin(self, project: Project) -> None:
        """Start a project that was just made.

        Raises:
            TrackerUnusable: a person has to put something right first; it need not be made again after that.
        """
        try:
            await self._runs.start(project.id)
        except TrackerUnusable as error:
            again = f"Then resume project {project.number}, which is there now."
            raise TrackerUnusable(error.message, hint=f"{error.hint} {again}".lstrip()) from error

    def _hidden(self, command: Command) -> Command:
        """A person's words without credentials, which come from the environment only and are stored nowhere."""
        hide = self._options.hide
        match command:
            case CreateProject():
                name = hide(command.name) if command.name is not None else None
                return replace(command, idea=hide(command.idea), name=name)
            case AnswerRequest(text=str(text)):
                return replace(command, text=hide(text))
            case EditArtifact():
                return replace(command, markdown=hide(command.markdown))
            case SteerAgent() | LeaveNote():
                return replace(command, text=hide(command.text))
            case _:
                return command

    async def _answer(self, command: AnswerRequest) -> str:
        if command.choice is Choice.STOP:
            request = await self._store.get_request(command.request_id)
            await self._runs.stop(await self._store.find_project(request.project_id), "user_request")
            return request.project_id
        if command.choice is Choice.APPROVE:
            await self._take_in_file(command)
        request = await answers.answer(self._store, command)
        project = await self._store.find_project(request.project_id)
        if project.status is PipelineStatus.PAUSED:
            await self._runs.start(project.id)
        return project.id

    async def _edit(self, command: EditArtifact) -> str:
        request = await self._store.get_request(command.request_id)
        workspace = self._options.workspace_of(await self._store.find_project(request.project_id))

        async def write_face(artifact: Artifact) -> None:
            is_here = self._options.folders.are_shared or workspace.directory.is_dir()
            if artifact.file_path and is_here:
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
        text = await asyncio.to_thread(self._text_of, project, artifact) if artifact.file_path else None
        if text is None or text.strip() in ("", artifact_markdown(project, artifact).strip()):
            return
        edit = EditArtifact(
            request_id=request.id, content_hash=request.content_hash, markdown=text, by=str(artifact.file_path)
        )
        await answers.edit(self._store, edit)
        raise RequestClosed(
            f"{artifact.file_path} was changed meanwhile; its text is the document now.", hint="Look at it first."
        )

    def _text_of(self, project: Project, artifact: Artifact) -> str | None:
        """What stands in a document's file, if that is the document as it is now, or newer."""
        workspace = self._options.workspace_of(project)
        name = str(artifact.file_path)
        if not self._options.folders.are_shared and is_outdated(workspace.directory / name, artifact):
            return None
        return workspace.read_note(Path(name).name)

    async def _resume(self, project: Project) -> None:
        if await self._runs.is_running(project):
            return
        waiting = await self._store.open_requests(project.id)
        if not all(request.kind is RequestKind.ERROR_DECISION or asks_for_sandbox(request) for request in waiting):
            if project.status is PipelineStatus.PAUSED:
                return
        elif waiting:
            # Asking for the project to go on is the decision to try again; what is still missing is asked for anew.
            async with self._store.transaction() as unit:
                await unit.withdraw_requests(project.id)
                for request in waiting:
                    unit.record(project.id, events.InputWithdrawn(request_id=request.id, kind=request.kind))
        await self._runs.start(project.id)

    # Handing over

    @property
    def is_at_work(self) -> bool:
        """Whether any project runs here, or will by itself."""
        return self._runs.is_at_work

    async def hand_over(self, pass_on: PassOn, hurry: asyncio.Event) -> Sequence[str]:
        """See `Runs.hand_over`; `pass_on` sends another process `ResumeProject(if_waiting=True)`."""
        return await self._runs.hand_over(pass_on, hurry)

    async def take_back(self) -> None:
        """See `Runs.take_back`."""
        await self._runs.take_back()

    async def take_webhook(self, tracker: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Give a tracker's webhook to every project at work here whose items are kept there; returns whether one of
        them looks now what changed. Those that rest do so when they go on.

        Raises:
            WebhookRejected: it was not sent by the tracker, or not now.
        """
        # Each has to hear of it, whatever the one before it says.
        looks = [one.handle_webhook(body, headers) for one in self._runs.trackers() if one.kind == tracker]
        return any(looks)

    # Questions

    @asynccontextmanager
    async def subscribe(self, after_seq: int, *, project_id: str | None = None) -> AsyncIterator[AsyncIterator[Live]]:
        def wanted(candidate: str) -> bool:
            return project_id is None or candidate == project_id

        with self._bus.subscription(from_all=True) as subscription:
            async with aclosing(follow(self._store, subscription, after_seq, wanted=wanted)) as stream:
                yield stream

    async def snapshot(self, *, before: int | None = None, limit: int = 100) -> Snapshot:
        return await self._store.snapshot(before=before, limit=limit)

    async def workers(self) -> Sequence[WorkerRecord]:
        return await self._store.roster.workers()

    async def find_project(self, reference: str) -> Project:
        return await self._store.find_project(reference)

    async def projects(self, *, after: int = 0, limit: int = 100) -> Sequence[Project]:
        return await self._store.list_projects(after=after, limit=limit)

    async def overview(self, project_id: str) -> ProjectOverview:
        return await self._store.overview(project_id)

    async def bounds(self, project_id: str) -> Bounds:
        project = await self._store.find_project(project_id)
        options = self._options
        return await bounds.read_bounds(self._store, project, options.settings, options.owner_limits(), now())

    async def items(
        self, project_id: str, *, status: WorkItemStatus | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[WorkItem]:
        return await self._store.list_items(project_id, status=status, after=after, limit=limit)

    async def comments(self, item_id: str, *, after: str | None = None, limit: int | None = None) -> Sequence[Comment]:
        return await self._store.list_comments(item_id, after=after, limit=limit)

    async def tracker(self, project_id: str) -> SyncState:
        return await tracking.state_of(self._store, self._runs, await self._store.find_project(project_id))

    async def tracker_plan(self, project_id: str, kind: str) -> Sequence[str]:
        project = await self._store.find_project(project_id)
        return await tracking.plan(self._store, project, kind, self._options.open_tracker)

    async def item_diff(self, item_id: str) -> str:
        item = await self._store.get_item(item_id)
        return await (await self._onlooker(item.project_id)).item(item)

    async def commits(self, project_id: str, *, limit: int = 500) -> Sequence[CommitEntry]:
        return await (await self._onlooker(project_id)).commits(limit)

    async def commit_diff(self, project_id: str, commit: str | None) -> str:
        onlooker = await self._onlooker(project_id)
        return await onlooker.changes() if commit is None else await onlooker.commit(commit)

    async def _onlooker(self, project_id: str) -> Onlooker:
        project = await self._store.find_project(project_id)
        return Onlooker(
            self._store,
            project,
            self._options.workspace_of(project),
            is_shared=self._options.folders.are_shared,
            me=self._runs.owner,
        )

    async def artifact_text(self, artifact_id: str) -> str:
        artifact = await self._store.get_artifact(artifact_id)
        return artifact_markdown(await self._store.find_project(artifact.project_id), artifact)

    async def artifacts(
        self, project_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Artifact]:
        return await self._store.list_artifacts(project_id, after=after, limit=limit)

    async def sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        return await self._store.list_sessions(project_id, after=after, limit=limit)

    async def requests(
        self, project_id: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[InputRequest]:
        return await self._store.open_requests(project_id, after=after, limit=limit)

    async def events(
        self, *, after_seq: int = 0, project_id: str | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return await self._store.events(after_seq=after_seq, project_id=project_id, limit=limit)

    async def latest_events(
        self, project_id: str, *, before_seq: int | None = None, limit: int = 500
    ) -> Sequence[Recorded]:
        return await self._store.latest_events(project_id, before_seq=before_seq, limit=limit)
