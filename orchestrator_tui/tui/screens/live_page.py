"""A page that reads again what it shows soon after something happened, but never many times a second."""

from textual.timer import Timer

from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.page import Page

REST_SECONDS = 0.3
"""How long it waits, so that many events cost one reading."""


class LivePage(Page):
    """Subclasses say in `concerns` which events change what they show."""

    _soon: Timer | None = None

    def concerns(self, recorded: Recorded) -> bool:
        """Whether an event changes what is shown."""
        raise NotImplementedError

    def on_happened(self, message: Happened) -> None:
        """Reads again soon, if it must."""
        if any(map(self.concerns, message.recorded)):
            self._read_soon()

    def _read_soon(self) -> None:
        if self._soon is None:
            self._soon = self.set_timer(REST_SECONDS, self._read_now, name="read again")

    def _read_now(self) -> None:
        self._soon = None
        if any(worker.group == "load" and not worker.is_finished for worker in self.workers if worker.node is self):
            self._read_soon()
        else:
            self.reload()
