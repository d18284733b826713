"""Looks whether what is there still works, and has it repaired when it does not."""

from dataclasses import replace

from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import GaveUp, PhaseFailed
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.engine.conversation import Conversation
from orchestrator_tui.engine.repository import verified_commit
from orchestrator_tui.engine.verify import Verdict
from orchestrator_tui.phases import context
from orchestrator_tui.phases.answers import WorkDone
from orchestrator_tui.phases.attempts import Attempts, Objection, red
from orchestrator_tui.phases.base import PhaseInput
from orchestrator_tui.phases.services import Services

SHOWN_CHANGES = 3_000


class Repair:
    """Keeps the project green between work items."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def make_green(self, given: PhaseInput, command: str) -> None:
        """Verify what is there unless exactly this commit was seen green; repair it when it is red.

        Changes made by hand that pass the check are committed as such.

        Raises:
            PhaseFailed: it stays red however often it was tried.
        """
        green = await self.last_green(given)
        changes = await self._services.workspace.changes()
        if green is not None and not changes and await self._services.workspace.head() == green:
            return
        verdict = await self._services.verify(given, command)
        if verdict.passed:
            await self._services.commit(given, "Changes made by hand")
        else:
            await self._repair(given, command, verdict, green, changes)

    async def last_green(self, given: PhaseInput) -> str | None:
        """The newest commit whose check was green."""
        state = await self._services.store.pipeline_state(given.project.id)
        return verified_commit(state.last_successful_step)

    async def _repair(self, given: PhaseInput, command: str, verdict: Verdict, green: str | None, changes: str) -> None:
        services = self._services
        prompt = services.render(
            "implement",
            "repair",
            command=command,
            exit_code=verdict.exit_code,
            output=verdict.output,
            last_green=green,
            changes=changes[:SHOWN_CHANGES],
            tree=await services.workspace.tree(context.TREE_LIMIT),
        )
        task = services.task(given, PhaseName.IMPLEMENT, "repairer", prompt, WorkDone, writes=True)
        # A conversation about what was red before is about something else.
        attempts = Attempts(services, given, replace(task, not_before=now()))

        async def still_red(answer: WorkDone, conversation: Conversation) -> Objection | None:
            result = await services.verify(given, command)
            return None if result.passed else red(services, result, attempts)

        try:
            answer = await attempts.work(WorkDone, still_red)
        except GaveUp as error:
            raise PhaseFailed(
                f"The project's check `{command}` is red and could not be repaired: {error.message}",
                hint="Look at the last verify output, mend it by hand and resume.",
            ) from error
        await services.commit(given, f"Repair: {answer.summary.splitlines()[0][:100]}")
