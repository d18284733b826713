"""The work items at the left of the dashboard: a tree, what is at work on top, what is done folded away."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.message import Message

from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.glyphs import ITEMS
from orchestrator_tui.tui.item_order import DoneRow, ordered
from orchestrator_tui.tui.item_tree import ItemRow
from orchestrator_tui.tui.widgets.row_list import RowList

Row = ItemRow | DoneRow

DONE_KEY = "done"
DEEPEST = 4
"""Levels that are indented; deeper ones stand below each other."""
FULL_KEYS = 26
"""Cells from which on a key is written in full, `TASK-12` and not `12`."""
FULL_NAMES = 40
"""Cells from which on an agent's name is written in full, `agent-1` and not `a1`."""
TITLE_CELLS = 8
"""How many cells of a title are worth more than who works on it or what it waits for."""


class ItemList(RowList[Row]):
    """One line an item; Enter or a click picks it, or unfolds what is done."""

    CHOOSE_BY_CLICK = True
    BORDER_TITLE: ClassVar[str] = "Work items"

    class Picked(Message):
        """A person wants to see this item."""

        def __init__(self, item_id: str, key: str) -> None:
            super().__init__()
            self.item_id = item_id
            self.key = key

    def __init__(self, *, empty: str = "No work items yet.", id: str | None = None) -> None:
        super().__init__(self._lines, _key_of, empty=empty, id=id, classes="pane")
        self._items: Sequence[WorkItem] = ()
        self._workers: Mapping[str, str] = {}
        self._opened = False
        self._digits = 1

    def show_items(self, items: Sequence[WorkItem], workers: Mapping[str, str]) -> None:
        """Shows these, with who works on some of them by the item's id; cheap when nothing has changed."""
        if workers != self._workers:
            self._workers = workers
            self.repaint()
        if items == self._items:
            return
        another = _project(items) != _project(self._items)
        self._items = items
        self._opened = self._opened and not another
        self._digits = len(str(max((item.number for item in items), default=0)))
        self._arrange()
        if another:
            self.action_first()
        done = sum(item.status is WorkItemStatus.DONE for item in items)
        self.border_subtitle = f"{done:,}/{len(items):,}" if items else ""

    def _arrange(self) -> None:
        self.show(ordered(self._items, opened=self._opened))

    def on_row_list_chosen(self, message: RowList.Chosen) -> None:
        """Opens or closes what is done, or asks the owner to show the item."""
        message.stop()
        match message.row:
            case DoneRow():
                self._opened = not self._opened
                self._arrange()
            case ItemRow(item=item):
                self.post_message(self.Picked(item.id, item.key))

    def on_row_list_end_neared(self, message: RowList.EndNeared) -> None:
        """There are no more than these."""
        message.stop()

    # Painting

    def _lines(self, row: Row, width: int, marked: bool) -> Sequence[Text]:
        return (self._done_line(row, width) if isinstance(row, DoneRow) else self._item_line(row, width),)

    def _done_line(self, row: DoneRow, width: int) -> Text:
        sign, color = ITEMS[WorkItemStatus.DONE]
        line = Text(f"{sign} ", style=self.color(color), no_wrap=True)
        line.append(f"{row.count:,} done".ljust(max(0, width - 4)), self.color("muted"))
        return line.append("▾" if row.opened else "▸", self.color("muted"))

    def _item_line(self, row: ItemRow, width: int) -> Text:
        item, muted = row.item, self.color("muted")
        line = self._head(row, width)
        priority = f"P{item.priority}"
        room = width - line.cell_len - len(priority) - 2
        note = self._note(row, room, short=width < FULL_NAMES)
        title = Text(one_line(item.title), style=self._title_style(row))
        title.truncate(max(0, room - (cell_len(note) + 1 if note else 0)), overflow="ellipsis", pad=True)
        line.append_text(title)
        if note:
            line.append(f" {note}", self.color("accent") if item.id in self._workers else muted)
        urgent = item.priority == 1 and item.status is not WorkItemStatus.DONE
        return line.append(f" {priority}", self.color("warning") if urgent else muted)

    def _head(self, row: ItemRow, width: int) -> Text:
        sign, color = ITEMS[row.item.status]
        key = row.item.key if width >= FULL_KEYS else str(row.item.number)
        length = self._digits + len(key) - len(str(row.item.number))
        head = Text("  " * min(row.depth, DEEPEST), no_wrap=True)
        head.append(f"{sign} ", self.color(color))
        return head.append(f"{key:<{length}} ", self.color("muted"))

    def _title_style(self, row: ItemRow) -> str:
        match row.item.status:
            case WorkItemStatus.IN_PROGRESS:
                return "bold"
            case WorkItemStatus.DONE:
                return self.color("muted")
            case _:
                return self.color("muted") if row.needs else ""

    def _note(self, row: ItemRow, room: int, *, short: bool) -> str:
        """Who works on the item or what it waits for, in the longest form that leaves room for the title."""
        forms: tuple[str, ...] = ()
        if worker := one_line(self._workers.get(row.item.id, ""), 16):
            forms = (worker.replace("agent-", "a") if short else worker,)
        elif row.needs:
            first, *others = (key.rpartition("-")[2] for key in row.needs)
            more = f" +{len(others)}" if others else ""
            forms = (f"needs {', '.join((first, *others[:2]))}" if len(others) < 3 else "", f"needs {first}{more}")
        wanted = min(TITLE_CELLS, cell_len(row.item.title))
        return next((form for form in forms if form and room - cell_len(form) - 1 >= wanted), "")


def _key_of(row: Row) -> str:
    return DONE_KEY if isinstance(row, DoneRow) else row.item.id


def _project(items: Sequence[WorkItem]) -> str | None:
    return items[0].project_id if items else None
