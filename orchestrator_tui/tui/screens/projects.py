"""All projects as a table: choose one, resume or stop it."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from orchestrator_tui.domain import events, standing, words
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import ProjectOverview
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui import glyphs
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.messages import CommandGiven
from orchestrator_tui.tui.reading import PAGE, read_overview_page
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.widgets.key_bar import Hint, KeyBar
from orchestrator_tui.tui.widgets.row_list import RowList

NUMBER, STATUS, PHASE, PROGRESS = 6, 14, 16, 21
LEAST_NAME = 12
EMPTY = "There are no projects yet. Go back and describe in a sentence what you want built."

Cells = tuple[Text, Text, Text, Text, Text]


class ProjectsPage(LivePage):
    """More projects are read as the list is scrolled, and all of them to filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.PROJECTS),
        Binding("down", "to_list", "To the list", show=False, id="projects.list", tooltip="To the list"),
    ]
    DEFAULT_CSS = """
    ProjectsPage #projects-filter { height: 1; border: none; padding: 0 1; background: $panel; }
    ProjectsPage #projects-heads { height: 2; padding: 1 0 0 0; color: $muted; }
    ProjectsPage RowList { height: 1fr; }
    """

    class Picked(Message):
        """The rest of the dashboard shall show this project."""

        def __init__(self, project_id: str) -> None:
            super().__init__()
            self.project_id = project_id

    def __init__(self, context: Context) -> None:
        super().__init__(context, "Projects")
        self._found: list[ProjectOverview] = []
        self._complete = False
        self._total = 0

    def body(self) -> ComposeResult:
        key = self.context.keymap.shown("search")
        yield Input(placeholder=f"{key} to filter by name, status, phase or number", id="projects-filter")
        yield Static(id="projects-heads")
        yield RowList[ProjectOverview](self._paint, lambda one: one.project.id, empty="Reading the projects …")

    def hints(self) -> Sequence[Hint]:
        keys = self.context.keymap
        return (
            Hint("enter", "show", "choose"),
            Hint(keys.shown("search"), "filter", "search"),
        )

    @property
    def _list(self) -> RowList[ProjectOverview]:
        return self.query_one(RowList)

    @property
    def _needle(self) -> str:
        return self.query_one("#projects-filter", Input).value.strip().casefold()

    def on_mount(self) -> None:
        self.query_one(KeyBar).show(Place.PROJECTS, Place.SCREEN)
        self._list.focus()

    def on_resize(self) -> None:
        """The heads stand over their columns."""
        names = ("ID", "Name", "Status", "Phase", "Progress")
        line = _line(tuple(Text(name) for name in names), self.size.width - 3)  # type: ignore[arg-type]
        self.query_one("#projects-heads", Static).update(Text(" ").append_text(line))

    def concerns(self, recorded: Recorded) -> bool:
        """Whatever an agent says changes nothing here."""
        talk = events.AgentSaid | events.AgentCalledTool | events.AgentToolReturned | events.AgentPrompted
        return not isinstance(recorded.event, talk)

    async def load(self) -> None:
        """Reads as many projects again as were read before, at least a page."""
        before, found = max(len(self._found), 1), list[ProjectOverview]()
        while len(found) < before or (self._needle and not self._complete):
            page = await read_overview_page(self.context.client, found)
            found += page
            self._complete = len(page) < PAGE
            if self._complete:
                break
        self._found = found
        self._show()

    @on(RowList.EndNeared)
    def _more(self) -> None:
        if self._found and not self._complete and not self._needle:
            self.guarded(self._read_more(), name="more")

    async def _read_more(self) -> None:
        page = await read_overview_page(self.context.client, self._found)
        self._complete = len(page) < PAGE
        self._found = [*self._found, *page]
        self._show()

    def _show(self) -> None:
        needle = self._needle
        rows = [one for one in self._found if needle in _haystack(one)] if needle else self._found
        self._list.show_empty(f"No project has {needle!r} in it." if needle and self._found else EMPTY)
        self._list.show(rows)
        more = "" if self._complete else "+"
        self.tell_head(f"Projects · {f'{len(rows):,} of ' if needle else ''}{len(self._found):,}{more}")

    # What a person does

    @on(Input.Changed, "#projects-filter")
    def _typed(self) -> None:
        if self._needle and not self._complete:
            self.reload()
        else:
            self._show()

    @on(Input.Submitted, "#projects-filter")
    def _submitted(self) -> None:
        self._list.action_choose()

    @on(RowList.Chosen)
    def _chosen(self, message: RowList.Chosen) -> None:
        chosen: ProjectOverview = message.row
        self.post_message(self.Picked(chosen.project.id))
        self.dismiss()

    def action_search(self) -> None:
        """Goes to the filter."""
        self.query_one("#projects-filter", Input).focus()

    def action_choose(self) -> None:
        """Shows the marked project."""
        self._list.action_choose()

    def action_to_list(self) -> None:
        """Goes to the list."""
        self._list.focus()

    def action_close(self) -> None:
        """Takes the filter away, else closes the page."""
        field = self.query_one("#projects-filter", Input)
        if field.value or field.has_focus:
            field.value = ""
            self._list.focus()
        else:
            super().action_close()

    def action_resume(self) -> None:
        """Lets the marked project go on."""
        self._command("resume")

    def action_stop(self) -> None:
        """Stops the marked project."""
        self._command("stop")

    def _command(self, name: str) -> None:
        if marked := self._list.marked:
            self.post_message(CommandGiven(f"/{name} {marked.project.number}"))

    def _paint(self, one: ProjectOverview, width: int, marked: bool) -> Sequence[Text]:
        color, project = self._list.color, one.project
        sign, tint = glyphs.PIPELINES[project.status]
        name = Text(one_line(project.name, 200), "bold" if marked else "")
        if project.rehearsal:
            name.append(" (rehearsal)", color("muted"))
        progress = Text(standing.progress(one), color("warning") if one.waiting_for else "")
        status = Text(f"{sign} ", color(tint)).append(words.title(project.status))
        return (_line((Text(str(project.number)), name, status, Text(standing.phase_of(one)), progress), width),)


def _line(cells: Cells, width: int) -> Text:
    """The cells in columns; where there is no room for all, the phase is left out, then the number."""
    number, name, status, phase, progress = cells
    widths = [(number, NUMBER), (name, 0), (status, STATUS), (phase, PHASE), (progress, PROGRESS)]
    for least in (2, 1):
        if width - sum(size for _, size in widths) < LEAST_NAME and len(widths) > least + 2:
            del widths[3 if least == 2 else 0]
    space = max(4, width - sum(size for _, size in widths))
    line = Text(no_wrap=True)
    for cell, size in widths:
        cell = cell.copy()
        cell.truncate((size or space) - 2, overflow="ellipsis")
        line.append_text(cell).append(" " * ((size or space) - cell.cell_len))
    line.rstrip()
    return line


def _haystack(one: ProjectOverview) -> str:
    project = one.project
    words_of = (str(project.number), project.name, words.title(project.status), standing.phase_of(one))
    return " ".join((*words_of, standing.progress(one))).casefold()
