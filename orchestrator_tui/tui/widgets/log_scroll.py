"""A `LogBuffer` on the line API: follows at the end, stays put elsewhere; what can be done with it is in `LogView`."""

from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollDown, ScrollTo, ScrollUp
from textual.strip import Strip

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import Place, Row
from orchestrator_tui.tui.widgets.log_row import COMPONENT_CLASSES, row_segments

WHEEL_ROWS = 3


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where somebody was in a log."""

    following: bool = True
    anchor: Place | None = None
    read_to: int = 0
    cursor: Place | None = None
    needle: str = ""


class LogScroll(ScrollView):
    """One agent's log; the only view of its buffer, since the buffer is wrapped for its width.

    The owner appends to `buffer` and calls `flush` once a frame (see `FlushTimer`). What is shown is kept as the place
    at the top; Textual's virtual size and offset only draw the scroll bar, and are left alone while following,
    because every change of them lays out the screen.
    """

    COMPONENT_CLASSES = COMPONENT_CLASSES
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="log.up", tooltip="One row up"),
        Binding("down", "move(1)", "Down", show=False, id="log.down", tooltip="One row down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="log.pageup", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="log.pagedown", tooltip="One page down"),
        Binding("home", "top", "Start", show=False, id="log.top", tooltip="To the first line that is kept"),
    ]

    def __init__(self, buffer: LogBuffer, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.buffer = buffer
        self.following = True
        self.cursor: Place | None = None
        self.needle = ""
        self._anchor = Place(0)
        self._read_to = 0
        self._seen = (-1, -1)
        self._rows: list[Row] = []
        self._top = 0
        self._marker = ""
        self._bar_start = 0
        self._strips: LRUCache[int, Strip] = LRUCache(1)
        self._painting: tuple[int, Style] | None = None
        self._spots: WeakKeyDictionary[LogBuffer, _Spot] = WeakKeyDictionary()

    def show_log(self, buffer: LogBuffer) -> None:
        """Shows another log, at the place where it was left; a new one at its end."""
        if buffer is self.buffer:
            return
        self._spots[self.buffer] = _Spot(self.following, self._anchor, self._read_to, self.cursor, self.needle)
        self.buffer, spot = buffer, self._spots.get(buffer, _Spot())
        self.following, self._anchor, self._read_to = spot.following, spot.anchor or Place(0), spot.read_to
        self.cursor, self.needle = spot.cursor, spot.needle
        self._seen = (-1, -1)
        # Without a size there is nothing to lay out yet, and what is painted first must not be rows of the log before.
        self._rows, self._top, self._marker = [], 0, ""
        self._strips.clear()
        if self.is_attached and self._height:
            self._leave_selection()
            self.on_resize()

    def _leave_selection(self) -> None:
        if self.text_selection:
            self.screen.clear_selection()

    # What is shown

    @property
    def rows_shown(self) -> list[Row]:
        """The rows on the screen, the newest last."""
        return self._rows

    @property
    def new_lines(self) -> int:
        """Lines that arrived since the end was last on the screen."""
        return 0 if self.following else self.buffer.shown_since(self._read_to)

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    @property
    def has_news(self) -> bool:
        """Whether `flush` has something to do."""
        buffer = self.buffer
        return not buffer.is_settled or self._seen != (buffer.version, buffer.layout)

    def flush(self) -> bool:
        """Shows what has arrived; measures a bit of what still has an old width. Cheap if nothing has changed."""
        if not self.is_attached or not self._height:
            return False
        self.buffer.settle()
        before = self._rows
        if self._seen != (self.buffer.version, self.buffer.layout):
            self._show()
        return bool(before and self._rows) and self._rows[0].line > before[-1].line

    def _show(self) -> None:
        """Takes the rows to show from the buffer and repaints where they differ from what is on the screen."""
        buffer, height = self.buffer, self._height
        top = buffer.tail_row(height) if self.following else max(buffer.row_of(self._anchor), buffer.first_row)
        rows = buffer.rows(top, height)
        moved = self._seen[1] != buffer.layout
        if moved:
            self._strips.clear()
        if (moved and not self.following) or self._bar_is_off():
            self._reflect(top)
        self._seen = (buffer.version, buffer.layout)
        marker = self._marker_text()
        if moved or (rows, top) != (self._rows, self._top):
            self._rows, self._top = rows, top
            self.refresh()
        elif marker != self._marker:
            self.refresh(Region(0, height - 1, self.size.width, 1))
        self._marker = marker

    def _marker_text(self) -> str:
        count = self.new_lines
        return f" {count} new line{'s' if count != 1 else ''} ↓ " if count else ""

    def _bar_is_off(self) -> bool:
        rows, told = self.buffer.end_row - self.buffer.first_row, self.virtual_size.height
        return self.following and not told * 3 // 4 <= rows <= told * 5 // 4

    def _reflect(self, top: int) -> None:
        """Lets the scroll bar say where `top` is."""
        self._bar_start = first = self.buffer.first_row
        self.virtual_size = Size(self.scrollable_content_region.width, self.buffer.end_row - first)
        self.scroll_to(y=top - first, animate=False, force=True, immediate=True)

    def _repaint(self) -> None:
        self._strips.clear()
        self._show()
        self.refresh()

    # Moving

    def go_to(self, row: int, *, may_follow: bool = True) -> None:
        """Puts `row` of the buffer at the top; from the last page on, follows (unless told not to)."""
        tail = self.buffer.tail_row(self._height)
        row = max(self.buffer.first_row, min(row, tail))
        if row >= tail and may_follow:
            self.following = True
        elif at := self.buffer.rows(row, 1):
            if self.following:
                self._read_to = self.buffer.end
            self.following, self._anchor = False, Place(at[0].line, at[0].offset)
        self._show()
        self._reflect(self._top)

    def action_move(self, rows: int) -> None:
        """Moves by so many rows, up if negative."""
        self._show()
        self.go_to(self._top + rows)

    def action_page(self, pages: int) -> None:
        """Moves by so many pages; one row of the old page stays."""
        self.action_move(pages * max(1, self._height - 1))

    def action_top(self) -> None:
        """Shows the first line that is kept."""
        self.go_to(self.buffer.first_row)

    def action_follow(self) -> None:
        """Shows the end and follows it."""
        self.go_to(self.buffer.tail_row(self._height))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Moves by the wheel."""
        event.stop().prevent_default()
        self.action_move(-WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Moves by the wheel."""
        event.stop().prevent_default()
        self.action_move(WHEEL_ROWS)

    def on_scroll_up(self, event: ScrollUp) -> None:
        """A click above the thumb of the scroll bar."""
        event.stop().prevent_default()
        self.action_page(-1)

    def on_scroll_down(self, event: ScrollDown) -> None:
        """A click below the thumb of the scroll bar."""
        event.stop().prevent_default()
        self.action_page(1)

    def on_scroll_to(self, event: ScrollTo) -> None:
        """The thumb of the scroll bar was dragged; while following, the bar is exact only as counted from its end."""
        event.stop().prevent_default()
        if event.y is None:
            return
        tail, back = self.buffer.tail_row(self._height), self.max_scroll_y - round(event.y)
        self.go_to(tail - back if self.following or back <= 0 else self._bar_start + round(event.y))

    def on_resize(self) -> None:
        """Wraps for the new width; the place at the top stays."""
        self.buffer.set_width(max(1, self.scrollable_content_region.width))
        # Two pages: a strip is a hundred objects to the garbage collector.
        self._strips = LRUCache(max(1, 2 * self._height))
        self._repaint()

    def notify_style_update(self) -> None:
        """Colours changed: nothing painted before is of use."""
        super().notify_style_update()
        self._strips.clear()

    # Painting

    def render_lines(self, crop: Region) -> list[Strip]:
        """All rows in one go: width and colours are found once, and what is only painted goes without offsets."""
        self._painting = self.scrollable_content_region.width, self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._painting = None

    def render_line(self, y: int) -> Strip:
        """The row `y` of the screen; outside of painting with what Textual needs to know to select text."""
        width, base = self._painting or (self.scrollable_content_region.width, self.rich_style)
        if self._marker and y == self._height - 1:
            style = base + self.get_component_rich_style("log--new")
            return Strip([Segment(self._marker.rjust(width), style)]).adjust_cell_length(width, style)
        # A line may have been dropped since the last frame.
        if y >= len(self._rows) or self._rows[y].line < self.buffer.dropped:
            return Strip.blank(width, base)
        number = self._top + y
        row = self._rows[y]
        if (strip := self._strips.get(number)) is None:
            strip = self._paint(row, number, width, base)
            if row.line != self.buffer.growing:
                self._strips[number] = strip
        return strip if self._painting else strip.apply_offsets(0, number)

    def _paint(self, row: Row, number: int, width: int, base: Style) -> Strip:
        segments = row_segments(self, self.buffer, row, self.text_selection, number, self.needle, self.cursor)
        painted = [Segment(text, base + style if style else base) for text, style, _ in segments if text]
        missing = width - sum(segment.cell_length for segment in painted)
        if missing > 0:
            painted.append(Segment(" " * missing, base))
        strip = Strip(painted, width if missing >= 0 else width - missing)
        return strip.adjust_cell_length(width, base)
