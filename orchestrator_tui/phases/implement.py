"""Implement: one session an item, and the engine's own check decides whether it is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import PhaseSettings
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import (
    AgentFailed,
    LeaseLost,
    OrchestratorError,
    PhaseFailed,
    StaleState,
    StoreUnavailable,
)
from orchestrator_tui.domain.records import PhaseResult, WorkItem
from orchestrator_tui.domain.statuses import Pattern, PhaseName, PhaseStatus, WorkItemStatus
from orchestrator_tui.engine.conversation import Conversation, Task
from orchestrator_tui.engine.handback import hand_back
from orchestrator_tui.engine.workspace import verified
from orchestrator_tui.phases import context
from orchestrator_tui.phases.answers import WorkDone
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.repair import Repair
from orchestrator_tui.phases.services import FINAL, Services, content_of

ENGINE = "engine"
DEVELOPER = "developer"
NOTHING_CHANGED = (
    "no file of the project has changed, so nothing was done for this item. Do it; if it is fulfilled already, "
    "add the test that proves its acceptance criteria, or answer `blocked` and say why"
)
OUTPUT_IN_COMMENT = 3_000


class DecidedByPerson(OrchestratorError):
    """A person has set the item to something else while an agent was at work on it."""


class ImplementPhase(Phase):
    name = PhaseName.IMPLEMENT
    display_name = "Implement"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._repair = Repair(services)

    def get_prompts(self, pattern: Pattern) -> list[str]:
        return ["implement/implement", "implement/verify_failed", "implement/repair"]

    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        given, command = input_data, verify_command(input_data)
        await self._repair.make_green(given, command)
        while (item := await self._next(given, work_tracker)) is not None:
            try:
                await self._work(given, work_tracker, item, command)
            except (LeaseLost, StoreUnavailable):
                raise
            except DecidedByPerson:
                await self._leave(given, work_tracker, item, command)
            except Exception as error:
                # A stop gives items back by itself, as its fourth step.
                await hand_back(work_tracker, self._services.workspace, item, str(error))
                raise
            await self._progress(given, work_tracker)
            await self._repair.make_green(given, command)
        return await self._result(given, work_tracker)

    async def _next(self, given: PhaseInput, tracker: WorkTracker) -> WorkItem | None:
        await self._services.sessions.may_begin()
        self._services.workspace.require_room()
        return await tracker.get_next_work_item(given.project.id, self.name)

    async def still_holds(self, input_data: PhaseInput) -> bool:
        return (await self._services.verify(input_data, verify_command(input_data))).passed

    async def _work(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, command: str) -> None:
        if await self._finished_before(given, tracker, item, command):
            return
        tries = given.settings.error_recovery.max_consecutive_errors
        failure = ""
        for _ in range(tries):
            item = await tracker.get_work_item(item.id)
            if int(item.metadata.get("failed_tries", 0)) >= tries:
                break
            prompt = await self._prompt(given, tracker, item, command)
            task = self._task(given, item, prompt)
            try:
                async with self._services.conversation(task) as conversation:
                    outcome = await self._until_green(given, tracker, conversation, task, command)
            except AgentFailed as error:
                if error.kind in FINAL:
                    raise
                failure = error.message
                await self._failed_try(tracker, item, f"The session failed: {error.message}")
                continue
            if not await self._is_claimed(tracker, item):
                raise DecidedByPerson(f"{item.key} was set to something else meanwhile.")
            if outcome is not None:
                await self._finish(given, tracker, item, outcome)
                return
        await self._block(given, tracker, item, failure)

    async def _until_green(
        self, given: PhaseInput, tracker: WorkTracker, conversation: Conversation, task: Task, command: str
    ) -> WorkDone | None:
        """The agent's answer once the check is green; None when its tries are used up, or a person decides instead."""
        assert task.item is not None
        tries = given.settings.error_recovery.max_consecutive_errors
        prompt, kind = task.prompt, "task"
        for attempt in range(task.attempt, tries + 1):
            answer = await conversation.ask(prompt, WorkDone, kind=kind)
            if not await self._is_claimed(tracker, task.item):
                return None
            if answer.status == "blocked":
                return answer
            verdict = await self._services.verify(given, command, task.item)
            if verdict.passed and await self._services.workspace.changes():
                return answer
            if verdict.passed:
                await self._failed_try(tracker, task.item, NOTHING_CHANGED, attempt)
                prompt = self._services.render("common", "invalid_answer", errors=[NOTHING_CHANGED])
                kind = "nothing_changed"
                continue
            ending = verdict.output[-OUTPUT_IN_COMMENT:]
            await self._failed_try(
                tracker, task.item, f"`{command}` ended with exit code {verdict.exit_code}:\n\n{ending}", attempt
            )
            prompt, kind = self._services.failed_output(verdict, attempt, tries), "verify_failed"
        return None

    def _task(self, given: PhaseInput, item: WorkItem, prompt: str) -> Task:
        return self._services.task(
            given,
            self.name,
            DEVELOPER,
            prompt,
            WorkDone,
            writes=True,
            subject=str(item.metadata.get("ref", item.key)),
            attempt=1 + int(item.metadata.get("failed_tries", 0)),
            item=item,
        )

    async def _prompt(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, command: str) -> str:
        """The item's prompt; what surrounds the item is cut further when the item itself is long."""
        neighbours = await context.neighbours(tracker, item)
        comments = await context.comments(tracker, item)
        tree = await self._services.workspace.tree(context.TREE_LIMIT)
        text = ""
        for share in context.SHARES:
            text = self._services.render(
                self.name.value,
                "implement",
                item=context.item_facts(item),
                architecture=context.architecture_extract(given, item, int(context.ARCHITECTURE_LIMIT * share)),
                neighbours=context.shorter(neighbours, "notes", int(context.NOTES_LIMIT * share)),
                comments=context.shorter(comments, "content", int(context.COMMENT_LIMIT * share)),
                tree=context.first_lines(tree, int(context.TREE_LIMIT * share)),
                verify_command=command,
            )
            if len(text) <= context.PROMPT_LIMIT:
                break
        return text

    async def _finish(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, answer: WorkDone) -> None:
        if answer.status == "blocked":
            await self._block(given, tracker, item, answer.summary)
            return
        commit = await self._services.workspace.commit(f"{item.key}: {item.title}", item_id=item.id)
        if commit is not None:
            self._services.tell(given, self._services.committed(given, commit, item))
        await self._done(given, tracker, item, answer.summary, answer.notes)

    async def _done(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, summary: str, notes: str) -> None:
        head = await self._services.workspace.head()
        told = await tracker.list_comments(item.id)
        # It may have ended right after its note the last time.
        if not any(comment.author == DEVELOPER for comment in told):
            await tracker.add_comment(item.id, f"{summary}\n\n{notes}".strip(), author=DEVELOPER)
        await self._services.log.flush()
        async with self._services.store.transaction() as unit:
            await unit.save_pipeline(given.project.id, last_successful_step=verified(head))
        await self._settle(
            tracker,
            item,
            {"status": WorkItemStatus.DONE, "metadata": {"notes": notes[: context.NOTES_LIMIT], "commit": head}},
            "verified",
        )

    async def _settle(self, tracker: WorkTracker, item: WorkItem, updates: Mapping[str, Any], reason: str) -> None:
        """`in_progress` becomes what `updates` say.

        Raises:
            DecidedByPerson: somebody has set it to something else.
        """
        try:
            await tracker.update_work_item(item.id, updates, expected=WorkItemStatus.IN_PROGRESS, reason=reason)
        except StaleState as stale:
            raise DecidedByPerson(stale.message) from stale

    async def _finished_before(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, command: str) -> bool:
        """An item whose commit exists was interrupted between its commit and its record: only the record is missing."""
        if not item.metadata.get("interrupted") or await self._services.workspace.commit_of(item.id) is None:
            return False
        if not (await self._services.verify(given, command, item)).passed:
            return False
        await self._done(given, tracker, item, "Its commit was there already, and the check is green.", "")
        return True

    async def _is_claimed(self, tracker: WorkTracker, item: WorkItem) -> bool:
        """Whether the item is still to be worked on: a person may have set it to something else in its tracker."""
        return (await tracker.get_work_item(item.id)).status is WorkItemStatus.IN_PROGRESS

    async def _leave(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, command: str) -> None:
        """A person decided about the item while an agent was at work on it: that stands. What the agent has made is
        committed when the item is said to be done and the check is green, and else kept as a patch."""
        workspace = self._services.workspace
        status = (await tracker.get_work_item(item.id)).status
        is_done = status is WorkItemStatus.DONE
        if is_done and await workspace.changes() and (await self._services.verify(given, command, item)).passed:
            commit = await workspace.commit(f"{item.key}: {item.title}", item_id=item.id)
            if commit is not None:
                self._services.tell(given, self._services.committed(given, commit, item))
                async with self._services.store.transaction() as unit:
                    await unit.save_pipeline(given.project.id, last_successful_step=verified(commit.hash))
                await tracker.update_work_item(item.id, {"metadata": {"commit": commit.hash}})
                kept = "What the agent had made by then passes the check and is committed."
        elif patch := await workspace.set_aside(item.key, now()):
            kept = f"The agent's unfinished work is kept in {patch.relative_to(workspace.directory)}."
        else:
            kept = "The agent had changed nothing."
        await tracker.add_comment(
            item.id, f"Set to {status} by a person while an agent was at work. {kept}", author=ENGINE
        )

    async def _failed_try(self, tracker: WorkTracker, item: WorkItem, comment: str, attempt: int | None = None) -> None:
        # What fails on a full disk is no fault of the work.
        self._services.workspace.require_room()
        tried = attempt if attempt is not None else int(item.metadata.get("failed_tries", 0)) + 1
        await tracker.add_comment(item.id, comment, author=ENGINE)
        await tracker.update_work_item(item.id, {"metadata": {"failed_tries": tried}})

    async def _block(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, reason: str) -> None:
        self._services.workspace.require_room()
        text = reason or "The check was still red after every try."
        patch = await self._services.workspace.set_aside(item.key, now())
        kept = (
            f" Its unfinished work is kept in {patch.relative_to(self._services.workspace.directory)}." if patch else ""
        )
        await tracker.add_comment(item.id, f"Blocked. {text}{kept}", author=ENGINE)
        blocked = {"status": WorkItemStatus.BLOCKED, "metadata": {"failed_tries": 0}}
        await self._settle(tracker, item, blocked, text[:300])
        self._services.tell(
            given,
            events.ErrorOccurred(
                title="Work item blocked",
                message=f"{item.key} {item.title}: {text}{kept}",
                hint="Independent items go on.",
                phase=self.name,
                work_item_id=item.id,
            ),
        )

    async def _progress(self, given: PhaseInput, tracker: WorkTracker) -> None:
        counts = await tracker.get_progress_summary(given.project.id)
        self._services.tell(given, events.PhaseProgressed(phase=self.name, done=counts.done, total=counts.total))

    async def _result(self, given: PhaseInput, tracker: WorkTracker) -> PhaseResult:
        counts = await tracker.get_progress_summary(given.project.id)
        content = {"done": counts.done, "total": counts.total, "blocked": counts.blocked}
        if counts.done < counts.total:
            raise PhaseFailed(
                f"{counts.total - counts.done} of {counts.total} work items could not be finished "
                f"({counts.blocked} blocked, the others wait for them).",
                hint="Their comments say why; resume to try them again.",
            )
        return PhaseResult(status=PhaseStatus.COMPLETED, output_type="implementation", content=content)


def verify_command(given: PhaseInput) -> str:
    """The project's check, as the initialize phase left it.

    Raises:
        PhaseFailed: there is none.
    """
    command = content_of(given, PhaseName.INITIALIZE).get("verify_command")
    if not command:
        raise PhaseFailed(
            "The project has no check that the engine could run.", hint="Enable the initialize phase and resume."
        )
    return str(command)
