"""Asks for what a new project needs besides its idea: name, folder, and whether it is a rehearsal."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import CredentialsMissing, DirectoryUnusable, OrchestratorError
from orchestrator_tui.domain.naming import name_from_idea
from orchestrator_tui.domain.text import clean
from orchestrator_tui.tui.guard import Guard
from orchestrator_tui.tui.least_size import TOO_SMALL, is_too_small
from orchestrator_tui.tui.new_folder import as_folder, default_folder, folder_problem, name_problem
from orchestrator_tui.tui.screens.confirm import Answer, AnswerRow
from orchestrator_tui.tui.screens.once import OnceModal
from orchestrator_tui.tui.widgets.run_choice import RunChoice
from orchestrator_tui.tui.widgets.welcome import VARIABLES

ANSWERS = (Answer("start", "enter", "Start"), Answer("cancel", "escape", "Cancel"))
REHEARSAL = "A rehearsal plays a scripted model: nothing is sent to Claude, you pay nothing."
INSTEAD = "It only knows its own example, so it builds the one above instead of your idea."
MISSING = f"No credentials for Claude were found: set {' or '.join(VARIABLES)} and start again to build your own."


class NewProjectScreen(OnceModal[CreateProject | None]):
    """Posts `Submitted` and stays; the owner answers by `dismiss(command)` or `refuse(error)`. Esc gives back None.

    Without credentials the rehearsal is chosen at first; with an empty `idea` there is nothing but the rehearsal.
    Without a `workspace` here, the engine's machine chooses the folder.
    """

    AUTO_FOCUS = "#new-name"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", show=False, id="new.start", tooltip="Start the project"),
        Binding("escape", "cancel", "Cancel", show=False, id="new.cancel", tooltip="Start nothing"),
    ]
    CSS_PATH = "new_project.tcss"
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it as no class variable
        (0, "-short"),
        (20, "-tall"),
    ]

    class Submitted(Message):
        """The person wants `command`; tell `form` how it went."""

        def __init__(self, form: "NewProjectScreen", command: CreateProject) -> None:
            super().__init__()
            self.form = form
            self.command = command

    def __init__(
        self,
        idea: str,
        workspace: Path | None,
        has_credentials: bool,
        rehearsal_idea: str | None,
        *,
        rehearsal_name: str | None = None,
    ) -> None:
        super().__init__()
        self._idea = idea.strip()
        self._workspace = workspace
        self._has_credentials = has_credentials
        self._example = (rehearsal_idea or "").strip()
        self._example_name = rehearsal_name
        self._rehearsal = bool(self._example) and not (has_credentials and self._idea)
        self._is_named = self._is_placed = False
        self._called = self._default_name()
        self._folder = ""
        self._starting = False
        self.guard = Guard()

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="new-box", can_focus=False):
            yield Static(id="new-idea", markup=False)
            yield from _row("Name", Input(self._called, id="new-name", compact=True))
            if self._workspace is not None:
                yield from _row("Folder", Input(id="new-folder", compact=True, select_on_focus=False))
            if self._example and self._idea:
                yield from _row("Run with", RunChoice(rehearsal=self._rehearsal))
            yield Static(id="new-note", markup=False)
            yield Static(id="new-problem", markup=False)
            yield AnswerRow(ANSWERS, 0)

    def on_mount(self) -> None:
        self._show_idea()
        self._check()
        self.guard.appeared()

    def on_key(self, event: events.Key) -> None:
        """Enter may still be the one that sent the idea."""
        self.guard.pressed(event.key)

    def on_paste(self) -> None:
        """A paste can hold what ends it; what comes right behind it is no key of a person."""
        self.guard.appeared()

    # For the owner

    def refuse(self, error: OrchestratorError) -> None:
        """Shows why nothing was started; everything typed is still there."""
        self._starting = False
        hint = "Name another folder." if isinstance(error, DirectoryUnusable) else error.hint
        self._tell(f"{error.message} {hint}")

    # What is shown

    def _default_name(self) -> str:
        if self._rehearsal:
            return self._example_name or name_from_idea(self._example)
        return name_from_idea(self._idea) if self._idea else ""

    def _show_idea(self) -> None:
        self.query_one("#new-idea", Static).update(clean(self._example if self._rehearsal else self._idea))
        note = self.query_one("#new-note", Static)
        note.update("\n\n".join(notes := self._notes()))
        note.display = bool(notes)
        self.query_one("#new-box").border_title = "New project, a rehearsal" if self._rehearsal else "New project"

    def _notes(self) -> list[str]:
        rehearsal = f"{REHEARSAL} {INSTEAD}" if self._idea else REHEARSAL
        return [*([] if self._has_credentials else [MISSING]), *([rehearsal] if self._rehearsal else [])]

    def _tell(self, problem: str) -> None:
        line = self.query_one("#new-problem", Static)
        line.update(f"× {clean(problem).strip()}" if problem else "")
        line.display = bool(problem)

    # What is typed

    def on_input_changed(self, event: Input.Changed) -> None:
        """The folder follows the name until it is edited; emptied and left, it follows again."""
        event.stop()
        if event.input.id == "new-name" and event.value != self._called:
            self._called, self._is_named = event.value, True
        elif event.input.id == "new-folder" and event.value != self._folder:
            self._folder, self._is_placed = event.value, bool(event.value.strip())
        else:
            return
        self._check()

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """A folder that was emptied is suggested anew once nobody types another one there."""
        event.stop()
        if event.input.id == "new-folder" and not self._is_placed:
            self._check()

    def on_run_choice_changed(self, message: RunChoice.Changed) -> None:
        """The idea is another one, and so is the name as long as it was not edited."""
        self._rehearsal = message.rehearsal
        if not self._is_named:
            self._called = self._default_name()
            self.query_one("#new-name", Input).value = self._called
        self._show_idea()
        self._check()

    def _check(self) -> None:
        # While it is being started, the start itself has checked; it must not be cut short.
        if not self._starting:
            self._check_soon()

    @work(name="check name and folder", group="check", exclusive=True)
    async def _check_soon(self) -> None:
        await self._checked()

    async def _checked(self) -> str:
        """What is wrong with what is typed now, or ""; it is shown."""
        problem = name_problem(self._called)
        if self._workspace is not None:
            problem = await self._checked_folder(self._workspace, problem)
        if self.is_running:
            # Else it has closed in the meantime.
            self._tell(problem)
        return problem

    async def _checked_folder(self, workspace: Path, problem: str) -> str:
        """What is wrong with the folder, if there is no `problem` before that."""
        field = self.query_one("#new-folder", Input)
        is_typed = field.has_focus and not field.value and not self._starting
        if not self._is_placed and self._called.strip() and not is_typed:
            folder = await asyncio.to_thread(default_folder, workspace, self._called)
            self._folder = field.value = str(folder)
            _show_end(field)
        if not problem and not is_typed:
            problem = await asyncio.to_thread(folder_problem, as_folder(clean(self._folder)))
        return problem

    # What is wanted

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in any field starts."""
        event.stop()
        self.action_start()

    def action_start(self) -> None:
        """Starts with what is typed, if nothing is wrong with it and the person has seen it."""
        if self._starting:
            return
        if problem := TOO_SMALL if is_too_small(self.app.size) else self.guard.decide(self, self._begin):
            self._tell(problem)

    def _begin(self) -> None:
        if not self._starting:
            self._starting = True
            self._start()

    @work(name="start the project", group="check", exclusive=True)
    async def _start(self) -> None:
        problem = await self._checked() or self._missing()
        if problem:
            self._starting = False
            self._tell(problem)
            return
        self.post_message(
            self.Submitted(
                self,
                CreateProject(
                    idea=self._example if self._rehearsal else self._idea,
                    name=clean(self._called).strip(),
                    directory=str(as_folder(clean(self._folder))) if self._workspace is not None else None,
                    rehearsal=self._rehearsal,
                ),
            )
        )

    def _missing(self) -> str:
        if not self._rehearsal and not self._idea:
            return "There is no idea; type one into the input bar."
        if not self._rehearsal and not self._has_credentials:
            return f"{CredentialsMissing().message} Choose the rehearsal, or set {' or '.join(VARIABLES)}."
        return ""

    def action_cancel(self) -> None:
        """Starts nothing; what is being started already is waited for."""
        if not self._starting:
            self.dismiss(None)

    def on_answer_row_given(self, message: AnswerRow.Given) -> None:
        """A click gives an answer, too."""
        message.stop()
        if message.answer.value == "start":
            self.action_start()
        else:
            self.action_cancel()


def _show_end(field: Input) -> None:
    """Of what is too long for its field the end tells more. A field does not scroll to the first value it is given, nor
    to a cursor that stays where it is."""
    field.cursor_position = 0
    field.cursor_position = len(field.value)


def _row(label: str, field: Widget) -> ComposeResult:
    with Horizontal(classes="new-row"):
        yield Static(label, classes="new-label", markup=False)
        yield field
