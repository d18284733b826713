"""What is on the screen while projects come to a stop before the dashboard is left."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.glyphs import PIPELINES
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.view import Dashboard

MOST_SHOWN = 8


class StoppingScreen(ModalScreen[None]):
    """A box with the projects that are still stopping; it goes with the app."""

    DEFAULT_CSS = """
    StoppingScreen { align: center middle; background: $background 60%; }
    StoppingScreen > Vertical {
        width: 64; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: round $warning; border-title-color: $warning; background: $surface;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._list = Static(id="stopping-list")

    def compose(self) -> ComposeResult:
        box = Vertical(self._list)
        box.border_title = "Stopping"
        yield box

    def on_mount(self) -> None:
        self._show(None)

    def on_happened(self, message: Happened) -> None:
        self._show(message.dashboard)

    def _show(self, dashboard: Dashboard | None) -> None:
        text = Text("Agents end, half-made work is kept, everything is stored.\n")
        active = [one for one in dashboard.in_order() if one.running_agents] if dashboard else []
        for project in active[:MOST_SHOWN]:
            sign, _ = PIPELINES[project.status]
            agents = len(project.running_agents)
            text.append(f"\n{sign} {one_line(project.name, 40)}  {agents} agent{'s' if agents != 1 else ''}")
        text.append("\n\nThe same key again leaves at once.")
        self._list.update(text)
