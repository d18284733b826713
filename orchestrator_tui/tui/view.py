"""What the dashboard shows, folded from a snapshot and the events after it: pure, without Textual."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.ownership import LEFT
from orchestrator_tui.domain.records import ItemCounts, ProjectOverview, SessionLog, Snapshot, Usage
from orchestrator_tui.domain.statuses import (
    AT_WORK,
    PHASE_ORDER,
    AgentStatus,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    WorkItemStatus,
)
from orchestrator_tui.domain.words import tool_name

NOTHING = Usage()


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseView:
    """One step of the timeline. `done` and `total` are the phase's own units; 0 and 0 when it has told none."""

    status: PhaseStatus = PhaseStatus.PENDING
    round: int = 0
    seconds: float = 0.0
    running_since: datetime | None = None
    usage: Usage = NOTHING
    done: int = 0
    total: int = 0

    def seconds_at(self, moment: datetime) -> float:
        """Seconds the phase has run by `moment`, a run under way included."""
        running = (moment - self.running_since).total_seconds() if self.running_since else 0.0
        return self.seconds + max(0.0, running)


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentView:
    """One agent pane's head. `doing` is the last thing it did."""

    agent_id: str
    phase: PhaseName
    role: str
    number: int
    started_at: datetime
    item_key: str | None = None
    doing: str = "starting"
    status: AgentStatus = AgentStatus.RUNNING
    ended_at: datetime | None = None
    usage: Usage = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectView:
    """One project, up to the last event folded in.

    Attributes:
        waiting: open requests by id, oldest first.
        seats: what sessions wait for that are not at work as too many others are, by the ids of their seats.
        queued: whether it waits for a worker of a cluster.
        folder_missing_on: the workers that did not find its folder since it waits for one, by name.
        owner: the process that runs it, or ran it last.
        sandboxed: whether its last run has a sandbox; None when that is not known yet.
        stop_steps: the steps of its last graceful stop that have been told.
        seq: what is up to it was in the records the view was made from.
    """

    id: str
    number: int
    name: str
    directory: str
    rehearsal: bool
    status: PipelineStatus
    reason: str | None = None
    resumes_at: datetime | None = None
    current_phase: PhaseName | None = None
    phases: Mapping[PhaseName, PhaseView] = field(default_factory=lambda: {name: PhaseView() for name in PHASE_ORDER})
    items: ItemCounts = field(default_factory=ItemCounts)
    waiting: Mapping[str, RequestKind] = field(default_factory=dict)
    seats: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, AgentView] = field(default_factory=dict)
    queued: bool = False
    folder_missing_on: tuple[str, ...] = ()
    owner: str | None = None
    sandboxed: bool | None = None
    stop_steps: tuple[events.StopProgressed, ...] = ()
    last_event_at: datetime | None = None
    seq: int = 0

    @property
    def usage(self) -> Usage:
        total = Usage()
        for phase in self.phases.values():
            total = total + phase.usage
        return total

    @property
    def running_agents(self) -> Sequence[AgentView]:
        """Agents at work, in the order they started."""
        return [agent for agent in self.agents.values() if agent.status is AgentStatus.RUNNING]

    @property
    def waits_for_folder(self) -> bool:
        """Whether it waits for a worker that finds its folder, as others do not."""
        return bool(self.folder_missing_on) and self.status not in AT_WORK

    @property
    def waits_for_person(self) -> bool:
        return bool(self.waiting)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dashboard:
    """Everything on the main screen, right after event `seq`; `total` is how many projects there are, shown or not."""

    seq: int = 0
    total: int = 0
    projects: Mapping[str, ProjectView] = field(default_factory=dict)

    def in_order(self) -> list[ProjectView]:
        """What waits for a person first, then what runs, then the rest; the newest first in each."""
        return sorted(self.projects.values(), key=_rank)


KEPT_AGENTS = 12
"""How many agents that have ended a project's view remembers."""


def from_snapshot(snapshot: Snapshot) -> Dashboard:
    """The view of a snapshot; follow on with the events after its `seq`."""
    return joined(Dashboard(seq=snapshot.seq), snapshot)


def joined(dashboard: Dashboard, page: Snapshot) -> Dashboard:
    """With the projects of a later page; those that are known already stay as they are."""
    read = {one.project.id: of_overview(one, page.seq) for one in page.projects}
    return replace(dashboard, projects={**read, **dashboard.projects}, total=page.total)


def of_overview(overview: ProjectOverview, seq: int) -> ProjectView:
    """One project's view from its records as of `seq`."""
    project, state = overview.project, overview.state
    request = overview.waiting_for
    return ProjectView(
        id=project.id,
        number=project.number,
        name=project.name,
        directory=project.directory,
        rehearsal=project.rehearsal,
        status=project.status,
        reason=state.shutdown_reason,
        resumes_at=state.resumes_at,
        current_phase=project.current_phase,
        phases={
            name: PhaseView(
                status=phase.status,
                round=phase.round,
                seconds=phase.seconds,
                running_since=phase.running_since,
                usage=overview.usage.get(name, NOTHING),
            )
            for name, phase in state.phases.items()
        },
        items=overview.items,
        waiting={request.id: request.kind} if request else {},
        seats={one.id: words.seat(one.scope, one.most) for one in overview.seats},
        agents={session.id: _of_session(session) for session in overview.running},
        queued=state.queued_at is not None,
        folder_missing_on=overview.folder_missing_on,
        owner=state.owner,
        last_event_at=state.last_checkpoint,
        seq=seq,
    )


def died(project: ProjectView, why: str) -> ProjectView:
    """A project whose process is gone while it was at work: its agents and its clocks stood still at its last event.
    `why` it rests is one of `LEFT`."""
    at = project.last_event_at
    agents = {
        agent_id: replace(agent, status=AgentStatus.INTERRUPTED, ended_at=max(at or agent.started_at, agent.started_at))
        if agent.status is AgentStatus.RUNNING
        else agent
        for agent_id, agent in project.agents.items()
    }
    phases = {
        name: replace(phase, running_since=None, seconds=phase.seconds_at(at) if at else phase.seconds)
        for name, phase in project.phases.items()
    }
    return replace(project, status=LEFT[why], reason=why, agents=agents, phases=phases)


def _of_session(session: SessionLog) -> AgentView:
    return AgentView(
        agent_id=session.id,
        phase=session.phase,
        role=session.role,
        number=session.session_number,
        started_at=session.started_at,
        status=session.status,
        ended_at=session.ended_at,
        usage=session.usage,
    )


def fold(dashboard: Dashboard, recorded: Recorded) -> Dashboard:
    """The view after an event; an event that is in it already changes nothing."""
    if recorded.seq <= dashboard.seq:
        return dashboard
    project = dashboard.projects.get(recorded.project_id)
    if project is not None and recorded.seq <= project.seq:
        return replace(dashboard, seq=recorded.seq)
    total = dashboard.total + isinstance(recorded.event, events.ProjectCreated | events.ProjectImported)
    match recorded.event:
        case events.ProjectCreated() | events.ProjectImported() as created:
            project = ProjectView(
                id=recorded.project_id,
                number=created.number,
                name=created.name,
                directory=created.directory,
                rehearsal=created.rehearsal,
                status=PipelineStatus.NOT_STARTED,
                current_phase=created.current_phase if isinstance(created, events.ProjectImported) else None,
            )
        case event if project is not None:
            project = _fold_project(project, event, recorded.at)
    if project is None:
        # A project beyond the snapshot's page; its row is read when it is shown.
        return replace(dashboard, seq=recorded.seq)
    project = replace(project, last_event_at=recorded.at)
    return Dashboard(seq=recorded.seq, total=total, projects={**dashboard.projects, project.id: project})


def _rank(project: ProjectView) -> tuple[bool, bool, int]:
    return not project.waits_for_person, project.status is not PipelineStatus.RUNNING, -project.number


def _fold_project(project: ProjectView, event: Event, at: datetime) -> ProjectView:
    match event:
        case events.ProjectMoved(new=directory):
            return replace(project, directory=directory)
        case events.PipelineStatusChanged(new=new, reason=reason, resumes_at=resumes_at):
            current = None if new is PipelineStatus.COMPLETED else project.current_phase
            steps = project.stop_steps if new is PipelineStatus.STOPPED else ()
            return replace(
                project,
                status=new,
                reason=reason,
                resumes_at=resumes_at,
                current_phase=current,
                stop_steps=steps,
                queued=project.queued and new not in AT_WORK,
                seats=project.seats if new is PipelineStatus.RUNNING else {},
            )
        case events.QueueChanged(queued=queued):
            return replace(project, queued=queued, folder_missing_on=())
        case events.ErrorOccurred(missing_on=str(worker)):
            names = sorted({*project.folder_missing_on, worker})
            return replace(project, folder_missing_on=tuple(names))
        case events.LeaseTaken(owner=owner):
            # What waited under the lease before waits no more.
            return replace(project, owner=owner, seats={}, folder_missing_on=())
        case events.SeatAwaited(seat_id=seat_id):
            return replace(project, seats={**project.seats, seat_id: words.seat(event.scope, event.most)})
        case events.SeatWaitEnded(seat_id=seat_id):
            return replace(project, seats={one: what for one, what in project.seats.items() if one != seat_id})
        case events.SandboxChecked(active=active):
            return replace(project, sandboxed=active)
        case events.StopProgressed():
            return replace(project, stop_steps=(*project.stop_steps, event))
        case events.PhaseStatusChanged():
            return _fold_phase(project, event, at)
        case events.PhaseProgressed():
            phase = replace(project.phases[event.phase], done=event.done, total=event.total)
            return replace(project, phases={**project.phases, event.phase: phase})
        case events.WorkItemCreated():
            return replace(project, items=_counted(project.items, None, WorkItemStatus.TODO))
        case events.WorkItemStatusChanged(old=old, new=new):
            return replace(project, items=_counted(project.items, old, new))
        case events.InputRequested():
            return replace(project, waiting={**project.waiting, event.request_id: event.kind})
        case events.InputAnswered() | events.InputWithdrawn():
            left = {key: kind for key, kind in project.waiting.items() if key != event.request_id}
            return replace(project, waiting=left)
        case _:
            return _fold_agent(project, event, at)


def _fold_phase(project: ProjectView, event: events.PhaseStatusChanged, at: datetime) -> ProjectView:
    running = event.new is PhaseStatus.RUNNING
    phase = replace(
        project.phases[event.phase],
        status=event.new,
        round=event.round,
        seconds=event.seconds,
        running_since=at if running else None,
    )
    current = event.phase if running else project.current_phase
    return replace(project, phases={**project.phases, event.phase: phase}, current_phase=current)


def _counted(counts: ItemCounts, old: WorkItemStatus | None, new: WorkItemStatus) -> ItemCounts:
    if old is not None:
        counts = replace(counts, **{old.value: getattr(counts, old.value) - 1})
    return replace(counts, **{new.value: getattr(counts, new.value) + 1})


def _fold_agent(project: ProjectView, event: Event, at: datetime) -> ProjectView:
    match event:
        case events.AgentStarted():
            agent = AgentView(
                agent_id=event.agent_id,
                phase=event.phase,
                role=event.role,
                number=event.session_number,
                started_at=at,
                item_key=event.work_item_key,
            )
            return replace(project, agents=_kept({**project.agents, event.agent_id: agent}))
        case events.AgentSaid(agent_id=agent_id, text=text):
            return _doing(project, agent_id, text)
        case events.AgentCalledTool(agent_id=agent_id):
            return _doing(project, agent_id, f"{tool_name(event.tool)} {event.summary}".strip())
        case events.AgentReported(agent_id=agent_id, text=text):
            return _doing(project, agent_id, text)
        case events.AgentRetried(agent_id=agent_id):
            return _doing(project, agent_id, f"waits {event.delay_seconds:.0f} s for the API: {event.error}")
        case events.AgentFinished():
            return _finished(project, event, at)
        case _:
            return project


def _doing(project: ProjectView, agent_id: str, what: str) -> ProjectView:
    agent = project.agents.get(agent_id)
    if agent is None:
        return project
    line = " ".join(what.split())
    return replace(project, agents={**project.agents, agent_id: replace(agent, doing=line)})


def _finished(project: ProjectView, event: events.AgentFinished, at: datetime) -> ProjectView:
    agent = project.agents.get(event.agent_id)
    if agent is None:
        return project
    phase = project.phases[agent.phase]
    phases = {**project.phases, agent.phase: replace(phase, usage=phase.usage + event.usage)}
    return replace(project, phases=phases, agents=without_work(project.agents, event, at))


def without_work(agents: Mapping[str, AgentView], event: events.AgentFinished, at: datetime) -> Mapping[str, AgentView]:
    """The agents once one of them has finished; the same when it is not among them."""
    agent = agents.get(event.agent_id)
    if agent is None:
        return agents
    # One whose process was gone is told of later than it ended.
    ended_at = min(at, agent.started_at + timedelta(seconds=event.seconds))
    return {**agents, agent.agent_id: replace(agent, status=event.status, ended_at=ended_at, usage=event.usage)}


def _kept(agents: Mapping[str, AgentView]) -> Mapping[str, AgentView]:
    """All agents at work, and the newest of those that have ended."""
    ended = [agent_id for agent_id, agent in agents.items() if agent.status is not AgentStatus.RUNNING]
    gone = set(ended[:-KEPT_AGENTS])
    return {agent_id: agent for agent_id, agent in agents.items() if agent_id not in gone}


def introduced(project: ProjectView, known: Mapping[str, AgentView]) -> ProjectView:
    """With what the agents remembered from events say of those at work: the item each is on, what it did last."""
    agents = {
        one: replace(agent, item_key=known[one].item_key, doing=known[one].doing)
        for one, agent in project.agents.items()
        if one in known and agent.item_key is None
    }
    return replace(project, agents={**project.agents, **agents}) if agents else project


def remembered(project: ProjectView, history: Iterable[Recorded]) -> ProjectView:
    """With the agents that events from before the view's records tell of; nothing else is counted again."""
    seen = replace(project, agents={})
    for recorded in history:
        seen = _fold_agent(seen, recorded.event, recorded.at)
    return replace(project, agents={**project.agents, **seen.agents})
