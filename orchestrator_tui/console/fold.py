"""What the console knows of a project, folded from its events; pure, so that a replay gives the same picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import (
    PHASE_ORDER,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    WorkItemStatus,
)

T = TypeVar("T")

NOTHING = Usage()


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseView:
    """`done` and `total` are the phase's own units, 0 and 0 when it has told none."""

    status: PhaseStatus = PhaseStatus.PENDING
    round: int = 0
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    usage: Usage = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentView:
    """A running agent. `label` is its role and work item, `doing` the last thing it did."""

    phase: PhaseName
    label: str
    started_at: datetime
    work_item_id: str | None = None
    doing: str = "starting"


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemView:
    """A work item. `seconds` and `usage` are those of its last try, set when it ends."""

    key: str
    title: str
    status: WorkItemStatus = WorkItemStatus.TODO
    started_at: datetime | None = None
    seconds: float = 0.0
    usage: Usage = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleState:
    """One project as its events tell it, up to and including event `seq`."""

    seq: int = 0
    number: int = 0
    name: str = ""
    directory: str = ""
    rehearsal: bool = False
    status: PipelineStatus = PipelineStatus.NOT_STARTED
    reason: str | None = None
    phases: Mapping[PhaseName, PhaseView] = field(default_factory=lambda: {name: PhaseView() for name in PHASE_ORDER})
    agents: Mapping[str, AgentView] = field(default_factory=dict)
    items: Mapping[str, ItemView] = field(default_factory=dict)
    waiting: Mapping[str, RequestKind] = field(default_factory=dict)
    commits: int = 0

    @property
    def current_phase(self) -> PhaseName | None:
        """The phase that runs or waits for an approval; None when none does."""
        busy = (PhaseStatus.RUNNING, PhaseStatus.AWAITING_APPROVAL)
        return next((name for name in PHASE_ORDER if self.phases[name].status in busy), None)

    @property
    def phases_done(self) -> int:
        ended = (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED)
        return sum(phase.status in ended for phase in self.phases.values())

    @property
    def items_done(self) -> int:
        return sum(item.status is WorkItemStatus.DONE for item in self.items.values())

    @property
    def usage(self) -> Usage:
        total = Usage()
        for phase in self.phases.values():
            total = total + phase.usage
        return total


def fold(state: ConsoleState, recorded: Recorded) -> ConsoleState:
    """The state after an event."""
    state = replace(state, seq=recorded.seq)
    event = recorded.event
    match event:
        case events.ProjectCreated() | events.ProjectImported():
            return replace(
                state, number=event.number, name=event.name, directory=event.directory, rehearsal=event.rehearsal
            )
        case events.ProjectMoved():
            return replace(state, directory=event.new)
        case events.PipelineStatusChanged():
            return replace(state, status=event.new, reason=event.reason)
        case events.PhaseStatusChanged() | events.PhaseProgressed():
            return _fold_phase(state, event)
        case events.WorkItemCreated() | events.WorkItemStatusChanged():
            return _fold_item(state, event, recorded.at)
        case events.InputRequested():
            return replace(state, waiting={**state.waiting, event.request_id: event.kind})
        case events.InputAnswered() | events.InputWithdrawn():
            return replace(state, waiting=_without(state.waiting, event.request_id))
        case events.CommitMade():
            return replace(state, commits=state.commits + 1)
        case _:
            return _fold_agent(state, event, recorded.at)


def _fold_phase(state: ConsoleState, event: events.PhaseStatusChanged | events.PhaseProgressed) -> ConsoleState:
    phase = state.phases[event.phase]
    match event:
        case events.PhaseStatusChanged():
            phase = replace(phase, status=event.new, round=event.round, seconds=event.seconds)
        case events.PhaseProgressed():
            phase = replace(phase, done=event.done, total=event.total)
    return replace(state, phases={**state.phases, event.phase: phase})


def _fold_item(
    state: ConsoleState, event: events.WorkItemCreated | events.WorkItemStatusChanged, at: datetime
) -> ConsoleState:
    match event:
        case events.WorkItemCreated():
            item = ItemView(key=event.key, title=event.title)
        case events.WorkItemStatusChanged(new=WorkItemStatus.IN_PROGRESS):
            item = replace(_item(state, event), status=event.new, started_at=at, seconds=0.0, usage=Usage())
        case events.WorkItemStatusChanged():
            item = _item(state, event)
            seconds = (at - item.started_at).total_seconds() if item.started_at else 0.0
            item = replace(item, status=event.new, started_at=None, seconds=seconds)
    return replace(state, items={**state.items, event.work_item_id: item})


def _item(state: ConsoleState, event: events.WorkItemStatusChanged) -> ItemView:
    return state.items.get(event.work_item_id) or ItemView(key=event.key, title="")


def _fold_agent(state: ConsoleState, event: events.Event, at: datetime) -> ConsoleState:
    match event:
        case events.AgentStarted():
            label = f"{event.role} {event.work_item_key}" if event.work_item_key else event.role
            agent = AgentView(phase=event.phase, label=label, started_at=at, work_item_id=event.work_item_id)
            return replace(state, agents={**state.agents, event.agent_id: agent})
        case events.AgentSaid():
            return _doing(state, event.agent_id, event.text)
        case events.AgentCalledTool():
            return _doing(state, event.agent_id, f"{event.tool} {event.summary}")
        case events.AgentRetried():
            return _doing(state, event.agent_id, f"waits for the API ({event.error})")
        case events.AgentFinished():
            return _finished(state, event)
        case _:
            return state


def _doing(state: ConsoleState, agent_id: str, what: str) -> ConsoleState:
    agent = state.agents.get(agent_id)
    if agent is None:
        return state
    return replace(state, agents={**state.agents, agent_id: replace(agent, doing=what)})


def _finished(state: ConsoleState, event: events.AgentFinished) -> ConsoleState:
    agent = state.agents.get(event.agent_id)
    if agent is None:
        return state
    phase = state.phases[agent.phase]
    phases = {**state.phases, agent.phase: replace(phase, usage=phase.usage + event.usage)}
    items = dict(state.items)
    if agent.work_item_id is not None and agent.work_item_id in items:
        item = items[agent.work_item_id]
        items[agent.work_item_id] = replace(item, usage=item.usage + event.usage)
    return replace(state, phases=phases, items=items, agents=_without(state.agents, event.agent_id))


def _without(mapping: Mapping[str, T], key: str) -> Mapping[str, T]:
    return {name: value for name, value in mapping.items() if name != key}
