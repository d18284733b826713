"""What people do with a log: they search, filter, fold and copy."""

from collections.abc import Collection
from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.selection import Selection

from orchestrator_tui.domain.words import plural
from orchestrator_tui.tui.keymap import Place as Keys
from orchestrator_tui.tui.keymap import bindings
from orchestrator_tui.tui.loglines import FOLD_MARK, Kind, Place
from orchestrator_tui.tui.logsearch import find
from orchestrator_tui.tui.widgets.log_row import LOG_CSS, row_segments
from orchestrator_tui.tui.widgets.log_scroll import LogScroll


class LogView(LogScroll, can_focus=True):
    """A log with its keys. `LogPanel` has the rows to type what to search for and to choose what to hide."""

    DEFAULT_CSS = LOG_CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Keys.LOG),
        Binding("enter", "fold", "Fold", show=False, id="log.fold", tooltip="Fold or unfold the marked tool call"),
        Binding("escape", "unmark", "Unmark", show=False, id="log.unmark", tooltip="Take the marks of a search away"),
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

    class Searched(Message):
        """The cursor of `view` went to another match, or there is none."""

        def __init__(self, view: "LogView") -> None:
            super().__init__()
            self.view = view

    def search(self, needle: str, *, forward: bool = True, stay: bool = False) -> bool:
        """Marks and shows the next place that has `needle`, around the end if need be; False if there is none.

        With `stay` it may be the marked place itself, as while the words are still being typed.
        """
        buffer = self.buffer
        self.needle = needle
        start = self.cursor or (Place(self._rows[0].line, -1) if self._rows else Place(-1))
        found = find(buffer, needle, Place(start.line, start.offset - stay), forward)
        found = found or find(buffer, needle, Place(-1) if forward else Place(buffer.end), forward)
        if found:
            self.cursor = found
            if buffer.is_folded(found.line) and "\n" in buffer.text(found.line)[: found.offset]:
                buffer.toggle(found.line)
            self._reveal(found)
        self._repaint()
        self.post_message(self.Searched(self))
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

    def action_search(self) -> None:
        """Asks the owner for the words to search for."""
        self.post_message(self.SearchRequested(self))

    def action_filter(self) -> None:
        """Asks the owner for the kinds to show."""
        self.post_message(self.FilterRequested(self))

    def action_next_match(self) -> None:
        """Goes to the next match; asks for words if there are none."""
        self.step()

    def action_previous_match(self) -> None:
        """Goes to the match before; asks for words if there are none."""
        self.step(forward=False)

    def step(self, *, forward: bool = True) -> None:
        """Goes to the next or the previous match; rings if there is none."""
        if not self.needle:
            self.action_search()
        elif not self.search(self.needle, forward=forward):
            self.app.bell()

    def action_unmark(self) -> None:
        """Takes the marks of a search away; does nothing else, and nothing when there are none."""
        if not self.needle:
            raise SkipAction
        self.clear_search()

    def action_fold(self) -> None:
        """Folds or unfolds the marked line, or else the last one on the screen that can be."""
        shown = [row.line for row in self._rows]
        marked = [self.cursor.line] if self.cursor and self.cursor.line in shown else []
        for line in (*marked, *reversed(shown)):
            if self.buffer.is_foldable(line):
                self._toggle(line)
                return

    def action_fold_all(self) -> None:
        """Unfolds everything if all is folded, else folds everything."""
        self.buffer.toggle_all()
        self._repaint()

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

    def action_copy_text(self) -> None:
        """Copies the selected text, or the marked line, or all that show; says how much that was."""
        text = self._to_copy()
        if text:
            self.app.copy_to_clipboard(text)
            self.app.notify(f"{plural(text.count(chr(10)) + 1, 'line')} copied.", timeout=3, markup=False)

    def _to_copy(self) -> str:
        if self.text_selection:
            return self.screen.get_selected_text() or ""
        if self.cursor and self.buffer.dropped <= self.cursor.line < self.buffer.end:
            return self.buffer.text(self.cursor.line)
        return "\n".join(self.buffer.text(line) for line in dict.fromkeys(row.line for row in self._rows))

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
