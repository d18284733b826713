"""Asks what is to be done about a phase that failed."""

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


class DecisionScreen(Question):
    """What failed and why, and the ways on that the engine offers."""

    AUTO_FOCUS = "#question-body"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.DECISION)]

    _OFFERS: ClassVar[dict[Choice, Offer]] = {
        Choice.RETRY: Offer("retry", "Try again", "Retry"),
        Choice.RETRY_WITH_HINT: Offer("retry_with_hint", "Try again with a hint", "With a hint"),
        Choice.SKIP: Offer("skip", "Leave it out", "Skip"),
        Choice.STOP: Offer("stop", "Stop the project", "Stop", tone="error"),
    }

    def body(self) -> Iterator[Widget]:
        yield TextView(id="question-body", classes="question-body")

    async def show_request(self) -> None:
        self.box.tell_head(self.request.title)
        self.query_one("#question-body", TextView).show(lines_of(self.request.body))

    def offers(self) -> Iterator[Offer]:
        yield from (offer for choice, offer in self._OFFERS.items() if choice in self.request.choices)

    def focus_content(self) -> None:
        self.query_one("#question-body").focus()

    def action_retry(self) -> None:
        """Tries it again as it was."""
        self.choose(Choice.RETRY)

    def action_retry_with_hint(self) -> None:
        """Asks for the hint."""
        if Choice.RETRY_WITH_HINT in self.request.choices:
            self.ask_words(Choice.RETRY_WITH_HINT, "What should the agent know?")

    def action_skip(self) -> None:
        """Leaves out what failed."""
        self.choose(Choice.SKIP)
