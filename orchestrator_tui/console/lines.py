"""What an event says to people, as lines; pure: the state before and after it go in, lines come out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from orchestrator_tui.console.fold import ConsoleState, ItemView
from orchestrator_tui.domain import events, limit_words, words
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import (
    PHASE_ORDER,
    AgentStatus,
    PauseReason,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    WorkItemStatus,
)

ENGINE = "engine"
ANSWER_TOOL = "StructuredOutput"
"""The CLI's tool through which a session gives its answer."""


class Kind(StrEnum):
    """What a line is about; a terminal shows each in its own style, and none depends on it to be understood."""

    HEADING = "heading"
    PLAIN = "plain"
    QUIET = "quiet"
    GOOD = "good"
    BAD = "bad"
    WAITS = "waits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """`text` has no line breaks and no control characters; `phase` is "" when it belongs to none."""

    at: datetime
    phase: str
    who: str
    text: str
    kind: Kind = Kind.PLAIN


Said = tuple[str, Kind]


def lines_of(before: ConsoleState, after: ConsoleState, recorded: Recorded) -> tuple[Line, ...]:
    """The lines an event is worth; most are worth one, some none."""
    who, phase = _who(before, after, recorded.event), _phase(before, after, recorded.event)
    return tuple(
        Line(at=recorded.at, phase=phase, who=words.one_line(who, 40), text=_spaced(text), kind=kind)
        for text, kind in _said(before, after, recorded.event)
        if text.strip()
    )


def _said(before: ConsoleState, after: ConsoleState, event: events.Event) -> tuple[Said, ...]:
    match event:
        case events.ProjectCreated() | events.ProjectImported():
            return _created(event)
        case events.ProjectMoved():
            return ((words.project_moved(event.new), Kind.PLAIN),)
        case events.PipelineStatusChanged():
            return _pipeline(event)
        case events.PhaseStatusChanged():
            return _phase_changed(event)
        case events.PhaseProgressed():
            return _progressed(event)
        case events.ArtifactStored():
            where = f": {event.file_path}" if event.file_path else ""
            return ((f"stored {words.title(event.output_type)}{where}", Kind.PLAIN),)
        case events.AttemptFailed():
            item = f"{event.work_item_key}: " if event.work_item_key else ""
            return ((f"{item}{words.attempt(event)}", Kind.BAD),)
        case events.SwarmMerged():
            return (_merged(event),)
        case events.WorkItemCreated():
            return ((f"planned {event.key} {event.title}", Kind.QUIET),)
        case events.WorkItemStatusChanged():
            return (_item_changed(after, event),)
        case events.WorkItemCommented():
            return ((f"note on {event.key}: {words.one_line(event.text, 120)}", Kind.QUIET),)
        case events.WorkItemEdited() | events.WorkItemConflict() | events.TrackerMoved():
            return (_tracker(event),)
        case events.VerifyStarted():
            return ((f"verify {_on(after, event.work_item_id)}runs: {event.command}", Kind.QUIET),)
        case events.VerifyFinished():
            return (_verified(after, event),)
        case events.MergeProgressed():
            return ((f"{event.key} {words.merge(event)}", Kind.QUIET),)
        case events.CommitMade():
            return (_committed(event),)
        case events.InputRequested():
            return ((f"waits for you: {event.title}", Kind.WAITS),)
        case events.InputAnswered():
            return (_answered(event),)
        case events.InputWithdrawn():
            return (("the question needs no answer any more", Kind.QUIET),)
        case events.LimitSet():
            return ((limit_words.told(event), Kind.PLAIN),)
        case events.PrioritySet():
            return ((words.priority_set(event), Kind.PLAIN),)
        case events.LimitNear():
            return ((limit_words.told(event), Kind.WAITS),)
        case events.ErrorOccurred():
            return ((f"{event.title}: {event.message} {event.hint}", Kind.BAD),)
        case (
            events.LeaseTaken()
            | events.TakeoverAwaited()
            | events.StopRequested()
            | events.StopProgressed()
            | events.QueueChanged()
        ):
            return _ownership(event)
        case events.SeatAwaited():
            return ((words.seat_awaited(event), Kind.WAITS),)
        case events.SeatWaitEnded():
            return ()
        case events.SandboxChecked():
            return (_sandbox(event),)
        case (
            events.InstructionGiven()
            | events.InstructionTaken()
            | events.InstructionKept()
            | events.PermissionChanged()
            | events.AgentReported()
            | events.AssumptionMade()
        ):
            return _stepping_in(event)
        case _:
            return _agent(event)


def _sandbox(event: events.SandboxChecked) -> Said:
    return (words.sandbox(event.active, event.why), Kind.QUIET if event.active else Kind.WAITS)


def _stepping_in(
    event: events.InstructionGiven
    | events.InstructionTaken
    | events.InstructionKept
    | events.PermissionChanged
    | events.AgentReported
    | events.AssumptionMade,
) -> tuple[Said, ...]:
    match event:
        case events.AgentReported():
            return ((f"reports: {words.one_line(event.text, 120)}", Kind.PLAIN),)
        case events.AssumptionMade():
            return ((words.one_line(words.assumption(event), 200), Kind.WAITS),)
        case events.InstructionGiven(agent_id=str()):
            return ((f"{event.by} {words.one_line(words.instruction(event), 200)}", Kind.PLAIN),)
        case _:
            return ((words.one_line(words.instruction(event), 200), Kind.PLAIN),)


def _tracker(event: events.WorkItemEdited | events.WorkItemConflict | events.TrackerMoved) -> Said:
    match event:
        case events.WorkItemEdited():
            return f"{event.by} changed {event.key} in {event.where}: {words.fields(event.fields)}", Kind.PLAIN
        case events.WorkItemConflict():
            return words.conflict(event.field, event.ours, event.theirs, event.key), Kind.WAITS
        case events.TrackerMoved():
            return words.moved(event.old, event.new, event.items), Kind.PLAIN


def _ownership(
    event: events.LeaseTaken
    | events.TakeoverAwaited
    | events.StopRequested
    | events.StopProgressed
    | events.QueueChanged,
) -> tuple[Said, ...]:
    match event:
        case events.LeaseTaken(over=None):
            return ()
        case events.LeaseTaken(owner=owner, over=before):
            return ((words.taken_over(owner, str(before)), Kind.PLAIN),)
        case events.TakeoverAwaited():
            return ((words.takeover(event.owner, event.seconds), Kind.WAITS),)
        case events.StopRequested():
            return ((f"asked {words.owner(event.owner)} to stop it", Kind.PLAIN),)
        case events.QueueChanged():
            return ((words.queue(event.queued), Kind.QUIET),)
        case events.StopProgressed():
            told = [(f"[{event.step}/{events.STOP_STEPS}] {event.text}...", Kind.PLAIN)]
            return (*told, *((f"      - {detail}", Kind.PLAIN) for detail in event.details))


def _agent(
    event: events.AgentStarted
    | events.AgentPrompted
    | events.AgentSaid
    | events.AgentCalledTool
    | events.AgentToolReturned
    | events.AgentRetried
    | events.AgentFinished,
) -> tuple[Said, ...]:
    match event:
        case events.AgentStarted():
            model = "a scripted model" if event.scripted else event.model
            return ((f"started, session {event.session_number} with {model}", Kind.PLAIN),)
        case events.AgentPrompted():
            return () if event.kind == "task" else ((f"was told: {words.one_line(event.text, 120)}", Kind.QUIET),)
        case events.AgentSaid():
            return ((words.one_line(event.text, 120), Kind.QUIET),)
        case events.AgentCalledTool():
            tool = "answers:" if event.tool == ANSWER_TOOL else words.tool_name(event.tool)
            return ((f"{tool} {words.one_line(event.summary, 120)}", Kind.PLAIN),)
        case events.AgentToolReturned():
            return ((f"tool failed: {words.last_line(event.output)}", Kind.BAD),) if event.is_error else ()
        case events.AgentRetried():
            status = f" {event.status}" if event.status else ""
            text = f"API error{status} ({event.error}), try {event.attempt} in {words.duration(event.delay_seconds)}"
            return ((text, Kind.BAD),)
        case events.AgentFinished():
            return (_agent_finished(event),)
        case _:
            assert_never(event)


def _created(event: events.ProjectCreated | events.ProjectImported) -> tuple[Said, ...]:
    again = (
        f", built again: {event.done} of {event.items} items done" if isinstance(event, events.ProjectImported) else ""
    )
    project: Said = (f"project {event.number} {event.name} in {event.directory}{again}", Kind.PLAIN)
    return (project, (words.REHEARSAL, Kind.WAITS)) if event.rehearsal else (project,)


def _pipeline(event: events.PipelineStatusChanged) -> tuple[Said, ...]:
    reason = f" ({words.why(event.reason, event.resumes_at)})" if event.reason else ""
    match event.new:
        case PipelineStatus.RUNNING:
            return () if event.old is PipelineStatus.NOT_STARTED else ((f"running again{reason}", Kind.PLAIN),)
        case PipelineStatus.COMPLETED:
            return (("completed", Kind.GOOD),)
        case PipelineStatus.FAILED:
            return ((f"failed{reason}", Kind.BAD),)
        case PipelineStatus.PAUSED if event.reason == PauseReason.HAND_OVER:
            return ((words.HANDED_OVER, Kind.PLAIN),)
        case PipelineStatus.PAUSED:
            itself = "; it goes on by itself then" if event.resumes_at is not None else ""
            return ((f"paused{reason}{itself}", Kind.WAITS),)
        case _:
            return ((f"{event.new.value}{reason}", Kind.PLAIN),)


def _phase_changed(event: events.PhaseStatusChanged) -> tuple[Said, ...]:
    name = words.title(event.phase)
    match event.old, event.new:
        case ((PhaseStatus.COMPLETED | PhaseStatus.AWAITING_APPROVAL), PhaseStatus.RUNNING):
            # The engine puts it back in the queue next, which is told.
            return ()
        case _, PhaseStatus.RUNNING:
            again = f", round {event.round}" if event.round > 1 else ""
            number = PHASE_ORDER.index(event.phase) + 1
            return ((f"== {number}/{len(PHASE_ORDER)} {name}{again} ==", Kind.HEADING),)
        case _, PhaseStatus.PENDING:
            return ((f"{name} will run again: {event.reason or 'not finished'}", Kind.PLAIN),)
        case _, PhaseStatus.COMPLETED:
            took = words.duration(event.seconds)
            told = f"completed, {took} in all rounds" if event.round > 1 else f"completed in {took}"
            return ((f"{name} {told}", Kind.GOOD),)
        case _, PhaseStatus.SKIPPED:
            return ((f"{name} skipped: {event.reason or 'not wanted'}", Kind.PLAIN),)
        case _, PhaseStatus.FAILED:
            return ((f"{name} failed after {words.duration(event.seconds)}", Kind.BAD),)
        case _:
            return ()


def _progressed(event: events.PhaseProgressed) -> tuple[Said, ...]:
    """Only what has words: the plain numbers are those of the work items, which have lines of their own."""
    if not event.note:
        return ()
    return ((f"{_count(event.done, event.total)} {event.note}", Kind.PLAIN),)


def _merged(event: events.SwarmMerged) -> Said:
    missing = f"; missing: {', '.join(event.missing)}" if event.missing else ""
    agreed = f"{event.agreed} points agreed on, {event.single} raised by one"
    return f"merged {len(event.members)} drafts: {agreed}{missing}", Kind.BAD if event.missing else Kind.PLAIN


def _item_changed(after: ConsoleState, event: events.WorkItemStatusChanged) -> Said:
    item = after.items.get(event.work_item_id, ItemView(key=event.key, title=""))
    name = f"{_count(after.items_done, len(after.items))} {item.key} {words.one_line(item.title, 60)}"
    reason = f": {event.reason}" if event.reason else ""
    match event.new:
        case WorkItemStatus.DONE:
            took = f"{words.duration(item.seconds)}  {words.money(item.usage.cost_usd)}"
            return f"{name}  done  {took}", Kind.GOOD
        case WorkItemStatus.IN_PROGRESS:
            return f"{name}  started", Kind.PLAIN
        case WorkItemStatus.BLOCKED:
            return f"{name}  blocked{reason}", Kind.BAD
        case WorkItemStatus.TODO:
            return f"{name}  back to todo{reason}", Kind.PLAIN
        case _:
            assert_never(event.new)


def _verified(after: ConsoleState, event: events.VerifyFinished) -> Said:
    on = _on(after, event.work_item_id)
    took = words.duration(event.seconds)
    if event.passed:
        return f"verify {on}passed in {took}: {event.command}", Kind.GOOD
    end = words.last_line(event.output)
    return f"verify {on}failed with exit code {event.exit_code} in {took}: {event.command}: {end}", Kind.BAD


def _committed(event: events.CommitMade) -> Said:
    first = (event.message.splitlines() or [""])[0]
    size = f"{event.files} {'file' if event.files == 1 else 'files'} +{event.insertions} −{event.deletions}"
    return f"commit {event.commit[:8]} {words.one_line(first, 80)} ({size})", Kind.PLAIN


def _answered(event: events.InputAnswered) -> Said:
    text = f": {words.one_line(event.text, 120)}" if event.text else ""
    return f"answered {words.title(event.choice)}{text}", Kind.PLAIN


def _agent_finished(event: events.AgentFinished) -> Said:
    facts = f"{words.duration(event.seconds)}  {words.spent(event.usage)}"
    match event.status:
        case AgentStatus.FAILED:
            return f"failed after {facts}: {words.one_line(event.error or 'no reason given')}", Kind.BAD
        case AgentStatus.INTERRUPTED:
            return f"interrupted after {facts}", Kind.PLAIN
        case _:
            return f"finished in {facts}", Kind.PLAIN


def _who(before: ConsoleState, after: ConsoleState, event: events.Event) -> str:
    if isinstance(event, events.InputAnswered):
        return event.by
    agent_id = getattr(event, "agent_id", None)
    if agent_id is None:
        return ENGINE
    agent = after.agents.get(agent_id) or before.agents.get(agent_id)
    return agent.label if agent else f"agent {agent_id[:8]}"


def _phase(before: ConsoleState, after: ConsoleState, event: events.Event) -> str:
    agent_id = getattr(event, "agent_id", "")
    agent = after.agents.get(agent_id) or before.agents.get(agent_id)
    own: PhaseName | None = getattr(event, "phase", None) or (agent.phase if agent else None)
    name = own or after.current_phase
    return words.title(name) if name else ""


def _on(state: ConsoleState, work_item_id: str | None) -> str:
    item = state.items.get(work_item_id or "")
    return f"of {item.key} " if item else ""


def _count(done: int, total: int) -> str:
    width = len(str(total))
    return f"[{done:>{width}}/{total}]" if total else f"[{done}]"


def _spaced(text: str) -> str:
    """One line in which two blanks still set columns apart."""
    return "  ".join(part for part in (words.one_line(part, 400) for part in text.split("  ")) if part)
