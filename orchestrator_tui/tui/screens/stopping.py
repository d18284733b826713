"""What is on the screen while projects come to a stop before the dashboard is left."""

from collections.abc import Iterator, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from orchestrator_tui.domain.statuses import AT_WORK
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.glyphs import PIPELINES
from orchestrator_tui.tui.happenings import stop_step
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.view import Dashboard, ProjectView

MOST_SHOWN = 8
MOST_AT_LENGTH = 2
"""Projects of which all steps are shown; of more only the present one."""


class StoppingScreen(ModalScreen[None]):
    """A box with the steps of the projects `stopping`; it goes with the app. `key` is the one that is in a hurry."""

    DEFAULT_CSS = """
    StoppingScreen { align: center middle; background: $background 60%; }
    StoppingScreen > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: round $warning; border-title-color: $warning; background: $surface;
    }
    """

    def __init__(self, dashboard: Dashboard, stopping: Sequence[str], key: str) -> None:
        super().__init__()
        self._dashboard = dashboard
        self._stopping = stopping
        self._key = key
        self._in_a_hurry = False
        self._list = Static(id="stopping-list")

    def compose(self) -> ComposeResult:
        box = Vertical(self._list)
        box.border_title = "Stopping"
        yield box

    def on_mount(self) -> None:
        self._show()

    def on_happened(self, message: Happened) -> None:
        self._dashboard = message.dashboard
        self._show()

    def hurry(self) -> None:
        """Say that no agent is waited for any more."""
        self._in_a_hurry = True
        if self.is_mounted:
            self._show()

    def notify_style_update(self) -> None:
        """The words follow the theme."""
        super().notify_style_update()
        if self.is_mounted:
            self._show()

    def _show(self) -> None:
        muted = rich_color(self.app.theme_variables["muted"])
        text = Text("Agents end, half-made work is kept, everything is stored.\n")
        projects = [one for one in self._dashboard.in_order() if one.id in self._stopping]
        for project in projects[:MOST_SHOWN]:
            sign, _ = PIPELINES[project.status]
            text.append(f"\n{sign} {one_line(project.name, 40)}\n")
            for line in _steps(project, at_length=len(projects) <= MOST_AT_LENGTH):
                text.append(f"  {line}\n", muted)
        text.append(f"\n{self._next()}")
        self._list.update(text)

    def _next(self) -> str:
        if self._in_a_hurry:
            return f"Ends within 2 s, agents or not. {self._key} once more leaves at once."
        return f"{self._key} again does not wait for the agents: what they are at is cut short."


def _steps(project: ProjectView, *, at_length: bool) -> Iterator[str]:
    """The steps that have been told, the present one with what was found there."""
    steps = project.stop_steps
    for step in steps if at_length else steps[-1:]:
        ended = step is not steps[-1] or project.status not in AT_WORK
        yield f"{'✓' if ended else '◌'} {one_line(stop_step(step))}"
        if at_length and not ended:
            yield from (f"      {one_line(detail)}" for detail in step.details)
