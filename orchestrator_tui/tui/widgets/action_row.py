"""What can be done, each with its key, in as many rows as it takes: for the mouse, and for arrows and Enter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.keymap import Keymap
from orchestrator_tui.tui.pressing import press


@dataclass(frozen=True, slots=True)
class Offer:
    """An action of the screen. `short` is the label where there is little room, `tone` the colour of its key."""

    action: str
    label: str
    short: str = ""
    tone: str = "accent"


class _Place(NamedTuple):
    x: int
    y: int
    key: str
    label: str

    @property
    def width(self) -> int:
        return len(self.key) + len(self.label) + 3


class ActionRow(Widget, can_focus=True):
    """Runs the screen's action of the offer that is clicked, or marked and chosen. While `busy` it offers nothing."""

    ROOMY: ClassVar[int] = 84
    """Cells from which the long labels are used."""

    DEFAULT_CSS = """
    ActionRow { height: auto; width: 1fr; color: $foreground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "mark(-1)", "Left", show=False, id="actions.left", tooltip="The action before"),
        Binding("right,down", "mark(1)", "Right", show=False, id="actions.right", tooltip="The next action"),
        Binding("enter", "choose", "Choose", show=False, id="actions.choose", tooltip="Carry out the marked action"),
    ]

    busy: reactive[bool] = reactive(False)
    marked: reactive[int] = reactive(0)

    def __init__(self, keymap: Keymap, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keymap = keymap
        self._offers: Sequence[Offer] = ()

    def offer(self, *offers: Offer) -> None:
        """Replaces what is offered."""
        if offers != self._offers:
            self._offers = offers
            self.marked = 0
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max((place.y for place in self._places(width)), default=0) + 1

    def notify_style_update(self) -> None:
        """Paints again in the colours of another theme."""
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if self.busy:
            sending = Strip([Segment(" sending…" if y == 0 else "", base + self._tone("muted"))])
            return sending.adjust_cell_length(self.size.width, base)
        segments = []
        for index, place in enumerate(self._places(self.size.width)):
            if place.y == y:
                segments += self._painted(index, place, base)
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def on_click(self, event: events.Click) -> None:
        """Carries out the action under the mouse."""
        at = event.get_content_offset_capture(self)
        for index, place in enumerate(self._places(self.size.width)):
            if place.y == at.y and place.x <= at.x < place.x + place.width:
                self._run(index)

    def action_mark(self, by: int) -> None:
        """The mark goes on, and round at the ends."""
        self.marked = (self.marked + by) % max(1, len(self._offers))

    def action_choose(self) -> None:
        """Carries out the marked action."""
        if self._offers:
            self._run(self.marked)

    def _run(self, index: int) -> None:
        if not self.busy:
            self.call_later(press, self.screen, self._offers[index].action)

    def _painted(self, index: int, place: _Place, base: Style) -> list[Segment]:
        key = base + Style(bold=True) + self._tone(self._offers[index].tone)
        if self.has_focus and index == self.marked:
            base = key = base + self._tone("selection-text") + Style(bold=True, bgcolor=self._color("selection"))
        return [Segment(f" {place.key}", key), Segment(f" {place.label} ", base)]

    def _tone(self, name: str) -> Style:
        return Style(color=self._color(name))

    def _color(self, name: str) -> str:
        return rich_color(self.app.theme_variables[name])

    def _places(self, width: int) -> list[_Place]:
        places: list[_Place] = []
        x = y = 0
        for offer in self._offers:
            label = offer.label if width >= self.ROOMY or not offer.short else offer.short
            place = _Place(x, y, self._keymap.shown(offer.action), label)
            if x and x + place.width > width:
                x, y = 0, y + 1
                place = place._replace(x=x, y=y)
            places.append(place)
            x += place.width
        return places
