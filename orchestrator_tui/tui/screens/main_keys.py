"""The keys of the main screen that do what a slash command does."""

from time import monotonic
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from orchestrator_tui.domain.statuses import AT_WORK
from orchestrator_tui.tui.guard import QUIET
from orchestrator_tui.tui.messages import CommandGiven
from orchestrator_tui.tui.opening import Opening
from orchestrator_tui.tui.shell import SECONDS_SHOWN
from orchestrator_tui.tui.view import ProjectView

if TYPE_CHECKING:
    from orchestrator_tui.tui.app import DashboardApp


class MainKeys(Screen[None]):
    """Each action posts its command or asks the app; `selected` is the project that is shown."""

    _stop_asked = ("", float("-inf"))
    """Of which project it was last asked whether to stop it, and when."""

    _interrupt_asked = ("", float("-inf"))

    @property
    def selected(self) -> ProjectView | None:
        raise NotImplementedError

    @property
    def dashboard_app(self) -> "DashboardApp":
        return cast("DashboardApp", self.app)

    def give(self, command: str) -> None:
        """Have a command carried out."""
        self.post_message(CommandGiven(command))

    def action_waiting(self) -> None:
        """Show what waits."""
        self.dashboard_app.guarded(self.dashboard_app.asker.show())

    def action_approve(self) -> None:
        """Show what can be approved; the key approves there."""
        self.dashboard_app.guarded(self.dashboard_app.asker.show())

    def action_request_changes(self) -> None:
        """Open the field for changes."""
        self.give("/reject")

    def action_edit(self) -> None:
        """Edit what waits."""
        self.give("/edit")

    def action_editor(self) -> None:
        """Edit what waits in $EDITOR."""
        self.dashboard_app.guarded(self.dashboard_app.commander.edit(Opening.EDITOR))

    def action_view(self) -> None:
        """Show the newest artifact."""
        self.give("/view")

    def action_diff(self) -> None:
        """Show what changed."""
        self.give("/diff")

    def action_items(self) -> None:
        """Show the work items."""
        self.give("/items")

    def action_logs(self) -> None:
        """Go to the logs."""
        self.give("/logs")

    @property
    def focused_agent(self) -> str | None:
        """What the agent is called whose log has the focus."""
        raise NotImplementedError

    def action_interrupt(self) -> None:
        """Interrupt the agent whose log has the focus, or all, when it is asked for twice: see `action_stop`."""
        name = self.focused_agent or ""
        about = f"{self.selected.id if self.selected else ''} {name}"
        asked, self._interrupt_asked = self._interrupt_asked, (about, monotonic())
        waited = self._interrupt_asked[1] - asked[1]
        if asked[0] == about and QUIET <= waited <= SECONDS_SHOWN:
            self.give(f"/interrupt {name}".strip())
        elif waited >= QUIET:
            key = self.dashboard_app.keys.shown("interrupt")
            self.dashboard_app.say(f"Interrupt {name or 'every agent at work'}? {key} again to interrupt.")

    def action_cost(self) -> None:
        """Show what was spent."""
        self.give("/cost")

    def action_history(self) -> None:
        """Show what happened."""
        from orchestrator_tui.tui.screens.history import HistoryPage

        if self.selected is not None:
            self.app.push_screen(HistoryPage(self.dashboard_app.context, self.selected.id))

    def action_resume(self) -> None:
        """Let the project go on."""
        if self.selected is not None:
            self.give(f"/resume {self.selected.number}")

    def action_retry(self) -> None:
        """Try again what failed."""
        self.give("/retry")

    def action_skip(self) -> None:
        """Leave out what failed."""
        self.give("/skip")

    def action_stop(self) -> None:
        """Stop the project, when it is asked for twice: a letter may have been meant for the input bar, and a key that
        is held down asks once."""
        asked, self._stop_asked = self._stop_asked, (self.selected.id if self.selected else "", monotonic())
        waited = self._stop_asked[1] - asked[1]
        if self.selected is None or self.selected.status not in AT_WORK:
            self.give("/stop")
        elif asked[0] == self._stop_asked[0] and QUIET <= waited <= SECONDS_SHOWN:
            self.give(f"/stop {self.selected.number}")
        elif waited >= QUIET:
            key = self.dashboard_app.keys.shown("stop")
            self.dashboard_app.say(f"Stop {self.selected.name}? {key} again to stop.")
