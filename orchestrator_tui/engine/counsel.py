"""What an agent can turn to: a person who decides and answers, and the work items of its project."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from orchestrator_tui.agents.base import Counsel, PermissionAsk
from orchestrator_tui.agents.decision import Decision, allow, deny
from orchestrator_tui.agents.grants import granted
from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import AutonomySettings
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import AnswerAwaited, ToolRefused
from orchestrator_tui.domain.records import InputRequest, WorkItem, permissions_of
from orchestrator_tui.domain.statuses import Autonomy, Choice, PauseReason, RequestKind, RequestStatus
from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.domain.words import title
from orchestrator_tui.domain.worktrees import project_of
from orchestrator_tui.engine.assumptions import note_assumption
from orchestrator_tui.engine.conversation import Task
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.hearing import Heard, Hearing
from orchestrator_tui.engine.rest import Bell, Rest
from orchestrator_tui.engine.watcher import UNTOLD_SECONDS
from orchestrator_tui.engine.workspace import Workspace

MOST_QUESTIONS, MOST_COMMENTS, MOST_REPORTS = 10, 30, 100
"""What one session may ask, note and tell."""
SHOWN_COMMENTS, SHOWN_COMMENT = 10, 1_000
ASSUME = (
    "Nobody is asked in this run. Take the most sensible reading that is easy to change later, go on, and say in your "
    "answer what you assumed."
)
NOBODY_ANSWERS = "This is not asked any more. Take the most sensible reading, and say in your answer what you assumed."
NOT_ASKED = "Nobody is asked in this run, so it stays denied: do it another way, or leave it out."


@dataclass(frozen=True, kw_only=True)
class CounselParts:
    """What the counsels of one run have in common. `say` puts words into the form an agent is told them in."""

    store: Store
    log: EventLog
    tracker: WorkTracker
    workspace: Workspace
    autonomy: AutonomySettings
    patience_seconds: float
    say: Callable[[Sequence[Heard]], str]
    notes: asyncio.Lock = field(default_factory=asyncio.Lock)
    rest: Rest = field(default_factory=Rest)
    bell: Bell = field(default_factory=Bell)


class SessionCounsel(Counsel):
    """The counsel of one session."""

    def __init__(
        self,
        parts: CounselParts,
        task: Task,
        agent_id: str,
        hearing: Hearing,
        leave: Callable[[AnswerAwaited], None],
    ) -> None:
        """`leave` ends the session at a safe point, so that its item makes room for others."""
        self._parts = parts
        self._store = parts.store
        self._task = task
        self._agent_id = agent_id
        self._hearing = hearing
        self._leave = leave
        self._left = {"question": MOST_QUESTIONS, "note": MOST_COMMENTS, "report": MOST_REPORTS}

    @property
    def patience_seconds(self) -> float:
        return self._parts.patience_seconds

    def next_words(self, call_id: str) -> str:
        said = self._hearing.hand(call_id)
        return self._parts.say(said) if said else ""

    # A person

    async def permit(self, ask: PermissionAsk) -> Decision:
        project = await self._store.find_project(self._task.project.id)
        # What stands in a file may have changed since; such a command has no pattern.
        if ask.pattern and granted(ask.command, permissions_of(project.config)):
            return allow("a person allowed it in this project")
        if self._parts.autonomy.mode is Autonomy.FULL:
            return deny(f"{ask.reason} {NOT_ASKED}")
        if _hides(ask.command):
            return deny(f"{ask.reason} It holds characters that cannot be shown to a person; leave them out.")
        while True:
            answered = await self._answered(self._permission(ask), PauseReason.PERMISSION)
            if answered.status is not RequestStatus.ANSWERED:
                return deny(f"{ask.reason} Nobody decided about it.")
            async with self._store.transaction() as unit:
                is_new = await unit.take_answer(answered.id)
            if is_new:
                return _decision(answered)

    async def ask_user(self, question: str, choices: Sequence[str]) -> str:
        self._count("question")
        if self._parts.autonomy.mode is Autonomy.FULL:
            return await self._assume(question, choices)
        answered = await self._answered(self._clarification(question, choices), PauseReason.CLARIFICATION)
        if answered.status is not RequestStatus.ANSWERED or not answered.text:
            return NOBODY_ANSWERS
        async with self._store.transaction() as unit:
            await unit.take_answer(answered.id)
        return answered.text

    async def _assume(self, question: str, choices: Sequence[str]) -> str:
        first = choices[0] if choices and self._parts.autonomy.questions == "first_choice" else None
        answer = f"Take this: {first}" if first else ASSUME
        item, parts = self._task.item, self._parts
        async with parts.notes:
            await asyncio.to_thread(note_assumption, parts.workspace, self._about(), question, first)
        if item is not None:
            text = f"Assumed, as nobody is asked in this run: {question}{f' → {first}' if first else ''}"
            await parts.tracker.add_comment(item.id, text, author=self._author)
        made = events.AssumptionMade(
            agent_id=self._agent_id, question=question, answer=answer, work_item_id=item.id if item else None
        )
        parts.log.add(self._task.project.id, made)
        return answer

    async def _answered(self, request: InputRequest, reason: PauseReason) -> InputRequest:
        """The request once it is answered. When patience ends first, and this waits for that, an item that is worked on
        beside others makes room for them; else the run comes to rest."""
        asked = await self._open(request)
        if asked.status is not RequestStatus.OPEN:
            return asked
        try:
            async with asyncio.timeout(self.patience_seconds):
                return await self._look_until_answered(asked)
        except TimeoutError:
            if self._task.item is not None and project_of(self._task.directory) != self._task.directory:
                self._leave(AnswerAwaited(f"A person is asked: {asked.title}"))
            else:
                self._parts.rest.want(reason)
            await asyncio.Event().wait()
            raise

    async def _look_until_answered(self, asked: InputRequest) -> InputRequest:
        bell = self._parts.bell
        while True:
            ticket = bell.ticket()
            asked = await self._store.get_request(asked.id)
            if asked.status is not RequestStatus.OPEN:
                return asked
            await bell.after(ticket, UNTOLD_SECONDS)

    async def _open(self, request: InputRequest) -> InputRequest:
        """Ask, unless the same agent asked the same before: then it is that question, and the answer it has."""
        async with self._store.transaction() as unit:
            before = await unit.asked_before(request.project_id, request.content_hash)
            # A command is allowed once; what was said to a question holds.
            if before is not None and (before.taken_at is None or request.kind is RequestKind.CLARIFICATION):
                return before
            await unit.open_request(request)
            unit.record(
                request.project_id,
                events.InputRequested(
                    request_id=request.id,
                    kind=request.kind,
                    phase=request.phase,
                    title=request.title,
                    content_hash=request.content_hash,
                    choices=request.choices,
                ),
            )
        return request

    def _clarification(self, question: str, choices: Sequence[str]) -> InputRequest:
        offered = "\n".join(f"- {choice}" for choice in choices)
        body = f"{question}\n\n{offered}" if offered else question
        return self._request(
            RequestKind.CLARIFICATION, f"{self._about()} asks", body, (Choice.ANSWER, Choice.STOP), None
        )

    def _permission(self, ask: PermissionAsk) -> InputRequest:
        # The command is an agent's text and comes last: nothing behind it is the engine's.
        pattern = ask.pattern if ask.pattern and not _hides(ask.pattern) and "\n" not in ask.pattern else ""
        is_same = granted(ask.command, [ask.pattern])
        what = "this very command" if is_same else f"exactly {pattern}"
        lines = [f"Why this is asked: {ask.reason}"]
        if pattern or is_same:
            lines.append(f"In this project from now on would be allowed: {what}")
        return self._request(
            RequestKind.PERMISSION,
            f"{self._about()} wants to run a command",
            "\n".join([*lines, "", ask.command]),
            (Choice.ALLOW_ONCE, *((Choice.ALLOW_PROJECT,) if len(lines) > 1 else ()), Choice.DENY, Choice.STOP),
            ask.pattern if len(lines) > 1 else None,
        )

    def _request(
        self, kind: RequestKind, name: str, body: str, choices: tuple[Choice, ...], pattern: str | None
    ) -> InputRequest:
        task, item_id = self._task, self._task.item.id if self._task.item else None
        identity = [task.project.id, kind, task.phase, item_id, task.asked_by, body, pattern]
        return InputRequest(
            id=new_id(),
            project_id=task.project.id,
            kind=kind,
            phase=task.phase,
            title=one_line(name, 200),
            body=body,
            choices=choices,
            content_hash=sha256(json.dumps(identity).encode()).hexdigest(),
            work_item_id=item_id,
            asked_by=task.asked_by,
            pattern=pattern,
            created_at=now(),
        )

    def _about(self) -> str:
        on = f" at {self._task.item.key}" if self._task.item else ""
        return f"{title(self._task.role).capitalize()}{on}"

    # Work items

    @property
    def _author(self) -> str:
        """Not the bare role: what the engine writes in its name means something."""
        return f"{self._task.role} agent"

    async def read_work_item(self, key: str) -> str:
        item = await self._item(key)
        comments = (await self._parts.tracker.list_comments(item.id))[-SHOWN_COMMENTS:]
        return _described(item, [(one.author, one.content[:SHOWN_COMMENT]) for one in comments])

    async def comment_on_work_item(self, key: str, text: str) -> str:
        self._count("note")
        item = await self._item(key)
        await self._parts.tracker.add_comment(item.id, text, author=self._author)
        return f"The note is on {item.key}."

    async def report_progress(self, text: str) -> str:
        self._count("report")
        self._parts.log.add(self._task.project.id, events.AgentReported(agent_id=self._agent_id, text=text))
        return "It was told."

    async def _item(self, key: str) -> WorkItem:
        number = key.rpartition("-")[2]
        if number.isascii() and number.isdigit() and 0 < int(number) < 1_000_000:
            listed = await self._parts.tracker.list_work_items(self._task.project.id, after=int(number) - 1, limit=1)
            for item in listed:
                if item.key.casefold() == key.casefold() and item.project_id == self._task.project.id:
                    return item
        raise ToolRefused(f"There is no work item {key} in this project.", hint="Keys look like TASK-3.")

    def _count(self, what: str) -> None:
        if self._left[what] == 0:
            raise ToolRefused(f"This session has used up its {what}s.", hint="Go on without.")
        self._left[what] -= 1


def _hides(text: str) -> bool:
    """Whether it holds characters that a person would not see."""
    plain = text.replace("\t", "    ")
    return clean(plain) != plain


def _decision(answered: InputRequest) -> Decision:
    words = f" {answered.text}" if answered.text else ""
    match answered.choice:
        case Choice.ALLOW_ONCE:
            return allow("a person allowed it this once")
        case Choice.ALLOW_PROJECT:
            return allow("a person allowed it in this project")
        case _:
            return deny(f"A person denied this: do without it.{words}")


def _described(item: WorkItem, comments: Sequence[tuple[str, str]]) -> str:
    shown = {
        "key": item.key,
        "title": item.title,
        "status": item.status.value,
        "priority": item.priority,
        "description": item.description,
        "acceptance": list(item.acceptance),
        "labels": list(item.labels),
        "notes": [{"author": author, "text": text} for author, text in comments],
    }
    return json.dumps(shown, ensure_ascii=False, indent=1)
