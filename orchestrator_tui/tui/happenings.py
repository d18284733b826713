"""What an event says to people, as one line of the history: when, a sign, who, the words; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never

from orchestrator_tui.domain import events, limit_words, words
from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.statuses import AgentStatus, PauseReason, PhaseStatus, PipelineStatus
from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.tui import glyphs
from orchestrator_tui.tui.agentlog import PROMPTS

ANSWER_TOOL = "StructuredOutput"
LONGEST_LINE = 400
LONGEST_DETAIL = 20_000

Names = Mapping[str, str]
"""What people call agents and work items, by their ids."""

NO_NAMES: Names = MappingProxyType({})


class Kind(StrEnum):
    """What a line is about; people filter by it."""

    PHASE = "phases"
    AGENT = "agents"
    TOOL = "tools"
    ITEM = "work items"
    CHECK = "checks"
    QUESTION = "questions"
    ERROR = "errors"


@dataclass(frozen=True, slots=True)
class Happening:
    """`color` is a variable of the theme; `text` is one safe line, `detail` safe text of many, often empty."""

    seq: int
    at: datetime
    kind: Kind
    sign: str
    color: str
    who: str
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A line before it is made safe; `who` is an id or a name."""

    kind: Kind
    mark: tuple[str, str]
    text: str
    who: str = ""
    detail: str = ""


_QUIET = ("·", "muted")
_GOOD = ("✓", "success")
_BAD = ("×", "error")
_ASKS = ("●", "warning")
_TOOL = ("›", "tool")
_ANSWERED = ("◂", "accent")


def line_of(recorded: Recorded, names: Names = NO_NAMES) -> Happening | None:
    """The line of an event; None when it tells people nothing that another one does not."""
    said = _said(recorded.event, names)
    if said is None:
        return None
    sign, color = said.mark
    return Happening(
        seq=recorded.seq,
        at=recorded.at,
        kind=said.kind,
        sign=sign,
        color=color,
        who=one_line(names.get(said.who, said.who), 40),
        text=one_line(said.text, LONGEST_LINE),
        detail=clean(said.detail[:LONGEST_DETAIL]).strip(),
    )


def named(event: Event) -> tuple[str, str] | None:
    """The id and the name that an event gives to an agent or a work item."""
    match event:
        case events.AgentStarted():
            return event.agent_id, agent_name(event.role, event.session_number)
        case events.WorkItemCreated() | events.WorkItemStatusChanged():
            return event.work_item_id, event.key
        case _:
            return None


def agent_name(role: str, number: int) -> str:
    """What the history calls an agent, such as `implementer 12`."""
    return f"{words.title(role)} {number}"


def stop_step(event: events.StopProgressed) -> str:
    """Such as `2/5 Waiting for agent to reach a safe point`."""
    return f"{event.step}/{events.STOP_STEPS} {event.text}"


def _said(event: Event, names: Names) -> Said | None:
    match event:
        case (
            events.ProjectCreated()
            | events.ProjectImported()
            | events.ProjectMoved()
            | events.PipelineStatusChanged()
            | events.LeaseTaken()
            | events.SandboxChecked()
            | events.TakeoverAwaited()
            | events.StopRequested()
            | events.QueueChanged()
            | events.StopProgressed()
            | events.SeatAwaited()
            | events.SeatWaitEnded()
            | events.PhaseStatusChanged()
            | events.PhaseProgressed()
            | events.ArtifactStored()
            | events.SwarmMerged()
            | events.LimitSet()
            | events.PrioritySet()
            | events.LimitNear()
        ):
            return _of_phase(event)
        case (
            events.AgentStarted()
            | events.AgentPrompted()
            | events.AgentSaid()
            | events.AgentCalledTool()
            | events.AgentToolReturned()
            | events.AgentRetried()
            | events.AgentFinished()
        ):
            return _of_agent(event)
        case (
            events.WorkItemCreated()
            | events.WorkItemStatusChanged()
            | events.WorkItemCommented()
            | events.WorkItemEdited()
            | events.WorkItemConflict()
        ):
            return _of_item(event)
        case events.TrackerMoved():
            return Said(
                Kind.ITEM, ("●", "accent"), words.moved(event.old, event.new, event.items), detail=event.link or ""
            )
        case events.VerifyStarted() | events.VerifyFinished() | events.MergeProgressed() | events.CommitMade():
            return _of_check(event, names)
        case events.AttemptFailed():
            return Said(Kind.ERROR, _BAD, words.attempt(event), event.work_item_key or "", event.problem)
        case events.InputRequested() | events.InputAnswered() | events.InputWithdrawn():
            return _of_question(event)
        case (
            events.InstructionGiven()
            | events.InstructionTaken()
            | events.InstructionKept()
            | events.PermissionChanged()
            | events.AgentReported()
            | events.AssumptionMade()
        ):
            return _of_person(event)
        case events.ErrorOccurred():
            return Said(Kind.ERROR, _BAD, f"{event.title}: {event.message}", detail=f"{event.message}\n{event.hint}")
        case _:
            assert_never(event)


def _of_phase(
    event: events.ProjectCreated
    | events.ProjectImported
    | events.ProjectMoved
    | events.PipelineStatusChanged
    | events.LeaseTaken
    | events.SandboxChecked
    | events.TakeoverAwaited
    | events.StopRequested
    | events.QueueChanged
    | events.StopProgressed
    | events.SeatAwaited
    | events.SeatWaitEnded
    | events.PhaseStatusChanged
    | events.PhaseProgressed
    | events.ArtifactStored
    | events.SwarmMerged
    | events.LimitSet
    | events.PrioritySet
    | events.LimitNear,
) -> Said | None:
    match event:
        case events.ProjectCreated():
            text = f"project {event.name} begins: {event.idea}"
            return Said(Kind.PHASE, ("●", "accent"), text, detail=f"{event.idea}\n{event.directory}")
        case events.ProjectImported():
            text = f"project {event.name} built again: {event.done} of {event.items} work items done"
            return Said(Kind.PHASE, ("●", "accent"), text, detail=f"{event.idea}\n{event.directory}")
        case events.ProjectMoved():
            return Said(Kind.PHASE, _QUIET, words.project_moved(event.new), detail=event.old)
        case events.PipelineStatusChanged():
            return _pipeline(event)
        case events.PhaseStatusChanged():
            return _phase(event)
        case events.PhaseProgressed():
            count = f"{event.done}/{event.total}" if event.total else str(event.done)
            text = f"{words.title(event.phase)} {count} {event.note}"
            return Said(Kind.PHASE, _QUIET, text) if event.note else None
        case events.ArtifactStored():
            again = f", round {event.round}" if event.round > 1 else ""
            where = f" in {event.file_path}" if event.file_path else ""
            return Said(Kind.PHASE, _QUIET, f"{words.title(event.output_type)} stored{where}{again}")
        case events.SwarmMerged():
            return _merged(event)
        case events.LimitSet() | events.LimitNear():
            mark = _ASKS if isinstance(event, events.LimitNear) else _QUIET
            return Said(Kind.PHASE, mark, limit_words.told(event))
        case events.PrioritySet():
            return Said(Kind.PHASE, _QUIET, words.priority_set(event))
        case events.TakeoverAwaited():
            return Said(Kind.PHASE, _ASKS, words.takeover(event.owner, event.seconds))
        case events.StopRequested():
            return Said(Kind.PHASE, _QUIET, f"asked {words.owner(event.owner)} to stop it")
        case events.QueueChanged():
            return Said(Kind.PHASE, _QUIET, words.queue(event.queued))
        case events.SeatAwaited():
            return Said(Kind.PHASE, _QUIET, words.seat_awaited(event), event.work_item_key or "")
        case events.SeatWaitEnded():
            return None
        case events.StopProgressed():
            return Said(Kind.PHASE, _QUIET, stop_step(event), detail="\n".join(event.details))
        case events.SandboxChecked():
            return Said(Kind.PHASE, _QUIET if event.active else _ASKS, words.sandbox(event.active, event.why))
        case events.LeaseTaken(over=None):
            return None
        case events.LeaseTaken(owner=owner, over=before):
            return Said(Kind.PHASE, _QUIET, words.taken_over(owner, str(before)))
        case _:
            assert_never(event)


def _pipeline(event: events.PipelineStatusChanged) -> Said:
    if event.reason == PauseReason.HAND_OVER:
        return Said(Kind.PHASE, _QUIET, f"project {words.HANDED_OVER}")
    reason = f": {words.why(event.reason, event.resumes_at)}" if event.reason else ""
    kind = Kind.ERROR if event.new is PipelineStatus.FAILED else Kind.PHASE
    return Said(kind, glyphs.PIPELINES[event.new], f"project {words.title(event.new)}{reason}")


PHASE_WORDS = {status: words.title(status) for status in PhaseStatus} | {
    # Every phase passes through it; that a person is asked is told by an event of its own.
    PhaseStatus.AWAITING_APPROVAL: "has its result",
}


def _phase(event: events.PhaseStatusChanged) -> Said:
    took = f" in {words.duration(event.seconds)}" if event.new is PhaseStatus.COMPLETED else ""
    again = f", round {event.round}" if event.round > 1 else ""
    reason = f": {event.reason}" if event.reason else ""
    kind = Kind.ERROR if event.new is PhaseStatus.FAILED else Kind.PHASE
    return Said(
        kind, glyphs.PHASES[event.new], f"{words.title(event.phase)} {PHASE_WORDS[event.new]}{took}{again}{reason}"
    )


def _merged(event: events.SwarmMerged) -> Said:
    missing = f", without {' and '.join(event.missing)}" if event.missing else ""
    text = f"{len(event.members)} drafts merged{missing}: {event.agreed} agreed, {event.single} of one agent only"
    return Said(Kind.PHASE, _BAD if event.missing else _QUIET, text)


def _of_agent(
    event: events.AgentStarted
    | events.AgentPrompted
    | events.AgentSaid
    | events.AgentCalledTool
    | events.AgentToolReturned
    | events.AgentRetried
    | events.AgentFinished,
) -> Said | None:
    who = event.agent_id
    match event:
        case events.AgentStarted():
            on = f" on {event.work_item_key}" if event.work_item_key else ""
            model = "a scripted model" if event.scripted else event.model
            name = agent_name(event.role, event.session_number)
            return Said(Kind.AGENT, ("●", "accent"), f"starts{on} with {model}", name)
        case events.AgentPrompted():
            told = PROMPTS.get(event.kind, f"is told, {words.title(event.kind)}")
            return None if event.kind == "task" else Said(Kind.AGENT, _QUIET, f"{told}: {event.text}", who, event.text)
        case events.AgentSaid():
            return Said(Kind.AGENT, _QUIET, event.text, who, event.text)
        case events.AgentCalledTool():
            tool = "answers" if event.tool == ANSWER_TOOL else words.tool_name(event.tool)
            return Said(Kind.TOOL, _TOOL, f"{tool} {event.summary}", who)
        case events.AgentToolReturned():
            text = f"tool failed: {words.last_line(event.output)}"
            return Said(Kind.ERROR, _BAD, text, who, event.output) if event.is_error else None
        case events.AgentRetried():
            again = f"try {event.attempt} in {words.duration(event.delay_seconds)}"
            return Said(Kind.ERROR, _BAD, f"API error {event.status or ''} {event.error}; {again}", who)
        case events.AgentFinished():
            return _finished(event)
        case _:
            assert_never(event)


def _finished(event: events.AgentFinished) -> Said:
    facts = (
        f"{words.duration(event.seconds)} · {words.tokens(event.usage.tokens)} · {words.money(event.usage.cost_usd)}"
    )
    error = f": {event.error}" if event.error else ""
    kind = Kind.ERROR if event.status is AgentStatus.FAILED else Kind.AGENT
    text = f"{event.status} after {facts}{error}"
    return Said(kind, glyphs.AGENTS[event.status], text, event.agent_id, event.error or event.summary)


def _of_item(
    event: events.WorkItemCreated
    | events.WorkItemStatusChanged
    | events.WorkItemCommented
    | events.WorkItemEdited
    | events.WorkItemConflict,
) -> Said:
    match event:
        case events.WorkItemCreated():
            return Said(Kind.ITEM, ("○", "muted"), f"planned: {event.title}", event.key)
        case events.WorkItemStatusChanged():
            reason = f": {event.reason}" if event.reason else ""
            return Said(Kind.ITEM, glyphs.ITEMS[event.new], f"{words.title(event.new)}{reason}", event.key)
        case events.WorkItemCommented():
            return Said(Kind.ITEM, _QUIET, f"note of {event.author}: {event.text}", event.key, event.text)
        case events.WorkItemEdited():
            text = f"{event.by} changed its {words.fields(event.fields)} in {event.where}"
            return Said(Kind.ITEM, ("◂", "accent"), text, event.key, event.title)
        case events.WorkItemConflict():
            return Said(Kind.ITEM, _ASKS, words.conflict(event.field, event.ours, event.theirs), event.key)
        case _:
            assert_never(event)


def _of_check(
    event: events.VerifyStarted | events.VerifyFinished | events.MergeProgressed | events.CommitMade, names: Names
) -> Said | None:
    item = names.get(event.work_item_id or "", "")
    match event:
        case events.VerifyStarted():
            return None
        case events.VerifyFinished(passed=True):
            text = f"check passed in {words.duration(event.seconds)}: {event.command}"
            return Said(Kind.CHECK, _GOOD, text, item, event.output)
        case events.VerifyFinished():
            text = f"check red, exit code {event.exit_code}: {words.last_line(event.output)}"
            return Said(Kind.ERROR, _BAD, text, item, f"{event.command}\n{event.output}")
        case events.MergeProgressed():
            return Said(Kind.CHECK, _QUIET, words.merge(event), item)
        case events.CommitMade():
            size = f"{event.files} {'file' if event.files == 1 else 'files'} +{event.insertions} −{event.deletions}"
            text = f"commit {event.commit[:8]} {(event.message.splitlines() or [''])[0]} ({size})"
            return Said(Kind.CHECK, ("◆", "tool"), text, item, event.message)
        case _:
            assert_never(event)


def _of_person(
    event: events.InstructionGiven
    | events.InstructionTaken
    | events.InstructionKept
    | events.PermissionChanged
    | events.AgentReported
    | events.AssumptionMade,
) -> Said:
    match event:
        case events.AgentReported():
            return Said(Kind.AGENT, _QUIET, event.text, event.agent_id, event.text)
        case events.AssumptionMade():
            detail = f"{event.question}\n\n{event.answer}"
            return Said(Kind.QUESTION, _ASKS, words.assumption(event), event.agent_id, detail)
        case events.PermissionChanged():
            return Said(Kind.QUESTION, _ANSWERED, words.instruction(event), event.by, event.pattern)
        case events.InstructionGiven():
            return Said(Kind.QUESTION, _ANSWERED, words.instruction(event), event.agent_id or event.by, event.text)
        case _:
            return Said(Kind.QUESTION, _QUIET, words.instruction(event), event.agent_id, event.text)


def _of_question(event: events.InputRequested | events.InputAnswered | events.InputWithdrawn) -> Said:
    match event:
        case events.InputRequested():
            return Said(Kind.QUESTION, _ASKS, f"waits for you: {event.title}")
        case events.InputAnswered():
            text = f": {event.text}" if event.text else ""
            return Said(Kind.QUESTION, _ANSWERED, f"{words.title(event.choice)}{text}", event.by, event.text or "")
        case events.InputWithdrawn():
            return Said(Kind.QUESTION, _QUIET, f"the {words.title(event.kind)} is not needed any more")
        case _:
            assert_never(event)
