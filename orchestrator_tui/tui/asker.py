"""Brings what waits for the person onto the screen: when asked for, and by itself while nobody is typing."""

from typing import TYPE_CHECKING

from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.words import title
from orchestrator_tui.tui.opening import Opening

if TYPE_CHECKING:
    from orchestrator_tui.tui.app import DashboardApp
    from orchestrator_tui.tui.screens.asking import Question


class Asker:
    """At most one question is open at a time. What was on the screen is remembered by its content's hash."""

    def __init__(self, app: "DashboardApp") -> None:
        self._app = app
        self._shown: set[tuple[str, str]] = set()
        self._offered: set[str] = set()
        self._told: set[str] = set()
        self._open: Question | None = None

    def was_shown(self, request: InputRequest) -> bool:
        """Whether this very content was on the screen."""
        return (request.id, request.content_hash) in self._shown

    def open(self, request: InputRequest, opening: Opening = Opening.DOCUMENT) -> None:
        """Show a question; nothing happens when one is open already."""
        from orchestrator_tui.tui.screens.question import question_screen

        if self.is_open:
            return
        project = self._app.bridge.dashboard.projects.get(request.project_id)
        screen = question_screen(self._app.context, request, project.name if project else "A project")
        screen.opening = opening
        screen.guard.opened_by(self._app.last_key, self._app.last_key_at)
        self._open = screen
        # A corner with old news must not cover what is to be read.
        self._app.clear_notifications()
        self._app.push_screen(screen, lambda decided: self._closed(screen, bool(decided)))

    @property
    def screen(self) -> "Question | None":
        """The question that is open."""
        return self._open

    @property
    def is_open(self) -> bool:
        return self._open is not None

    @property
    def ready(self) -> bool:
        """Whether a question is open whose keys count now."""
        return self._open is not None and self._app.screen is self._open and self._open.ready

    async def store_words(self) -> None:
        """Keep what is being written, and what was written before, for the next start."""
        if self._open is not None:
            self._open.keep_words()
        if self._app.is_connected:
            await self._app.context.drafts.store()

    def put_off(self) -> None:
        """Close the question for now; what is written in it is kept."""
        if self._open is not None:
            self._open.keep_words()
            self._open.dismiss(False)

    def consider(self) -> None:
        """Open what the selected project asks, once, as soon as the person is not busy; tell of what others ask."""
        if not self._app.has_begun:
            return
        for project in self._app.bridge.dashboard.projects.values():
            for request_id in project.waiting.keys() - self._offered:
                if project.id == self._app.main_screen.selected_id:
                    self._offer(project.id, request_id)
                elif request_id not in self._told:
                    self._told.add(request_id)
                    key = self._app.keys.shown("waiting")
                    self._app.say(f"● {project.name} waits for you: {title(project.waiting[request_id])} · {key}")

    def _offer(self, project_id: str, request_id: str) -> None:
        if self._app.is_quiet and self._app.is_connected:
            self._offered.add(request_id)
            self._app.guarded(self._bring(project_id, request_id))
        elif self._app.is_writing and request_id not in self._told:
            self._told.add(request_id)
            keys = f"{self._app.keys.shown('close')} {self._app.keys.shown('waiting')}"
            self._app.say(f"● A question waits until you are done writing · {keys} shows it")

    async def _bring(self, project_id: str, request_id: str) -> None:
        try:
            requests = await self._app.context.client.requests(project_id)
        except OrchestratorError:
            self._offered.discard(request_id)
            raise
        if requests and self._app.is_quiet:
            self.open(requests[0])
        else:
            # The person did something meanwhile: it comes when they are done.
            self._offered.discard(request_id)

    async def show(self, project_id: str | None = None) -> None:
        """Open the oldest question of a project; without it one of the selected project, or else of any.

        Raises:
            CommandProblem: nothing waits.
        """
        await self._app.opened()
        requests = await self._app.context.client.requests(project_id) if project_id else []
        request = requests[0] if requests else await self._app.commander.request()
        self._app.select(request.project_id)
        self.open(request)

    def _closed(self, screen: "Question", decided: bool) -> None:
        self._open = None
        self._app.guarded(self.store_words())
        self._shown.add((screen.request.id, screen.request.content_hash))
        self._offered.add(screen.request.id)
        if not self._app.is_running:
            # It closes with the whole app.
            return
        # Letters are keys again: one brings the question back, and one too many is not typed into the input bar.
        self._app.main_screen.focus_projects()
        if decided:
            self._app.guarded(self._app.commander.answered(screen.request.project_id))
