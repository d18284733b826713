"""One work item from its prompt to its commit: the engine's own check decides whether it is done."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from orchestrator_tui.backends.base import ATTEMPTS, DECISION, WorkTracker
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import GaveUp, LeaseLost, OrchestratorError, StaleState, StoreUnavailable
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import Autonomy, PhaseName, WorkItemStatus
from orchestrator_tui.engine.conversation import Conversation, Task
from orchestrator_tui.engine.handback import hand_back
from orchestrator_tui.phases import context
from orchestrator_tui.phases.answers import WorkDone
from orchestrator_tui.phases.attempts import ENGINE, Attempts, ItemBook, Objection, red, refused
from orchestrator_tui.phases.base import PhaseInput
from orchestrator_tui.phases.decisions import Decisions
from orchestrator_tui.phases.desks import Desk
from orchestrator_tui.phases.services import Services

DEVELOPER = "developer"
NOTHING_CHANGED = (
    "no file of the project has changed, so nothing was done for this item. Do it; if it is fulfilled already, "
    "add the test that proves its acceptance criteria, or answer `blocked` and say why"
)


class DecidedByPerson(OrchestratorError):
    """A person has set the item to something else while an agent was at work on it."""


class ItemWork:
    """The work on one claimed item, wherever its desk is."""

    def __init__(self, desk: Desk, given: PhaseInput, tracker: WorkTracker, item: WorkItem, command: str) -> None:
        self._desk = desk
        self._given = given
        self._tracker = tracker
        self._item = item
        self._command = command

    async def do(self) -> None:
        """Do the item, or block it, or leave it as a person has decided meanwhile.

        Raises:
            LeaseLost, StoreUnavailable: the item stays as it is; whoever takes the project up gives it back.
            OrchestratorError: the item is given back.
        """
        try:
            # Interrupted between its commit and its record, only the record is missing.
            if self._item.metadata.get("interrupted") and (commit := await self._desk.finished_before()):
                # Whatever a person has set it to in this moment stands; the work is on main.
                with suppress(DecidedByPerson):
                    await self._found_finished(commit)
                return
            async with self._desk.opened():
                await self._work()
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            # Whatever ended it, the item is free again; a stop gives items back by itself, as its fourth step.
            await hand_back(self._tracker, self._services.checkout, self._item, str(error))
            raise

    @property
    def _services(self) -> Services:
        return self._desk.services

    async def _work(self) -> None:
        attempts = Attempts(
            self._services, self._given, self._task(await self._prompt()), ItemBook(self._tracker, self._item)
        )
        try:
            await self._attempt(attempts)
        except DecidedByPerson:
            await self._leave(attempts)

    async def _attempt(self, attempts: Attempts) -> None:
        try:
            answer = await attempts.work(WorkDone, partial(self._objection, attempts))
        except GaveUp as error:
            await self._block(error.message, error.report)
            return
        if not await self._is_claimed():
            raise DecidedByPerson(f"{self._item.key} was set to something else meanwhile.")
        if answer.status == "blocked":
            await self._block(answer.summary, answer.summary)
            return
        commit = await self._desk.commit()
        if commit is None:
            raise DecidedByPerson(f"{self._item.key} was set to something else for a moment.")
        await self._done(commit, answer.summary, answer.notes)

    async def _objection(self, attempts: Attempts, answer: WorkDone, conversation: Conversation) -> Objection | None:
        """What keeps an answer from being taken: the check is red, or nothing was done, or it cannot be brought in. It
        does not matter any more when somebody has set the item to something else meanwhile."""
        if not await self._is_claimed():
            return None
        if answer.status == "blocked":
            return refused(conversation, answer.summary)
        verdict = await self._services.verify(self._given, self._command, self._item)
        if not verdict.passed:
            return red(self._services, verdict, attempts)
        if not await self._services.workspace.has_changed(await self._desk.base()):
            return replace(Objection.invalid(self._services, [NOTHING_CHANGED]), kind="nothing_changed")
        return await self._desk.objection(attempts, conversation)

    def _task(self, prompt: str) -> Task:
        return self._services.task(
            self._given,
            PhaseName.IMPLEMENT,
            DEVELOPER,
            prompt,
            WorkDone,
            writes=True,
            subject=str(self._item.metadata.get("ref", self._item.key)),
            item=self._item,
            sharers=self._desk.sharers,
        )

    async def _prompt(self) -> str:
        """The item's prompt; what surrounds the item is cut further when the item itself is long."""
        item, given = self._item, self._given
        neighbours = await context.neighbours(self._tracker, item)
        comments = await context.comments(self._tracker, item)
        tree = await self._services.workspace.tree(context.TREE_LIMIT)
        text = ""
        for share in context.SHARES:
            text = self._services.render(
                PhaseName.IMPLEMENT.value,
                "implement",
                item=context.item_facts(item),
                architecture=context.architecture_extract(given, item, int(context.ARCHITECTURE_LIMIT * share)),
                neighbours=context.shorter(neighbours, "notes", int(context.NOTES_LIMIT * share)),
                comments=context.shorter(comments, "content", int(context.COMMENT_LIMIT * share)),
                tree=context.first_lines(tree, int(context.TREE_LIMIT * share)),
                verify_command=self._command,
            )
            if len(text) <= context.PROMPT_LIMIT:
                break
        return text

    async def _done(self, commit: str, summary: str, notes: str) -> None:
        told = await self._tracker.list_comments(self._item.id)
        # It may have ended right after its note the last time.
        if not any(comment.author == DEVELOPER for comment in told):
            await self._tracker.add_comment(self._item.id, f"{summary}\n\n{notes}".strip(), author=DEVELOPER)
        await self._desk.keep(commit)
        metadata = {"notes": notes[: context.NOTES_LIMIT], "commit": commit}
        await self._settle({"status": WorkItemStatus.DONE, "metadata": metadata}, "verified")

    async def _settle(self, updates: Mapping[str, Any], reason: str) -> WorkItem:
        """`in_progress` becomes what `updates` say.

        Raises:
            DecidedByPerson: somebody has set it to something else.
        """
        try:
            return await self._tracker.update_work_item(
                self._item.id, updates, expected=WorkItemStatus.IN_PROGRESS, reason=reason
            )
        except StaleState as stale:
            raise DecidedByPerson(stale.message) from stale

    async def _found_finished(self, commit: str) -> None:
        answer = await self._services.sessions.last_answer(
            self._given.project.id, PhaseName.IMPLEMENT, DEVELOPER, WorkDone, self._item.id
        )
        summary = answer.summary if answer else "Its commit was there already, and the check is green."
        await self._done(commit, summary, answer.notes if answer else "")

    async def _is_claimed(self) -> bool:
        """Whether the item is still to be worked on: a person may have set it to something else in its tracker."""
        return (await self._tracker.get_work_item(self._item.id)).status is WorkItemStatus.IN_PROGRESS

    async def _leave(self, attempts: Attempts) -> None:
        """A person decided about the item while an agent was at work on it: that stands. What the agent has made is
        committed when the item is said to be done and the check is green, and else kept as a patch."""
        workspace = self._services.workspace
        status = (await self._tracker.get_work_item(self._item.id)).status
        if status is WorkItemStatus.DONE and (commit := await self._taken_in(attempts)) is not None:
            await self._desk.keep(commit)
            await self._tracker.update_work_item(self._item.id, {"metadata": {"commit": commit}})
            kept = "What the agent had made by then passes the check and is committed."
        elif patch := await workspace.set_aside(self._item.key, now()):
            kept = f"The agent's unfinished work is kept in {workspace.shown(patch)}."
        else:
            kept = "The agent had changed nothing."
        await self._tracker.add_comment(
            self._item.id, f"Set to {status} by a person while an agent was at work. {kept}", author=ENGINE
        )

    async def _taken_in(self, attempts: Attempts) -> str | None:
        """The commit of what is in the folder, if that is anything, and green."""
        if not await self._services.workspace.changes():
            return None
        if not (await self._services.verify(self._given, self._command, self._item)).passed:
            return None
        if await self._desk.objection(attempts, None) is not None:
            return None
        return await self._desk.commit()

    async def _block(self, reason: str, report: str) -> None:
        """Give an item up: its half-made work is kept as a patch, and a person decides where one is asked."""
        workspace, item = self._services.workspace, self._item
        workspace.require_room()
        patch = await workspace.set_aside(item.key, now())
        kept = f" Its unfinished work is kept in {workspace.shown(patch)}." if patch else ""
        asks = self._given.settings.autonomy.mode is Autonomy.CHECKPOINT
        await self._tracker.add_comment(item.id, f"Blocked. {report}{kept}", author=ENGINE)
        decision = new_id() if asks else None
        updates = {"status": WorkItemStatus.BLOCKED, "metadata": {ATTEMPTS: [], DECISION: decision}}
        blocked = await self._settle(updates, reason[:300])
        self._services.tell(
            self._given,
            events.ErrorOccurred(
                title="Work item blocked",
                message=f"{item.key} {item.title}: {reason}{kept}",
                hint="Independent items go on.",
                phase=PhaseName.IMPLEMENT,
                work_item_id=item.id,
            ),
        )
        if asks:
            await Decisions(self._services, self._tracker).ask(blocked, f"{report}{kept}")
