"""Writes a project's life as events with fixed times, and gives the records a store would have made of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Event
from orchestrator_tui.domain.records import (
    Artifact,
    Comment,
    CommitEntry,
    InputRequest,
    PhaseState,
    Project,
    SessionLog,
    Usage,
    WorkItem,
)
from orchestrator_tui.domain.statuses import (
    PHASE_ORDER,
    AgentStatus,
    Choice,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    WorkItemStatus,
)

MODEL = "claude-opus-4-5"
CHECK = "uv run pytest -q"


class Story:
    """What happens goes to the moment `at`, which `wait` moves on; events may be told in any order of time."""

    def __init__(self, number: int, name: str, idea: str, began: datetime, *, rehearsal: bool = False) -> None:
        self.id = name
        self.at = began
        self.told: list[tuple[datetime, Event]] = []
        self.phases = {phase: PhaseState(phase=phase) for phase in PHASE_ORDER}
        self.sessions: dict[str, SessionLog] = {}
        self.items: dict[str, WorkItem] = {}
        self.artifacts: list[Artifact] = []
        self.comments: list[Comment] = []
        self.commits: list[CommitEntry] = []
        self.requests: list[InputRequest] = []
        self.reason: str | None = None
        self.project = Project(
            id=name,
            number=number,
            name=name,
            slug=name,
            description=idea,
            status=PipelineStatus.NOT_STARTED,
            current_phase=None,
            directory=f"/home/ada/projects/{name}",
            rehearsal=rehearsal,
            config={},
            created_at=began,
            updated_at=began,
        )
        self.tell(
            events.ProjectCreated(
                number=number, name=name, slug=name, directory=self.project.directory, idea=idea, rehearsal=rehearsal
            )
        )
        self.pipeline(PipelineStatus.RUNNING)

    def tell(self, event: Event) -> None:
        """Something happens now."""
        self.told.append((self.at, event))

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    # Pipeline and phases

    def pipeline(self, new: PipelineStatus, reason: str | None = None) -> None:
        self.tell(events.PipelineStatusChanged(old=self.project.status, new=new, reason=reason))
        done = new is PipelineStatus.COMPLETED
        self.project = replace(self.project, status=new, current_phase=None if done else self.project.current_phase)
        self.reason = reason

    def begin(self, name: PhaseName, *, feedback: str | None = None) -> None:
        """The next round of a phase begins."""
        old = self.phases[name]
        self.phases[name] = replace(
            old,
            status=PhaseStatus.RUNNING,
            round=old.round + 1,
            started_at=old.started_at or self.at,
            running_since=self.at,
            feedback=feedback,
        )
        self._tell_phase(name, old)
        self.project = replace(self.project, current_phase=name)

    def end(self, name: PhaseName, new: PhaseStatus, *, error: str | None = None) -> None:
        """A phase has another status; the time it ran is counted."""
        old = self.phases[name]
        ran = (self.at - old.running_since).total_seconds() if old.running_since else 0.0
        ended = self.at if new in (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED) else None
        self.phases[name] = replace(
            old, status=new, seconds=old.seconds + ran, running_since=None, ended_at=ended, error=error
        )
        self._tell_phase(name, old, error)

    def _tell_phase(self, name: PhaseName, old: PhaseState, reason: str | None = None) -> None:
        new = self.phases[name]
        self.tell(
            events.PhaseStatusChanged(
                phase=name, old=old.status, new=new.status, round=new.round, seconds=new.seconds, reason=reason
            )
        )

    def approved(self, name: PhaseName, *, by: str = "dashboard") -> None:
        """A person reads what a phase made, and approves it."""
        request = self.ask_approval(name)
        self.wait(41)
        self.answered(request, Choice.APPROVE, by=by)
        self.end(name, PhaseStatus.COMPLETED)

    # Agents

    def agent(self, phase: PhaseName, role: str, item: WorkItem | None = None) -> str:
        """An agent starts; its id."""
        number = len(self.sessions) + 1
        agent_id = f"{self.id}-agent-{number}"
        self.sessions[agent_id] = SessionLog(
            id=agent_id,
            project_id=self.id,
            phase=phase,
            session_number=number,
            role=role,
            work_item_id=item.id if item else None,
            model=MODEL,
            started_at=self.at,
        )
        self.tell(
            events.AgentStarted(
                agent_id=agent_id,
                phase=phase,
                role=role,
                session_number=number,
                model=MODEL,
                scripted=self.project.rehearsal,
                work_item_id=item.id if item else None,
                work_item_key=item.key if item else None,
            )
        )
        self.tell(events.AgentPrompted(agent_id=agent_id, kind="task", text="# Your task"))
        return agent_id

    def says(self, agent_id: str, text: str) -> None:
        self.tell(events.AgentSaid(agent_id=agent_id, text=text))

    def uses(
        self, agent_id: str, tool: str, summary: str, output: str = "", *, failed: bool = False, **arguments: Any
    ) -> None:
        """A tool call that returns after a second."""
        call = f"{agent_id}-{len(self.told)}"
        self.tell(
            events.AgentCalledTool(agent_id=agent_id, call_id=call, tool=tool, summary=summary, arguments=arguments)
        )
        self.wait(1)
        self.tell(
            events.AgentToolReturned(agent_id=agent_id, call_id=call, is_error=failed, output=output, seconds=1.0)
        )

    def finish(
        self, agent_id: str, cost: float, tokens: int, status: AgentStatus = AgentStatus.COMPLETED, error: str = ""
    ) -> None:
        """An agent ends; three quarters of its tokens come from the cache."""
        usage = Usage(
            input_tokens=tokens // 20,
            output_tokens=tokens // 10,
            cache_read_tokens=tokens * 3 // 4,
            cache_write_tokens=tokens // 10,
            cost_usd=cost,
        )
        session = self.sessions[agent_id]
        self.sessions[agent_id] = replace(session, ended_at=self.at, status=status, usage=usage, error=error or None)
        self.tell(
            events.AgentFinished(
                agent_id=agent_id,
                status=status,
                summary="",
                error=error or None,
                usage=usage,
                seconds=(self.at - session.started_at).total_seconds(),
            )
        )

    # Work items

    def plan(
        self, title: str, *, priority: int = 3, needs: Sequence[WorkItem] = (), part_of: WorkItem | None = None,
        **more: Any,
    ) -> WorkItem:  # fmt: skip
        """A work item is created."""
        number = len(self.items) + 1
        item = WorkItem(
            id=f"{self.id}-item-{number}",
            project_id=self.id,
            number=number,
            title=title,
            priority=priority,
            parent_id=part_of.id if part_of else None,
            dependencies=tuple(one.id for one in needs),
            created_at=self.at,
            updated_at=self.at,
            **more,
        )
        self.items[item.id] = item
        self.tell(
            events.WorkItemCreated(
                work_item_id=item.id,
                key=item.key,
                title=title,
                priority=priority,
                labels=item.labels,
                parent_id=item.parent_id,
                dependencies=item.dependencies,
            )
        )
        return item

    def move(self, item: WorkItem, new: WorkItemStatus, reason: str | None = None) -> None:
        """A work item has another status."""
        old = self.items[item.id]
        done = self.at if new is WorkItemStatus.DONE else None
        self.items[item.id] = replace(old, status=new, updated_at=self.at, completed_at=done)
        self.tell(
            events.WorkItemStatusChanged(work_item_id=item.id, key=item.key, old=old.status, new=new, reason=reason)
        )

    def note(self, item: WorkItem, author: str, text: str) -> None:
        comment = Comment(
            id=f"{item.id}-note-{len(self.comments)}",
            work_item_id=item.id,
            author=author,
            content=text,
            created_at=self.at,
        )
        self.comments.append(comment)
        self.tell(
            events.WorkItemCommented(
                work_item_id=item.id, key=item.key, comment_id=comment.id, author=author, text=text
            )
        )

    def check(self, item: WorkItem | None, output: str, *, passed: bool = True, seconds: float = 2.4) -> None:
        """The engine runs the project's own check."""
        item_id = item.id if item else None
        self.tell(events.VerifyStarted(work_item_id=item_id, command=CHECK))
        self.tell(
            events.VerifyFinished(
                work_item_id=item_id,
                command=CHECK,
                exit_code=0 if passed else 1,
                passed=passed,
                seconds=seconds,
                output=output,
            )
        )

    def commit(self, message: str, files: int, insertions: int, deletions: int, item: WorkItem | None = None) -> None:
        digest = hashlib.sha1(f"{self.id} {message}".encode(), usedforsecurity=False).hexdigest()
        item_id = item.id if item else None
        entry = CommitEntry(
            hash=digest,
            subject=message,
            author="orchestrator",
            at=self.at,
            work_item_id=item_id,
            files=files,
            insertions=insertions,
            deletions=deletions,
        )
        self.commits.insert(0, entry)
        self.tell(
            events.CommitMade(
                commit=digest,
                message=message,
                work_item_id=item_id,
                files=files,
                insertions=insertions,
                deletions=deletions,
            )
        )

    # Documents and questions

    def store(self, phase: PhaseName, output_type: str, content: Mapping[str, Any]) -> Artifact:
        """What a phase made is stored."""
        round_number = self.phases[phase].round
        artifact = Artifact(
            id=f"{self.id}-{output_type}-{round_number}",
            project_id=self.id,
            phase=phase,
            output_type=output_type,
            content=content,
            content_hash=f"hash of {output_type} {round_number}",
            file_path=f".orchestrator/{output_type}.md",
            round=round_number,
            created_at=self.at,
        )
        self.artifacts.append(artifact)
        self.tell(
            events.ArtifactStored(
                artifact_id=artifact.id,
                phase=phase,
                output_type=output_type,
                content_hash=artifact.content_hash,
                file_path=artifact.file_path,
                round=round_number,
            )
        )
        return artifact

    def ask_approval(self, phase: PhaseName) -> InputRequest:
        """The newest artifact waits for approval."""
        artifact = self.artifacts[-1]
        self.end(phase, PhaseStatus.AWAITING_APPROVAL)
        what = artifact.output_type.replace("_", " ")
        return self.ask(
            RequestKind.APPROVAL,
            f"Approve the {what} of {self.project.name}",
            "",
            (Choice.APPROVE, Choice.REQUEST_CHANGES, Choice.STOP),
            phase=phase,
            artifact_id=artifact.id,
            content_hash=artifact.content_hash,
        )

    def ask(self, kind: RequestKind, title: str, body: str, choices: tuple[Choice, ...], **more: Any) -> InputRequest:
        """A person is asked; the pipeline waits."""
        given = {"phase": self.project.current_phase, "content_hash": f"hash of {title}", **more}
        request = InputRequest(
            id=f"{self.id}-request-{len(self.told)}",
            project_id=self.id,
            kind=kind,
            title=title,
            body=body,
            choices=choices,
            created_at=self.at,
            **given,
        )
        self.requests.append(request)
        self.tell(
            events.InputRequested(
                request_id=request.id,
                kind=kind,
                phase=request.phase,
                title=title,
                content_hash=request.content_hash,
                choices=choices,
            )
        )
        reason = "error" if kind is RequestKind.ERROR_DECISION else kind.value
        self.pipeline(PipelineStatus.PAUSED, reason)
        return request

    def answered(self, request: InputRequest, choice: Choice, text: str | None = None, *, by: str) -> None:
        """A person answers; the pipeline goes on."""
        self.requests.remove(request)
        self.tell(events.InputAnswered(request_id=request.id, kind=request.kind, choice=choice, text=text, by=by))
        self.pipeline(PipelineStatus.RUNNING)
