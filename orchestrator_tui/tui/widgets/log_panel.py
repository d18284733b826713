"""A log with its rows to search and to filter; what every place that shows a log uses."""

from textual.app import ComposeResult
from textual.widget import Widget

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.logsearch import tally
from orchestrator_tui.tui.widgets.log_tools import FilterRow, SearchRow, hidden_groups
from orchestrator_tui.tui.widgets.log_view import LogView


class LogPanel(Widget):
    """Shows one log at a time. The owner calls `flush` once a frame (see `FlushTimer`)."""

    DEFAULT_CSS = """
    LogPanel { layout: vertical; height: 1fr; width: 1fr; background: $background; & > LogView { height: 1fr; } }
    """

    def __init__(self, buffer: LogBuffer | None = None, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view = LogView(buffer if buffer is not None else LogBuffer())
        self._search = SearchRow()
        self._filter = FilterRow()

    def compose(self) -> ComposeResult:
        yield self.view
        yield self._search
        yield self._filter

    def show_log(self, buffer: LogBuffer) -> None:
        """Shows another log; rows that were open for the one before close."""
        if buffer is self.view.buffer:
            return
        within = self.is_attached and self.has_focus_within
        self._search.close()
        self._filter.close()
        self.view.show_log(buffer)
        self.filtered()
        if within:
            self.view.focus()

    @property
    def has_news(self) -> bool:
        """Whether something has arrived that can be seen here."""
        return bool(self.display) and self.view.has_news

    def flush(self) -> bool:
        """Shows what has arrived."""
        return self.view.flush()

    @property
    def is_read(self) -> bool:
        """Whether somebody looks for something here: has scrolled up, searches, filters or selects."""
        rows = self._search.display or self._filter.display
        selects = self.is_attached and self.view.text_selection is not None
        return rows or selects or not self.view.following

    @property
    def hidden_words(self) -> list[str]:
        """What is hidden by the filter, in words."""
        return hidden_groups(self.view.buffer.hidden)

    def filtered(self) -> None:
        """The filter has changed; subclasses show that."""

    def on_log_view_search_requested(self, message: LogView.SearchRequested) -> None:
        message.stop()
        self._filter.close()
        self._search.open(self.view.needle)
        self._count()

    def on_log_view_filter_requested(self, message: LogView.FilterRequested) -> None:
        message.stop()
        self._search.close()
        self._filter.open(self.view.buffer.hidden)

    def on_log_view_searched(self, message: LogView.Searched) -> None:
        message.stop()
        if self._search.display:
            self._count()

    def on_search_row_typed(self, message: SearchRow.Typed) -> None:
        message.stop()
        if message.words:
            self.view.search(message.words, stay=True)
        else:
            self.view.clear_search()
            self._search.tell("")

    def on_search_row_next(self, message: SearchRow.Next) -> None:
        message.stop()
        if self.view.needle:
            self.view.step(forward=message.forward)

    def on_search_row_left(self, message: SearchRow.Left) -> None:
        message.stop()
        self.view.focus()

    def on_filter_row_left(self, message: FilterRow.Left) -> None:
        message.stop()
        self.view.focus()

    def on_filter_row_toggled(self, message: FilterRow.Toggled) -> None:
        message.stop()
        self.view.hide(message.hidden)
        self.filtered()

    def _count(self) -> None:
        self.run_worker(self._tell_count(), name="matches", group="matches", exclusive=True)

    async def _tell_count(self) -> None:
        view, needle = self.view, self.view.needle
        if not needle:
            self._search.tell("")
            return
        nth, total = await tally(view.buffer, needle, view.cursor)
        if nth:
            self._search.tell(f"{nth} of {total}")
        else:
            self._search.tell(f"{total} found" if total else "no match")
