"""The dashboard: holds the parts together and hands what happens to the open screens; no logic of its own."""

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Coroutine
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ScreenStackError
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.notifications import Notification, Notify
from textual.screen import ModalScreen, Screen
from textual.worker import WorkerFailed

from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.absent import absent_engine
from orchestrator_tui.tui.asker import Asker
from orchestrator_tui.tui.attention import Attention
from orchestrator_tui.tui.bridge import RETRY_SECONDS, Bridge, Contact
from orchestrator_tui.tui.commander import Commander
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.creating import Creating
from orchestrator_tui.tui.driver import driver_of
from orchestrator_tui.tui.keymap import Keymap, Place, bindings
from orchestrator_tui.tui.leaving import Leaving
from orchestrator_tui.tui.live_settings import LiveSettings
from orchestrator_tui.tui.messages import CommandGiven, Happened
from orchestrator_tui.tui.opening import Opening
from orchestrator_tui.tui.screens.first import FirstScreen
from orchestrator_tui.tui.setup import GoOn, Setup
from orchestrator_tui.tui.shell import SECONDS_SHOWN
from orchestrator_tui.tui.terminal_colors import colors_off
from orchestrator_tui.tui.theming import Theming
from orchestrator_tui.tui.unsent import Unsent
from orchestrator_tui.tui.values import values_of
from orchestrator_tui.tui.view import AgentView, Dashboard, ProjectView

if TYPE_CHECKING:
    from textual.command import Provider

    from orchestrator_tui.tui.command_palette import InputWanted
    from orchestrator_tui.tui.screens.main import MainScreen
    from orchestrator_tui.tui.screens.new_project import NewProjectScreen
    from orchestrator_tui.tui.screens.projects import ProjectsPage
    from orchestrator_tui.tui.screens.settings import SettingsPage
    from orchestrator_tui.tui.widgets.input_bar import InputBar

QUESTIONS = "orchestrator_tui.tui.screens.question"
logger = logging.getLogger(__name__)

MAIN = "main"
QUIET_SECONDS = 1.0
"""How long after a key press nothing comes onto the screen by itself."""


def _palette_commands() -> "type[Provider]":
    from orchestrator_tui.tui.command_palette import PaletteCommands

    return PaletteCommands


def _what_it_says(toast: Notification) -> tuple[str, str, str]:
    return toast.title, toast.message, toast.severity


class DashboardApp(App[int]):
    """The dashboard over the engine of a `Setup`. `broke` is the error that ended it, if one did."""

    TITLE = "orchestrator"
    CSS_PATH = "screens/main.tcss"
    ENABLE_COMMAND_PALETTE = False
    COMMANDS: ClassVar[set[Any]] = {_palette_commands}
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.EVERYWHERE)]

    def __init__(self, setup: Setup) -> None:
        super().__init__(
            driver_class=driver_of(setup.environ, setup.on_terminal),
            ansi_color=True if colors_off(setup.environ) else None,
        )
        self.setup = setup
        self.broke: BaseException | None = None
        self.last_key, self.last_key_at = "", -QUIET_SECONDS
        self.keys = Keymap()
        self.theming = Theming(self, setup)
        self.bridge = Bridge(self._tell)
        self.values = values_of(self.bridge, self.theming.names)
        self.commander = Commander(self)
        self.asker = Asker(self)
        self.creating = Creating(self)
        self.leaving = Leaving(self)
        self.live_settings = LiveSettings(self)
        self.attention = Attention(self, None, setup.environ)
        self.main_screen: MainScreen
        # Keys on their way, and whether the input bar had the focus when they were pressed.
        self._aimed: deque[tuple[events.Key, bool]] = deque(maxlen=64)
        self.is_furnished = False
        self.has_begun = False
        self._screen_context: Context | None = None
        self._opening_told = asyncio.Event()
        self.set_keymap(self.keys.as_textual())

    def get_default_screen(self) -> Screen[Any]:
        return FirstScreen()

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.leaving.at_once)
        loop.add_signal_handler(signal.SIGHUP, self.leaving.unseen)
        loop.add_signal_handler(signal.SIGQUIT, self.leaving.abruptly)
        self.call_after_refresh(lambda: self.run_worker(self._furnish(), name="furnish"))

    async def _furnish(self) -> None:
        """Put the main screen in the place of the first one, and begin to work."""
        from orchestrator_tui.tui.screens.main import MainScreen

        if self.leaving.has_begun:
            return
        while not isinstance(first := self.screen, FirstScreen):
            self.pop_screen()
        self.main_screen = MainScreen(self.bridge, self.keys, self.values, self.setup)
        # A mode of its own: the first screen is no part of the stack that people go back through.
        self.add_mode(MAIN, lambda: self.main_screen)
        await self.switch_mode(MAIN)
        self.is_furnished = True
        if first.typed:
            self.main_screen.input_bar.fill(first.typed)
        self.run_worker(self._work(), name="engine")
        self.run_worker(self.theming.watch(), name="themes")
        self.set_interval(0.5, self.asker.consider, name="questions")
        for problem in self.theming.problems:
            self.notify(one_line(problem, 400), severity="warning", markup=False, timeout=20)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.last_key, self.last_key_at = event.key, monotonic()
            if self._belongs_to_input(event):
                self.main_screen.input_bar.pass_on(event)
                return
        await super().on_event(event)

    def _belongs_to_input(self, event: events.Key) -> bool:
        """Whether a key came back from the pane that had the focus when it was pressed, right behind the key that
        gave the focus to the input bar."""
        if not self.is_furnished:
            return False
        in_input = self.main_screen.input_bar.has_focus_within
        if not event.is_forwarded:
            self._aimed.append((event, in_input))
            return False
        aimed_elsewhere = any(one is event and not to_input for one, to_input in self._aimed)
        return aimed_elsewhere and in_input and self.main_screen.input_bar.takes(event)

    @property
    def is_quiet(self) -> bool:
        """Whether the person looks at the main screen and neither types nor has just pressed a key."""
        return self.main_screen.is_idle and monotonic() - self.last_key_at >= QUIET_SECONDS

    @property
    def is_writing(self) -> bool:
        """Whether the person has something in the input bar of the main screen, which they look at."""
        return self.main_screen.is_on_top and not self.main_screen.is_idle_input

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
            raise self._absence()
        return self._screen_context

    @property
    def plain_context(self) -> Context:
        """What screens are given that do not need the engine; it may not be there yet."""
        return self._screen_context or self._context_with(absent_engine(self._absence))

    def _absence(self) -> OrchestratorError:
        return self.bridge.problem or StoreUnavailable("The projects are still being opened.")

    def _context_with(self, client: EngineClient, unsent: Unsent | None = None) -> Context:
        setup = self.setup
        return Context(
            client=client,
            keymap=self.keys,
            paths=setup.paths,
            environ=setup.environ,
            clock=setup.clock,
            drafts=Unsent() if unsent is None else unsent,
        )

    async def opened(self) -> None:
        """Wait until the engine is there, or it is known why it is not."""
        await self._opening_told.wait()

    async def _work(self) -> None:
        try:
            await self.live_settings.begin()
            client = await self._opened()
        except OrchestratorError as error:
            self.broke = error
            self.exit(return_code=1)
            return
        unsent = await asyncio.to_thread(Unsent, self.setup.paths.data)
        self._screen_context = self._context_with(client, unsent)
        self._opening_told.set()
        if self.setup.is_attached:
            self.say("Attached to the background server: what runs there goes on when you leave.")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.bridge.run(client), name="bridge")
            group.create_task(self._begin(), name="begin")
            # The first question opens at once then.
            group.create_task(asyncio.to_thread(import_module, QUESTIONS), name="import questions")

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
        """What the command line asked for; nothing else comes onto the screen before it."""
        match await asyncio.to_thread(self.setup.first):
            case CreateProject() as command:
                await self._guarded(self.creating.create(command))
            case GoOn(reference=reference):
                await self._guarded(self.creating.go_on(reference))
            case None:
                pass
        self.has_begun = True

    def _tell(self, dashboard: Dashboard, recorded: tuple[Recorded, ...]) -> None:
        for screen in self.screen_stack:
            screen.post_message(Happened(dashboard, recorded))
        self.attention.notice(dashboard, recorded)
        self.asker.consider()

    # Commands

    def on_terminal_gone(self) -> None:
        self.leaving.unseen()

    def on_input_bar_submitted(self, message: "InputBar.Submitted") -> None:
        self.run_worker(self._typed(message.text), name="command")

    def on_projects_page_picked(self, message: "ProjectsPage.Picked") -> None:
        self.select(message.project_id)

    def on_command_given(self, message: CommandGiven) -> None:
        self.command(message.text)

    def on_input_wanted(self, message: "InputWanted") -> None:
        self.main_screen.input_bar.fill(message.text)

    def command(self, text: str) -> None:
        """Carry out what a line of the input bar stands for; an error is told in a corner."""
        self.guarded(self.commander.carry_out(text))

    def guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; an error is told in a corner."""
        self.run_worker(self._guarded(work), name="command")

    async def _typed(self, text: str) -> None:
        try:
            await self.commander.carry_out(text)
        except OrchestratorError as error:
            self.main_screen.input_bar.refused(error, text)
        else:
            self.main_screen.input_bar.accepted(text)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OrchestratorError as error:
            self.notify(error.line(), title=error.title, severity="error", markup=False, timeout=12)

    # What the commander asks for

    @property
    def selected(self) -> ProjectView | None:
        return self.main_screen.selected if self.is_furnished else None

    def select(self, project_id: str) -> None:
        self.main_screen.select(project_id)

    def open_page(self, page: Screen[Any]) -> None:
        if type(page) is type(self.screen):
            # The same key again, or another one of the kind: one way back is enough.
            self.pop_screen()
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
        self.open_page(
            SettingsPage(self.plain_context, setup.load_settings, setup.project_file, setup.paths.user_settings, preset)
        )

    def on_settings_page_changed(self, message: "SettingsPage.Changed") -> None:
        self.guarded(self.live_settings.take(message.key))

    def open_themes(self) -> None:
        from orchestrator_tui.tui.screens.theme_picker import ThemePicker

        if not isinstance(self.screen, ThemePicker):
            self.push_screen(self.theming.picker(), self._theme_chosen)

    def _theme_chosen(self, name: str | None) -> None:
        if name is not None:
            self.guarded(self.theming.use(name))

    async def use_theme(self, name: str) -> None:
        await self.theming.use(name)

    def show_agent(self, agent: AgentView | None) -> None:
        if self.to_main():
            self.main_screen.show_agent(agent)

    def leave(self) -> None:
        self.leaving.ask()

    def _on_notify(self, event: Notify) -> None:
        """A toast takes the place of the one that says the same; Textual's own handler then shows it."""
        said = _what_it_says(event.notification)
        for shown in [one for one in self._notifications if _what_it_says(one) == said]:
            self._unnotify(shown, refresh=False)

    def say(self, text: str) -> None:
        """Tell news in the corner, in place of older news; what went wrong stays its time."""
        for shown in [one for one in self._notifications if one.severity == "information"]:
            self._unnotify(shown, refresh=False)
        self.notify(one_line(text, 300), markup=False, timeout=SECONDS_SHOWN)

    # Keys that work everywhere

    def action_palette(self) -> None:
        """Every command by its name."""
        from orchestrator_tui.tui.command_palette import Palette

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
        if self.to_main():
            self.main_screen.input_bar.fill("")

    def to_main(self) -> bool:
        """Leave all screens above the main one; False when there is one that has to be answered first."""
        others = (screen for screen in self.screen_stack if screen is not self.asker.screen)
        if not self.is_furnished or any(isinstance(screen, ModalScreen) for screen in others):
            return False
        while len(self.screen_stack) > 1:
            if self.screen is self.asker.screen:
                self.asker.put_off()
            else:
                self.pop_screen()
        return True

    def action_rehearsal(self) -> None:
        """Start a rehearsal."""
        self.guarded(self.creating.rehearse())

    def action_help_quit(self) -> None:
        """What Ctrl+C says while nothing is marked to be copied."""
        self.say(f"{self.keys.shown('quit')} leaves the dashboard.")

    async def action_quit(self) -> None:
        """Leave; asks first when something runs."""
        self.leaving.ask()

    def on_unmount(self) -> None:
        self.attention.close()

    def _handle_exception(self, error: Exception) -> None:
        """End without Textual's traceback on the terminal: it shows local variables, and those hold secrets."""
        self.broke = self.broke or (error.error if isinstance(error, WorkerFailed) else error)
        if self.is_headless:
            super()._handle_exception(error)
        elif isinstance(self.broke, NoMatches | ScreenStackError):
            # A screen that was closed while something was still on its way to it; agents may be at work.
            logger.warning("a closed screen was asked for something", exc_info=self.broke)
            self.broke = None
        else:
            self.exit(return_code=1)
