"""Implement: one session an item, as many items at a time as the settings and the machine allow."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import ImplementSettings, PhaseSettings
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import DecisionAwaited, PhaseFailed
from orchestrator_tui.domain.records import InputRequest, PhaseResult, WorkItem
from orchestrator_tui.domain.statuses import (
    ASKED_BY_AGENTS,
    Pattern,
    PauseReason,
    PhaseName,
    PhaseStatus,
    RequestKind,
    WorkItemStatus,
)
from orchestrator_tui.engine.capacity import Capacity
from orchestrator_tui.engine.watcher import UNTOLD_SECONDS
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.crew import Crew
from orchestrator_tui.phases.decisions import Decisions, leave_out
from orchestrator_tui.phases.desks import Desk, OwnDesk, SharedDesk, make_ready
from orchestrator_tui.phases.item_work import ItemWork
from orchestrator_tui.phases.merge_queue import MergeQueue
from orchestrator_tui.phases.repair import Repair
from orchestrator_tui.phases.scheduling import claim_next, find_next
from orchestrator_tui.phases.services import Services, content_of

_UNDECIDED = (WorkItemStatus.TODO, WorkItemStatus.IN_PROGRESS)


class ImplementPhase(Phase):
    name = PhaseName.IMPLEMENT
    display_name = "Implement"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._repair = Repair(services)
        self._counting = asyncio.Lock()

    def get_prompts(self, pattern: Pattern) -> list[str]:
        names = ("implement", "verify_failed", "repair", "merge_conflict", "merged_red")
        return [f"implement/{name}" for name in names]

    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        assert isinstance(config, ImplementSettings)
        given, command, checkout = input_data, verify_command(input_data), self._services.checkout
        most = await self._most(given, config, work_tracker)
        await (checkout.begin_worktrees() if most > 1 else checkout.end_worktrees())
        queue = MergeQueue(self._services, self._repair, given, command)
        await queue.make_green()

        def desk(item: WorkItem) -> Desk:
            if most == 1:
                return SharedDesk(self._services, self._repair, given, item, command)
            return OwnDesk(self._services, queue, given, item, command, most, config.prepare)

        async def work(item: WorkItem) -> None:
            await ItemWork(desk(item), given, work_tracker, item, command).do()
            await self._progress(given, work_tracker)

        decisions = Decisions(self._services, work_tracker)
        async with Crew() as crew:
            while True:
                ticket = self._services.bell.ticket()
                # Before an item is looked for: what is decided after that is decided for the next run.
                waiting = await decisions.act(given.project.id)
                asked = await self._asked(given, work_tracker) if most > 1 else {}
                item = await self._next(given, work_tracker, crew.items, asked)
                if item is not None:
                    crew.begin(item, work(item))
                elif not crew.items:
                    break
                if item is None or len(crew.items) == most:
                    # An answer lets an item be taken up again while others are worked on.
                    news = self._services.bell.after(ticket, UNTOLD_SECONDS) if asked and item is None else None
                    await crew.one_is_done(news)
                    if not crew.items:
                        await queue.make_green()
        if asked:
            raise DecisionAwaited(
                "All others are done: what is left waits for a person's answers.",
                requests=waiting | {request.id for request in asked.values()},
                reason=_reason(asked.values()),
            )
        result = await self._result(given, work_tracker, waiting)
        await checkout.end_worktrees()
        if most > 1:
            # What others brought to main was made ready in their own folders only.
            await make_ready(self._services, given, config.prepare)
        return result

    async def _most(self, given: PhaseInput, config: ImplementSettings, tracker: WorkTracker) -> int:
        """How many items are worked on at the same time; tells when that is less than the settings ask for."""
        agents = given.settings.agent.max_parallel
        bounds = {
            f"agent.max_parallel is {agents}": agents,
            "this machine has cores and memory for no more": Capacity.here().agents,
        }
        if config.parallel > 1 and not await self._services.checkout.can_merge():
            bounds = {"its git is older than 2.38": 1}
        why, most = min(bounds.items(), key=lambda bound: bound[1])
        if most >= config.parallel:
            return config.parallel
        counts = await tracker.get_progress_summary(given.project.id)
        note = f"items done; {most} at a time instead of {config.parallel}, as {why}"
        self._services.tell(
            given, events.PhaseProgressed(phase=self.name, done=counts.done, total=counts.total, note=note)
        )
        return most

    async def _asked(self, given: PhaseInput, tracker: WorkTracker) -> dict[str, InputRequest]:
        """What agents have asked and nobody has answered yet, by the id of their item. About an item that a person has
        decided otherwise about nothing is asked any more."""
        asked: dict[str, InputRequest] = {}
        for one in await self._services.store.open_requests(given.project.id):
            if one.work_item_id is None or one.kind not in ASKED_BY_AGENTS:
                continue
            if (await tracker.get_work_item(one.work_item_id)).status in _UNDECIDED:
                asked[one.work_item_id] = one
                continue
            async with self._services.store.transaction() as unit:
                await unit.withdraw_request(one.id)
                unit.record(given.project.id, events.InputWithdrawn(request_id=one.id, kind=one.kind))
        return asked

    async def _next(
        self, given: PhaseInput, tracker: WorkTracker, running: Sequence[WorkItem], waiting: Collection[str]
    ) -> WorkItem | None:
        await self._services.sessions.may_begin()
        self._services.workspace.require_room()
        if (await tracker.get_progress_summary(given.project.id)).todo:
            # Before one is claimed: an item that nothing can be done at has nothing to tell either.
            await self._services.sessions.require_budget(self.name)
        upcoming = partial(find_next, tracker, given.project.id, self.name, running, waiting)
        if limit := await self._services.sessions.limit_of_item(self.name, upcoming):
            if not running:
                raise limit
            # Those at work come to their end first.
            return None
        return await claim_next(tracker, given.project.id, self.name, running, waiting)

    async def still_holds(self, input_data: PhaseInput) -> bool:
        return (await self._services.verify(input_data, verify_command(input_data))).passed

    async def _progress(self, given: PhaseInput, tracker: WorkTracker) -> None:
        # One after another: who counted first tells first.
        async with self._counting:
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


def _reason(asked: Iterable[InputRequest]) -> PauseReason:
    permissions = any(request.kind is RequestKind.PERMISSION for request in asked)
    return PauseReason.PERMISSION if permissions else PauseReason.CLARIFICATION


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
