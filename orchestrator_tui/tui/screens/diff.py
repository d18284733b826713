"""What changed in a project: its commits and the folder's own changes with their patches, or one work item's patch."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container

from orchestrator_tui.domain.errors import OrchestratorError, UsageError
from orchestrator_tui.domain.events import AgentToolReturned, CommitMade, Recorded, WorkItemStatusChanged
from orchestrator_tui.domain.records import CommitEntry, WorkItem
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.patches import Patch, parse
from orchestrator_tui.tui.reading import read_items
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.screens.parts import find_in
from orchestrator_tui.tui.widgets.find_row import FindRow
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.patch_view import PatchView
from orchestrator_tui.tui.widgets.row_list import RowList
from orchestrator_tui.tui.widgets.session_list import side_by_side

NOTHING = "Nothing has changed yet. The first commit is the scaffold, made by the init phase."
UNREAD = "There is nothing to show."
"""Why stands in the head."""
ITEM_NOTHING = "Nothing has changed for this item yet."


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the list: a commit, or None for what is changed in the folder now."""

    commit: CommitEntry | None


class DiffPage(LivePage):
    """With `item_key` (such as `TASK-12`) only that item's patch."""

    DEFAULT_CSS = """
    DiffPage > #page-body { padding: 0; }
    DiffPage #diff-both { height: 1fr; }
    DiffPage RowList { width: 44; height: 1fr; margin-right: 1; }
    DiffPage PatchView { width: 1fr; height: 1fr; }
    DiffPage #diff-both { layout: horizontal; }
    DiffPage.-narrow #diff-both { layout: vertical; }
    DiffPage.-narrow RowList { width: 1fr; height: 30%; max-height: 8; margin: 0 0 1 0; }
    DiffPage.-item RowList { display: none; }
    """

    def __init__(self, context: Context, project_id: str, item_key: str | None = None) -> None:
        super().__init__(context, f"Changes · {item_key}" if item_key else "Changes")
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
        self._project_id = project_id
        self._item_key = item_key
        self._item: WorkItem | None = None
        self._name = ""
        self.set_class(item_key is not None, "-item")

    def body(self) -> ComposeResult:
        with Container(id="diff-both"):
            yield RowList[Change](self._line, _key, empty="Reading …")
            yield PatchView(empty="Reading …")
        yield FindRow()

    def hints(self) -> Sequence[Hint]:
        keys = self.context.keymap
        pane = () if self._item_key else (Hint(keys.shown("next_pane"), "list/patch", "next_pane"),)
        return (*pane, Hint("n p", "file", "file(1)"), Hint(keys.shown("search"), "search", "search"))

    def on_mount(self) -> None:
        (self._patch if self._item_key else self._list).focus()

    @property
    def _list(self) -> RowList[Change]:
        return self.query_one(RowList)

    @property
    def _patch(self) -> PatchView:
        return self.query_one(PatchView)

    async def load(self) -> None:
        if self._item_key is None:
            await self._load_changes()
        else:
            try:
                await self._load_item(self._item_key)
            except OrchestratorError:
                self._patch.show_empty(UNREAD)
                raise

    async def _load_item(self, key: str) -> None:
        client = self.context.client
        items = await read_items(client, self._project_id)
        item = next((one for one in items if key.casefold() in (one.key.casefold(), one.id)), None)
        if item is None:
            raise UsageError(f"There is no work item {one_line(key, 40)} in this project.", hint=_which(items))
        self._item = item
        patch = await asyncio.to_thread(parse, await client.item_diff(item.id))
        self._patch.show(patch, empty=ITEM_NOTHING)
        self.tell_head(f"Changes · {item.key} {one_line(item.title)} · {patch.summary()}")

    async def _load_changes(self) -> None:
        client = self.context.client
        self._name = (await client.overview(self._project_id)).project.name
        try:
            commits = await client.commits(self._project_id)
            now = await client.commit_diff(self._project_id, None) if commits else ""
        except OrchestratorError:
            self._patch.show_empty(UNREAD)
            raise
        finally:
            self._list.show_empty("No commit yet.")
        rows = [*([Change(None)] if now.strip() else ()), *map(Change, commits)]
        self._list.show(rows)
        self.tell_head(f"Changes · {self._name} · {_count(len(commits))}")
        if self._list.marked is not None:
            await self._show_patch(self._list.marked)
        else:
            self._patch.show(Patch(), empty=NOTHING)

    async def _show_patch(self, change: Change) -> None:
        commit = change.commit.hash if change.commit else None
        text = await self.context.client.commit_diff(self._project_id, commit)
        patch = await asyncio.to_thread(parse, text)
        if self._list.marked is not None and _key(self._list.marked) == _key(change):
            self._patch.show(patch, empty="This commit changed no file.")

    def concerns(self, recorded: Recorded) -> bool:
        """An item's patch changes while it is worked on; commits come by themselves."""
        if recorded.project_id != self._project_id:
            return False
        match recorded.event:
            case CommitMade() | WorkItemStatusChanged():
                return True
            case AgentToolReturned():
                return not self._list.rows or self._list.rows[0].commit is None
            case _:
                return False

    def on_row_list_marked(self, message: RowList.Marked) -> None:
        """Shows the patch of the row under the cursor."""
        self.guarded(self._show_patch(message.row), name="patch")

    def on_row_list_chosen(self) -> None:
        """Goes into the patch."""
        self._patch.focus()

    def action_file(self, files: int) -> None:
        """The next file, or the one before."""
        self._patch.action_file(files)

    def action_search(self) -> None:
        """Searches in the patch."""
        self.query_one(FindRow).ask()

    def on_patch_view_search_requested(self) -> None:
        """Searches in the patch."""
        self.action_search()

    def on_find_row_asked(self, message: FindRow.Asked) -> None:
        """Marks what was found."""
        find_in(self._patch, message, self.query_one(FindRow))

    def on_find_row_left(self) -> None:
        """The marks of the search go."""
        self._patch.clear_search()

    def _line(self, change: Change, width: int, marked: bool) -> Sequence[Text]:
        color, commit = self._list.color, change.commit
        if commit is None:
            return (Text.assemble(("◐ ", color("accent")), "now in the folder, not committed"),)
        left = Text(no_wrap=True)
        left.append(f"{commit.hash[:7]}  ", color("muted"))
        left.append(one_line(commit.subject))
        right = Text.assemble((f"+{commit.insertions} ", color("success")), (f"−{commit.deletions} ", color("error")))
        return (side_by_side(left, right, width),)


def _key(change: Change) -> str:
    return change.commit.hash if change.commit else "now"


def _count(commits: int) -> str:
    return "1 commit" if commits == 1 else f"{commits:,} commits"


def _which(items: Sequence[WorkItem]) -> str:
    if not items:
        return "No work items are planned yet."
    return f"There are {items[0].key} to {items[-1].key}."
