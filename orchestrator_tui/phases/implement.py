"""Implement: one session an item, and the engine's own check decides whether it is done."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator_tui.backends.base import ATTEMPTS, DECISION, WorkTracker
from orchestrator_tui.config.settings import PhaseSettings
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import (
    DecisionAwaited,
    GaveUp,
    LeaseLost,
    OrchestratorError,
    PhaseFailed,
    StaleState,
    StoreUnavailable,
)
from orchestrator_tui.domain.records import PhaseResult, WorkItem
from orchestrator_tui.domain.statuses import Autonomy, Pattern, PhaseName, PhaseStatus, WorkItemStatus
from orchestrator_tui.engine.conversation import Conversation, Task
from orchestrator_tui.engine.handback import hand_back
from orchestrator_tui.engine.workspace import verified
from orchestrator_tui.phases import context
from orchestrator_tui.phases.answers import WorkDone
from orchestrator_tui.phases.attempts import ENGINE, Attempts, ItemBook, Objection, red, refused
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.decisions import Decisions, leave_out
from orchestrator_tui.phases.repair import Repair
from orchestrator_tui.phases.services import Services, content_of

DEVELOPER = "developer"
NOTHING_CHANGED = (
    "no file of the project has changed, so nothing was done for this item. Do it; if it is fulfilled already, "
    "add the test that proves its acceptance criteria, or answer `blocked` and say why"
)


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
        decisions = Decisions(self._services, work_tracker)
        while True:
            # Before an item is looked for: what is decided after that is decided for the next run.
            waiting = await decisions.act(given.project.id)
            item = await self._next(given, work_tracker)
            if item is None:
                return await self._result(given, work_tracker, waiting)
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

    async def _next(self, given: PhaseInput, tracker: WorkTracker) -> WorkItem | None:
        await self._services.sessions.may_begin()
        self._services.workspace.require_room()
        if (await tracker.get_progress_summary(given.project.id)).todo:
            # Before one is claimed: an item that nothing can be done at has nothing to tell either.
            await self._services.sessions.require_budget(self.name)
        return await tracker.get_next_work_item(given.project.id, self.name)

    async def still_holds(self, input_data: PhaseInput) -> bool:
        return (await self._services.verify(input_data, verify_command(input_data))).passed

    async def _work(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, command: str) -> None:
        if await self._finished_before(given, tracker, item, command):
            return
        task = self._task(given, item, await self._prompt(given, tracker, item, command))
        attempts = Attempts(self._services, given, task, ItemBook(tracker, item))
        # Against it changes are told, also those that the agent has committed by itself.
        before = await self._repair.last_green(given)
        try:
            check = partial(self._objection, given, tracker, item, command, before, attempts)
            answer = await attempts.work(WorkDone, check)
        except GaveUp as error:
            await self._block(given, tracker, item, error.message, error.report)
            return
        if not await self._is_claimed(tracker, item):
            raise DecidedByPerson(f"{item.key} was set to something else meanwhile.")
        if answer.status == "blocked":
            await self._block(given, tracker, item, answer.summary, answer.summary)
            return
        commit = await self._services.workspace.commit(f"{item.key}: {item.title}", item_id=item.id, since=before)
        if commit is not None:
            self._services.tell(given, self._services.committed(given, commit, item))
        await self._done(given, tracker, item, answer.summary, answer.notes)

    async def _objection(
        self,
        given: PhaseInput,
        tracker: WorkTracker,
        item: WorkItem,
        command: str,
        before: str | None,
        attempts: Attempts,
        answer: WorkDone,
        conversation: Conversation,
    ) -> Objection | None:
        """What keeps an answer from being taken: the check is red, or nothing was done. It does not matter any more
        when somebody has set the item to something else meanwhile."""
        if not await self._is_claimed(tracker, item):
            return None
        if answer.status == "blocked":
            return refused(conversation, answer.summary)
        verdict = await self._services.verify(given, command, item)
        if not verdict.passed:
            return red(self._services, verdict, attempts)
        if not await self._services.workspace.has_changed(before):
            return replace(Objection.invalid(self._services, [NOTHING_CHANGED]), kind="nothing_changed")
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

    async def _settle(self, tracker: WorkTracker, item: WorkItem, updates: Mapping[str, Any], reason: str) -> WorkItem:
        """`in_progress` becomes what `updates` say.

        Raises:
            DecidedByPerson: somebody has set it to something else.
        """
        try:
            return await tracker.update_work_item(item.id, updates, expected=WorkItemStatus.IN_PROGRESS, reason=reason)
        except StaleState as stale:
            raise DecidedByPerson(stale.message) from stale

    async def _finished_before(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, command: str) -> bool:
        """An item whose commit exists was interrupted between its commit and its record: only the record is missing."""
        if not item.metadata.get("interrupted") or await self._services.workspace.commit_of(item.id) is None:
            return False
        if not (await self._services.verify(given, command, item)).passed:
            return False
        answer = await self._services.sessions.last_answer(given.project.id, self.name, DEVELOPER, WorkDone, item.id)
        summary = answer.summary if answer else "Its commit was there already, and the check is green."
        await self._done(given, tracker, item, summary, answer.notes if answer else "")
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

    async def _block(self, given: PhaseInput, tracker: WorkTracker, item: WorkItem, reason: str, report: str) -> None:
        """Give an item up: its half-made work is kept as a patch, and a person decides where one is asked."""
        self._services.workspace.require_room()
        patch = await self._services.workspace.set_aside(item.key, now())
        kept = (
            f" Its unfinished work is kept in {patch.relative_to(self._services.workspace.directory)}." if patch else ""
        )
        asks = given.settings.autonomy.mode is Autonomy.CHECKPOINT
        await tracker.add_comment(item.id, f"Blocked. {report}{kept}", author=ENGINE)
        decision = new_id() if asks else None
        updates = {"status": WorkItemStatus.BLOCKED, "metadata": {ATTEMPTS: [], DECISION: decision}}
        blocked = await self._settle(tracker, item, updates, reason[:300])
        self._services.tell(
            given,
            events.ErrorOccurred(
                title="Work item blocked",
                message=f"{item.key} {item.title}: {reason}{kept}",
                hint="Independent items go on.",
                phase=self.name,
                work_item_id=item.id,
            ),
        )
        if asks:
            await Decisions(self._services, tracker).ask(blocked, f"{report}{kept}")

    async def _progress(self, given: PhaseInput, tracker: WorkTracker) -> None:
        counts = await tracker.get_progress_summary(given.project.id)
        self._services.tell(given, events.PhaseProgressed(phase=self.name, done=counts.done, total=counts.total))
        await self._services.sessions.tell_foreseen(given.project.id)

    async def _result(self, given: PhaseInput, tracker: WorkTracker, waiting: frozenset[str]) -> PhaseResult:
        if waiting:
            raise DecisionAwaited("A person has to decide what becomes of blocked work items.", requests=waiting)
        left_out = await leave_out(tracker, given.project.id)
        counts = await tracker.get_progress_summary(given.project.id)
        content = {"done": counts.done, "total": counts.total, "blocked": counts.blocked}
        if counts.done < counts.total and not left_out:
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
