"""Shows a `LogBuffer` by the line API: follows at the end, stays put elsewhere, searches, folds and copies."""

from collections.abc import Collection
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollDown, ScrollTo, ScrollUp
from textual.selection import Selection
from textual.strip import Strip

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import FOLD_MARK, Kind, Place, Row
from orchestrator_tui.tui.logsearch import find
from orchestrator_tui.tui.widgets.log_row import COMPONENT_CLASSES, LOG_CSS, row_segments

WHEEL_ROWS = 3


class LogView(ScrollView, can_focus=True):
    """One agent's log; the only view of its buffer, since the buffer is wrapped for its width.

    The owner appends to `buffer` and calls `flush` once a frame (see `FlushTimer`). What is shown is kept as the place
    at the top; Textual's virtual size and offset only draw the scroll bar, and are left alone while following,
    because every change of them lays out the screen.
    """

    COMPONENT_CLASSES = COMPONENT_CLASSES
    DEFAULT_CSS = LOG_CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="log.up", tooltip="One row up"),
        Binding("down", "move(1)", "Down", show=False, id="log.down", tooltip="One row down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="log.pageup", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="log.pagedown", tooltip="One page down"),
        Binding("home", "top", "Start", show=False, id="log.top", tooltip="To the first line that is kept"),
        Binding("end", "follow", "End", show=False, id="log.follow", tooltip="To the end, and follow"),
        Binding("slash", "ask_search", "Search", id="log.search", tooltip="Search in this log", key_display="/"),
        Binding("n", "next_match(True)", "Next", show=False, id="log.next", tooltip="Next match"),
        Binding("N", "next_match(False)", "Previous", show=False, id="log.previous", tooltip="Previous match"),
        Binding("f", "ask_filter", "Filter", id="log.filter", tooltip="Choose which kinds of lines show"),
        Binding("enter", "toggle_fold", "Fold", show=False, id="log.fold", tooltip="Fold or unfold a long result"),
        Binding("y", "copy", "Copy", id="log.copy", tooltip="Copy the selection, or the marked line"),
    ]

    class SearchRequested(Message):
        """Somebody wants to type what to search for in `view`; answer with `view.search(words)`."""

        def __init__(self, view: "LogView") -> None:
            super().__init__()
            self.view = view

    class FilterRequested(Message):
        """Somebody wants to choose the kinds that `view` shows; answer with `view.hide(kinds)`."""

        def __init__(self, view: "LogView") -> None:
            super().__init__()
            self.view = view

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
        self._strips: LRUCache[int, Strip] = LRUCache(1024)

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

    def flush(self) -> None:
        """Shows what has arrived; measures a bit of what still has an old width. Cheap if nothing has changed."""
        if not self.is_attached or not self._height:
            return
        self.buffer.settle()
        if self._seen != (self.buffer.version, self.buffer.layout):
            self._show()

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
        self._repaint()

    def notify_style_update(self) -> None:
        """Colours changed: nothing painted before is of use."""
        super().notify_style_update()
        self._strips.clear()

    # Searching, filtering, folding, copying

    def search(self, needle: str, *, forward: bool = True) -> bool:
        """Marks and shows the next place that has `needle`, around the end if need be; False if there is none."""
        buffer = self.buffer
        self.needle = needle
        start = self.cursor or (Place(self._rows[0].line, -1) if self._rows else Place(-1))
        found = find(buffer, needle, start, forward)
        found = found or find(buffer, needle, Place(-1) if forward else Place(buffer.end), forward)
        if found:
            self.cursor = found
            if buffer.is_folded(found.line) and "\n" in buffer.text(found.line)[: found.offset]:
                buffer.toggle(found.line)
            self._reveal(found)
        self._repaint()
        return found is not None

    def _reveal(self, place: Place, *, may_follow: bool = False) -> None:
        self._show()
        row = self.buffer.row_of(place)
        inside = self._top <= row < self._top + self._height - 1
        self.go_to(self._top if inside else row - self._height // 3, may_follow=may_follow)

    def clear_search(self) -> None:
        """Takes the marks of the search away."""
        self.needle, self.cursor = "", None
        self._repaint()

    def hide(self, kinds: Collection[Kind]) -> None:
        """Shows all kinds of lines but these."""
        self.buffer.hide(kinds)
        self._repaint()

    def action_ask_search(self) -> None:
        """Asks the owner for the words to search for."""
        self.post_message(self.SearchRequested(self))

    def action_ask_filter(self) -> None:
        """Asks the owner for the kinds to show."""
        self.post_message(self.FilterRequested(self))

    def action_next_match(self, forward: bool) -> None:
        """Goes to the next or previous match; asks for words if there are none."""
        if not self.needle:
            self.action_ask_search()
        elif not self.search(self.needle, forward=forward):
            self.app.bell()

    def action_toggle_fold(self) -> None:
        """Folds or unfolds the marked line, or else the last one on the screen that can be."""
        shown = [row.line for row in self._rows]
        marked = [self.cursor.line] if self.cursor and self.cursor.line in shown else []
        for line in (*marked, *reversed(shown)):
            if self.buffer.is_foldable(line):
                self._toggle(line)
                return

    def _toggle(self, line: int) -> None:
        self.cursor = Place(line)
        self.buffer.toggle(line)
        self._reveal(self.cursor, may_follow=self.buffer.is_folded(line))
        self._repaint()

    def on_click(self, event: events.Click) -> None:
        """Marks the line that was clicked; a click on a fold's mark unfolds it, one on the marker follows."""
        if self.text_selection:
            return
        if self._marker and event.y == self._height - 1:
            self.action_follow()
        elif event.y < len(self._rows):
            row = self._rows[event.y]
            if row.offset == FOLD_MARK or (row.part == 0 and self.buffer.is_foldable(row.line)):
                self._toggle(row.line)
            else:
                self.cursor = Place(row.line, row.offset)
                self._repaint()

    def action_copy(self) -> None:
        """Copies the selected text, or the marked line, or the last one on the screen."""
        selected = self.screen.get_selected_text() if self.text_selection else None
        line = self.cursor.line if self.cursor else self._rows[-1].line if self._rows else -1
        if selected or self.buffer.dropped <= line < self.buffer.end:
            self.app.copy_to_clipboard(selected or self.buffer.text(line))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected rows as they are shown; `y` of a selection is the number of the row in the buffer."""
        first = selection.start.y if selection.start else self.buffer.first_row
        last = selection.end.y if selection.end else self.buffer.end_row - 1
        picked = []
        for y, row in enumerate(self.buffer.rows(first, last - first + 1), max(first, self.buffer.first_row)):
            text = "".join(s.text for s in row_segments(self, self.buffer, row, None))
            start, end = selection.get_span(y) or (0, 0)
            picked.append(text[start : None if end == -1 else end].rstrip())
        return "\n".join(picked), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Repaints with the selection."""
        self._strips.clear()
        self.refresh()

    # Painting

    def render_line(self, y: int) -> Strip:
        """The row `y` of the screen."""
        width, base = self.scrollable_content_region.width, self.rich_style
        if self._marker and y == self._height - 1:
            style = base + self.get_component_rich_style("log--new")
            return Strip([Segment(self._marker.rjust(width), style)]).adjust_cell_length(width, style)
        if y >= len(self._rows):
            return Strip.blank(width, base)
        number = self._top + y
        row = self._rows[y]
        if (strip := self._strips.get(number)) is None:
            strip = self._paint(row, number, width, base)
            if row.line != self.buffer.growing:
                self._strips[number] = strip
        return strip

    def _paint(self, row: Row, number: int, width: int, base: Style) -> Strip:
        segments = row_segments(self, self.buffer, row, self.text_selection, number, self.needle, self.cursor)
        return Strip(segments).apply_style(base).adjust_cell_length(width, base).apply_offsets(0, number)
