"""What parts of the dashboard tell each other."""

from textual.message import Message

from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.tui.view import Dashboard


class Happened(Message, bubble=False):
    """What was stored since the last frame; the app sends it to every open screen, `dashboard` is right after it."""

    def __init__(self, dashboard: Dashboard, recorded: tuple[Recorded, ...]) -> None:
        super().__init__()
        self.dashboard = dashboard
        self.recorded = recorded


class CommandGiven(Message):
    """A person wants what a line of the input bar stands for, such as `/diff TASK-3`; the app carries it out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
