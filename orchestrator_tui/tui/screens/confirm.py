"""A question with two or three answers, of which Enter gives the safe one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from orchestrator_tui.domain.text import clean
from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.keymap import show_key
from orchestrator_tui.tui.screens.once import OnceModal

GAP = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is what the screen gives back, `key` gives this answer at once."""

    value: str
    key: str
    label: str


class AnswerRow(Widget):
    """The answers beside each other, or below each other where there is no room; one of them is marked.

    A click on one gives it.
    """

    DEFAULT_CSS = "AnswerRow { width: 1fr; height: auto; }"

    class Given(Message):
        """A person clicked on an answer."""

        def __init__(self, answer: Answer) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, answers: Sequence[Answer], marked: int) -> None:
        super().__init__()
        self._answers = answers
        self.marked = marked

    def mark(self, index: int) -> None:
        """Puts the mark on another one, around the ends."""
        self.marked = index % len(self._answers)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Gives the answer under the mouse."""
        event.stop()
        places = self._places(self.content_size.width)
        for answer, (left, row) in zip(self._answers, places, strict=True):
            if row == event.y and left <= event.x < left + len(_label(answer)):
                self.post_message(self.Given(answer))

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many rows as the answers take."""
        return max(row for _, row in self._places(width)) + 1

    def _places(self, width: int) -> list[tuple[int, int]]:
        labels = [len(_label(answer)) for answer in self._answers]
        if sum(labels) + GAP * (len(labels) - 1) > width:
            return [(0, row) for row in range(len(labels))]
        return [(sum(labels[:index]) + GAP * index, 0) for index in range(len(labels))]

    def render(self) -> Text:
        colors = self.app.theme_variables
        text, row = Text(no_wrap=True), 0
        for index, (answer, place) in enumerate(zip(self._answers, self._places(self.content_size.width), strict=True)):
            if index:
                text.append("\n" if place[1] != row else " " * GAP)
            row = place[1]
            label = _label(answer)
            if index == self.marked:
                text.append(label, style="reverse")
            else:
                text.append(label[: -len(answer.label) - 1], style=rich_color(colors["accent"]))
                text.append(label[-len(answer.label) - 1 :])
        return text


class ConfirmScreen(OnceModal[str | None]):
    """Gives back the value of an answer; None when it was closed by Esc, which decides nothing.

    The mark begins on the answer `safe`; Enter gives the marked one, arrows and Tab move the mark.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "give", "Answer", id="confirm.give", tooltip="Give the marked answer"),
        Binding(
            "left,up,shift+tab", "mark(-1)", "Before", show=False, id="confirm.before", tooltip="The answer before"
        ),
        Binding("right,down,tab", "mark(1)", "Next", show=False, id="confirm.next", tooltip="The next answer"),
        Binding("escape", "close", "Close", show=False, id="confirm.close", tooltip="Close; nothing is decided by it"),
    ]
    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; background: $background 60%; }
    ConfirmScreen > Vertical {
        width: 64; max-width: 96%; height: auto; max-height: 96%; padding: 1 3;
        border: round $accent; background: $background; overflow-y: auto; scrollbar-size-vertical: 1;
    }
    ConfirmScreen #confirm-question { text-style: bold; margin-bottom: 1; height: auto; }
    ConfirmScreen #confirm-detail { color: $muted; margin-bottom: 1; height: auto; }
    """

    def __init__(self, question: str, detail: str, answers: Sequence[Answer], *, safe: str) -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._answers = answers
        self._row = AnswerRow(answers, [answer.value for answer in answers].index(safe))

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(clean(self._question), id="confirm-question", markup=False)
            if self._detail:
                yield Static(clean(self._detail), id="confirm-detail", markup=False)
            yield self._row

    def on_key(self, event: events.Key) -> None:
        """An answer's own key gives it."""
        for answer in self._answers:
            if event.key == answer.key:
                event.stop()
                event.prevent_default()
                self.dismiss(answer.value)
                return

    def on_answer_row_given(self, message: AnswerRow.Given) -> None:
        """A click gives an answer, too."""
        message.stop()
        self.dismiss(message.answer.value)

    def action_give(self) -> None:
        """Gives the marked answer."""
        self.dismiss(self._answers[self._row.marked].value)

    def action_mark(self, by: int) -> None:
        """Marks another answer."""
        self._row.mark(self._row.marked + by)

    def action_close(self) -> None:
        """Decides nothing."""
        self.dismiss(None)


def _label(answer: Answer) -> str:
    return f" {show_key(answer.key)} {answer.label} "
