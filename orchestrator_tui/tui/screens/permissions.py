"""The commands that a person allowed for good in a project: exactly these, each can be taken back."""

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult

from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import RemovePermission
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import permissions_of
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.words import plural
from orchestrator_tui.tui.context import BY, Context
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.row_list import RowList

EMPTY = "No command is allowed for good in this project. A question about one offers it."
REMOVE = "remove"


class PermissionsPage(LivePage):
    """Enter on one asks whether it shall not be allowed any more."""

    DEFAULT_CSS = "PermissionsPage RowList { height: 1fr; }"

    def __init__(self, context: Context, project_id: str) -> None:
        super().__init__(context, "Allowed commands")
        self._project_id = project_id

    def body(self) -> ComposeResult:
        yield RowList[str](self._paint, lambda pattern: pattern, empty="Reading what is allowed …")

    def hints(self) -> Sequence[Hint]:
        return (Hint("enter", "take back", "choose"),)

    @property
    def _list(self) -> RowList[str]:
        return self.query_one(RowList)

    def on_mount(self) -> None:
        self._list.focus()

    def concerns(self, recorded: Recorded) -> bool:
        """What was allowed or taken back here."""
        return recorded.project_id == self._project_id and isinstance(recorded.event, events.PermissionChanged)

    async def load(self) -> None:
        project = await self.context.client.find_project(self._project_id)
        patterns = permissions_of(project.config)
        self._list.show_empty(EMPTY)
        self._list.show(patterns)
        self.tell_head(f"{project.name} · {plural(len(patterns), 'allowed command')}")

    @on(RowList.Chosen)
    def _chosen(self, message: RowList.Chosen) -> None:
        from orchestrator_tui.tui.screens.confirm import Answer, ConfirmScreen

        pattern: str = message.row
        answers = (Answer(REMOVE, "y", "Ask about it again"), Answer("keep", "n", "Leave it allowed"))
        screen = ConfirmScreen("Shall this command not be allowed any more?", pattern, answers, safe="keep")

        def decided(value: str | None) -> None:
            if value == REMOVE:
                self.guarded(self._remove(pattern), name="remove")

        self.app.push_screen(screen, decided)

    def action_choose(self) -> None:
        """Asks about the marked one."""
        self._list.action_choose()

    async def _remove(self, pattern: str) -> None:
        await self.context.client.submit(RemovePermission(project_id=self._project_id, pattern=pattern, by=BY))
        await self.load()

    def _paint(self, pattern: str, width: int, marked: bool) -> Sequence[Text]:
        return (Text(one_line(pattern, 400), "bold" if marked else "", no_wrap=True, overflow="ellipsis"),)
