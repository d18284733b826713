"""Asks a person for an answer in words."""

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from orchestrator_tui.domain.statuses import Choice
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.screens.asking import Question
from orchestrator_tui.tui.widgets.action_row import Offer
from orchestrator_tui.tui.widgets.text_lines import lines_of
from orchestrator_tui.tui.widgets.text_view import TextView


class ClarificationScreen(Question):
    """A question and a field for the answer. What is written stays for the next time when it is left."""

    BACK = "Later"
    AUTO_FOCUS = "#question-field"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.WRITING)]

    def body(self) -> Iterator[Widget]:
        yield TextView(id="question-body", classes="question-body")

    async def show_request(self) -> None:
        self.box.tell_head(self.request.title)
        self.query_one("#question-body", TextView).show(lines_of(self.request.body))
        self.ask_words(Choice.ANSWER, "Your answer")

    def offers(self) -> Iterator[Offer]:
        yield Offer("close", "Later")

    def action_close(self) -> None:
        """Later; the words are kept."""
        if not self._busy:
            self.keep_words()
            self.dismiss(False)

    def focus_content(self) -> None:
        self.box.field.focus()
