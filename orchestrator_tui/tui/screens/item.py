"""One work item: what it is, its notes, the runs of its check, what it changed, who worked on it; live."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.events import (
    AgentFinished,
    AgentStarted,
    AgentToolReturned,
    Recorded,
    VerifyFinished,
    WorkItemStatusChanged,
)
from orchestrator_tui.domain.records import SessionLog, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui import item_text
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.item_text import Check
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.reading import read_items, read_sessions
from orchestrator_tui.tui.screens.parts import DIFF_KEY, PartsPage
from orchestrator_tui.tui.screens.session import SessionPage
from orchestrator_tui.tui.stored import events_between, stretch
from orchestrator_tui.tui.widgets.document_view import DocumentView
from orchestrator_tui.tui.widgets.facts import Facts
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.patch_view import PatchView
from orchestrator_tui.tui.widgets.row_list import RowList
from orchestrator_tui.tui.widgets.section_tabs import Section
from orchestrator_tui.tui.widgets.session_list import SessionList

DIFF = 3


class ItemPage(PartsPage):
    """`item_id` may also be the item's key, such as `TASK-12`."""

    BINDINGS: ClassVar[list[BindingType]] = [*DIFF_KEY]
    DEFAULT_CSS = "ItemPage Facts { margin-bottom: 1; }"

    def __init__(self, context: Context, project_id: str, item_id: str, *, part: int = 0) -> None:
        super().__init__(context, "Work item", part=part)
        self._project_id = project_id
        self._wanted = item_id
        self._items: Mapping[str, WorkItem] = {}
        self._item: WorkItem | None = None
        self._sessions: Sequence[SessionLog] = ()
        self._checks: list[Check] = []
        self._checked = 0
        self._notes = 0

    def parts(self) -> ComposeResult:
        yield DocumentView(Facts(), id="item-about")
        yield DocumentView(id="item-notes")
        yield DocumentView(id="item-checks")
        yield PatchView(id="item-diff", empty="Reading …")
        yield SessionList(id="item-sessions", empty="Reading …")

    def sections(self) -> Sequence[Section]:
        diff = self.query_one(PatchView).patch if self.is_mounted else None
        changed = f"+{diff.added} −{diff.removed}" if diff and diff.files else ""
        return (
            Section("About"),
            Section("Notes", _count(self._notes)),
            Section("Checks", _count(len(self._checks))),
            Section("Diff", changed),
            Section("Sessions", _count(len(self._sessions))),
        )

    def hints(self) -> Sequence[Hint]:
        return (*super().hints(), Hint(self.context.keymap.shown("diff"), "diff", "diff"))

    def action_diff(self) -> None:
        """Shows what the item changed."""
        self.action_part(DIFF)

    async def load(self) -> None:
        client = self.context.client
        self._items = {item.id: item for item in await read_items(client, self._project_id)}
        item = self._item = self._find()
        self.tell_head(f"{item.key} · {one_line(item.title)}")
        self.query_one(Facts).show(item_text.item_facts(item, self._items, await client.tracker(self._project_id)))
        await self._text("#item-about", item_text.description(item))
        comments = await client.comments(item.id)
        self._notes = len(comments)
        await self._text("#item-notes", item_text.notes(comments))
        self._sessions = [one for one in await read_sessions(client, self._project_id) if one.work_item_id == item.id]
        sessions = self.query_one(SessionList)
        sessions.show_empty("No agent has worked on this item yet.")
        sessions.show_sessions(self._sessions, {}, self.context.clock())
        await self._read_checks()
        self.query_one(PatchView).show(await client.item_diff(item.id), empty=_no_diff(item))
        self.show_sections()

    def _find(self) -> WorkItem:
        wanted = self._wanted.casefold()
        found = self._items.get(self._wanted)
        found = found or next((item for item in self._items.values() if item.key.casefold() == wanted), None)
        if found is None:
            raise UsageError(
                f"There is no work item {one_line(self._wanted, 40)} in this project.",
                hint="The list of work items shows which there are.",
            )
        return found

    async def _text(self, selector: str, markdown: str) -> None:
        view = self.query_one(selector, DocumentView)
        if view.text != markdown:
            await view.set_text(markdown)

    async def _read_checks(self) -> None:
        """Those of the past are read once; what comes later is taken as it happens."""
        span = stretch(self._sessions)
        if not self._checked and span is not None:
            async for recorded in events_between(self.context.client, self._project_id, *span):
                self._take(recorded)
        await self._text("#item-checks", item_text.checks(self._checks))

    def _take(self, recorded: Recorded) -> None:
        event = recorded.event
        if recorded.seq > self._checked and isinstance(event, VerifyFinished) and self._is_mine(event.work_item_id):
            self._checks.append(Check(recorded.at, event))
            self._checked = recorded.seq

    def _is_mine(self, item_id: str | None) -> bool:
        return self._item is not None and item_id == self._item.id

    def on_happened(self, message: Happened) -> None:
        """Keeps the runs of the check."""
        for recorded in message.recorded:
            self._take(recorded)

    def concerns(self, recorded: Recorded) -> bool:
        item, event = self._item, recorded.event
        if item is None or recorded.project_id != self._project_id:
            return False
        match event:
            case WorkItemStatusChanged(work_item_id=item_id) if item_id in item.dependencies:
                return True
            case AgentFinished(agent_id=agent_id) | AgentToolReturned(agent_id=agent_id):
                return agent_id in {session.id for session in self._sessions}
            case AgentStarted():
                return self._is_mine(event.work_item_id)
            case _:
                return self._is_mine(getattr(event, "work_item_id", None))

    def on_row_list_chosen(self, message: RowList.Chosen) -> None:
        """Shows the log of a session."""
        self.app.push_screen(SessionPage(self.context, message.row, self._item.key if self._item else ""))


def _count(number: int) -> str:
    return str(number) if number else ""


def _no_diff(item: WorkItem) -> str:
    match item.status:
        case WorkItemStatus.DONE:
            return "This item changed no file."
        case WorkItemStatus.IN_PROGRESS:
            return "Nothing has changed yet; it shows here as soon as an agent writes a file."
        case _:
            return "Nothing has changed for this item yet."
