"""Turns events into the lines of each agent's log: one buffer an agent, the newest agents kept."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.events import AgentDelta, Event, Live, Recorded
from orchestrator_tui.domain.statuses import AgentStatus
from orchestrator_tui.domain.words import assumption, duration, instruction, merge, seat, title, tool_name
from orchestrator_tui.tui.drafts import Draft
from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import Kind

KEPT_LOGS = 24
"""How many agents' logs are kept in memory; older ones are read from the store when they are asked for."""

ANSWER_TOOL = "StructuredOutput"
SAY_IT_ALL = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit", "TodoWrite", ANSWER_TOOL})
"""Tools whose call says everything; only an error of theirs is worth a line."""

OWN_LABELS = {
    "ask user": "Asks",
    "read work item": "Reads",
    "comment on work item": "Notes",
    "report progress": "Tells",
}
"""What calls of the program's own tools are labelled with, where there are only a few cells."""

PROMPTS = {
    "task": "is given its task",
    "invalid_answer": "is told that its answer does not fit",
    "complaint": "is told what does not fit together",
    "verify_failed": "is given the output of the red check",
    "nothing_changed": "is told that nothing has changed",
    "resumed": "goes on with its conversation",
    "interrupted": "goes on after the interrupt",
}


class AgentLogs:
    """The logs of one project's agents. `take` is called with everything in the order it came.

    An agent's log begins with whatever is told of it first, so that one may join at any time.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, LogBuffer] = {}
        self._drafts: dict[str, Draft] = {}
        self._ended: set[str] = set()
        self._agent_of_item: dict[str, str] = {}
        self._told_by_call: set[str] = set()

    def __contains__(self, agent_id: str) -> bool:
        return agent_id in self._buffers

    def __getitem__(self, agent_id: str) -> LogBuffer:
        return self._buffers[agent_id]

    def load(self, history: Iterable[Recorded]) -> None:
        """Write down what happened before."""
        for recorded in history:
            self.take(recorded)

    def take(self, live: Live) -> str | None:
        """Write down what happened; the agent whose log it went to, None when it is of no agent."""
        match live:
            case AgentDelta(agent_id=agent_id, text=text):
                buffer = self._opened(agent_id)
                if shown := self._drafts[agent_id].add(text):
                    buffer.grow(shown, now())
                return agent_id
            case Recorded():
                return self._take_event(live.event, live.at)
            case _:
                return None

    def _take_event(self, event: Event, at: datetime) -> str | None:
        agent_id = self._agent_of(event)
        if agent_id is None:
            return None
        buffer = self._opened(agent_id)
        match event:
            case events.AgentSaid(text=text):
                self._complete(agent_id, text, at)
                return agent_id
            case events.AgentStarted(work_item_id=str(item_id)):
                self._agent_of_item[item_id] = agent_id
            case events.AgentFinished():
                self._ended.add(agent_id)
            case events.AgentCalledTool(tool=tool, call_id=call_id) if tool in SAY_IT_ALL:
                self._told_by_call.add(call_id)
            case events.AgentToolReturned(call_id=call_id) if call_id in self._told_by_call:
                self._told_by_call.discard(call_id)
                if not event.is_error:
                    return agent_id
        if line := line_of(event):
            kind, label, text = line
            buffer.append(kind, text, at, label)
        return agent_id

    def _complete(self, agent_id: str, text: str, at: datetime) -> None:
        buffer = self._buffers[agent_id]
        begun = self._drafts[agent_id].complete(text)
        buffer.complete(text, at)
        if begun:
            buffer.grow(begun, at)

    def _opened(self, agent_id: str) -> LogBuffer:
        if agent_id not in self._buffers:
            if len(self._buffers) >= KEPT_LOGS:
                self._drop_one()
            self._buffers[agent_id] = LogBuffer()
            self._drafts[agent_id] = Draft()
        return self._buffers[agent_id]

    def _drop_one(self) -> None:
        """Forgets the oldest log, one of an agent that has ended if there is any."""
        oldest = next((one for one in self._buffers if one in self._ended), next(iter(self._buffers)))
        del self._buffers[oldest], self._drafts[oldest]
        self._ended.discard(oldest)
        self._agent_of_item = {item: agent for item, agent in self._agent_of_item.items() if agent != oldest}

    def _agent_of(self, event: Event) -> str | None:
        """Whose log an event belongs to: an agent's own, or that of the agent at work on its item."""
        agent_id = getattr(event, "agent_id", None)
        if isinstance(agent_id, str):
            return agent_id
        if isinstance(event, events.InstructionGiven):
            # A note is for whoever comes next.
            return None
        item_id = getattr(event, "work_item_id", None)
        return self._agent_of_item.get(item_id) if isinstance(item_id, str) else None


def line_of(event: Event) -> tuple[Kind, str, str] | None:
    """Kind, label and text of an event's line; None when it has none in an agent's log."""
    match event:
        case events.AgentStarted():
            task = f" for {event.work_item_key}" if event.work_item_key else ""
            model = "a scripted model" if event.scripted else event.model
            return Kind.NOTE, "", f"{title(event.role)} starts{task}, session {event.session_number}, {model}"
        case events.AgentPrompted():
            return Kind.NOTE, "", PROMPTS.get(event.kind, event.kind.replace("_", " "))
        case events.AgentCalledTool():
            label = "Answer" if event.tool == ANSWER_TOOL else OWN_LABELS.get(tool_name(event.tool), event.tool)
            return Kind.CALL, label, f"{event.summary} {size_of(event.tool, event.arguments)}".strip()
        case events.AgentToolReturned():
            return (Kind.ERROR if event.is_error else Kind.RESULT), "", event.output or "(nothing)"
        case events.AgentRetried():
            status = f" {event.status}" if event.status else ""
            return Kind.ERROR, "", f"the API answered{status} {event.error}; again in {event.delay_seconds:.0f} s"
        case events.VerifyFinished(passed=True):
            return Kind.VERIFY, "", f"passed in {duration(event.seconds)}: {event.command}"
        case events.VerifyFinished():
            return Kind.ERROR, "Verify", f"red, exit code {event.exit_code}: {event.command}\n{event.output}"
        case events.MergeProgressed():
            return Kind.NOTE, "Merge", merge(event)
        case events.SeatAwaited():
            return Kind.NOTE, "", f"waits for {seat(event.scope, event.most)} to end"
        case events.CommitMade():
            return Kind.NOTE, "Commit", f"{event.commit[:8]} {event.message} +{event.insertions} −{event.deletions}"
        case events.InstructionGiven(agent_id=str()):
            return Kind.NOTE, "You", instruction(event)
        case events.InstructionTaken() | events.InstructionKept():
            return Kind.NOTE, "", instruction(event)
        case events.AgentReported():
            return Kind.NOTE, "Report", event.text
        case events.AssumptionMade():
            return Kind.NOTE, "Assumes", assumption(event)
        case events.AgentFinished(status=AgentStatus.COMPLETED):
            return Kind.NOTE, "", f"finished in {duration(event.seconds)}"
        case events.AgentFinished():
            why = f": {event.error}" if event.error else ""
            # Who was stopped, or went with its process, has made no mistake.
            kind = Kind.NOTE if event.status is AgentStatus.INTERRUPTED else Kind.ERROR
            return kind, "", f"{event.status} after {duration(event.seconds)}{why}"
        case _:
            return None


def size_of(tool: str, arguments: Mapping[str, Any]) -> str:
    """How many lines a file tool adds and takes away, such as `+14 −2`; empty for other tools."""
    added, removed = {
        "Write": (arguments.get("content"), None),
        "Edit": (arguments.get("new_string"), arguments.get("old_string")),
    }.get(tool, (None, None))
    parts = []
    if isinstance(added, str):
        parts.append(f"+{len(added.splitlines())}")
    if isinstance(removed, str):
        parts.append(f"−{len(removed.splitlines())}")
    return " ".join(parts)
