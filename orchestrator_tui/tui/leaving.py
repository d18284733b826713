"""Leaves the dashboard: asks when something runs, shows how it comes to an end or is handed over, then goes."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.ownership import elsewhere
from orchestrator_tui.domain.statuses import AT_WORK, PauseReason, PipelineStatus
from orchestrator_tui.tui.view import ProjectView

if TYPE_CHECKING:
    from orchestrator_tui.tui.app import DashboardApp
    from orchestrator_tui.tui.screens.handing_over import HandingOverScreen
    from orchestrator_tui.tui.screens.stopping import StoppingScreen

STOPS = "A stop is graceful: everything is stored, and it can be resumed."
KEEPS = "What is kept running goes on in the background; the next start shows it."
WAITS = "It does so only where something runs. It can be resumed."
SECONDS_TOLD = 20.0
HURRY_SECONDS = 2.0
"""How long leaving may take once somebody is in a hurry."""


class Leaving:
    """The end of the dashboard. Leaving a second time waits for no agent, a third time for nothing: `is_abrupt`.

    What ran `is_kept` once a background server goes on with it.
    """

    def __init__(self, app: "DashboardApp") -> None:
        self._app = app
        self._screen: StoppingScreen | HandingOverScreen | None = None
        self._last_moment: asyncio.TimerHandle | None = None
        self._in_a_hurry = asyncio.Event()
        self._is_unseen = False
        self.is_abrupt = False
        self.is_kept = False

    @property
    def has_begun(self) -> bool:
        return self._screen is not None

    def ask(self) -> None:
        """Leave, or ask first when that stops something, or keeps it from going on by itself."""
        running, waiting = self._running_here(), self._waiting_here()
        if self.has_begun or not (running or waiting):
            self.at_once()
            return
        from orchestrator_tui.tui.screens.confirm import Answer, ConfirmScreen

        if any(isinstance(screen, ConfirmScreen) for screen in self._app.screen_stack):
            return
        self._app.clear_notifications()
        meant, told = (running, STOPS) if running else (waiting, WAITS)
        one = len(meant) == 1
        what = meant[0].name if one else f"{len(meant)} projects"
        answers = [Answer("stay", "escape", "Stay"), Answer("leave", "l", "Stop and leave" if running else "Leave")]
        if self._app.setup.keep is not None:
            answers.insert(1, Answer("keep", "k", "Keep running"))
            told = f"{told} {KEEPS}"
        if running:
            question = f"{what} {'is' if one else 'are'} running."
        else:
            question = f"{what} {'goes on by itself' if one else 'go on by themselves'} when it is time."
        self._app.push_screen(ConfirmScreen(question, told, answers, safe="stay"), self._answered)

    def at_once(self) -> None:
        """Stop what runs and leave; the second time without waiting for agents, the third time for nothing."""
        if self._screen is None:
            self._begin()
        elif not self._in_a_hurry.is_set():
            self._hurry(self._screen)
        else:
            self.abruptly()

    def unseen(self) -> None:
        """Leave in order because nobody sees the dashboard any more; the end of a terminal is told more than once."""
        self._is_unseen = True
        if self.has_begun:
            return
        settings = self._app.live_settings.settings
        keeps = settings is not None and settings.background.on_hangup == "keep"
        if keeps and self._app.setup.keep is not None and (self._running_here() or self._waiting_here()):
            self._keep()
        else:
            self._begin()

    def _keep(self) -> None:
        """Hand what runs over, then leave; when that is not possible everything goes on, as long as it is seen."""
        from orchestrator_tui.tui.screens.handing_over import HandingOverScreen

        screen = self._screen = HandingOverScreen(self._app.keys.shown("quit"))
        self._app.clear_notifications()
        self._app.push_screen(screen)
        self._app.run_worker(self._handed_over(screen), name="keep")

    async def _handed_over(self, screen: "HandingOverScreen") -> None:
        keep = self._app.setup.keep
        assert keep is not None
        try:
            await keep(self._app.context.client, self._in_a_hurry)
        except OrchestratorError as error:
            self._screen, self._in_a_hurry = None, asyncio.Event()
            screen.dismiss()
            words = f"Not handed over, it goes on here. {error.line()}"
            self._app.notify(words, title=error.title, severity="error", markup=False, timeout=SECONDS_TOLD)
            if self._is_unseen:
                self._begin()
        else:
            self.is_kept = True
            await self._leave()

    def _begin(self) -> None:
        from orchestrator_tui.tui.screens.stopping import StoppingScreen

        running = [project.id for project in self._running_here()]
        self._screen = StoppingScreen(self._app.bridge.dashboard, running, self._app.keys.shown("quit"))
        self._app.clear_notifications()
        self._app.push_screen(self._screen)
        self._app.run_worker(self._leave(), name="leave")

    def _hurry(self, screen: "StoppingScreen | HandingOverScreen") -> None:
        from orchestrator_tui.tui.screens.stopping import StoppingScreen

        self._in_a_hurry.set()
        screen.hurry()
        if not isinstance(screen, StoppingScreen):
            # Its agents are not waited for; the server may still be starting.
            return
        for project in self._running_here():
            self._app.run_worker(self._force(project.id), name="force")
        self._last_moment = asyncio.get_running_loop().call_later(HURRY_SECONDS, self.abruptly)

    def abruptly(self) -> None:
        """Leave now, whatever is still at work."""
        self.is_abrupt = True
        self._app.exit(0)

    def _running_here(self) -> list[ProjectView]:
        """What leaving stops; what another process runs goes on there."""
        if self._app.setup.is_remote:
            return []
        projects = self._app.bridge.dashboard.projects.values()
        return [one for one in projects if one.status in AT_WORK and not elsewhere(one.owner, one.status)]

    def _waiting_here(self) -> list[ProjectView]:
        """What goes on by itself later, as long as this process is there."""
        if self._app.setup.is_remote:
            return []
        projects = self._app.bridge.dashboard.projects.values()
        paused = (one for one in projects if one.status is PipelineStatus.PAUSED and one.resumes_at is not None)
        # What was handed over is another process's, which takes it up at once.
        return [one for one in paused if one.reason != PauseReason.HAND_OVER]

    def _answered(self, answer: str | None) -> None:
        if self.has_begun:
            return
        if answer == "leave":
            self._begin()
        elif answer == "keep":
            self._keep()

    async def _force(self, project_id: str) -> None:
        # It may have stopped in this moment; what cannot be stopped is left in two seconds anyway.
        with suppress(OrchestratorError):
            await self._app.context.client.submit(StopProject(project_id=project_id, force=True))

    async def _leave(self) -> None:
        try:
            await self._app.asker.store_words()
            await self._app.setup.link.close()
        finally:
            if self._last_moment is not None:
                self._last_moment.cancel()
            self._app.exit(0)
