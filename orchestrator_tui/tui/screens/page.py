"""A full screen over the main one: a head line, a body, the keys; Esc goes back."""

from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.text import clean
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.screens.once import OnceScreen
from orchestrator_tui.tui.widgets.key_bar import Hint, KeyBar


class Page(OnceScreen[None]):
    """Subclasses yield their widgets in `body` and read what they show in `load`, whose errors are told in the head."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.SCREEN)]
    DEFAULT_CSS = """
    Page { background: $background; }
    Page > #page-head {
        height: 1; padding: 0 1; background: $panel; color: $foreground; text-style: bold;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    Page > #page-problem { height: auto; padding: 0 1; color: $error; display: none; }
    Page > #page-body { height: 1fr; padding: 0 1; }
    """

    def __init__(self, context: Context, head: str) -> None:
        super().__init__()
        self.context = context
        self._head = head

    def compose(self) -> ComposeResult:
        yield Static(Text(clean(self._head), no_wrap=True, overflow="ellipsis"), id="page-head")
        yield Static(id="page-problem", markup=False)
        with Vertical(id="page-body"):
            yield from self.body()
        yield KeyBar(self.context.keymap, Place.SCREEN, hints=self.hints())

    def body(self) -> ComposeResult:
        """The widgets between head and keys."""
        raise NotImplementedError

    def hints(self) -> Sequence[Hint]:
        """What the row of keys shows besides the keys of every page."""
        return ()

    async def load(self) -> None:
        """Reads what is shown; called once the screen is there, and by `reload`."""

    def on_mount(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Reads it again."""
        self.guarded(self.load(), name="load")

    def guarded(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Runs `work` in a worker that the screen owns; a newer one of the same name takes its place."""
        self.run_worker(self.while_open(self._told(work)), name=name, group=name, exclusive=True)

    def tell_head(self, head: str) -> None:
        """Puts other words into the head line."""
        self._head = head
        self.query_one("#page-head", Static).update(Text(clean(head), no_wrap=True, overflow="ellipsis"))

    def tell_problem(self, problem: str) -> None:
        """Shows what went wrong, or takes it away when it is empty."""
        line = self.query_one("#page-problem", Static)
        line.update(clean(problem))
        line.display = bool(problem)

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
            self.tell_problem("")
        except OrchestratorError as error:
            self.tell_problem(error.line())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A page that is not built yet cannot be closed."""
        return self.is_mounted if action == "close" else super().check_action(action, parameters)

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss()

    def action_next_pane(self) -> None:
        """Focus goes on."""
        self.focus_next()

    def action_previous_pane(self) -> None:
        """Focus goes back."""
        self.focus_previous()
