"""Which process runs a project: this one, another one, or one that is gone; pure but for a look at that process."""

from dataclasses import replace
from datetime import datetime

from orchestrator_tui.domain import owner, words
from orchestrator_tui.domain.records import PhaseState, ProjectOverview
from orchestrator_tui.domain.statuses import AgentStatus, PhaseStatus, PipelineStatus

AT_WORK = (PipelineStatus.RUNNING, PipelineStatus.STOPPING)
ITS_PROCESS_IS_GONE = "its process is gone"


def as_it_is(overview: ProjectOverview) -> ProjectOverview:
    """A project that was running in a process which is gone does not run, and neither do its agents: it can be
    resumed. Times count up to the last sign of life."""
    project, state = overview.project, overview.state
    if not is_dead(state.owner, project.status):
        return overview
    ended_at = state.last_sign_of_life
    phases = {name: _ended(phase, ended_at) for name, phase in state.phases.items()}
    agents = (
        replace(agent, status=AgentStatus.INTERRUPTED, ended_at=max(ended_at, agent.started_at))
        for agent in overview.running
    )
    return replace(
        overview,
        project=replace(project, status=PipelineStatus.STOPPED),
        state=replace(state, phases=phases, shutdown_reason=ITS_PROCESS_IS_GONE),
        running=tuple(agents),
    )


def is_dead(name: str | None, status: PipelineStatus) -> bool:
    """Whether a project is said to be at work in a process of this host that is gone."""
    return status in AT_WORK and name is not None and owner.is_gone(name)


def _ended(phase: PhaseState, at: datetime) -> PhaseState:
    """A phase that ran in a process which is gone is back in the queue; any other is as it was."""
    if phase.status is not PhaseStatus.RUNNING:
        return phase
    lasted = (at - phase.running_since).total_seconds() if phase.running_since else 0.0
    return replace(phase, status=PhaseStatus.PENDING, running_since=None, seconds=phase.seconds + max(0.0, lasted))


def elsewhere(name: str | None, status: PipelineStatus) -> str:
    """The other process that a project is at work in, such as `process 12 on box`; "" for this one, or none."""
    if name is None or status not in AT_WORK or name == owner.this_process():
        return ""
    return words.owner(name)
