"""What the phase timeline says about a project, in words and numbers; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator_tui.domain import words
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, PipelineStatus, RequestKind
from orchestrator_tui.tui import short_forms
from orchestrator_tui.tui.view import PhaseView, ProjectView

NAMES = {PhaseName.TASK_BREAKDOWN: "breakdown", PhaseName.INITIALIZE: "init"}
SHORT_NAMES = {
    PhaseName.IDEATION: "idea",
    PhaseName.ARCHITECTURE: "arch",
    PhaseName.TASK_BREAKDOWN: "tasks",
    PhaseName.INITIALIZE: "init",
    PhaseName.IMPLEMENT: "impl",
    PhaseName.TESTING: "test",
    PhaseName.DEPLOY: "deploy",
}
WAITS = {
    RequestKind.APPROVAL: "waits for your approval",
    RequestKind.CLARIFICATION: "has a question for you",
    RequestKind.PERMISSION: "asks for your permission",
    RequestKind.ERROR_DECISION: "failed: you decide",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One phase as it is shown. `duration` and `money` are "" while there is nothing to tell."""

    phase: PhaseName
    status: PhaseStatus
    duration: str = ""
    money: str = ""

    @property
    def name(self) -> str:
        return NAMES.get(self.phase, self.phase.value)

    @property
    def short_name(self) -> str:
        return SHORT_NAMES[self.phase]

    @property
    def is_current(self) -> bool:
        return self.status in (PhaseStatus.RUNNING, PhaseStatus.AWAITING_APPROVAL)

    @property
    def figures(self) -> str:
        """`2m14 $.21`."""
        return f"{self.duration} {self.money}".strip()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the phase that runs is, in its own units; `left` says how long it may take, "" when nobody knows."""

    done: int
    total: int
    left: str = ""

    @property
    def figures(self) -> str:
        return f"{self.done}/{self.total}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything the timeline shows. `remark` is said in the theme's colour `color` where there is no progress, and
    behind it `place`, the folder of what is finished."""

    steps: Sequence[Step]
    progress: Progress | None = None
    remark: str = ""
    color: str = "muted"
    place: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return all(step.status in (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED) for step in self.steps)

    @property
    def current(self) -> int:
        """The number of the phase that runs, waits or failed; else of the first to come, or the last."""
        at_work = {PhaseStatus.RUNNING, PhaseStatus.AWAITING_APPROVAL}
        for wanted in (at_work, {PhaseStatus.FAILED}, {PhaseStatus.PENDING}):
            for index, step in enumerate(self.steps):
                if step.status in wanted:
                    return index
        return len(self.steps) - 1


def timeline_of(project: ProjectView | None, at: datetime) -> Timeline:
    """The timeline of a project at a moment; without a project, seven phases to come."""
    if project is None:
        return Timeline(tuple(Step(name, PhaseStatus.PENDING) for name in PHASE_ORDER))
    steps = tuple(_step(name, project.phases[name], at) for name in PHASE_ORDER)
    progress = progress_of(project, at)
    color, remark = ("muted", "") if progress else _remark(project)
    place = project.directory if project.status is PipelineStatus.COMPLETED else ""
    return Timeline(steps, progress, remark, color, place)


def _step(name: PhaseName, phase: PhaseView, at: datetime) -> Step:
    seconds = phase.seconds_at(at)
    begun = seconds > 0 or phase.status not in (PhaseStatus.PENDING, PhaseStatus.SKIPPED)
    return Step(name, phase.status, short_forms.span(seconds) if begun else "", short_forms.cents(phase.usage.cost_usd))


def progress_of(project: ProjectView, at: datetime) -> Progress | None:
    """How far the running phase is; None when none runs or it has no units."""
    running = [name for name in PHASE_ORDER if project.phases[name].status is PhaseStatus.RUNNING]
    if not running or project.waiting:
        return None
    phase = project.phases[running[0]]
    done, total = phase.done, phase.total
    if not total and running[0] is PhaseName.IMPLEMENT:
        done, total = project.items.done, project.items.total
    if not total:
        return None
    seconds, todo = phase.seconds_at(at), total - done
    pace = seconds / done if done > 0 and seconds > 0 and phase.running_since else 0.0
    return Progress(done, total, short_forms.left(pace * todo) if pace and todo > 0 else "")


def _remark(project: ProjectView) -> tuple[str, str]:
    """A colour, and words on what is going on or what became of it."""
    name = NAMES.get(project.current_phase, project.current_phase.value) if project.current_phase else "it"
    if project.waiting:
        return "warning", f"● {name} {WAITS[next(iter(project.waiting.values()))]}"
    if project.waits_for_folder:
        return "warning", "waits for a worker that finds its folder"
    if project.queued:
        return "muted", "waits for a worker"
    why = f": {words.one_line(words.why(project.reason, project.resumes_at), 120)}" if project.reason else ""
    match project.status:
        case PipelineStatus.COMPLETED:
            seconds = sum(phase.seconds for phase in project.phases.values())
            return "success", f"✓ all done in {short_forms.span(seconds)} for {words.money(project.usage.cost_usd)}"
        case PipelineStatus.FAILED:
            return "error", f"× {name} failed{why}"
        case PipelineStatus.PAUSED | PipelineStatus.STOPPED | PipelineStatus.STOPPING:
            return "warning", f"{words.title(project.status)}{why}"
    phase = project.phases[project.current_phase] if project.current_phase else PhaseView()
    return "muted", f"round {phase.round}" if phase.round > 1 else ""
