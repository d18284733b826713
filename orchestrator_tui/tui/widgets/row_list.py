"""A list with a cursor on the line API: any number of rows, of which only those on the screen are painted."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from orchestrator_tui.tui.colors import grounded, rich_color
from orchestrator_tui.tui.row_place import find_keys, follow, keys_at, shift

T = TypeVar("T")

Paint = Callable[[T, int, bool], Sequence[Text]]
"""Paints a row: the row, the cells there are, and whether it is marked."""

END_ROWS = 20
"""How many rows from the end more of them are asked for."""
BAR = "▌"


class RowList(ScrollView, Generic[T], can_focus=True):
    """Rows of `row_height` lines each; the first column is the cursor's. With the class `pane` it has a border.

    `paint` is given the cells that are left and gives `row_height` texts, in colours of `color`; what is too long is
    cut with an ellipsis. `key` tells a row from all others as long as it lives. `empty` shows while there are none.
    """

    CHOOSE_BY_CLICK: ClassVar[bool] = False
    """Whether one click chooses; if not, it marks, and a click on the marked row chooses."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-list--cursor",
        "row-list--blurred",
        "row-list--bar",
        "row-list--empty",
    }
    DEFAULT_CSS = """
    RowList {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        background: $background;
        color: $foreground;
        & .row-list--cursor { background: $selection; color: $selection-text; }
        & .row-list--blurred { background: $panel; color: $foreground; }
        & .row-list--bar { color: $accent; }
        & .row-list--empty { color: $muted; }
        &.pane {
            border: round $line;
            border-title-color: $accent;
            border-subtitle-color: $muted;
            border-subtitle-align: right;
            &:focus { border: round $accent; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="list.up", tooltip="One row up"),
        Binding("down", "move(1)", "Down", show=False, id="list.down", tooltip="One row down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.pageup", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.pagedown", tooltip="One page down"),
        Binding("home", "first", "Start", show=False, id="list.first", tooltip="To the first row"),
        Binding("end", "last", "End", show=False, id="list.last", tooltip="To the last row"),
        Binding("enter", "choose", "Choose", show=False, id="list.choose", tooltip="Choose the marked row"),
    ]

    class About(Message):
        """Something about one row; a message type of its own, since a handler of `Chosen` gets all kinds of it."""

        def __init__(self, row_list: "RowList[Any]", row: Any) -> None:
            super().__init__()
            self.row_list = row_list
            self.row = row

        @property
        def control(self) -> "RowList[Any]":
            return self.row_list

    class Chosen(About):
        """A person chose `row`: by Enter or by the mouse."""

    class Marked(About):
        """The cursor is on another row now, whoever moved it there."""

    class EndNeared(Message):
        """Less than a page is left below; told once for as many rows as there are."""

        def __init__(self, row_list: "RowList[Any]") -> None:
            super().__init__()
            self.row_list = row_list

        @property
        def control(self) -> "RowList[Any]":
            return self.row_list

    def __init__(
        self,
        paint: Paint[T],
        key: Callable[[T], str],
        *,
        row_height: int = 1,
        empty: str = "",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._paint = paint
        self._key = key
        self._row_height = row_height
        self._empty = empty
        self._rows: Sequence[T] = ()
        self._cursor = 0
        self._told_rows = 0
        self._clicked: str | None = None
        self._strips: LRUCache[tuple[int, bool, bool, int], list[Strip]] = LRUCache(256)

    # What is shown

    @property
    def rows(self) -> Sequence[T]:
        return self._rows

    @property
    def marked(self) -> T | None:
        """The row under the cursor; None when there are no rows."""
        return self._rows[self._cursor] if self._rows else None

    def color(self, name: str) -> str:
        """A colour of the theme, such as `muted`, as Rich wants it."""
        return rich_color(self.app.theme_variables[name])

    def show(self, rows: Sequence[T]) -> None:
        """Shows these rows instead; the cursor stays on its row, and what is on the screen stays in its place."""
        cursor, visible = self._cursor, self._visible()
        near = (*visible, *range(cursor, cursor + max(1, len(visible))))
        wanted = keys_at(self._rows, self._key, near)
        marked = self._marked_key
        found = find_keys(rows, self._key, wanted)
        self._rows = rows
        self._cursor = max(0, min(follow(cursor, wanted, found), len(rows) - 1))
        self._strips.clear()
        self._resize_virtual()
        self._keep_place(shift(visible, wanted, found))
        if cursor in visible and self.has_focus:
            self._reveal()
        if self._marked_key != marked:
            self._tell_marked()
        self._told_rows = min(self._told_rows, len(rows))
        self._tell_end()
        self.refresh()

    def show_empty(self, text: str) -> None:
        """What to show instead of rows while there are none."""
        if text != self._empty:
            self._empty = text
            self.refresh()

    def mark(self, key: str) -> None:
        """Puts the cursor on the row of this key, if there is one, and shows it."""
        for at, row in enumerate(self._rows):
            if self._key(row) == key:
                self._go_to(at)
                return

    def repaint(self) -> None:
        """Paints anew: what the rows are painted with has changed."""
        self._strips.clear()
        self.refresh()

    def edge(self, row: T, marked: bool, line: int) -> str:
        """The sign of one cell at the left of a row's line; subclasses may mark more than the cursor by it."""
        return BAR if marked else " "

    # Keeping the place

    @property
    def _marked_key(self) -> str | None:
        return self._key(self._rows[self._cursor]) if self._rows else None

    def _visible(self) -> range:
        """The rows on the screen, also those of which only a part is."""
        first = self.scroll_offset.y // self._row_height
        last = -(-(self.scroll_offset.y + self._page_height) // self._row_height)
        return range(first, min(last, len(self._rows)))

    def _keep_place(self, moved: int) -> None:
        """Scrolls along with what was on the screen; a list at its start stays there."""
        top = self.scroll_offset.y
        self._scroll_rows(top + moved * self._row_height if top else 0)

    # Moving

    @property
    def _page_height(self) -> int:
        return self.scrollable_content_region.height

    def action_move(self, rows: int) -> None:
        """Moves the cursor by so many rows, up if negative."""
        self._go_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Moves the cursor by so many pages; one row of the old page stays."""
        self.action_move(pages * max(1, self._page_height // self._row_height - 1))

    def action_first(self) -> None:
        """The cursor goes to the first row."""
        self._go_to(0)

    def action_last(self) -> None:
        """The cursor goes to the last row."""
        self._go_to(len(self._rows) - 1)

    def action_choose(self) -> None:
        """Chooses the row under the cursor."""
        if self._rows:
            self.post_message(self.Chosen(self, self._rows[self._cursor]))

    def _go_to(self, at: int) -> None:
        at = max(0, min(at, len(self._rows) - 1))
        moved, self._cursor = at != self._cursor, at
        self._reveal()
        if moved:
            self._tell_marked()
            self.refresh()
        self._tell_end()

    def _reveal(self) -> None:
        """Scrolls as little as it takes to show the row under the cursor, to the start of a row."""
        if not self._page_height:
            return
        start = self._cursor * self._row_height
        lowest = start + self._row_height - self._page_height
        whole = -(-lowest // self._row_height) * self._row_height
        top = self.scroll_offset.y
        self._scroll_rows(min(start, top if top >= lowest else whole))

    def _scroll_rows(self, y: int) -> None:
        if y != self.scroll_offset.y or y > self.max_scroll_y:
            self.scroll_to(y=max(0, min(y, self.max_scroll_y)), animate=False, force=True, immediate=True)

    def _tell_marked(self) -> None:
        if self._rows:
            self.post_message(self.Marked(self, self._rows[self._cursor]))

    def _tell_end(self) -> None:
        rows = len(self._rows)
        near = max(self._cursor, self._visible().stop - 1) >= rows - END_ROWS
        if near and rows > self._told_rows and self._page_height:
            self._told_rows = rows
            self.post_message(self.EndNeared(self))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """By the wheel or the scroll bar, too, the end may come near."""
        super().watch_scroll_y(old_value, new_value)
        self._tell_end()

    def on_click(self, event: events.Click) -> None:
        """Marks the row under the mouse, or chooses it."""
        offset = event.get_content_offset(self)
        at = (self.scroll_offset.y + offset.y) // self._row_height if offset else -1
        if offset is None or at >= len(self._rows):
            return
        event.stop()
        key = self._key(self._rows[at])
        # The second click of a double click chooses only what the first has not chosen yet.
        chosen = (self.CHOOSE_BY_CLICK or at == self._cursor) and not (event.chain > 1 and self._clicked == key)
        self._go_to(at)
        self._clicked = key if chosen else None
        if chosen:
            self.action_choose()

    # Size and style

    def _resize_virtual(self) -> None:
        size = Size(self.scrollable_content_region.width, len(self._rows) * self._row_height)
        if size != self.virtual_size:
            self.virtual_size = size

    def on_resize(self) -> None:
        """The cursor stays on the screen."""
        self._strips.clear()
        self._resize_virtual()
        self._reveal()
        self._tell_end()

    def notify_style_update(self) -> None:
        """Colours changed: nothing painted before is of use."""
        super().notify_style_update()
        self._strips.clear()

    # Painting

    def render_line(self, y: int) -> Strip:
        """The line `y` of the screen."""
        width = self.scrollable_content_region.width
        if not self._rows:
            return self._empty_line(y, width)
        at, line = divmod(self.scroll_offset.y + y, self._row_height)
        if at >= len(self._rows) or width <= 0:
            return Strip.blank(max(0, width), self.rich_style)
        return self._row_strips(at, width)[line]

    def _empty_line(self, y: int, width: int) -> Strip:
        style = self.rich_style + self.get_component_rich_style("row-list--empty", partial=True)
        lines = list(Text(self._empty).wrap(self.app.console, width - 2)) if width > 2 else []
        text = f" {lines[y].plain}" if y < len(lines) else ""
        return Strip([Segment(text, style)]).adjust_cell_length(max(0, width), style)

    def _row_strips(self, at: int, width: int) -> list[Strip]:
        marked = at == self._cursor
        key = (at, marked, marked and self.has_focus, width)
        if (strips := self._strips.get(key)) is None:
            strips = self._strips[key] = self._painted(self._rows[at], width, marked)
        return strips

    def _painted(self, row: T, width: int, marked: bool) -> list[Strip]:
        ground = self.rich_style
        if marked:
            ground += self.get_component_rich_style("row-list--cursor" if self.has_focus else "row-list--blurred")
        texts = [*self._paint(row, max(0, width - 1), marked)][: self._row_height]
        texts += [Text()] * (self._row_height - len(texts))
        bar = self.get_component_rich_style("row-list--bar", partial=True)
        strips = []
        for line, text in enumerate(texts):
            segments = [Segment(self.edge(row, marked, line), bar), *self._segments(text, width - 1)]
            strips.append(
                grounded(segments, ground, careful=marked and self.has_focus).adjust_cell_length(width, ground)
            )
        return strips

    def _segments(self, text: Text, width: int) -> Iterable[Segment]:
        if text.cell_len > width:
            text = text.copy()
            text.truncate(max(0, width), overflow="ellipsis")
        console = self.app.console
        # Rich leaves out a text's own style when no part of it has another.
        return Segment.apply_style(text.render(console, end=""), console.get_style(text.style))
