"""The main screen: projects, phases, the agents' logs, work items, and the input bar."""

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.standing import RESTING, worker_with_folder
from orchestrator_tui.domain.statuses import AT_WORK, PhaseName, PipelineStatus
from orchestrator_tui.tui.bridge import Bridge, Contact
from orchestrator_tui.tui.happenings import stop_step
from orchestrator_tui.tui.keymap import Keymap, Place, bindings
from orchestrator_tui.tui.least_size import LEAST
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.main_keys import MainKeys
from orchestrator_tui.tui.setup import Setup
from orchestrator_tui.tui.slash import Values
from orchestrator_tui.tui.values import agent_name, agents_of
from orchestrator_tui.tui.view import AgentView, ProjectView
from orchestrator_tui.tui.widgets.agent_panes import AgentPanes
from orchestrator_tui.tui.widgets.input_bar import InputBar
from orchestrator_tui.tui.widgets.item_list import ItemList
from orchestrator_tui.tui.widgets.key_bar import Hint, KeyBar
from orchestrator_tui.tui.widgets.phase_timeline import PhaseTimeline
from orchestrator_tui.tui.widgets.project_list import ProjectList
from orchestrator_tui.tui.widgets.row_list import RowList
from orchestrator_tui.tui.widgets.status_line import Banner, StatusLine
from orchestrator_tui.tui.widgets.welcome import Welcome

TICKS = 1.0
TOO_SMALL = f"The terminal is too small for the dashboard.\n{LEAST.width}×{LEAST.height} is the least, 80×24 is good."
LEAVE_INPUT = Hint("esc", "all keys", "next_pane")
OPENING = "Opening …"
REHEARSAL = "Rehearsal: the model is scripted, costs are pretended, you pay 0."
REHEARSAL_SHORT = "Rehearsal: a scripted model, you pay 0."
"""Where the other one would take a second row from what is below."""


class MainScreen(MainKeys):
    """Shows what `bridge` knows; posts `CommandGiven` for what a person wants."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.MAIN)]
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (LEAST.width, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (LEAST.height, "-low"), (30, "-high")]  # noqa: RUF012

    def __init__(self, bridge: Bridge, keys: Keymap, values: Values, setup: Setup) -> None:
        super().__init__()
        self._bridge = bridge
        self._keys = keys
        self._setup = setup
        self._clock = setup.clock
        self.selected_id: str | None = None
        self.input_bar = InputBar(values, setup.paths.input_history)

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield Banner()
        with Horizontal(id="middle"):
            with Vertical(id="side"):
                yield ProjectList(empty=OPENING)
                yield ItemList()
            with Vertical(id="work"):
                yield PhaseTimeline()
                yield AgentPanes(self._keys)
                welcome = Welcome(self._keys, self._setup.has_credentials)
                # Until the projects are read nobody knows whether there are any.
                welcome.display = False
                yield welcome
        yield Static(TOO_SMALL, id="too-small")
        yield self.input_bar
        yield KeyBar(self._keys, Place.MAIN, note=self._setup.place)

    def on_mount(self) -> None:
        self.input_bar.focus_text()
        self.set_interval(TICKS, self.tick, name="clock of the main screen")
        self.call_next(self.redraw)

    def on_descendant_focus(self) -> None:
        self._tell_keys()

    def on_descendant_blur(self) -> None:
        self._tell_keys()

    def _tell_keys(self) -> None:
        within_log = self.query_one(AgentPanes).has_focus_within
        places = (Place.LOG, Place.MAIN) if within_log else (Place.MAIN,)
        waits = self.selected is not None and self.selected.waits_for_person
        self.query_one(KeyBar).show(*places, hints=self._key_hints(), without=() if waits else ("approve",))
        self.query_one(KeyBar).show_typing(self.input_bar.has_focus_within, LEAVE_INPUT)

    def _key_hints(self) -> Sequence[Hint]:
        """How to go on with a project that does not; while a person types, Esc comes before its key."""
        project, before = self.selected, "esc " if self.input_bar.has_focus_within else ""
        if project is None:
            return ()
        if project.waits_for_person:
            return (Hint(f"{before}{self._keys.shown('waiting')}", "what waits", "waiting"),)
        if project.status in RESTING:
            return (Hint(f"{before}{self._keys.shown('resume')}", "resume", "resume"),)
        return ()

    def on_paste(self, event: events.Paste) -> None:
        """No pane takes a paste: it is meant for the input bar."""
        event.stop()
        self.input_bar.paste(event.text)

    # What is shown

    @property
    def selected(self) -> ProjectView | None:
        """The project that is shown."""
        return self._bridge.dashboard.projects.get(self.selected_id or "")

    @property
    def is_on_top(self) -> bool:
        """Whether no other screen lies over this one; Textual's `is_current` holds for what is below, too."""
        return self.app.screen_stack[-1:] == [self]

    @property
    def is_idle(self) -> bool:
        """Whether this screen is looked at and nothing is written in the input bar."""
        return self.is_on_top and self.is_idle_input

    @property
    def is_idle_input(self) -> bool:
        """Whether nothing is written in the input bar."""
        return not self.input_bar.text.strip()

    def select(self, project_id: str) -> None:
        """Show another project."""
        self.selected_id = project_id
        self._bridge.select(project_id)
        self.redraw()

    def on_happened(self, message: Happened) -> None:
        if self.selected_id is None and (projects := message.dashboard.in_order()):
            self.select(projects[0].id)
        self.redraw()

    def redraw(self) -> None:
        """Shows the present state everywhere; parts that did not change do nothing."""
        if not self.is_mounted:
            return
        dashboard, project, at = self._bridge.dashboard, self.selected, self._clock()
        projects = dashboard.in_order()
        opening = self._bridge.contact is not Contact.OPEN
        self.query_one(ProjectList).show_empty(OPENING if opening else "No project yet.")
        self.query_one(ProjectList).show_projects(projects, self.selected_id, at, dashboard.total)
        empty = not projects and self._bridge.contact is Contact.OPEN
        self.query_one(Welcome).display = empty
        self.query_one(AgentPanes).display = not empty
        self.tick()
        feed = self._bridge.feed
        panes = self.query_one(AgentPanes)
        if feed is not None and project is not None and feed.project_id == project.id:
            self.query_one(ItemList).show_items(list(feed.items.values()), feed.workers(project))
            panes.show(list(reversed(agents_of(self._bridge))), feed.logs, at)
        panes.show_empty(self._what_next(project))
        self._tell_keys()
        self.set_class(panes.is_zoomed, "-zoomed")

    def tick(self) -> None:
        """Shows what changes with the time."""
        project, at = self.selected, self._clock()
        waiting = sum(one.waits_for_person for one in self._bridge.dashboard.projects.values())
        running = len(project.running_agents) if project else 0
        self.query_one(StatusLine).show(project, running, at, waiting)
        self.query_one(PhaseTimeline).show(project, at)
        self.query_one(ProjectList).tick(at)
        self.query_one(AgentPanes).tick(at)
        self.query_one(Banner).show(self._note(project))

    def _note(self, project: ProjectView | None) -> str:
        problem = self._bridge.problem
        match self._bridge.contact:
            case Contact.LOST:
                return f"{problem.line() if problem else 'No connection.'} What you see is kept; it is tried again."
            case Contact.OPENING:
                return "Opening the projects …"
            case _ if problem is not None:
                return problem.line()
        at_work = any(one.status in AT_WORK for one in self._bridge.dashboard.projects.values())
        if at_work and (trouble := self._bridge.trouble) is not None:
            return f"{trouble.line()} What ran waits: nothing is lost, and it goes on by itself."
        if project is not None and project.status is PipelineStatus.STOPPING and project.stop_steps:
            return f"Stopping {stop_step(project.stop_steps[-1])}"
        if project is not None and project.rehearsal:
            return REHEARSAL if len(REHEARSAL) + Banner.PADDING <= self.size.width else REHEARSAL_SHORT
        return ""

    def _what_next(self, project: ProjectView | None) -> str:
        if project is None:
            return ""
        if project.waits_for_person:
            return f"Waits for you: {self._keys.shown('waiting')} shows what."
        if project.waits_for_folder:
            return f"Waits for {worker_with_folder(project.folder_missing_on)}"
        if project.queued:
            return "Waits for a worker to take it up: /workers shows which are there."
        if project.seats and not project.running_agents:
            return f"Waits for {next(iter(project.seats.values()))} to end."
        feed = self._bridge.feed
        if feed is not None and not feed.loaded:
            return "Loading what its agents did …"
        return "No agent is at work."

    @property
    def focused_agent(self) -> str | None:
        agent_id = self.query_one(AgentPanes).focused_agent
        return next((agent_name(one) for one in agents_of(self._bridge) if one.agent_id == agent_id), None)

    def show_agent(self, agent: AgentView | None) -> None:
        """Give an agent's log the focus; the first one's without `agent`."""
        panes = self.query_one(AgentPanes)
        if agent is not None:
            panes.focus_agent(agent.agent_id)
        else:
            panes.focus_first()

    # What the person does

    def on_project_list_picked(self, message: ProjectList.Picked) -> None:
        self.select(message.project_id)
        project = self.selected
        if project is not None and project.waits_for_person:
            self.give(f"/resume {project.number}")

    def on_row_list_end_neared(self, message: RowList.EndNeared) -> None:
        if isinstance(message.row_list, ProjectList):
            self.run_worker(self._load_more(), name="more projects", group="more projects", exclusive=True)

    async def _load_more(self) -> None:
        # The banner tells of a store that is gone; after that the first pages are read again.
        with suppress(StoreUnavailable):
            await self._bridge.load_more()

    def on_item_list_picked(self, message: ItemList.Picked) -> None:
        self.give(f"/items {message.key}")

    def on_phase_timeline_picked(self, message: PhaseTimeline.Picked) -> None:
        self.open_phase(message.phase)

    def open_phase(self, phase: PhaseName) -> None:
        """Show a phase's artifact, sessions and history."""
        from orchestrator_tui.tui.screens.phase import PhasePage

        if self.selected is not None:
            self.app.push_screen(PhasePage(self.dashboard_app.context, self.selected.id, phase))

    def on_input_bar_left(self, message: InputBar.Left) -> None:
        self.query_one(ProjectList).focus()

    def action_next_pane(self) -> None:
        """Focus goes to the next pane."""
        self.focus_next()

    def action_previous_pane(self) -> None:
        """Focus goes to the pane before."""
        self.focus_previous()

    def focus_projects(self) -> None:
        """Focus goes to the list of projects, unless something is being written."""
        if self.is_idle_input:
            self.set_focus(self.query_one(ProjectList))

    def action_input(self) -> None:
        """Focus goes to the input bar; a slash is the beginning of a command."""
        if self.dashboard_app.last_key == "slash" and self.input_bar.text.lstrip()[:1] in ("", "/"):
            self.input_bar.fill("/")
        else:
            self.input_bar.focus_text()

    def action_zoom(self) -> None:
        """The focused log takes the whole screen, and back."""
        panes = self.query_one(AgentPanes)
        panes.toggle_zoom()
        self.set_class(panes.is_zoomed, "-zoomed")
        panes.focus_first()
