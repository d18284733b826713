"""Agent sessions with everything that belongs to one: its record, its events, its cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from orchestrator_tui.agents.base import AgentRuntime, AgentSession, SessionRequest
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import Clock, SystemClock, new_id, now
from orchestrator_tui.domain.errors import (
    AgentFailed,
    AnswerAwaited,
    LimitReached,
    MustWait,
    OrchestratorError,
    StoreUnavailable,
)
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import AgentSnapshot, SessionLog, WorkItem
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine import accounts
from orchestrator_tui.engine.accounts import AccountLimits
from orchestrator_tui.engine.allowances import Allowance, Budget, Place
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.conversation import Account, Conversation, Task, Words, answer_of
from orchestrator_tui.engine.detection import Thresholds
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.guard import Guard
from orchestrator_tui.engine.hearing import Hearing
from orchestrator_tui.engine.instructions import release
from orchestrator_tui.engine.liaison import Liaison
from orchestrator_tui.engine.room import require_room
from orchestrator_tui.engine.seat import Places, Seat
from orchestrator_tui.engine.shortening import shorten
from orchestrator_tui.engine.tenure import Tenure

A = TypeVar("A", bound=BaseModel)

Failing = Callable[[UnitOfWork, AgentFailed], Awaitable[None]]
"""Part of the transaction that stores that a session failed: what else is known by that."""

PLANNING_TOOLS = ("Read", "Glob", "Grep")
WORKING_TOOLS = ("Read", "Write", "Edit", "Glob", "Grep", "Bash")
SUMMARY = 1_000


class Sessions:
    """Opens conversations, as many at a time as there are `places`, and keeps the books."""

    def __init__(
        self,
        *,
        store: Store,
        runtime: AgentRuntime,
        bus: Bus,
        log: EventLog,
        places: Places,
        words: Words,
        budget: Budget,
        settle_seconds: float,
        stall_seconds: float,
        max_reasks: int,
        tenure: Tenure,
        liaison: Liaison | None = None,
        account_limits: AccountLimits | None = None,
        clock: Clock | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._bus = bus
        self._log = log
        self._places = places
        self._words = words
        self._tenure = tenure
        self._liaison = liaison
        self._budget = budget
        self._settle_seconds = settle_seconds
        self._stall_seconds = stall_seconds
        self._max_reasks = max_reasks
        self._clock = clock or SystemClock()
        self._account_limits = account_limits or AccountLimits(self._clock)
        self._thresholds = thresholds or Thresholds()
        self._answered = False
        self._accounts: dict[str, Account] = {}
        self._closing = False

    @property
    def have_answered(self) -> bool:
        """Whether any turn of this run's sessions ended well: the API works."""
        return self._answered or any(account.turns for account in self._accounts.values())

    async def may_begin(self) -> None:
        """Returns at once, or never when the run is about to stop: nothing new begins then."""
        if self._closing:
            await asyncio.Event().wait()

    async def require_budget(self, phase: PhaseName) -> None:
        """
        Raises:
            LimitReached: no further session of the phase may begin, by the limits that are in force now.
        """
        if limit := await self._budget.is_used_up(Place(phase=phase)):
            raise limit

    async def limit_of_item(
        self, phase: PhaseName, find: Callable[[], Awaitable[WorkItem | None]]
    ) -> LimitReached | None:
        """The limit by which nothing is left for the item that `find` finds; it is only asked where items have any."""
        if not await self._budget.limits_items() or (item := await find()) is None:
            return None
        return await self._budget.is_used_up(Place(phase=phase, item_id=item.id, item_key=item.key))

    async def settle(self) -> None:
        """Let no session and no tool call begin any more; returns when none is under way."""
        self._closing = True
        sessions = [account.session for account in self._accounts.values() if account.session is not None]
        await asyncio.gather(*(session.settle() for session in sessions))

    async def kill(self) -> None:
        """End all sessions at once, whatever they are at: nothing of theirs is at work any more when this returns."""
        sessions = [account.session for account in self._accounts.values() if account.session is not None]
        await asyncio.gather(*(session.kill() for session in sessions))

    def reopen(self) -> None:
        """After `settle`, once all sessions have ended: new ones may begin."""
        self._closing = False

    def at_work(self, agent_id: str) -> Account | None:
        """The account of an agent that is at work."""
        return self._accounts.get(agent_id)

    def snapshots(self) -> tuple[AgentSnapshot, ...]:
        """What is to be kept of the agents at work, if they are stopped now."""
        return tuple(_snapshot(account) for account in self._accounts.values())

    async def interrupted(self, task: Task) -> SessionLog | None:
        """The session at this very task that did not come to its end, if the last one did not."""
        item_id = task.item.id if task.item else None
        last = await self._store.last_session(task.project.id, task.phase, task.role, item_id)
        if last is None or last.status is not AgentStatus.INTERRUPTED:
            return None
        is_too_old = task.not_before is not None and last.started_at < task.not_before
        return None if is_too_old else last

    async def can_go_on(self, session: SessionLog, directory: Path) -> bool:
        """Whether a word of its conversation is kept."""
        return session.cli_session_id is not None and await self._runtime.keeps(session.cli_session_id, directory)

    async def answered(self, task: Task, answer: type[A]) -> A | None:
        """What an agent answered to this very task before a run was interrupted."""
        return answer_of(
            await self._store.answered_session(task.project.id, task.phase, task.role, task.prompt_hash), answer
        )

    async def last_answer(
        self,
        project_id: str,
        phase: PhaseName,
        role: str,
        answer: type[A],
        item_id: str | None = None,
        *,
        since: datetime | None = None,
    ) -> A | None:
        """What the newest session of a role answered; None when it did not, or began before `since`."""
        last = await self._store.last_session(project_id, phase, role, item_id)
        if last is None or last.status is AgentStatus.FAILED or (since and last.started_at < since):
            return None
        return answer_of(last, answer)

    @asynccontextmanager
    async def open(self, task: Task, failing: Failing | None = None) -> AsyncIterator[Conversation]:
        """A conversation for `task`; its record is closed however it ends, when it fails together with `failing`.

        Raises:
            AgentFailed: the session could not be started.
            LimitReached: nothing is left for it, or it has used what it was given; its conversation can go on.
            AnswerAwaited: it has waited for a person for too long beside others; its conversation can go on.
            MustWait: the account's usage limit is used up, as this session found or another one.
            DiskFull: its work could not be kept.
        """
        place = _place(task)
        seat = Seat(self._places, self._budget, place, task.role)
        await seat.take()
        try:
            await self.may_begin()
            require_room(task.directory)
            limits = accounts.names_for(self._runtime.account, task.model)
            if limits:
                self._account_limits.require(limits)
                self._account_limits.check(await self._store.account_limit(limits))
            allowance = seat.allowance = await self._budget.open(place, sharers=task.sharers)
            guard = Guard(
                self._budget,
                allowance,
                tell=partial(self._log.add, task.project.id),
                settle_seconds=self._settle_seconds,
                used_up=partial(self._account_limits.reached, limits) if limits else None,
            )
            try:
                async with self._kept(task, guard, allowance, seat, failing) as conversation:
                    yield conversation
            finally:
                self._budget.close(allowance)
        finally:
            await seat.give()

    @asynccontextmanager
    async def _kept(
        self, task: Task, guard: Guard, allowance: Allowance, seat: Seat, failing: Failing | None
    ) -> AsyncIterator[Conversation]:
        """The conversation, within the life of its record."""
        account = await self._started(task, guard)
        self._accounts[account.log.id] = account
        try:
            try:
                async with self._runtime.session(self._request(task, account, allowance.dollars)) as session:
                    account.session = session
                    await self.may_begin()
                    async with guard.watching(session):
                        yield self._conversation(session, task, account, seat)
            finally:
                # Only its end tells what a turn that was cut short has cost.
                if account.session is not None:
                    account.usage = account.session.usage
                    self._answered |= account.turns > 0
                    guard.tell_near()
        except asyncio.CancelledError:
            await self._end(task, account, AgentStatus.INTERRUPTED, "stopped")
            raise
        except (StoreUnavailable, MustWait, LimitReached, AnswerAwaited) as error:
            # Its conversation goes on once what it does can be kept again, the API answers again, more may be used, or
            # a person has answered.
            await self._end(task, account, AgentStatus.INTERRUPTED, error.message)
            if isinstance(error, MustWait) and error is not guard.reached:
                await self._tell_account(error)
            raise
        except AgentFailed as error:
            limit = guard.reached or (await self._share_used_up(error, allowance))
            if limit is not None:
                await self._end(task, account, AgentStatus.INTERRUPTED, limit.message)
                raise limit from error
            also = None if failing is None else partial(_told_failure, failing, error)
            await self._end(task, account, AgentStatus.FAILED, error.message, also)
            raise
        except OrchestratorError as error:
            await self._end(task, account, AgentStatus.FAILED, error.message)
            raise
        except BaseException as error:
            # Its record must not say that it is at work, whatever ended it.
            await self._end(task, account, AgentStatus.FAILED, type(error).__name__)
            raise
        finally:
            del self._accounts[account.log.id]
        await self._end(task, account, AgentStatus.COMPLETED, None)

    async def _tell_account(self, error: MustWait) -> None:
        """A usage limit holds for all whose account it is: nobody need find it out by a request of their own."""
        if error.trouble is not Trouble.USAGE_LIMIT or error.resets_at is None or not self._runtime.account:
            return
        name = accounts.name_of(self._runtime.account, error.kind)
        async with self._store.transaction() as unit:
            await unit.limit_account(name, error.resets_at)
        self._account_limits.tell(name, error.resets_at)

    def _conversation(self, session: AgentSession, task: Task, account: Account, seat: Seat) -> Conversation:
        return Conversation(
            session,
            task,
            account,
            log=self._log,
            bus=self._bus,
            words=self._words,
            stall_seconds=self._stall_seconds,
            max_reasks=self._max_reasks,
            clock=self._clock,
            thresholds=self._thresholds,
            seat=seat,
            keep=partial(self._keep_answer, account.log.id),
        )

    async def _keep_answer(self, session_id: str, answer: Mapping[str, Any] | None) -> None:
        async with self._store.transaction() as unit:
            await unit.save_answer(session_id, answer)

    async def _share_used_up(self, error: AgentFailed, allowance: Allowance) -> LimitReached | None:
        """The limit behind the end of a session that has used all it was given; None for any other end."""
        if error.kind != "max_budget":
            return None
        place = allowance.place
        return await self._budget.confirmed(allowance) or LimitReached(
            "The session has used its share of what is left.", phase=place.phase.value, item_id=place.item_id
        )

    async def still_reached(self, error: LimitReached) -> LimitReached | None:
        """The limit by which nothing is left where a session was ended; without one its conversation may go on at
        once, as others gave back what they had not used, or somebody raised the limit."""
        return await self._budget.is_used_up(Place(phase=PhaseName(error.phase), item_id=error.item_id))

    async def tell_foreseen(self, project_id: str) -> None:
        """Tell of limits that the work left to do will pass."""
        self._log.add(project_id, *await self._budget.foreseen())

    def _request(self, task: Task, account: Account, dollars: float | None) -> SessionRequest:
        return SessionRequest(
            agent_id=account.log.id,
            counsel=self._liaison.counsel(account) if self._liaison is not None else None,
            project_id=task.project.id,
            phase=task.phase,
            role=task.role,
            subject=task.subject,
            attempt=task.resume.attempt if task.resume else task.attempt,
            resume=task.resume.cli_session_id if task.resume else None,
            model=task.model,
            prompt=task.opening,
            system_prompt=task.system_prompt,
            directory=task.directory,
            tools=task.tools,
            transcripts=self._store,
            lease_holds=self._tenure.holds,
            output_schema=task.answer.model_json_schema(),
            max_turns=task.max_turns,
            max_budget_usd=dollars,
        )

    async def _started(self, task: Task, guard: Guard) -> Account:
        log = await self._planned(task)
        account = Account(log=log, task=task, guard=guard, answer=log.answer)
        try:
            await finish(self._start(account))
        except asyncio.CancelledError:
            # It came while the session was being stored: nobody else knows yet that it is to be ended.
            if account.log.session_number:
                await self._end(task, account, AgentStatus.INTERRUPTED, "stopped")
            raise
        return account

    async def _planned(self, task: Task) -> SessionLog:
        log = SessionLog(
            id=new_id(),
            project_id=task.project.id,
            phase=task.phase,
            session_number=0,
            role=task.role,
            work_item_id=task.item.id if task.item else None,
            model=task.model,
            started_at=now(),
            attempt=task.resume.attempt if task.resume else task.attempt,
            prompt_hash=task.prompt_hash,
            # However early this session is cut off, too: what was answered stands until somebody refuses it.
            answer=task.resume.answer if task.resume else None,
        )
        await self._log.flush()
        # The runtime's own rule, so that a conversation can be taken up however early it was cut off.
        return replace(log, cli_session_id=task.resume.cli_session_id if task.resume else log.id)

    async def _start(self, account: Account) -> None:
        """Store that the session begins; its log has a number once that is so."""
        task = account.task
        async with self._store.transaction() as unit:
            log = await unit.start_session(account.log)
            item_id = task.item.id if task.item else None
            answers = await unit.answers_for(task.project.id, task.phase, item_id, task.asked_by)
            notes = await unit.claim_notes(task.project.id, item_id, log.id)
            unit.record(
                task.project.id,
                events.AgentStarted(
                    agent_id=log.id,
                    phase=task.phase,
                    role=task.role,
                    session_number=log.session_number,
                    model=task.model,
                    scripted=self._runtime.scripted,
                    work_item_id=log.work_item_id,
                    work_item_key=task.item.key if task.item else None,
                ),
            )
        account.log, account.hearing = log, Hearing((*answers, *notes))

    async def _end(
        self,
        task: Task,
        account: Account,
        status: AgentStatus,
        error: str | None,
        also: Callable[[UnitOfWork], Awaitable[None]] | None = None,
    ) -> None:
        """Store that the session is over. Whoever is stopped meanwhile stops after that: nobody else would know it."""
        await finish(self._store_end(task, account, status, error, also))

    async def _store_end(
        self,
        task: Task,
        account: Account,
        status: AgentStatus,
        error: str | None,
        also: Callable[[UnitOfWork], Awaitable[None]] | None,
    ) -> None:
        await self._log.flush()
        ended = replace(
            account.log,
            ended_at=now(),
            status=status,
            summary=_summary(account),
            error=error,
            tool_calls=tuple(account.calls.values()),
            usage=account.usage,
            cli_session_id=account.cli_session_id or account.log.cli_session_id,
            answer=account.answer,
        )
        async with self._store.transaction() as unit:
            await unit.end_session(ended)
            await release(unit, task.project.id, ended.id)
            if status is not AgentStatus.INTERRUPTED:
                await _close_questions(unit, task)
            unit.record(
                task.project.id,
                events.AgentFinished(
                    agent_id=ended.id,
                    status=status,
                    summary=ended.summary,
                    error=error,
                    usage=ended.usage,
                    seconds=round(time.monotonic() - account.began, 3),
                ),
            )
            if also is not None:
                await also(unit)


async def _told_failure(failing: Failing, error: AgentFailed, unit: UnitOfWork) -> None:
    await failing(unit, error)


def _summary(account: Account) -> str:
    """The last words of an agent, or how it summed up its answer when it said nothing beside it."""
    answered = (account.answer or {}).get("summary")
    return shorten(account.last_text or (answered if isinstance(answered, str) else ""), SUMMARY)


def _place(task: Task) -> Place:
    item = task.item
    return Place(phase=task.phase, item_id=item.id if item else None, item_key=item.key if item else "")


async def _close_questions(unit: UnitOfWork, task: Task) -> None:
    """Once a task has ended, nothing that its agent asked is asked any more, and no answer to it waits."""
    item_id = task.item.id if task.item else None
    for answered in await unit.answers_for(task.project.id, task.phase, item_id, task.asked_by):
        await unit.take_answer(answered.id)
    for request in await unit.open_requests(task.project.id):
        if (request.phase, request.asked_by, request.work_item_id) == (task.phase, task.asked_by, item_id):
            await unit.withdraw_request(request.id)
            unit.record(task.project.id, events.InputWithdrawn(request_id=request.id, kind=request.kind))


def _snapshot(account: Account) -> AgentSnapshot:
    return AgentSnapshot(
        agent_id=account.log.id,
        phase=account.log.phase,
        started_at=account.log.started_at,
        last_activity=account.last_activity,
        current_work_item=account.task.item.key if account.task.item else None,
        last_tool_call=one_line(account.last_call, 200) or None,
        conversation_summary=_summary(account),
        can_resume=account.log.cli_session_id is not None,
    )
