"""Shows a patch by the line API: files, hunks, signs and colours, line numbers; wraps, searches, copies."""

from bisect import bisect_left, bisect_right
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.loglines import Row
from orchestrator_tui.tui.patch_rows import PatchRows
from orchestrator_tui.tui.patches import Patch, PatchFile, PatchLine, Sort, parse
from orchestrator_tui.tui.widgets.log_row import matches, restyled

CLASSES = {
    Sort.FILE: "patch--file",
    Sort.HUNK: "patch--hunk",
    Sort.CONTEXT: "patch--context",
    Sort.ADDED: "patch--added",
    Sort.REMOVED: "patch--removed",
    Sort.NOTE: "patch--note",
    Sort.GAP: "patch--context",
    Sort.HEAD: "patch--note",
}
_SEARCHING = ("search", "next_match", "previous_match", "copy_text")


class PatchView(ScrollView, can_focus=True, inherit_bindings=False):
    """A unified diff. The head of the file that is looked at stays in the first row."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*CLASSES.values(), "patch--number", "patch--match", "patch--empty"}
    DEFAULT_CSS = """
    PatchView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        color: $foreground;
        & .patch--file { color: $foreground; background: $panel; text-style: bold; }
        & .patch--hunk { color: $muted; }
        & .patch--context { color: $foreground; }
        & .patch--added { color: $text-success; }
        & .patch--removed { color: $text-error; }
        & .patch--note { color: $muted; }
        & .patch--number { color: $muted; }
        & .patch--match { text-style: reverse; }
        & .patch--empty { color: $muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="patch.up", tooltip="One row up"),
        Binding("down", "move(1)", "Down", show=False, id="patch.down", tooltip="One row down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="patch.pageup", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="patch.pagedown", tooltip="One page down"),
        Binding("home", "go(0)", "Start", show=False, id="patch.top", tooltip="To the start"),
        Binding("end", "go(1000000000)", "End", show=False, id="patch.end", tooltip="To the end"),
        Binding("n", "file(1)", "Next file", show=False, id="patch.next_file", tooltip="To the next file"),
        Binding("p", "file(-1)", "File before", show=False, id="patch.previous_file", tooltip="To the file before"),
        Binding("slash", "search", "Search", show=False, id="patch.search", tooltip="Search in this patch"),
        *(binding for binding in bindings(Place.SCREEN) if binding.id in _SEARCHING),
    ]

    class SearchRequested(Message):
        """Somebody wants to type what to search for in `view`; answer with `view.search(words)`."""

        def __init__(self, view: "PatchView") -> None:
            super().__init__()
            self.view = view

    def __init__(self, *, empty: str = "Nothing has changed.", id: str | None = None) -> None:
        """`empty` is shown while there is no patch."""
        super().__init__(id=id)
        self._empty = empty
        self.needle = ""
        self._found: list[int] = []
        self._at = -1
        self._rows = PatchRows(Patch(), 80)
        self._strips: LRUCache[int, Strip] = LRUCache(1024)

    @property
    def patch(self) -> Patch:
        """What is shown."""
        return self._rows.patch

    @property
    def current_file(self) -> PatchFile | None:
        """The file at the top of the screen."""
        if not self.patch.files:
            return None
        # The first row is the file's head; what is looked at begins below it.
        top = min(self._top + 1, len(self._rows) - 1)
        return self.patch.files[max(0, self._rows.file_at(self._rows.row(top).line))]

    @property
    def found(self) -> tuple[int, int]:
        """Which match is shown, counted from 1, and how many lines match; zeros when nothing is searched for."""
        return self._at + 1, len(self._found)

    def show_empty(self, text: str) -> None:
        """What to say while there is no patch."""
        self._empty = text
        self.refresh()

    def show(self, patch: str | Patch, *, empty: str | None = None) -> None:
        """Shows another patch from its start; the same one stays where it is scrolled to."""
        parsed = patch if isinstance(patch, Patch) else parse(patch)
        self._empty = self._empty if empty is None else empty
        if parsed == self.patch:
            self.refresh()
            return
        same_files = [file.path for file in parsed.files] == [file.path for file in self.patch.files]
        self._lay_out(parsed)
        if not same_files:
            self.scroll_to(0, 0, animate=False, force=True)
        self._found = self._rows.matching(self.needle)
        self._at = min(self._at, len(self._found) - 1)

    def _lay_out(self, patch: Patch) -> None:
        width = self.scrollable_content_region.width or 80
        self._rows = PatchRows(patch, width)
        self._strips.clear()
        self.virtual_size = Size(width, len(self._rows))
        self.refresh()

    def on_resize(self) -> None:
        """Wraps for the new width; the line at the top stays."""
        if self.scrollable_content_region.width in (0, self._rows.width):
            return
        line = self._rows.row(self._top).line if 0 < self._top < len(self._rows) else 0
        self._lay_out(self.patch)
        self.scroll_to(y=self._rows.row_of(line) if line else 0, animate=False, force=True)

    def notify_style_update(self) -> None:
        """Colours changed: nothing painted before is of use."""
        super().notify_style_update()
        self._strips.clear()

    # Moving

    @property
    def _top(self) -> int:
        return round(self.scroll_y)

    @property
    def _height(self) -> int:
        return max(1, self.scrollable_content_region.height)

    def action_go(self, row: int) -> None:
        """Puts a row at the top."""
        self.scroll_to(y=max(0, min(row, self.max_scroll_y)), animate=False)

    def action_move(self, rows: int) -> None:
        """Moves by so many rows."""
        self.action_go(self._top + rows)

    def action_page(self, pages: int) -> None:
        """Moves by so many pages; one row of the old page stays besides the file's head."""
        self.action_go(self._top + pages * max(1, self._height - 2))

    def action_file(self, files: int) -> None:
        """Goes to the next file, or back to the start of this one and then to the one before."""
        heads = [self._rows.row_of(file.line) for file in self.patch.files]
        top = self._top
        index = bisect_right(heads, top) if files > 0 else bisect_left(heads, top) - 1
        if 0 <= index < len(heads):
            self.action_go(heads[index])
        elif files < 0:
            self.action_go(0)

    # Searching and copying

    def search(self, needle: str, *, forward: bool = True) -> bool:
        """Marks all places and shows the next one from the top of the screen on; False if there is none."""
        fresh = needle != self.needle
        if fresh:
            self.needle, self._found, self._at = needle, self._rows.matching(needle), -1
            self._strips.clear()
        self.refresh()
        if not self._found:
            return False
        if fresh:
            top = self._rows.row(self._top).line
            self._at = bisect_left(self._found, top) if forward else bisect_right(self._found, top) - 1
        else:
            self._at += 1 if forward else -1
        self._at %= len(self._found)
        self._strips.clear()
        self._reveal(self._rows.row_of(self._found[self._at]))
        return True

    def clear_search(self) -> None:
        """Takes the marks of the search away."""
        self.needle, self._found, self._at = "", [], -1
        self._strips.clear()
        self.refresh()

    def _reveal(self, row: int) -> None:
        if not self._top < row < self._top + self._height - 1:
            self.action_go(row - self._height // 3)

    def action_search(self) -> None:
        """Asks the owner for the words to search for."""
        self.post_message(self.SearchRequested(self))

    def action_next_match(self) -> None:
        """Goes to the next match; asks for words if there are none."""
        self._match(forward=True)

    def action_previous_match(self) -> None:
        """Goes to the match before; asks for words if there are none."""
        self._match(forward=False)

    def _match(self, *, forward: bool) -> None:
        if not self.needle:
            self.action_search()
        elif not self.search(self.needle, forward=forward):
            self.app.bell()

    def action_copy_text(self) -> None:
        """Copies the selected text, or all that shows."""
        selected = self.screen.get_selected_text() if self.text_selection else None
        shown = range(self._top, min(self._top + self._height, len(self._rows)))
        text = selected or "\n".join(self._text_of(number) for number in shown)
        self.app.copy_to_clipboard(text)
        count = len(text.splitlines())
        self.app.notify(f"{count} line{'' if count == 1 else 's'} copied", timeout=2)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected rows as they are shown; `y` of a selection is the number of the row."""
        first = selection.start.y if selection.start else 0
        last = min(selection.end.y if selection.end else len(self._rows) - 1, len(self._rows) - 1)
        picked = []
        for number in range(first, last + 1):
            start, end = selection.get_span(number) or (0, 0)
            picked.append(self._text_of(number)[start : None if end == -1 else end].rstrip())
        return "\n".join(picked), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Repaints with the selection."""
        self._strips.clear()
        self.refresh()

    def _text_of(self, number: int) -> str:
        row = self._rows.row(number)
        if self.patch.lines[row.line].sort is Sort.FILE:
            return row.text
        return (self._rows.gutter_text(row) + row.text).rstrip()

    # Painting

    def render_line(self, y: int) -> Strip:
        """The row `y` of the screen."""
        width, base = self.scrollable_content_region.width, self.rich_style
        if not self.patch.lines:
            return self._painted_empty(y, width, base)
        number = self._top + y
        if number >= len(self._rows):
            return Strip.blank(width, base)
        if y == 0 and (head := self._sticky(number)) is not None:
            return self._painted_head(head, width, base)
        if (strip := self._strips.get(number)) is None:
            strip = self._strips[number] = self._painted(number, width, base)
        return strip

    def _sticky(self, number: int) -> PatchFile | None:
        """The file whose head is above the first row."""
        file = self._rows.file_at(self._rows.row(number).line)
        return self.patch.files[file] if file >= 0 and self._height > 3 else None

    def _painted_empty(self, y: int, width: int, base: Style) -> Strip:
        style = base + self.get_component_rich_style("patch--empty", partial=True)
        return Strip([Segment(self._empty if y == 0 else "", style)]).adjust_cell_length(width, base)

    def _painted(self, number: int, width: int, base: Style) -> Strip:
        row = self._rows.row(number)
        line = self.patch.lines[row.line]
        if line.sort is Sort.FILE:
            strip = self._painted_head(self.patch.files[self._rows.file_at(row.line)], width, base)
        else:
            strip = Strip(self._segments(row, line, number)).apply_style(base).adjust_cell_length(width, base)
        return strip.apply_offsets(0, number)

    def _segments(self, row: Row, line: PatchLine, number: int) -> list[Segment]:
        style = self.get_component_rich_style(CLASSES[line.sort], partial=True)
        gutter = self._rows.gutter_text(row)
        numbers, sign = gutter[:-2], gutter[-2:]
        segments = [
            Segment(numbers, self.get_component_rich_style("patch--number", partial=True)),
            Segment(sign, style + Style(bold=True)),
            Segment(row.text, style),
        ]
        if self.needle:
            match = self.get_component_rich_style("patch--match", partial=True)
            current = bool(self._found) and self._at >= 0 and self._found[self._at] == row.line
            for start, end in matches(line.text, row, self.needle):
                marked = match + Style(bold=current, underline=current)
                segments = restyled(segments, len(gutter) + start, len(gutter) + end, marked)
        if (selection := self.text_selection) is not None and (span := selection.get_span(number)) is not None:
            chosen = self.screen.get_component_rich_style("screen--selection")
            segments = restyled(segments, span[0], span[1] if span[1] >= 0 else 1 << 30, chosen)
        return segments

    def _painted_head(self, file: PatchFile, width: int, base: Style) -> Strip:
        style = base + self.get_component_rich_style(CLASSES[Sort.FILE])
        counts = [
            (f" +{file.added}", "patch--added", file.added),
            (f" −{file.removed}", "patch--removed", file.removed),
        ]
        right = [
            Segment(text, style + Style(color=self.get_component_rich_style(name, partial=True).color))
            for text, name, count in counts
            if count
        ]
        notes = ", ".join(file.notes)
        room = width - sum(cell_len(segment.text) for segment in right) - 1
        path = f" {file.path}"
        left = f"{path}  {notes}" if notes else path
        if cell_len(left) > room > 0:
            # The end of a path says more than its start.
            left = f"…{left[len(left) - room + 1 :]}" if room > 1 else "…"
        segments = [Segment(set_cell_size(left, max(0, room)), style), *right, Segment(" ", style)]
        return Strip(segments).adjust_cell_length(width, style)
