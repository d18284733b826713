"""Turns events into the lines of each agent's log: one buffer an agent, the newest agents kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.events import AgentDelta, Event, Live, Recorded
from orchestrator_tui.domain.statuses import AgentStatus
from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import Kind

KEPT_LOGS = 24
"""How many agents' logs are kept in memory; older ones are read from the store when they are asked for."""

ANSWER_TOOL = "StructuredOutput"
PROMPTS = {
    "task": "is given its task",
    "invalid_answer": "is told that its answer does not fit",
    "complaint": "is told what does not fit together",
    "verify_failed": "is given the output of the red check",
    "nothing_changed": "is told that nothing has changed",
}


class AgentLogs:
    """The logs of one project's agents. `take` is called with everything in the order it came."""

    def __init__(self) -> None:
        self._buffers: dict[str, LogBuffer] = {}
        self._agent_of_item: dict[str, str] = {}

    def __contains__(self, agent_id: str) -> bool:
        return agent_id in self._buffers

    def __getitem__(self, agent_id: str) -> LogBuffer:
        return self._buffers[agent_id]

    def take(self, live: Live) -> str | None:
        """Write down what happened; the agent whose log it went to, None when it is of no agent."""
        match live:
            case AgentDelta(agent_id=agent_id, text=text) if agent_id in self._buffers:
                self._buffers[agent_id].grow(text, now())
                return agent_id
            case Recorded():
                return self._take_event(live.event, live.at)
            case _:
                return None

    def _take_event(self, event: Event, at: datetime) -> str | None:
        if isinstance(event, events.AgentStarted):
            self._open(event)
        agent_id = self._agent_of(event)
        if agent_id is None or agent_id not in self._buffers:
            return None
        buffer = self._buffers[agent_id]
        if isinstance(event, events.AgentSaid):
            buffer.complete(event.text, at)
            return agent_id
        line = line_of(event)
        if line is not None:
            kind, label, text = line
            buffer.append(kind, text, at, label)
        return agent_id

    def _open(self, event: events.AgentStarted) -> None:
        self._buffers[event.agent_id] = LogBuffer()
        if event.work_item_id is not None:
            self._agent_of_item[event.work_item_id] = event.agent_id
        while len(self._buffers) > KEPT_LOGS:
            self._buffers.pop(next(iter(self._buffers)))

    def _agent_of(self, event: Event) -> str | None:
        """Whose log an event belongs to: an agent's own, or that of the agent at work on its item."""
        agent_id = getattr(event, "agent_id", None)
        if isinstance(agent_id, str):
            return agent_id
        item_id = getattr(event, "work_item_id", None)
        return self._agent_of_item.get(item_id) if isinstance(item_id, str) else None


def line_of(event: Event) -> tuple[Kind, str, str] | None:
    """Kind, label and text of an event's line; None when it has none in an agent's log."""
    match event:
        case events.AgentStarted():
            task = f" for {event.work_item_key}" if event.work_item_key else ""
            model = "a scripted model" if event.scripted else event.model
            return Kind.NOTE, "", f"{event.role} starts{task}, session {event.session_number}, {model}"
        case events.AgentPrompted():
            return Kind.NOTE, "", PROMPTS.get(event.kind, event.kind.replace("_", " "))
        case events.AgentCalledTool():
            label = "Answer" if event.tool == ANSWER_TOOL else event.tool
            return Kind.CALL, label, f"{event.summary} {size_of(event.tool, event.arguments)}".strip()
        case events.AgentToolReturned():
            return (Kind.ERROR if event.is_error else Kind.RESULT), "", event.output or "(nothing)"
        case events.AgentRetried():
            status = f" {event.status}" if event.status else ""
            return Kind.ERROR, "", f"the API answered{status} {event.error}; again in {event.delay_seconds:.0f} s"
        case events.VerifyFinished(passed=True):
            return Kind.VERIFY, "", f"passed in {event.seconds:.1f} s: {event.command}"
        case events.VerifyFinished():
            return Kind.ERROR, "Verify", f"red, exit code {event.exit_code}: {event.command}\n{event.output}"
        case events.CommitMade():
            return Kind.NOTE, "Commit", f"{event.commit[:8]} {event.message} +{event.insertions} −{event.deletions}"
        case events.AgentFinished(status=AgentStatus.COMPLETED):
            return Kind.NOTE, "", f"finished in {event.seconds:.1f} s"
        case events.AgentFinished():
            why = f": {event.error}" if event.error else ""
            return Kind.ERROR, "", f"{event.status} after {event.seconds:.1f} s{why}"
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
