"""The dashboard: holds the parts together and hands what happens to the open screens; no logic of its own."""

import asyncio
import signal
from collections.abc import Coroutine
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.screen import Screen

from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.asker import Asker
from orchestrator_tui.tui.attention import Attention
from orchestrator_tui.tui.bridge import RETRY_SECONDS, Bridge, Contact
from orchestrator_tui.tui.command_palette import InputWanted, Palette, PaletteCommands
from orchestrator_tui.tui.commander import Commander
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.creating import Creating
from orchestrator_tui.tui.driver import driver_of
from orchestrator_tui.tui.keymap import Keymap, Place, bindings
from orchestrator_tui.tui.leaving import Leaving
from orchestrator_tui.tui.messages import CommandGiven, Happened
from orchestrator_tui.tui.opening import Opening
from orchestrator_tui.tui.screens.main import MainScreen
from orchestrator_tui.tui.screens.projects import ProjectsPage
from orchestrator_tui.tui.setup import GoOn, Setup
from orchestrator_tui.tui.terminal_colors import colors_off
from orchestrator_tui.tui.theming import Theming
from orchestrator_tui.tui.values import values_of
from orchestrator_tui.tui.view import AgentView, Dashboard, ProjectView
from orchestrator_tui.tui.widgets.input_bar import InputBar

if TYPE_CHECKING:
    from orchestrator_tui.tui.screens.new_project import NewProjectScreen

SECONDS_SHOWN = 6.0
QUIET_SECONDS = 1.0
"""How long after a key press nothing comes onto the screen by itself."""

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class DashboardApp(App[int]):
    """The dashboard over the engine of a `Setup`. `broke` is the error that ended it, if one did."""

    TITLE = "orchestrator"
    CSS_PATH = "screens/main.tcss"
    ENABLE_COMMAND_PALETTE = False
    COMMANDS: ClassVar[set[Any]] = {PaletteCommands}
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.EVERYWHERE)]

    def __init__(self, setup: Setup) -> None:
        super().__init__(
            driver_class=driver_of(setup.environ), ansi_color=True if colors_off(setup.environ) else None
        )
        self.setup = setup
        self.broke: BaseException | None = None
        self.last_key_at = -QUIET_SECONDS
        self.keys = Keymap(setup.settings.keymap)
        self.theming = Theming(self, setup)
        self.bridge = Bridge(self._tell)
        self.values = values_of(self.bridge, self.theming.names)
        self.commander = Commander(self)
        self.asker = Asker(self)
        self.creating = Creating(self)
        self.leaving = Leaving(self)
        self.attention = Attention(self, setup.settings.tui, setup.environ)
        self.main_screen = MainScreen(self.bridge, self.keys, self.values, setup)
        self._screen_context: Context | None = None
        self._opening_told = asyncio.Event()
        self.set_keymap(self.keys.as_textual())

    def get_default_screen(self) -> Screen[Any]:
        return self.main_screen

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.leaving.at_once)
        self.run_worker(self.theming.watch(), name="themes")
        self.set_interval(0.5, self.asker.consider, name="questions")
        self.call_after_refresh(self.run_worker, self._work(), name="engine")
        for problem in (*self.theming.problems, *self.keys.conflicts(self.setup.settings.origin)):
            self.notify(one_line(problem, 400), severity="warning", markup=False, timeout=20)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.last_key_at = monotonic()
        await super().on_event(event)

    @property
    def is_quiet(self) -> bool:
        """Whether the person looks at the main screen and neither types nor has just pressed a key."""
        return self.main_screen.is_idle and monotonic() - self.last_key_at >= QUIET_SECONDS

    # The engine

    @property
    def is_connected(self) -> bool:
        return self._screen_context is not None

    @property
    def context(self) -> Context:
        """What screens are given.

        Raises:
            StoreUnavailable: the engine is not there yet.
        """
        if self._screen_context is None:
            raise self.bridge.problem or StoreUnavailable("The projects are still being opened.")
        return self._screen_context

    async def _work(self) -> None:
        client = await self._opened()
        self._screen_context = Context(
            client=client,
            keymap=self.keys,
            paths=self.setup.paths,
            environ=self.setup.environ,
            clock=self.setup.clock,
        )
        self._opening_told.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.bridge.run(client), name="bridge")
            group.create_task(self._begin(), name="begin")

    async def _opened(self) -> EngineClient:
        """The engine; a database that cannot be reached is tried again, with words about it on the screen."""
        while True:
            try:
                return await self.setup.link.open()
            except StoreUnavailable as error:
                self.bridge.contact, self.bridge.problem = Contact.LOST, error
                self._opening_told.set()
                self.main_screen.redraw()
                await asyncio.sleep(RETRY_SECONDS)

    async def _begin(self) -> None:
        """What the command line asked for."""
        match self.setup.first:
            case CreateProject() as command:
                await self._guarded(self.creating.create(command))
            case GoOn(reference=reference):
                await self._guarded(self.creating.go_on(reference))
            case None:
                return

    def _tell(self, dashboard: Dashboard, recorded: tuple[Recorded, ...]) -> None:
        for screen in self.screen_stack:
            screen.post_message(Happened(dashboard, recorded))
        self.attention.notice(dashboard, recorded)
        self.asker.consider()

    # Commands

    def on_terminal_gone(self) -> None:
        self.leaving.at_once()

    def on_input_bar_submitted(self, message: InputBar.Submitted) -> None:
        self.run_worker(self._typed(message.text), name="command")

    def on_projects_page_picked(self, message: ProjectsPage.Picked) -> None:
        self.select(message.project_id)

    def on_command_given(self, message: CommandGiven) -> None:
        self.command(message.text)

    def on_input_wanted(self, message: InputWanted) -> None:
        self.main_screen.input_bar.fill(message.text)

    def command(self, text: str) -> None:
        """Carry out what a line of the input bar stands for; an error is told in a corner."""
        self.run_worker(self._guarded(self.commander.carry_out(text)), name="command")

    def guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; an error is told in a corner."""
        self.run_worker(self._guarded(work), name="command")

    async def _typed(self, text: str) -> None:
        try:
            await self._opening_told.wait()
            await self.commander.carry_out(text)
        except OrchestratorError as error:
            self.main_screen.input_bar.refused(error)
        else:
            self.main_screen.input_bar.accepted()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._opening_told.wait()
            await work
        except OrchestratorError as error:
            self.notify(error.line(), title=error.title, severity="error", markup=False, timeout=12)

    # What the commander asks for

    @property
    def selected(self) -> ProjectView | None:
        return self.main_screen.selected

    def select(self, project_id: str) -> None:
        self.main_screen.select(project_id)

    def open_page(self, page: Screen[Any]) -> None:
        self.push_screen(page)

    def open_question(self, request: InputRequest, opening: Opening = Opening.DOCUMENT) -> None:
        self.asker.open(request, opening)

    def was_shown(self, request: InputRequest) -> bool:
        return self.asker.was_shown(request)

    async def open_new_project(self, idea: str) -> None:
        await self.creating.ask(idea)

    def on_new_project_screen_submitted(self, message: "NewProjectScreen.Submitted") -> None:
        self.run_worker(self.creating.submitted(message.form, message.command), name="create")

    def open_settings(self, preset: tuple[str, str | None] | None) -> None:
        from orchestrator_tui.tui.screens.settings import SettingsPage

        setup = self.setup
        self.push_screen(
            SettingsPage(self.context, setup.load_settings, setup.project_file, setup.paths.user_settings, preset)
        )

    def open_themes(self) -> None:
        self.push_screen(self.theming.picker(), self._theme_chosen)

    def _theme_chosen(self, name: str | None) -> None:
        if name is not None:
            self.guarded(self.theming.use(name))

    async def use_theme(self, name: str) -> None:
        await self.theming.use(name)

    def show_agent(self, agent: AgentView | None) -> None:
        self.main_screen.show_agent(agent)

    def leave(self) -> None:
        self.leaving.ask()

    def say(self, text: str) -> None:
        self.notify(one_line(text, 300), markup=False, timeout=SECONDS_SHOWN)

    # Keys that work everywhere

    def action_palette(self) -> None:
        """Every command by its name."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def action_help(self) -> None:
        """All keys and commands."""
        self.command("/help")

    def action_settings(self) -> None:
        """All settings."""
        self.command("/config")

    def action_theme(self) -> None:
        """Choose a theme."""
        self.command("/theme")

    def action_new_project(self) -> None:
        """Back to the main screen's input bar."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.main_screen.input_bar.fill("")

    def action_rehearsal(self) -> None:
        """Start a rehearsal."""
        self.guarded(self.creating.rehearse())

    async def action_quit(self) -> None:
        """Leave; asks first when something runs."""
        self.leaving.ask()

    def on_unmount(self) -> None:
        self.attention.close()

    def _handle_exception(self, error: Exception) -> None:
        """End without Textual's traceback on the terminal: it shows local variables, and those hold secrets."""
        self.broke = self.broke or error
        if self.is_headless:
            super()._handle_exception(error)
        else:
            self.exit(return_code=1)
