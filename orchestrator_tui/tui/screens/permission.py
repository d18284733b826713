"""Asks whether an agent may do what it wants to do: once, in this project, or not."""

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from orchestrator_tui.domain import words
from orchestrator_tui.domain.statuses import Choice
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.screens.asking import Question
from orchestrator_tui.tui.widgets.action_row import Offer
from orchestrator_tui.tui.widgets.text_lines import lines_of
from orchestrator_tui.tui.widgets.text_view import TextView
from orchestrator_tui.tui.wrapping import tidy


class PermissionScreen(Question):
    """What an agent asks for, exactly as it was written. Only the keys and labels of an answer give it."""

    AUTO_FOCUS = "#question-body"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.PERMISSION)]

    _OFFERS: ClassVar[dict[Choice, Offer]] = {
        Choice.ALLOW_ONCE: Offer("allow_once", "Allow once", "Once"),
        Choice.ALLOW_PROJECT: Offer("allow_project", "Allow in this project from now on", "In this project"),
        Choice.DENY: Offer("deny", "Deny", tone="error"),
        Choice.STOP: Offer("stop", "Stop the project", "Stop", tone="error"),
    }

    def body(self) -> Iterator[Widget]:
        yield TextView(id="question-body", classes="question-body")

    async def show_request(self) -> None:
        self.box.tell_head(self.request.title)
        self.query_one("#question-body", TextView).show(lines_of(self.request.body))
        # Line ends at the end are left out, too, and hide nothing.
        written = self.request.body.replace("\r\n", "\n").replace("\t", "    ").rstrip("\n")
        if hidden := len(written) - len(tidy(written)):
            self.box.tell_note(words.not_shown(hidden))

    def offers(self) -> Iterator[Offer]:
        for choice, offer in self._OFFERS.items():
            if choice in self.request.choices:
                yield offer
                if choice is Choice.DENY:
                    yield Offer("deny_with_words", "Deny, and say why", "Say why", tone="error")

    def focus_content(self) -> None:
        self.query_one("#question-body").focus()

    def action_allow_once(self) -> None:
        """Allows it this time."""
        self.choose(Choice.ALLOW_ONCE)

    def action_allow_project(self) -> None:
        """Allows it from now on."""
        self.choose(Choice.ALLOW_PROJECT)

    def action_deny(self) -> None:
        """Denies it."""
        self.choose(Choice.DENY)

    def action_deny_with_words(self) -> None:
        """Opens the field for what the agent is told."""
        if Choice.DENY in self.request.choices:
            self.ask_words(Choice.DENY, "Why not, or what to do instead")
