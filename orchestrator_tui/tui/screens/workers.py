"""The processes that run projects of a cluster: what each runs, how it stands, and a way to drain one."""

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult

from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.commands import DrainWorker
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import WorkerRecord
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.words import plural
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.row_list import RowList

DRAIN = "drain"
AGAIN_SECONDS = 2.0
"""How often heartbeats are looked at."""


class WorkersPage(LivePage):
    """Enter on one asks whether it shall hand over what it runs."""

    DEFAULT_CSS = "WorkersPage RowList { height: 1fr; }"

    def __init__(self, context: Context) -> None:
        super().__init__(context, "Workers")

    def body(self) -> ComposeResult:
        yield RowList[WorkerRecord](self._paint, lambda one: one.id, row_height=2, empty="Reading who is there …")

    def hints(self) -> Sequence[Hint]:
        return (Hint("enter", "drain", "choose"),)

    @property
    def _list(self) -> RowList[WorkerRecord]:
        return self.query_one(RowList)

    def on_mount(self) -> None:
        self._list.focus()
        self.set_interval(AGAIN_SECONDS, self._read_soon)

    def concerns(self, recorded: Recorded) -> bool:
        """What changes who runs a project."""
        return isinstance(recorded.event, events.LeaseTaken | events.PipelineStatusChanged)

    async def load(self) -> None:
        found = await self.context.client.workers()
        self._list.show_empty(words.NO_WORKER)
        self._list.show(sorted(found, key=words.is_silent))
        running = sum(len(one.projects) for one in found)
        self.tell_head(f"{words.workers(found)} · {plural(running, 'project')} at work")

    @on(RowList.Chosen)
    def _chosen(self, message: RowList.Chosen) -> None:
        from orchestrator_tui.tui.screens.confirm import Answer, ConfirmScreen

        worker: WorkerRecord = message.row
        answers = (Answer(DRAIN, "y", "Drain it"), Answer("keep", "n", "Leave it at work"))
        question = "Shall this worker hand over what it runs, and take nothing more?"
        screen = ConfirmScreen(question, one_line(worker.name), answers, safe="keep")

        def decided(value: str | None) -> None:
            if value == DRAIN:
                self.guarded(self._drain(worker), name="drain")

        self.app.push_screen(screen, decided)

    def action_choose(self) -> None:
        """Asks about the marked one."""
        self._list.action_choose()

    async def _drain(self, worker: WorkerRecord) -> None:
        await self.context.client.submit(DrainWorker(worker=worker.id))
        await self.load()

    def _paint(self, worker: WorkerRecord, width: int, marked: bool) -> Sequence[Text]:
        head = Text(one_line(worker.name), "bold" if marked else "", no_wrap=True, overflow="ellipsis")
        head.append(f"  {words.worker(worker)}", self._list.color("muted"))
        runs = " · ".join(f"{one.number} {one_line(one.name)}" for one in worker.projects) or "nothing"
        return head, Text(f"  {runs}", self._list.color("muted"), no_wrap=True, overflow="ellipsis")
