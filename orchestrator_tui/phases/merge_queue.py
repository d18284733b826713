"""Brings what was made in worktrees to main: one item at a time, on top of what is there, and only if that is green."""

import asyncio

from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import PhaseFailed
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import MergeStep, WorkItemStatus
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine.conversation import Conversation
from orchestrator_tui.engine.repository import verified
from orchestrator_tui.engine.shortening import shorten
from orchestrator_tui.engine.worktree import Rebased, Worktree
from orchestrator_tui.phases.attempts import Attempts, Objection, red
from orchestrator_tui.phases.base import PhaseInput
from orchestrator_tui.phases.repair import Repair
from orchestrator_tui.phases.services import Services

SHOWN_CHANGES = 6_000
THERE_ALREADY = (
    "the project holds all that you have changed already: others have done it meanwhile. If the item is fulfilled, "
    "add the test that proves its acceptance criteria; if it is not, do what is left"
)


class MergeQueue:
    """First come, first served. Main is green between any two items, and whoever comes next begins there.

    What an item has to go through is not kept anywhere but in its worktree, its agent's stored answer, and main itself:
    it begins anew after a crash, but for the last step, which git finishes (`Checkout.advance`).
    """

    def __init__(self, services: Services, repair: Repair, given: PhaseInput, command: str) -> None:
        """`services` are those of the project's own folder; `command` is its check."""
        self._services = services
        self._repair = repair
        self._given = given
        self._command = command
        self._turn = asyncio.Lock()

    async def make_green(self) -> None:
        """See that main is green, and nothing lies around in its folder."""
        async with self._turn:
            await self._repair.make_green(self._given, self._command)

    async def bring_in(
        self,
        item: WorkItem,
        services: Services,
        worktree: Worktree,
        message: str,
        attempts: Attempts,
        *,
        conversation: Conversation | None,
        expected: WorkItemStatus,
    ) -> str | Objection | None:
        """The commit of an item whose work passed the check in its own folder, once main is at it; or why it cannot
        be, with the files as they are to be worked on. None when the item is not what is `expected` any more.

        `services` are those of the worktree. The agent's `conversation` keeps nobody from work meanwhile.
        """
        if conversation is not None:
            await conversation.step_aside()
        if self._turn.locked():
            await self._tell(item, expected, MergeStep.WAITING)
        async with self._turn:
            if names := await worktree.unresolved():
                return _conflict(f"There are unresolved conflicts in {', '.join(names)}.")
            while True:
                await self._repair.make_green(self._given, self._command)
                main, base = await self._services.workspace.head(), await worktree.base()
                if main is None:
                    raise PhaseFailed("The project has no commit that anything could be brought in on top of.")
                rebased = await worktree.rebased(base, main, message, item_id=item.id)
                if rebased.has_moved:
                    await worktree.stand_on(rebased)
                    objection = await self._objection(item, services, worktree, base, rebased, attempts)
                    if objection is not None:
                        return objection
                if not await self._tell(item, expected, MergeStep.MERGING, onto=main):
                    return None
                # As one: what is on main must be known to be.
                if await finish(self._advanced(item, worktree, rebased, message)):
                    return rebased.commit
                # Somebody has changed files in the project's folder meanwhile.

    async def _objection(
        self,
        item: WorkItem,
        services: Services,
        worktree: Worktree,
        base: str,
        rebased: Rebased,
        attempts: Attempts,
    ) -> Objection | None:
        """Why the work cannot stay as it is on top of what others did since it was begun."""
        if rebased.conflicts:
            changes = await self._changes(worktree, base, rebased)
            names = ", ".join(rebased.conflicts)
            prompt = services.render(
                "implement",
                "merge_conflict",
                conflicts=list(rebased.conflicts),
                told=rebased.told,
                before=rebased.before,
                changes=changes,
            )
            return _conflict(
                f"It conflicts with what others have finished meanwhile, in {names}.", prompt, rebased.told
            )
        if rebased.is_empty:
            return Objection.invalid(services, [THERE_ALREADY])
        verdict = await services.verify(self._given, self._command, item)
        if verdict.passed:
            return None
        changes = await self._changes(worktree, base, rebased)
        return red(services, verdict, attempts, about=services.render("implement", "merged_red", changes=changes))

    async def _changes(self, worktree: Worktree, base: str, rebased: Rebased) -> str:
        return shorten(await worktree.changes_of_project(base, rebased.onto), SHOWN_CHANGES)

    async def _advanced(self, item: WorkItem, worktree: Worktree, rebased: Rebased, message: str) -> bool:
        if not await self._services.checkout.advance(rebased):
            return False
        commit = await self._services.checkout.describe(message)
        await self._services.log.flush()
        async with self._services.store.transaction() as unit:
            await unit.save_pipeline(self._given.project.id, last_successful_step=verified(commit.hash))
            unit.record(self._given.project.id, commit.made(item))
        await worktree.brought_in(rebased)
        return True

    async def _tell(self, item: WorkItem, expected: WorkItemStatus, step: MergeStep, *, onto: str = "") -> bool:
        """Store what happens to an item next; False, and nothing is stored, when somebody has decided otherwise."""
        await self._services.log.flush()
        async with self._services.store.transaction() as unit:
            if (await unit.item(item.id)).status is not expected:
                return False
            told = events.MergeProgressed(work_item_id=item.id, key=item.key, step=step, onto=onto)
            unit.record(self._given.project.id, told)
        return True


def _conflict(problem: str, prompt: str = "", told: str = "") -> Objection:
    return Objection(
        trouble=Trouble.MERGE_CONFLICT, problem=problem, prompt=prompt, kind="merge_conflict", output=told or problem
    )
