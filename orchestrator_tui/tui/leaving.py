"""Leaves the dashboard: asks when something runs, shows how it comes to an end, then goes."""

from typing import TYPE_CHECKING

from orchestrator_tui.domain.statuses import PipelineStatus

if TYPE_CHECKING:
    from orchestrator_tui.tui.app import DashboardApp

RUNS = (PipelineStatus.RUNNING, PipelineStatus.STOPPING)


class Leaving:
    """The end of the dashboard; leaving a second time goes at once."""

    def __init__(self, app: "DashboardApp") -> None:
        self._app = app
        self.has_begun = False

    def ask(self) -> None:
        """Leave, or ask first when that stops something."""
        running = [project for project in self._app.bridge.dashboard.projects.values() if project.status in RUNS]
        if self.has_begun or not running:
            self.at_once()
            return
        from orchestrator_tui.tui.screens.confirm import Answer, ConfirmScreen

        if any(isinstance(screen, ConfirmScreen) for screen in self._app.screen_stack):
            return
        what = running[0].name if len(running) == 1 else f"{len(running)} projects"
        self._app.push_screen(
            ConfirmScreen(
                f"{what} {'is' if len(running) == 1 else 'are'} running.",
                "Leaving stops it gracefully: everything is stored, and it can be resumed.",
                (Answer("stay", "escape", "Stay"), Answer("leave", "l", "Stop and leave")),
                safe="stay",
            ),
            self._answered,
        )

    def at_once(self) -> None:
        """Stop what runs and leave; the second time without waiting."""
        if self.has_begun:
            self._app.exit(0)
            return
        self.has_begun = True
        from orchestrator_tui.tui.screens.stopping import StoppingScreen

        self._app.push_screen(StoppingScreen())
        self._app.run_worker(self._leave(), name="leave")

    def _answered(self, answer: str | None) -> None:
        if answer == "leave":
            self.at_once()

    async def _leave(self) -> None:
        try:
            await self._app.setup.link.close()
        finally:
            self._app.exit(0)
