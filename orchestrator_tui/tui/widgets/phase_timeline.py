"""The seven phases in a row: how each stands, how long it took, what it cost, and how far the running one is."""

from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.timeline import Timeline, timeline_of
from orchestrator_tui.tui.timeline_layout import Layout, lay_out
from orchestrator_tui.tui.view import ProjectView


class PhaseTimeline(Widget, can_focus=True):
    """With four rows inside it shows everything, with one it is compact. A cursor shows while it has the focus."""

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = """
    PhaseTimeline {
        height: 6;
        padding: 0 1;
        background: $background;
        color: $foreground;
        border: round $line;
        border-title-color: $accent;
        &:focus { border: round $accent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Left", show=False, id="phases.left", tooltip="The phase before"),
        Binding("right", "move(1)", "Right", show=False, id="phases.right", tooltip="The next phase"),
        Binding("home", "move(-7)", "First", show=False, id="phases.first", tooltip="The first phase"),
        Binding("end", "move(7)", "Last", show=False, id="phases.last", tooltip="The last phase"),
        Binding("enter", "pick", "Open", show=False, id="phases.pick", tooltip="Open the phase"),
    ]

    class Picked(Message):
        """A person wants to see a phase."""

        def __init__(self, phase: PhaseName) -> None:
            super().__init__()
            self.phase = phase

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.border_title = "Phases"
        self._timeline: Timeline = timeline_of(None, now())
        self._moved_to: int | None = None

    def show(self, project: ProjectView | None, at: datetime) -> None:
        """Shows a project at the moment `at`; repaints only what looks different."""
        timeline = timeline_of(project, at)
        if timeline != self._timeline:
            self._timeline = timeline
            self.refresh()

    @property
    def cursor(self) -> int:
        """The number of the phase that Enter opens: the current one until the cursor is moved."""
        return self._timeline.current if self._moved_to is None else self._moved_to

    def action_move(self, steps: int) -> None:
        """Moves the cursor."""
        self._move_to(self.cursor + steps)

    def action_pick(self) -> None:
        """Tells which phase is under the cursor."""
        self.post_message(self.Picked(self._timeline.steps[self.cursor].phase))

    def on_click(self, event: events.Click) -> None:
        """Picks the phase under the mouse."""
        if offset := event.get_content_offset(self):
            self._move_to(self._laid_out().phase_at(offset.x))
            self.action_pick()

    def on_blur(self) -> None:
        """The cursor goes back to the current phase."""
        self._moved_to = None

    def notify_style_update(self) -> None:
        """Paints in the new colours."""
        super().notify_style_update()
        self.refresh()

    def render(self) -> Text:
        text = Text("\n", no_wrap=True, overflow="crop").join(self._laid_out().rows)
        text.no_wrap, text.overflow = True, "crop"
        return text

    def _move_to(self, index: int) -> None:
        self._moved_to = max(0, min(index, len(self._timeline.steps) - 1))
        self.refresh()

    def _laid_out(self) -> Layout:
        cursor = self.cursor if self.has_focus else None
        return lay_out(self._timeline, self.content_size.width, self.content_size.height, cursor, self._ink)

    def _ink(self, name: str) -> str:
        return rich_color(self.app.theme_variables[name])
