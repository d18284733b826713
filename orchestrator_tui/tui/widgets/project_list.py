"""The projects at the left of the dashboard: what waits for a person, how far each is, what it cost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.message import Message

from orchestrator_tui.domain import words
from orchestrator_tui.domain.statuses import PauseReason, PhaseName, PipelineStatus, RequestKind
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui import short_forms
from orchestrator_tui.tui.glyphs import PIPELINES
from orchestrator_tui.tui.view import ProjectView
from orchestrator_tui.tui.widgets.row_list import BAR, RowList

POINTER = "›"
WANTED = {
    RequestKind.APPROVAL: "approve",
    RequestKind.CLARIFICATION: "answer",
    RequestKind.PERMISSION: "permission",
    RequestKind.ERROR_DECISION: "decide",
}
"""What the person is to do, in a word."""
RESTING = {
    PipelineStatus.COMPLETED: "done",
    PipelineStatus.FAILED: "failed",
    PipelineStatus.STOPPED: "stopped",
    PipelineStatus.STOPPING: "stopping",
    PipelineStatus.PAUSED: "paused",
    PipelineStatus.NOT_STARTED: "new",
}
NAME_CELLS = 6
"""How many cells of a name are worth more than what stands at its right."""


class ProjectList(RowList[ProjectView]):
    """Two lines a project; the bar marks the one that the rest of the screen shows. Enter or a click picks another.

    `EndNeared` reaches the owner, who shows more of them.
    """

    CHOOSE_BY_CLICK = True
    DEFAULT_CSS = """
    ProjectList.-waits { border-subtitle-color: $warning; }
    """
    BORDER_TITLE: ClassVar[str] = "Projects"

    class Picked(Message):
        """A person wants to see this project."""

        def __init__(self, project_id: str) -> None:
            super().__init__()
            self.project_id = project_id

    def __init__(self, *, empty: str = "No project yet.", id: str | None = None) -> None:
        super().__init__(self._lines, lambda one: one.id, row_height=2, empty=empty, id=id, classes="pane")
        self._selected: str | None = None
        self._marked_for: str | None = None
        self._at: datetime | None = None
        self._minute = -1.0
        self._ambiguous: set[str] = set()

    def show_projects(self, projects: Sequence[ProjectView], selected: str | None, at: datetime, total: int) -> None:
        """Shows these of `total` projects as of `at`; cheap when nothing has changed. The cursor goes along when
        another one is `selected`."""
        names = Counter(project.name for project in projects)
        self._ambiguous = {name for name, count in names.items() if count > 1}
        changed = projects != self.rows
        if changed or selected != self._selected:
            self._selected, self._at = selected, at
            self.repaint()
        self.tick(at)
        if changed:
            self.show(projects)
        if selected is not None and selected != self._marked_for:
            self.mark(selected)
            # One that is not among them yet is marked when it comes.
            self._marked_for = selected if self.marked and self.marked.id == selected else None
        self._tell_counts(total)

    def tick(self, at: datetime) -> None:
        """Shows anew how long ago things were, once that reads otherwise."""
        minute = at.timestamp() // 60
        if minute != self._minute:
            self._at, self._minute = at, minute
            self.repaint()

    def _tell_counts(self, total: int) -> None:
        waiting = sum(one.waits_for_person for one in self.rows)
        self.set_class(waiting > 0, "-waits")
        subtitle = f"{waiting} wait{'s' if waiting == 1 else ''}" if waiting else f"{total:,}" if total else ""
        if subtitle != self.border_subtitle:
            self.border_subtitle = subtitle

    def on_row_list_chosen(self, message: RowList.Chosen) -> None:
        """Asks the owner to show the project."""
        message.stop()
        self.post_message(self.Picked(message.row.id))

    def edge(self, row: ProjectView, marked: bool, line: int) -> str:
        """The bar of the selected project; a pointer where only the cursor is."""
        if row.id == self._selected:
            return BAR
        return POINTER if marked and self.has_focus and line == 0 else " "

    def _lines(self, project: ProjectView, width: int, marked: bool) -> Sequence[Text]:
        word, color = state(project)
        number = f" #{project.number}" if project.name in self._ambiguous else ""
        name = Text(one_line(project.name) + number, style="bold" if project.id == self._selected else "")
        muted = self.color("muted")
        mark = rehearsal_mark(project, width)
        room = width - len(mark) - 2 if mark else width - 1
        facts = Text(fitting(facts_of(project, self._at, room), room), style=muted)
        return _ends(name, Text(word, style=self.color(color)), width), _ends(facts, Text(mark, style=muted), width)


def state(project: ProjectView) -> tuple[str, str]:
    """How a project stands in a word or number, and the theme's colour for it."""
    if project.waits_for_person:
        return "● you", "warning"
    sign, color = PIPELINES[project.status]
    if project.status is not PipelineStatus.RUNNING:
        return RESTING[project.status], color
    if project.items.total:
        return f"{project.items.done * 100 // project.items.total}%", color
    return sign, color


def facts_of(project: ProjectView, at: datetime | None, width: int) -> list[str]:
    """What the second line tells, the most important first. A rehearsal's costs are pretended, so they are left out."""
    items = f"{project.items.done}/{project.items.total}" if project.items.total else ""
    money = words.money(project.usage.cost_usd) if project.usage.cost_usd and not project.rehearsal else ""
    phase = phase_word(project.current_phase) if project.current_phase else ""
    if project.waits_for_person:
        wanted = WANTED[next(iter(project.waiting.values()))]
        both = fitting((phase, wanted), width) if phase else ""
        facts = [both, items, money] if both.endswith(wanted) else [wanted]
    elif project.status is PipelineStatus.RUNNING:
        facts = [phase, items, money]
    elif project.status is PipelineStatus.COMPLETED:
        facts = [items, money, _age(project, at)]
    else:
        facts = [phase, _reason(project), items, money, _age(project, at)]
    return [fact for fact in facts if fact]


def phase_word(phase: PhaseName) -> str:
    """A phase in one word."""
    return "breakdown" if phase is PhaseName.TASK_BREAKDOWN else words.title(phase)


def fitting(facts: Iterable[str], width: int) -> str:
    """The first facts that fit, with dots between them; the first is always there."""
    line = ""
    for fact in facts:
        longer = f"{line} · {fact}" if line else fact
        if line and len(longer) > width:
            break
        line = longer
    return line


def rehearsal_mark(project: ProjectView, width: int) -> str:
    """Says that a project is a rehearsal, at the length there is room for."""
    if not project.rehearsal:
        return ""
    return "rehearsal" if width >= 28 else "reh."


def _reason(project: ProjectView) -> str:
    """Why it rests; "" when the person wanted it so."""
    if project.reason == PauseReason.USER_REQUEST:
        return ""
    return one_line(words.why(project.reason, project.resumes_at), 24 if project.resumes_at is None else 36)


def _age(project: ProjectView, at: datetime | None) -> str:
    if at is None or project.last_event_at is None:
        return ""
    return short_forms.ago((at - project.last_event_at).total_seconds())


def _ends(left: Text, right: Text, width: int) -> Text:
    """Both at the ends of a line, a blank from the edge. The left one is cut; without room the right one goes."""
    room = width - right.cell_len - 2
    if not right.cell_len or room < NAME_CELLS:
        return left
    left.truncate(room, overflow="ellipsis", pad=True)
    return left + Text(" ") + right
