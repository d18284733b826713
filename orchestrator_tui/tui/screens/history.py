"""What happened in a project, in words, the newest at the end; older pages are read when they are scrolled to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.happenings import Happening
from orchestrator_tui.tui.history import PAGE, History, find, next_kind
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.reading import read_names
from orchestrator_tui.tui.screens.page import Page
from orchestrator_tui.tui.widgets.happening_list import HappeningList
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.row_list import RowList

NEAR_START = 20
"""How many rows from the first line an older page is read."""


class HistoryPage(Page):
    """Follows the end while the cursor is there; else it stays where it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "leave_field", "To the lines", show=False, id="history.lines", tooltip="Back to the lines"),
    ]
    DEFAULT_CSS = """
    HistoryPage #history-field { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    HistoryPage HappeningList { height: 1fr; }
    HistoryPage #history-detail { height: auto; max-height: 30%; border-top: solid $line; display: none; }
    """

    def __init__(self, context: Context, project_id: str, *, page: int = PAGE) -> None:
        """`page` is how many events are read at once."""
        super().__init__(context, "History")
        self._page = page
        self._project_id = project_id
        self._name = ""
        self._history = History()
        self._reading = False
        self._loaded = False
        self._early: list[Recorded] = []

    def body(self) -> ComposeResult:
        yield Input(placeholder="Search", id="history-field")
        yield HappeningList(empty="Reading what happened …")
        with VerticalScroll(id="history-detail", can_focus=False):
            yield Static(id="history-text", markup=False)

    def hints(self) -> Sequence[Hint]:
        keys = self.context.keymap
        return (
            Hint(keys.shown("search"), "search", "search"),
            Hint(keys.shown("filter"), "kind of lines", "filter"),
        )

    @property
    def _list(self) -> HappeningList:
        return self.query_one(HappeningList)

    def on_mount(self) -> None:
        self._list.focus()
        self.watch(self._list, "scroll_y", self._scrolled, init=False)

    async def load(self) -> None:
        client = self.context.client
        self._name = (await client.overview(self._project_id)).project.name
        names = await read_names(client, self._project_id)
        page = await client.latest_events(self._project_id, limit=self._page)
        self._history = History(names=names, only=self._history.only).before(page, limit=self._page).after(self._early)
        self._loaded = True
        self._list.show_empty("Nothing has happened yet.")
        self._show()
        self._list.action_last()

    def on_happened(self, message: Happened) -> None:
        """Adds what happened in this project."""
        mine = [one for one in message.recorded if one.project_id == self._project_id]
        if not self._loaded:
            self._early += mine
        elif (history := self._history.after(mine)) is not self._history:
            self._history = history
            self._show()

    def _show(self) -> None:
        history, shown = self._history, self._list
        follows = shown.at_end()
        shown.show(history.shown)
        if follows:
            shown.action_last()
        more = "" if history.complete else " · more above"
        kind = f" · only {history.only}" if history.only else ""
        self.tell_head(f"History · {self._name} · {len(history.shown):,} lines{more}{kind}")
        self._read_older_if_near()

    # Older pages

    def _scrolled(self) -> None:
        self._read_older_if_near()

    def _read_older_if_near(self) -> None:
        history, shown = self._history, self._list
        near = shown.scroll_offset.y <= NEAR_START and shown.size.height
        if near and not self._reading and not history.complete and history.first is not None:
            self._reading = True
            self.guarded(self._read_older(), name="older")

    async def _read_older(self) -> None:
        try:
            first = self._history.first
            page = await self.context.client.latest_events(self._project_id, before_seq=first, limit=self._page)
            self._history = self._history.before(page, limit=self._page)
        finally:
            self._reading = False
        self._show()

    # Searching and filtering

    def action_filter(self) -> None:
        """Shows only the next kind of lines, or all again."""
        self._history = replace(self._history, only=next_kind(self._history.only))
        self._list.show_empty("Nothing of this kind yet.")
        self._show()

    def action_search(self) -> None:
        """Asks for the words to look for."""
        field = self.query_one("#history-field", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#history-field")
    def _typed(self, event: Input.Changed) -> None:
        self._list.look_for(event.value)

    @on(Input.Submitted, "#history-field")
    def _submitted(self) -> None:
        self.action_previous_match()

    def action_next_match(self) -> None:
        """Goes to the next line that has the words."""
        self._match(forward=True)

    def action_previous_match(self) -> None:
        """Goes to the line before that has the words; that is where most lines are."""
        self._match(forward=False)

    def _match(self, *, forward: bool) -> None:
        needle = self.query_one("#history-field", Input).value
        if not needle:
            self.action_search()
            return
        lines = self._list.rows
        marked = self._list.marked
        start = lines.index(marked) if marked in lines else len(lines)
        found = find(lines, needle, start, forward=forward)
        if found is None:
            older = "" if self._history.complete else " Older ones may: scroll up to read them."
            self.tell_problem(f"No line that was read has {needle!r}.{older}")
        else:
            self.tell_problem("")
            self._list.mark(str(lines[found].seq))

    def action_leave_field(self) -> None:
        """Back to the lines."""
        self._list.focus()

    def action_close(self) -> None:
        """Closes the search, else the page."""
        field = self.query_one("#history-field", Input)
        if field.display:
            field.display = False
            field.value = ""
            self.tell_problem("")
            self._list.focus()
        else:
            super().action_close()

    # The marked line in full

    @on(RowList.Marked)
    def _marked(self, message: RowList.Marked) -> None:
        line: Happening = message.row
        text = Text(line.detail if line.detail.strip() != line.text else "")
        width = max(10, self._list.size.width - len(line.who) - 16)
        if not text.plain and len(line.text) > width:
            text = Text(line.text)
        self.query_one("#history-text", Static).update(text)
        self.query_one("#history-detail").display = bool(text.plain)
