"""Which process runs a project: this one, another one, or one that is gone; pure but for a look at that process."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from orchestrator_tui.domain import owner, words
from orchestrator_tui.domain.records import PhaseState, ProjectOverview, WorkerRecord
from orchestrator_tui.domain.statuses import AT_WORK, AgentStatus, PhaseStatus, PipelineStatus

ITS_PROCESS_IS_GONE = "its process is gone"
WAITS_FOR_TAKEOVER = "waits to be taken over by another worker"
LEFT = {ITS_PROCESS_IS_GONE: PipelineStatus.STOPPED, WAITS_FOR_TAKEOVER: PipelineStatus.PAUSED}
"""Why a project rests whose process is gone while it was at work, and how it is said to stand."""


def as_it_is(overview: ProjectOverview, workers: Iterable[WorkerRecord] = ()) -> ProjectOverview:
    """A project that was running in a process which is gone does not run, and neither do its agents: it can be
    resumed, or is taken over by one of the `workers` that there are. Times count up to the last sign of life."""
    project, state = overview.project, overview.state
    if not is_dead(state.owner, project.status):
        return overview
    why = why_left(workers)
    ended_at = state.last_sign_of_life
    phases = {name: _ended(phase, ended_at) for name, phase in state.phases.items()}
    agents = (
        replace(agent, status=AgentStatus.INTERRUPTED, ended_at=max(ended_at, agent.started_at))
        for agent in overview.running
    )
    return replace(
        overview,
        project=replace(project, status=LEFT[why]),
        state=replace(state, phases=phases, shutdown_reason=why),
        running=tuple(agents),
    )


def why_left(workers: Iterable[WorkerRecord]) -> str:
    """Why a project rests whose process is gone, with these workers."""
    return WAITS_FOR_TAKEOVER if takes_over(workers) else ITS_PROCESS_IS_GONE


def takes_over(workers: Iterable[WorkerRecord]) -> bool:
    """Whether there is a worker that takes up what another has left."""
    return any(not (one.draining or words.is_silent(one) or owner.is_gone(one.process)) for one in workers)


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
