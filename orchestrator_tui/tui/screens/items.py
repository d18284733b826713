"""All work items of a project over the full width: a tree with columns, filtered by state and words; live."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from orchestrator_tui.domain import words
from orchestrator_tui.domain.events import Recorded, WorkItemCreated, WorkItemEdited, WorkItemStatusChanged
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui import glyphs
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.item_order import ordered
from orchestrator_tui.tui.item_tree import ItemRow, counts, matching
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.reading import read_items, read_sessions
from orchestrator_tui.tui.screens.diff import DiffPage
from orchestrator_tui.tui.screens.item import ItemPage
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.screens.parts import DIFF_KEY
from orchestrator_tui.tui.view import ProjectView
from orchestrator_tui.tui.widgets.find_row import FindRow
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.row_list import RowList
from orchestrator_tui.tui.widgets.section_tabs import Section, SectionTabs
from orchestrator_tui.tui.widgets.session_list import side_by_side

STATES = (None, WorkItemStatus.IN_PROGRESS, WorkItemStatus.TODO, WorkItemStatus.BLOCKED, WorkItemStatus.DONE)
NO_ITEMS = "No work items yet. The breakdown phase plans them once the architecture stands."
DEEPEST = 6
"""Levels that are indented; deeper ones stand below each other."""
WIDE = 100


class ItemsPage(LivePage):
    """Enter opens the marked item, `d` its diff; 1–5 choose a state, the search filters by words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *DIFF_KEY,
        Binding("slash", "search", "Search", show=False, id="items.search", tooltip="Show only items with these words"),
        *(
            Binding(str(number), f"state({number - 1})", "State", show=False, id=f"items.state.{number}",
                    tooltip=f"Show {words.title(state) if state else 'all items'}")
            for number, state in enumerate(STATES, 1)
        ),
    ]  # fmt: skip
    DEFAULT_CSS = """
    ItemsPage > #page-body { padding: 0; }
    ItemsPage SectionTabs { padding: 0 1; margin: 1 0; }
    ItemsPage RowList { height: 1fr; }
    """

    def __init__(self, context: Context, project_id: str) -> None:
        super().__init__(context, "Work items")
        self._project_id = project_id
        self._name = ""
        self._items: dict[str, WorkItem] = {}
        self._workers: Mapping[str, str] = {}
        self._key_cells = 0
        self._state = 0
        self._needle = ""

    def body(self) -> ComposeResult:
        yield SectionTabs()
        yield RowList[ItemRow](self._line, lambda row: row.item.id, empty="Reading …")
        yield FindRow("words of a title, a key, a label, a worker")

    def hints(self) -> Sequence[Hint]:
        keys = self.context.keymap
        return (
            Hint("enter", "open", "open"),
            Hint(keys.shown("diff"), "diff", "diff"),
            Hint("1–5", "state", "next_state"),
            Hint("/", "search", "search"),
        )

    def on_mount(self) -> None:
        self._tell_counts()
        self._list.focus()

    @property
    def _list(self) -> RowList[ItemRow]:
        return self.query_one(RowList)

    async def load(self) -> None:
        client = self.context.client
        overview = await client.overview(self._project_id)
        self._name = overview.project.name
        self._items = {item.id: item for item in await read_items(client, self._project_id)}
        keys = {item.id: item.key for item in self._items.values()}
        self._workers = {
            keys[session.work_item_id]: _worker(session.role, session.session_number)
            for session in await read_sessions(client, self._project_id)
            if session.ended_at is None and session.work_item_id in keys
        }
        self._show()

    def concerns(self, recorded: Recorded) -> bool:
        """New items are read; of known ones the events say enough."""
        return recorded.project_id == self._project_id and isinstance(recorded.event, WorkItemCreated | WorkItemEdited)

    def on_happened(self, message: Happened) -> None:
        """States and workers change as it happens."""
        changed = [self._changed(one) for one in message.recorded if one.project_id == self._project_id]
        project = message.dashboard.projects.get(self._project_id)
        at_work = _workers(project) if project is not None else self._workers
        if any(changed) or at_work != self._workers:
            self._workers = at_work
            self._show()

    def _changed(self, recorded: Recorded) -> bool:
        event = recorded.event
        if not isinstance(event, WorkItemStatusChanged) or event.work_item_id not in self._items:
            return False
        item = self._items[event.work_item_id]
        self._items[item.id] = replace(item, status=event.new)
        return True

    # What is shown

    def _show(self) -> None:
        rows = self._rows()
        self._key_cells = max((len(row.item.key) for row in rows), default=0)
        self._list.show_empty(NO_ITEMS if not self._items else "No item is like this.")
        self._list.show(rows)
        self._list.repaint()
        self._tell_counts()
        if self._needle:
            self.query_one(FindRow).tell(f"{len(rows):,} items")

    def _rows(self) -> list[ItemRow]:
        """What is at work first; of those that match, in the order of their numbers."""
        items, state = list(self._items.values()), STATES[self._state]
        if state is None and not self._needle.strip():
            return [row for row in ordered(items, opened=True) if isinstance(row, ItemRow)]
        return matching(items, state, self._needle, self._workers)

    def _tell_counts(self) -> None:
        number = counts(self._items.values())
        sections = [
            Section(f"{glyphs.ITEMS[state][0]} {words.title(state)}" if state else "all",
                    f"{number[state] if state else len(self._items):,}")
            for state in STATES
        ]  # fmt: skip
        self.query_one(SectionTabs).show(sections, self._state)
        done = f"{number[WorkItemStatus.DONE]:,}/{len(self._items):,}" if self._items else ""
        self.tell_head(" · ".join(part for part in ("Work items", self._name, done) if part))

    def _line(self, row: ItemRow, width: int, marked: bool) -> Sequence[Text]:
        item, color = row.item, self._list.color
        sign, of_state = glyphs.ITEMS[item.status]
        left = Text(no_wrap=True)
        left.append("  " * min(row.depth, DEEPEST))
        left.append(f"{sign} ", color(of_state))
        left.append(f"{item.key:<{self._key_cells}}  ", color("accent"))
        left.append(one_line(item.title, 200), color("muted") if item.status is WorkItemStatus.DONE else "")
        right = Text(no_wrap=True)
        worker = self._workers.get(item.key, "")
        needs = f"needs {_short(row.needs)}" if row.needs else ""
        if width >= WIDE:
            right.append(f"{words.title(item.status):<13}", color(of_state))
            right.append(f"{one_line(needs, 24):<26}", color("muted"))
            right.append(f"{one_line(worker, 16):<18}", color("accent"))
        else:
            right.append(f"{one_line(worker or needs, 18)}  ", color("accent" if worker else "muted"))
        right.append(f"P{item.priority} ", color("error") if item.priority == 1 else "")
        return (side_by_side(left, right, width),)

    # What a person does

    def action_state(self, index: int) -> None:
        """Shows the items of a state."""
        self._state = index
        self._show()

    def action_next_state(self) -> None:
        """Shows those of the next state."""
        self.action_state((self._state + 1) % len(STATES))

    def action_open(self) -> None:
        """Opens the marked item."""
        self._list.action_choose()

    def action_diff(self) -> None:
        """Shows what the marked item changed."""
        if (row := self._list.marked) is not None:
            self.app.push_screen(DiffPage(self.context, self._project_id, row.item.key))

    def action_search(self) -> None:
        """Asks for words."""
        self.query_one(FindRow).ask()

    def on_section_tabs_picked(self, message: SectionTabs.Picked) -> None:
        """A state was clicked."""
        self.action_state(message.index)

    def on_row_list_chosen(self, message: RowList.Chosen) -> None:
        """Opens the item."""
        self.app.push_screen(ItemPage(self.context, self._project_id, message.row.item.id))

    def on_find_row_asked(self, message: FindRow.Asked) -> None:
        """Filters while words are typed; Enter goes to what is left."""
        if message.fresh:
            self._needle = message.needle
            self._show()
            self.query_one(FindRow).tell(f"{len(self._list.rows):,} items" if message.needle else "")
        else:
            self._list.focus()

    def on_find_row_left(self) -> None:
        """All items again."""
        self._needle = ""
        self._show()


def _workers(project: ProjectView) -> dict[str, str]:
    return {agent.item_key: _worker(agent.role, agent.number) for agent in project.running_agents if agent.item_key}


def _worker(role: str, number: int) -> str:
    return f"{words.title(role)} {number}"


def _short(needs: Sequence[str]) -> str:
    """The numbers alone: `33, 34 +2`."""
    numbers = [key.rpartition("-")[2] for key in needs]
    more = f" +{len(numbers) - 3}" if len(numbers) > 3 else ""
    return ", ".join(numbers[:3]) + more
