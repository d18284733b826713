"""One sign for each state, so that no state is told by colour alone, and the theme's colour that goes with it."""

from orchestrator_tui.domain.statuses import AgentStatus, PhaseStatus, PipelineStatus, WorkItemStatus

PHASES = {
    PhaseStatus.PENDING: ("○", "muted"),
    PhaseStatus.RUNNING: ("◐", "accent"),
    PhaseStatus.AWAITING_APPROVAL: ("●", "warning"),
    PhaseStatus.COMPLETED: ("✓", "success"),
    PhaseStatus.SKIPPED: ("–", "muted"),
    PhaseStatus.FAILED: ("×", "error"),
}
ITEMS = {
    WorkItemStatus.TODO: ("○", "muted"),
    WorkItemStatus.IN_PROGRESS: ("◐", "accent"),
    WorkItemStatus.DONE: ("✓", "success"),
    WorkItemStatus.BLOCKED: ("×", "error"),
}
PIPELINES = {
    PipelineStatus.NOT_STARTED: ("○", "muted"),
    PipelineStatus.RUNNING: ("◐", "accent"),
    PipelineStatus.PAUSED: ("●", "warning"),
    PipelineStatus.STOPPING: ("◌", "warning"),
    PipelineStatus.STOPPED: ("□", "muted"),
    PipelineStatus.FAILED: ("×", "error"),
    PipelineStatus.COMPLETED: ("✓", "success"),
}
AGENTS = {
    AgentStatus.RUNNING: ("●", "accent"),
    AgentStatus.COMPLETED: ("✓", "success"),
    AgentStatus.FAILED: ("×", "error"),
    AgentStatus.INTERRUPTED: ("□", "warning"),
}
