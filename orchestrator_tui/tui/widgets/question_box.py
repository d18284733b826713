"""The frame of a question: head, note, what it is about, a field for words, problems, and what can be done."""

from collections.abc import Iterable

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static, TextArea

from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.tui.keymap import Keymap
from orchestrator_tui.tui.widgets.action_row import ActionRow


class QuestionBox(Vertical):
    """Lays out `body`; a screen's stylesheet says how large it is and when the field for words shows."""

    DEFAULT_CSS = """
    QuestionBox {
        background: $surface; color: $foreground;
        border: round $warning; border-title-color: $warning;
        border-subtitle-color: $muted; border-subtitle-align: right;
        & #question-head { height: 1; margin: 0 0 1 0; text-wrap: nowrap; text-overflow: ellipsis; }
        & #question-note { height: auto; max-height: 3; color: $warning; margin: 0 0 1 0; display: none; }
        & #question-foot { dock: bottom; height: auto; margin: 1 0 0 0; }
        & #question-problem { height: auto; max-height: 4; color: $error; margin: 0 0 0 1; display: none; }
        & #question-words { height: auto; display: none; margin: 1 0 0 0; }
        & #question-ask { height: auto; color: $muted; }
        & #question-field { height: 7; }
        & TextArea { border: round $line; background: $surface; color: $foreground; padding: 0 1; }
        & TextArea:focus { border: round $accent; }
    }
    """

    def __init__(self, keymap: Keymap, project_name: str, body: Iterable[Widget]) -> None:
        super().__init__(id="question")
        self._body = body
        self.border_title = Text(f"{one_line(project_name, 60)} waits for you")
        self.actions = ActionRow(keymap, id="question-actions")
        self.field = TextArea(id="question-field", highlight_cursor_line=False)
        self._head = Static(id="question-head")
        self._note = Static(id="question-note", markup=False)
        self._ask = Static(id="question-ask", markup=False)
        self._problem = Static(id="question-problem", markup=False)

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._note
        yield from self._body
        with Vertical(id="question-words"):
            yield self._ask
            yield self.field
        with Vertical(id="question-foot"):
            yield self._problem
            yield self.actions

    def tell_head(self, what: str, about: str = "") -> None:
        """The first line: what it is about, and facts in a quiet colour."""
        facts = f"  {clean(about)}" if about else ""
        self._head.update(Content.assemble((clean(what), "bold"), (facts, "$muted")))

    def tell_note(self, note: str) -> None:
        """Says something about the content, above it; nothing when it is empty."""
        _tell(self._note, note)

    def tell_problem(self, problem: str) -> None:
        """Says what went wrong or is asked back, beside the actions; nothing when it is empty."""
        _tell(self._problem, problem)

    def tell_ask(self, question: str) -> None:
        """What the field for words is for."""
        self._ask.update(clean(question))

    def tell_way_out(self, way_out: str) -> None:
        """What stands in the lower border."""
        self.border_subtitle = Text(way_out)


def _tell(line: Static, words: str) -> None:
    line.update(clean(words))
    line.display = bool(words)
