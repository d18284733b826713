"""The hands of the phases: sessions, prompts, the folder, the check, the store; one set for each running project."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import AgentFailed
from orchestrator_tui.domain.events import Event
from orchestrator_tui.domain.records import SessionLog, WorkItem
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.conversation import Conversation, Task
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.repository import Commit, verified, verified_commit
from orchestrator_tui.engine.rest import Bell
from orchestrator_tui.engine.sessions import PLANNING_TOOLS, WORKING_TOOLS, Failing, Sessions
from orchestrator_tui.engine.sync import Sync
from orchestrator_tui.engine.verify import Verdict, Verifier
from orchestrator_tui.engine.workspace import Workspace
from orchestrator_tui.phases.base import PhaseInput, PromptRenderer

A = TypeVar("A", bound=BaseModel)

TOLD_SEPARATELY = frozenset({PhaseName.INITIALIZE, PhaseName.IMPLEMENT, PhaseName.TESTING, PhaseName.DEPLOY})
"""Phases whose prompts do not show a person's words themselves."""

FILES_ARE_BACK = "Your uncommitted changes of then are in the files again."
FILES_ARE_THERE = "The files of the project are as they were."
FILES_ARE_LOST = (
    "You worked on another machine, which is gone or cannot be reached. The files are those of the last commit: what "
    "you had written or changed after it is not in them, although you remember doing it. Do it again."
)
FILES_ARE_AWAY = (
    "The project has moved on since, so your uncommitted changes of then are not in the files any more; "
    "they are kept in {patch}."
)


@dataclass(frozen=True, kw_only=True)
class Services:
    """What a phase may use. `workspace` is the folder that is worked in, `checkout` the project's own. `bell` rings
    when there is something new that a run has to heed."""

    store: Store
    sessions: Sessions
    render: PromptRenderer
    workspace: Workspace
    checkout: Checkout
    sync: Sync
    verifier: Verifier
    log: EventLog
    bell: Bell

    def task(
        self,
        given: PhaseInput,
        phase: PhaseName,
        role: str,
        prompt: str,
        answer: type[BaseModel],
        *,
        writes: bool,
        subject: str = "",
        attempt: int = 1,
        item: WorkItem | None = None,
        sharers: int = 1,
    ) -> Task:
        """A task for an agent with the model, tools and rules of its phase, and what a person said about it."""
        if given.feedback and phase in TOLD_SEPARATELY:
            prompt = f"{prompt}\n\n{self.render('common', 'feedback', feedback=given.feedback)}"
        system = self.render(
            "common",
            "system",
            project_name=given.project.name,
            phase=phase.value,
            role=role,
            directory=str(self.workspace.directory),
            writes=writes,
            structured=True,
        )
        return Task(
            project=given.project,
            phase=phase,
            role=role,
            system_prompt=system,
            prompt=prompt,
            model=given.settings.model_for(phase),
            tools=WORKING_TOOLS if writes else PLANNING_TOOLS,
            answer=answer,
            directory=self.workspace.directory,
            subject=subject,
            attempt=attempt,
            item=item,
            max_turns=given.settings.agent.max_turns,
            sharers=sharers,
        )

    @asynccontextmanager
    async def conversation(self, task: Task, failing: Failing | None = None) -> AsyncIterator[Conversation]:
        """The conversation about `task` that was interrupted, with the files as its agent left them; else a new one.
        When it fails, `failing` is part of the transaction that stores it.

        Raises:
            AgentFailed: the session could not be started.
            LimitReached: nothing is left for it, or it has used what it was given.
        """
        interrupted = await self.sessions.interrupted(task)
        async with AsyncExitStack() as stack:
            conversation = None
            if interrupted and await self.sessions.can_go_on(interrupted, task.directory):
                conversation = await self._resumed(stack, task, interrupted, failing)
            if conversation is None:
                if interrupted:
                    task = await self._following(task, interrupted)
                conversation = await stack.enter_async_context(self.sessions.open(task, failing))
            yield conversation

    async def _following(self, task: Task, interrupted: SessionLog) -> Task:
        """The task for an agent that follows one whose conversation is lost, with what is known of that one."""
        state = await self.store.pipeline_state(task.project.id)
        kept = next((one for one in state.agent_snapshots if one.agent_id == interrupted.id), None)
        patch = await self._set_aside(task, interrupted)
        words = (kept.conversation_summary if kept else "") or interrupted.summary
        last_call = (kept.last_tool_call if kept else None) or ""
        is_lost = patch is None and self._has_lost(task, interrupted)
        if not (words or last_call or patch or is_lost):
            return task
        told = self.render(
            "common",
            "follows",
            last_words=words,
            last_call=last_call,
            patch=str(self.workspace.shown(patch)) if patch else "",
            is_lost=is_lost,
        )
        return replace(task, hint=f"{task.hint}\n\n{told}".strip())

    async def _resumed(
        self, stack: AsyncExitStack, task: Task, interrupted: SessionLog, failing: Failing | None
    ) -> Conversation | None:
        patch = await self._set_aside(task, interrupted)
        files = FILES_ARE_LOST if self._has_lost(task, interrupted) else FILES_ARE_THERE
        if patch is not None:
            is_back = await self.workspace.put_back(patch)
            files = FILES_ARE_BACK if is_back else FILES_ARE_AWAY.format(patch=self.workspace.shown(patch))
        resume_prompt = self.render("common", "resumed", files=files)
        if task.hint:
            resume_prompt = f"{resume_prompt}\n\n{task.hint}"
        try:
            return await stack.enter_async_context(
                self.sessions.open(replace(task, resume=interrupted, resume_prompt=resume_prompt), failing)
            )
        except AgentFailed as error:
            if error.kind != "resume":
                raise
            # A new agent begins at the last commit; what is set aside stays named in the item's comments.
            if patch is not None:
                await self.workspace.set_aside(task.subject or task.role, now())
            return None

    def _has_lost(self, task: Task, interrupted: SessionLog) -> bool:
        """Whether what the interrupted session may have written is not here."""
        return task.tools == WORKING_TOOLS and self.sync.has_lost(interrupted)

    async def _set_aside(self, task: Task, interrupted: SessionLog) -> Path | None:
        """The patch with what the interrupted session had not finished, when it was set aside."""
        if task.item is not None:
            kept = task.item.metadata.get("patch")
            if kept is not None:
                patch = self.workspace.project / str(kept)
                # That of a machine that is lost is lost with it.
                is_lost = self.sync.has_lost(interrupted) and not await asyncio.to_thread(patch.exists)
                return None if is_lost else patch
            return await self.workspace.newest_patch(task.item.key, since=interrupted.started_at)
        return await self.workspace.newest_patch(task.phase.value, since=interrupted.started_at)

    async def verify(self, given: PhaseInput, command: str, item: WorkItem | None = None) -> Verdict:
        """Run the project's check, with its events.

        Raises:
            DiskFull: it is red, and there is no room left that it may have needed.
        """
        item_id = item.id if item else None
        self.tell(given, events.VerifyStarted(work_item_id=item_id, command=command))
        verdict = await self.verifier.run(command, self.workspace.directory)
        self.tell(
            given,
            events.VerifyFinished(
                work_item_id=item_id,
                command=command,
                exit_code=verdict.exit_code,
                passed=verdict.passed,
                seconds=verdict.seconds,
                output=verdict.output,
            ),
        )
        if not verdict.passed:
            self.workspace.require_room()
        return verdict

    async def commit(self, given: PhaseInput, message: str, *, phase: PhaseName | None = None) -> Commit | None:
        """Commit what is in the folder, with its event, as the newest verified state. With `phase` the commit says that
        the work of this round of it is done; see `committed_answer`."""
        commit = await self.workspace.commit(message, phase=_round_of(phase, given) if phase else None)
        await self._record(given, commit, commit.hash if commit else await self.workspace.head())
        return commit

    async def committed_answer(self, given: PhaseInput, phase: PhaseName, role: str, answer: type[A]) -> A | None:
        """What the agent of this round of a phase answered, when its work was committed before the run was
        interrupted and nothing was changed since: it is not done twice."""
        commit = await self.workspace.phase_commit(_round_of(phase, given))
        if commit is None or await self.workspace.changes():
            return None
        state = await self.store.pipeline_state(given.project.id)
        found = await self.sessions.last_answer(
            given.project.id, phase, role, answer, since=state.phases[phase].asked_at
        )
        if found is not None and verified_commit(state.last_successful_step) != commit.hash:
            await self._record(given, commit, commit.hash)
        return found

    async def _record(self, given: PhaseInput, commit: Commit | None, head: str | None) -> None:
        await self.log.flush()
        async with self.store.transaction() as unit:
            await unit.save_pipeline(given.project.id, last_successful_step=verified(head))
            if commit is not None:
                unit.record(given.project.id, commit.made())

    def tell(self, given: PhaseInput, *happened: Event) -> None:
        """Add events of this project."""
        self.log.add(given.project.id, *happened)

    def failed_output(self, verdict: Verdict, attempt: int, max_attempts: int) -> str:
        """The hint that gives a red check back to the agent."""
        return self.render(
            "implement",
            "verify_failed",
            command=verdict.command,
            exit_code=verdict.exit_code,
            output=verdict.output,
            timed_out=verdict.timed_out,
            attempt=attempt,
            max_attempts=max_attempts,
        )


def content_of(given: PhaseInput, phase: PhaseName) -> Mapping[str, Any]:
    """An earlier phase's structured artifact; empty when that phase was skipped."""
    artifact = given.artifacts.get(phase)
    return artifact.content if artifact else {}


def _round_of(phase: PhaseName, given: PhaseInput) -> str:
    return f"{phase.value} {given.round}"
