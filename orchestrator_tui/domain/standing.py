"""How a project stands, in a few words and numbers that every front end shows alike."""

from collections.abc import Iterable
from datetime import datetime

from orchestrator_tui.domain import words
from orchestrator_tui.domain.ownership import WAITS_FOR_TAKEOVER
from orchestrator_tui.domain.records import ProjectOverview, SyncState
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, PipelineStatus, RequestKind

WAITS_FOR = {
    RequestKind.APPROVAL: "awaiting approval",
    RequestKind.CLARIFICATION: "awaiting an answer",
    RequestKind.PERMISSION: "awaiting permission",
    RequestKind.ERROR_DECISION: "awaiting a decision",
}
SHARE_IT = 'Share the workspace among all workers, under the same path, or set workspace.sync = "git".'
RESTING = frozenset({PipelineStatus.STOPPED, PipelineStatus.FAILED, PipelineStatus.PAUSED})


def progress(overview: ProjectOverview) -> str:
    """What waits for a person, or how many work items are done, or how many phases."""
    if overview.waiting_for is not None:
        return WAITS_FOR[overview.waiting_for.kind]
    items = overview.items
    if items.total:
        return f"{items.done}/{items.total} ({items.done * 100 // items.total}%)"
    ended = (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED)
    done = sum(phase.status in ended for phase in overview.state.phases.values())
    return f"{done}/{len(PHASE_ORDER)} phases"


def phase_of(overview: ProjectOverview) -> str:
    """The phase a project is in, or `-`."""
    project = overview.project
    if project.status is PipelineStatus.COMPLETED or project.current_phase is None:
        return "-"
    return words.title(project.current_phase)


def reason(overview: ProjectOverview) -> str:
    """Why a project rests, such as `budget`; "" when it does not or nobody knows."""
    state = overview.state
    return words.why(state.shutdown_reason, state.resumes_at) if overview.project.status in RESTING else ""


def waits_for(overview: ProjectOverview) -> str:
    """What a project waits for that is neither a person nor a time: a worker, or others to end; "" when nothing."""
    if overview.folder_missing_on:
        return worker_with_folder(overview.folder_missing_on)
    return _in_line(overview)


def _in_line(overview: ProjectOverview) -> str:
    """What a project waits for where the more urgent one is first."""
    return "a worker to take it up" if overview.state.queued_at is not None else seats(overview)


def worker_with_folder(missing_on: Iterable[str]) -> str:
    """What a project waits for whose folder these workers do not find."""
    workers = ", ".join(words.one_line(name, 60) for name in missing_on)
    return f"a worker that finds its folder, which these do not: {workers}. {SHARE_IT}"


def seats(overview: ProjectOverview) -> str:
    """What its sessions wait for that are not at work as too many others are, such as `2 sessions for one of the 12
    agents of the installation`; "" when none does."""
    if not overview.seats:
        return ""
    first = overview.seats[0]
    return f"{words.plural(len(overview.seats), 'session')} for {words.seat(first.scope, first.most)} to end"


def priority_counts(overview: ProjectOverview) -> str:
    """What a priority that was just set changes now, as a sentence."""
    if waiting := _in_line(overview):
        return f"That counts at once. Waiting: {waiting}."
    return (
        "Nothing of it waits now: that counts where cluster.enabled or cluster.max_agents is set, when something does."
    )


def pause_problem(overview: ProjectOverview) -> str | None:
    """Why a project is paused that asks nothing; None for any other."""
    project, state = overview.project, overview.state
    if project.status is not PipelineStatus.PAUSED or overview.waiting_for is not None:
        return None
    if state.shutdown_reason == WAITS_FOR_TAKEOVER:
        return None
    phase = state.phases[project.current_phase] if project.current_phase else None
    if state.resumes_at is not None:
        told = f"{words.why(state.shutdown_reason, state.resumes_at)}; it goes on by itself then"
        return f"{told}. {phase.error}" if phase and phase.error else told
    return (phase and phase.error) or words.title(state.shutdown_reason or "no reason is known")


def sync(state: SyncState, at: datetime) -> str:
    """Which tracker keeps a project's items and whether both sides are the same, such as `json · in sync 3s ago`."""
    parts = [state.kind]
    if state.pending:
        parts.append(f"{words.plural(state.pending, 'change')} to be written")
    if state.last_synced is not None:
        seconds = max(0.0, (at - state.last_synced).total_seconds())
        parts.append(f"in sync {words.duration(round(seconds))} ago")
    return " · ".join(parts)


def seconds_of(overview: ProjectOverview, name: PhaseName, at: datetime) -> float:
    """Seconds a phase has run by `at`, a run under way included."""
    phase = overview.state.phases[name]
    running = (at - phase.running_since).total_seconds() if phase.running_since else 0.0
    return phase.seconds + max(running, 0.0)
