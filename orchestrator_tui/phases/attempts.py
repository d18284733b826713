"""Works at a task until its answer passes, climbing the ladder; what failed is stored before anything follows it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from pydantic import BaseModel

from orchestrator_tui.backends.base import ATTEMPTS, WorkTracker
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import codec, events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import AgentFailed, GaveUp, LimitReached
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.troubles import Attempt, Rung, Trouble
from orchestrator_tui.engine import classification
from orchestrator_tui.engine.conversation import Conversation, Task
from orchestrator_tui.engine.detection import signature
from orchestrator_tui.engine.recovery import HOPELESS, Ladder
from orchestrator_tui.engine.verify import Verdict
from orchestrator_tui.phases.base import PhaseInput
from orchestrator_tui.phases.services import Services

A = TypeVar("A", bound=BaseModel)

ENGINE = "engine"
OUTPUT_IN_REPORT = 3_000
OUTPUT_IN_HINT = 6_000
DIFFERENT = {
    None: "the first try",
    Rung.HINT: "the same session, with a hint",
    Rung.FRESH: "a new session that knew what was tried before",
    Rung.STRONGER: "a new session of another model, {model}",
}
STILL_SPOKEN_TO = frozenset({Trouble.LOOPING, Trouble.BLOCKED_COMMAND})


@dataclass(frozen=True, kw_only=True, slots=True)
class Objection:
    """Why an answer is not taken.

    Attributes:
        problem: what is wrong, in a line. output: all that is known about it, such as the output of a check.
        prompt: how the agent is told; `kind` is the name of that prompt in the session's events.
    """

    trouble: Trouble
    problem: str
    prompt: str
    kind: str
    output: str = ""

    @classmethod
    def invalid(cls, services: Services, problems: Sequence[str]) -> "Objection":
        """The answer does not fit what is there."""
        prompt = services.render("common", "invalid_answer", errors=list(problems))
        text = "; ".join(problems)
        return cls(trouble=Trouble.INVALID_ANSWER, problem=text, prompt=prompt, kind="invalid_answer", output=text)


Check = Callable[[A, Conversation], Awaitable[Objection | None]]
"""Looks at an answer; None takes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Failure:
    """A failed attempt, with what is `told` of it where its task is, and what the next attempt is shown in `detail`."""

    attempt: Attempt
    told: str
    detail: str


class Book(Protocol):
    """Where the failed attempts at one task are kept."""

    async def read(self) -> Sequence[Attempt]: ...

    async def write(self, unit: UnitOfWork, attempts: Sequence[Attempt], told: str) -> None:
        """Keep these; `told` is what is said about the newest, empty when there is none."""
        ...

    def written(self) -> None:
        """What was kept last is committed."""
        ...


@dataclass(frozen=True, slots=True)
class PhaseBook:
    """Of a task of the phase under way."""

    store: Store
    project_id: str
    task: str

    async def read(self) -> Sequence[Attempt]:
        state = await self.store.pipeline_state(self.project_id)
        phase = state.phases[state.current_phase] if state.current_phase else None
        return [one for one in phase.attempts if one.task == self.task] if phase else []

    async def write(self, unit: UnitOfWork, attempts: Sequence[Attempt], told: str) -> None:
        kept = [replace(one, task=self.task) for one in attempts]
        await unit.save_attempts(self.project_id, self.task, kept)

    def written(self) -> None:
        """Nobody else keeps them."""


@dataclass(slots=True)
class ItemBook:
    """Of a work item, in its metadata; what failed is also a comment."""

    tracker: WorkTracker
    item: WorkItem
    _written: WorkItem | None = None

    async def read(self) -> Sequence[Attempt]:
        return attempts_of(await self.tracker.get_work_item(self.item.id))

    async def write(self, unit: UnitOfWork, attempts: Sequence[Attempt], told: str) -> None:
        kept = {ATTEMPTS: codec.to_plain(list(attempts))}
        self._written = await self.tracker.note_in(unit, self.item.id, kept, told, author=ENGINE)

    def written(self) -> None:
        if self._written is not None:
            self.tracker.noted(self._written)


def attempts_of(item: WorkItem) -> list[Attempt]:
    """What has failed at an item since somebody last asked for it."""
    return [codec.from_plain(Attempt, one) for one in item.metadata.get(ATTEMPTS) or ()]


class Attempts:
    """The tries at one task."""

    def __init__(self, services: Services, given: PhaseInput, task: Task, book: Book | None = None) -> None:
        self._services = services
        self._given = given
        self._task = task
        self._book = book or PhaseBook(services.store, given.project.id, f"{task.role}/{task.subject}")
        settings = given.settings.error_recovery
        self._ladder = Ladder(
            tries=settings.max_consecutive_errors,
            same_error=settings.same_error_limit,
            stronger=settings.stronger_model,
        )
        self._output = ""
        self._failed: list[Attempt] = []
        self._kept: tuple[AgentFailed, _Failure] | None = None

    @property
    def number(self) -> int:
        """Which attempt is under way, from 1."""
        return len(self._failed) + 1

    @property
    def most(self) -> int:
        """How many there are at most."""
        return self._ladder.most(self._task.model)

    async def work(self, answer: type[A], check: Check[A]) -> A:
        """The first answer that `check` takes.

        Raises:
            AgentFailed: no session can mend it, such as refused credentials.
            GaveUp: it was tried in every way there is.
            LimitReached: nothing is left to use.
            MustWait: the API takes no requests for now.
        """
        self._failed = list(await self._book.read())
        while True:
            if self._failed and self._failed[-1].then is Rung.ESCALATE:
                raise self._gave_up()
            try:
                taken = await self._session(answer, check)
            except LimitReached as error:
                if await self._services.sessions.still_reached(error) is not None:
                    raise
                # It had used its share only: others gave back what they had not used, so its conversation goes on.
                self._task = replace(self._task, sharers=1)
                continue
            except AgentFailed as error:
                if error.trouble in HOPELESS or isinstance(error, GaveUp):
                    raise
                await self._fail(self._kept_with(error) or self._of_session(error))
                continue
            if taken is not None:
                if self._failed:
                    async with self._services.store.transaction() as unit:
                        await self._book.write(unit, [], "")
                    self._book.written()
                return taken

    async def _failing(self, unit: UnitOfWork, error: AgentFailed) -> None:
        """What a failed session means for its task is stored together with its end."""
        hopeless = error.trouble in HOPELESS or isinstance(error, GaveUp)
        if hopeless or error.kind == "resume" or self._services.workspace.is_full():
            return
        failure = self._of_session(error)
        await self._store(unit, failure)
        self._kept = error, failure

    def _kept_with(self, error: AgentFailed) -> "_Failure | None":
        """What was stored with a session's end; None when nothing was."""
        return self._kept[1] if self._kept is not None and self._kept[0] is error else None

    def _of_session(self, error: AgentFailed) -> "_Failure":
        told = f"The session failed: {error.message}"
        return self._failure(
            error.trouble, error.message, told, evidence=error.message, detail=error.summary, can_hear=False
        )

    async def _session(self, answer: type[A], check: Check[A]) -> A | None:
        """The answer a session came to; None when another has to follow."""
        task = self._next_task()
        async with self._services.conversation(task, self._failing) as conversation:
            prompt, kind, given = conversation.opening, "task", await conversation.given(answer)
            while True:
                objection = None
                try:
                    given = given or await conversation.ask(prompt, answer, kind=kind)
                except AgentFailed as error:
                    if error.trouble not in STILL_SPOKEN_TO:
                        raise
                    objection = Objection(
                        trouble=error.trouble, problem=error.message, prompt="", kind=error.trouble.value
                    )
                if given is not None and (objection := await check(given, conversation)) is None:
                    return given
                assert objection is not None
                given = None
                told = "\n\n".join(dict.fromkeys((objection.problem, objection.output[-OUTPUT_IN_REPORT:]))).strip()
                await self._fail(
                    self._failure(
                        objection.trouble,
                        objection.problem,
                        told,
                        evidence=objection.output or objection.problem,
                        detail=objection.output or conversation.summary(),
                        can_hear=True,
                    ),
                    conversation,
                )
                if self._failed[-1].then is not Rung.HINT:
                    return None
                prompt, kind = self._in_session(objection), objection.kind

    def _next_task(self) -> Task:
        """The task as the attempt that is due takes it on."""
        if not self._failed:
            return self._task
        last, model = self._failed[-1], self._task.model
        if last.then is Rung.STRONGER:
            model = self._ladder.stronger or model
        return replace(
            self._task,
            model=model,
            attempt=self._task.attempt + len(self._failed),
            hint=self.hint(detail=self._output[-OUTPUT_IN_HINT:]),
            # A hint belongs into the session that failed; anything else into one that begins after that.
            not_before=self._task.not_before if last.then is Rung.HINT else last.at,
        )

    def _in_session(self, objection: Objection) -> str:
        """What the session that failed is told."""
        if objection.prompt and len(self._failed) == 1:
            return objection.prompt
        hint = self.hint(detail="" if objection.prompt else objection.output[-OUTPUT_IN_HINT:])
        return f"{objection.prompt}\n\n{hint}" if objection.prompt else hint

    def hint(self, *, detail: str) -> str:
        """What failed before, what is different now, and what helps with the last trouble."""
        last = self._failed[-1]
        return self._services.render(
            "recovery",
            "again",
            tried=[_line(number, one) for number, one in enumerate(self._failed, 1)],
            different=_different(last.then, self._ladder.stronger or ""),
            advice=self._services.render("recovery", last.trouble.value, problem=last.problem),
            detail=detail,
        )

    async def _fail(self, failure: "_Failure", conversation: Conversation | None = None) -> None:
        """Take in that an attempt failed, and store it unless that was done with the end of its session; with it what
        was answered in a `conversation` that is still open stands no more."""
        if self._kept is None or self._kept[1] is not failure:
            # What fails on a full disk is no fault of the work.
            self._services.workspace.require_room()
            await self._services.log.flush()
            async with self._services.store.transaction() as unit:
                if conversation is not None:
                    await conversation.refuse_in(unit)
                await self._store(unit, failure)
        if conversation is not None:
            conversation.refused()
        self._book.written()
        self._failed.append(failure.attempt)
        self._output = failure.detail

    def _failure(
        self, trouble: Trouble, problem: str, told: str, *, evidence: str, detail: str, can_hear: bool
    ) -> "_Failure":
        """A failed attempt, and what follows it. Two failures with like `evidence` are the same; `detail` is what the
        next attempt is shown."""
        rung = self._failed[-1].then if self._failed else None
        name = signature(f"{trouble} {evidence}")
        then = self._ladder.after(self._failed, trouble, name, self._task.model, can_hear=can_hear)
        attempt = Attempt(
            trouble=trouble,
            rung=rung,
            then=then,
            model=(self._ladder.stronger or "") if rung is Rung.STRONGER else self._task.model,
            signature=name,
            problem=one_line(problem, 300),
            at=now(),
        )
        return _Failure(attempt=attempt, told=told, detail=detail)

    async def _store(self, unit: UnitOfWork, failure: "_Failure") -> None:
        """Before anything follows it."""
        task, attempt, number = self._task, failure.attempt, self.number
        await self._book.write(unit, [*self._failed, attempt], failure.told)
        unit.record(
            self._given.project.id,
            events.AttemptFailed(
                phase=task.phase,
                role=task.role,
                trouble=attempt.trouble,
                problem=attempt.problem,
                then=attempt.then,
                number=number,
                most=max(self.most, number),
                work_item_id=task.item.id if task.item else None,
                work_item_key=task.item.key if task.item else None,
            ),
        )

    def _gave_up(self) -> GaveUp:
        last = self._failed[-1]
        return GaveUp(last.problem, trouble=last.trouble, report=report(self._failed, self._output))


def red(services: Services, verdict: Verdict, attempts: Attempts, *, about: str = "") -> Objection:
    """The project's check is red; `about` goes before what its output says."""
    failed = services.failed_output(verdict, attempts.number, attempts.most)
    return Objection(
        trouble=classification.of_check(verdict.exit_code, verdict.output),
        problem=f"`{verdict.command}` ended with exit code {verdict.exit_code}:",
        prompt=f"{about}\n\n{failed}" if about else failed,
        kind="verify_failed",
        output=verdict.output,
    )


def refused(conversation: Conversation, summary: str) -> Objection | None:
    """An agent finds that its task cannot be done; when commands were refused, that may be why. None otherwise."""
    if not conversation.refusals:
        return None
    problem = f"{summary} Refused was: {conversation.refusals[-1]}"
    conversation.refusals.clear()
    return Objection(trouble=Trouble.BLOCKED_COMMAND, problem=problem, prompt="", kind="blocked_command")


async def taken(answer: BaseModel, conversation: Conversation) -> None:
    """The check of a task whose every valid answer is taken."""


def report(failed: Sequence[Attempt], output: str) -> str:
    """The class of the trouble, each attempt with what was different about it, and the last output."""
    lines = [f"Given up after {len(failed)} tries ({failed[-1].trouble.replace('_', ' ')}):", ""]
    lines += [_line(number, one) for number, one in enumerate(failed, 1)]
    if output:
        lines += ["", "The last output:", "", output[-OUTPUT_IN_REPORT:]]
    return "\n".join(lines)


def _line(number: int, attempt: Attempt) -> str:
    different = _different(attempt.rung, attempt.model)
    return f"{number}. {different}: {attempt.trouble.replace('_', ' ')}: {attempt.problem}"


def _different(rung: Rung | None, model: str) -> str:
    return DIFFERENT[rung if rung is not Rung.ESCALATE else None].format(model=model)
