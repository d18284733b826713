"""Agent sessions with everything that belongs to one: its record, its events, its cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator_tui.agents.base import AgentRuntime, AgentSession, SessionRequest
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import Clock, SystemClock, new_id, now
from orchestrator_tui.domain.errors import LimitReached, MustWait, OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import AgentSnapshot, SessionLog
from orchestrator_tui.domain.statuses import AgentStatus
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.conversation import Account, Conversation, Task
from orchestrator_tui.engine.detection import Thresholds
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.room import require_room
from orchestrator_tui.engine.shortening import shorten

A = TypeVar("A", bound=BaseModel)

PLANNING_TOOLS = ("Read", "Glob", "Grep")
WORKING_TOOLS = ("Read", "Write", "Edit", "Glob", "Grep", "Bash")
SUMMARY = 1_000


class Sessions:
    """Opens conversations, at most `max_parallel` at a time, and keeps the books."""

    def __init__(
        self,
        *,
        store: Store,
        runtime: AgentRuntime,
        bus: Bus,
        log: EventLog,
        places: asyncio.Semaphore,
        reask: Callable[[list[str]], str],
        max_sessions: int,
        stall_seconds: float,
        max_reasks: int,
        clock: Clock | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._bus = bus
        self._log = log
        self._places = places
        self._reask = reask
        self._max_sessions = max_sessions
        self._stall_seconds = stall_seconds
        self._max_reasks = max_reasks
        self._clock = clock or SystemClock()
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

    async def settle(self) -> None:
        """Let no session and no tool call begin any more; returns when none is under way."""
        self._closing = True
        sessions = [account.session for account in self._accounts.values() if account.session is not None]
        await asyncio.gather(*(session.settle() for session in sessions))

    def snapshots(self) -> tuple[AgentSnapshot, ...]:
        """What is to be kept of the agents at work, if they are stopped now."""
        return tuple(_snapshot(account) for account in self._accounts.values())

    async def interrupted(self, task: Task) -> SessionLog | None:
        """The session at this very task that did not come to its end, if the last one did not and has said a word."""
        item_id = task.item.id if task.item else None
        last = await self._store.last_session(task.project.id, task.phase, task.role, item_id)
        if last is None or last.status is not AgentStatus.INTERRUPTED or last.cli_session_id is None:
            return None
        if task.not_before is not None and last.started_at < task.not_before:
            return None
        return last if await self._runtime.keeps(last.cli_session_id, task.directory) else None

    async def answered(self, task: Task, answer: type[A]) -> A | None:
        """What an agent answered to this very task before a run was interrupted."""
        done = await self._store.answered_session(task.project.id, task.phase, task.role, task.prompt_hash)
        if done is None or done.answer is None:
            return None
        try:
            return answer.model_validate(done.answer)
        except ValidationError:
            # Answers of an older version of the program may look different.
            return None

    @asynccontextmanager
    async def open(self, task: Task) -> AsyncIterator[Conversation]:
        """A conversation for `task`; its record is closed however it ends.

        Raises:
            AgentFailed: the session could not be started.
            LimitReached: the project has used up its sessions.
            DiskFull: its work could not be kept.
        """
        async with self._places:
            await self.may_begin()
            require_room(task.directory)
            account = await self._started(task)
            self._accounts[account.log.id] = account
            try:
                async with self._runtime.session(self._request(task, account.log.id)) as session:
                    account.session = session
                    await self.may_begin()
                    try:
                        yield self._conversation(session, task, account)
                    finally:
                        account.usage = session.usage
                        self._answered |= account.turns > 0
            except asyncio.CancelledError:
                await finish(self._end(task, account, AgentStatus.INTERRUPTED, "stopped"))
                raise
            except (StoreUnavailable, MustWait) as error:
                # Its conversation goes on once what it does can be kept again, or the API answers again.
                await self._end(task, account, AgentStatus.INTERRUPTED, error.message)
                raise
            except OrchestratorError as error:
                await self._end(task, account, AgentStatus.FAILED, error.message)
                raise
            except BaseException as error:
                await self._end(task, account, AgentStatus.FAILED, type(error).__name__)
                raise
            finally:
                del self._accounts[account.log.id]
            await self._end(task, account, AgentStatus.COMPLETED, None)

    def _conversation(self, session: AgentSession, task: Task, account: Account) -> Conversation:
        return Conversation(
            session,
            task,
            account,
            log=self._log,
            bus=self._bus,
            reask=self._reask,
            stall_seconds=self._stall_seconds,
            max_reasks=self._max_reasks,
            clock=self._clock,
            thresholds=self._thresholds,
        )

    def _request(self, task: Task, agent_id: str) -> SessionRequest:
        return SessionRequest(
            agent_id=agent_id,
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
            output_schema=task.answer.model_json_schema(),
            max_turns=task.max_turns,
        )

    async def _started(self, task: Task) -> Account:
        account = Account(log=await self._planned(task), task=task)
        try:
            await finish(self._start(account))
        except asyncio.CancelledError:
            # It came while the session was being stored: nobody else knows yet that it is to be ended.
            if account.log.session_number:
                await finish(self._end(task, account, AgentStatus.INTERRUPTED, "stopped"))
            raise
        return account

    async def _planned(self, task: Task) -> SessionLog:
        if await self._store.session_count(task.project.id) >= self._max_sessions:
            raise LimitReached(
                f"The project has used all of its {self._max_sessions} sessions.",
                hint=f"Resume with more: --set agent.max_sessions={self._max_sessions * 2}.",
            )
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
        )
        await self._log.flush()
        # The runtime's own rule, so that a conversation can be taken up however early it was cut off.
        return replace(log, cli_session_id=task.resume.cli_session_id if task.resume else log.id)

    async def _start(self, account: Account) -> None:
        """Store that the session begins; its log has a number once that is so."""
        task = account.task
        async with self._store.transaction() as unit:
            log = await unit.start_session(account.log)
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
        account.log = log

    async def _end(self, task: Task, account: Account, status: AgentStatus, error: str | None) -> None:
        await self._log.flush()
        ended = replace(
            account.log,
            ended_at=now(),
            status=status,
            summary=shorten(account.last_text, SUMMARY),
            error=error,
            tool_calls=tuple(account.calls.values()),
            usage=account.usage,
            cli_session_id=account.cli_session_id or account.log.cli_session_id,
            answer=account.answer,
        )
        async with self._store.transaction() as unit:
            await unit.end_session(ended)
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


def _snapshot(account: Account) -> AgentSnapshot:
    return AgentSnapshot(
        agent_id=account.log.id,
        phase=account.log.phase,
        started_at=account.log.started_at,
        last_activity=account.last_activity,
        current_work_item=account.task.item.key if account.task.item else None,
        last_tool_call=one_line(account.last_call, 200) or None,
        conversation_summary=shorten(account.last_text, SUMMARY),
        can_resume=account.log.cli_session_id is not None,
    )
