"""Whether a project runs with Claude or as a rehearsal: one row with two choices."""

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from orchestrator_tui.tui.colors import rich_color

LABELS = ("Claude", "Rehearsal")
GAP = "   "


class RunChoice(Widget, can_focus=True):
    """Space, arrows or a click change it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,left,right", "switch", "Switch", show=False, id="run.switch", tooltip="Claude or rehearsal"),
    ]
    DEFAULT_CSS = """
    RunChoice { width: 1fr; height: 1; }
    RunChoice:focus { text-style: underline; }
    """

    class Changed(Message):
        """The other one is chosen now."""

        def __init__(self, rehearsal: bool) -> None:
            super().__init__()
            self.rehearsal = rehearsal

    def __init__(self, *, rehearsal: bool) -> None:
        super().__init__()
        self.rehearsal = rehearsal

    def render(self) -> Text:
        accent = rich_color(self.app.theme_variables["accent"])
        muted = rich_color(self.app.theme_variables["muted"])
        text = Text(no_wrap=True, overflow="crop")
        for label, chosen in zip(LABELS, (not self.rehearsal, self.rehearsal), strict=True):
            text.append("● " if chosen else "○ ", style=accent if chosen else muted)
            text.append(label + GAP, style="bold" if chosen else muted)
        return text

    def action_switch(self) -> None:
        """Chooses the other one."""
        self._choose(not self.rehearsal)

    def on_click(self, event: events.Click) -> None:
        """Chooses the one under the mouse."""
        self._choose(event.get_content_offset_capture(self).x >= len(f"● {LABELS[0]}{GAP}"))

    def _choose(self, rehearsal: bool) -> None:
        if rehearsal != self.rehearsal:
            self.rehearsal = rehearsal
            self.refresh()
            self.post_message(self.Changed(rehearsal))
