"""The agents' logs side by side: one to three panes, and a row of tabs when there are more agents."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from orchestrator_tui.domain.text import clean
from orchestrator_tui.tui.agentlog import AgentLogs
from orchestrator_tui.tui.keymap import Keymap
from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.pane_places import Places, is_at_work, newest_last, placed
from orchestrator_tui.tui.view import AgentView
from orchestrator_tui.tui.widgets.agent_pane import AgentPane
from orchestrator_tui.tui.widgets.agent_tabs import AgentTabs, Tab
from orchestrator_tui.tui.widgets.flush_timer import FlushTimer

MOST = 3
LEAST_CELLS = 36
"""A pane narrower than this is not worth having beside another one."""
SWARM_CELLS = 28
"""Unless it is one of three: a swarm is looked at as a whole, and 120 columns leave it so much."""


class AgentPanes(Widget):
    """Shows the agents it is given; a pane keeps its agent while that is at work, and after that as long as it can."""

    DEFAULT_CSS = """
    AgentPanes {
        layout: vertical;
        height: 1fr;
        background: $background;
        & > #agent-tiles { height: 1fr; }
        & > #agent-empty { height: 1fr; content-align: center middle; text-align: center; color: $muted; padding: 0 2; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,ctrl+left", "go(-1)", "Agent before", show=False, id="agents.left", tooltip="The agent before"),
        Binding("right,ctrl+right", "go(1)", "Next agent", show=False, id="agents.right", tooltip="The next agent"),
    ]

    def __init__(self, keys: Keymap | None = None, *, id: str | None = None, classes: str | None = None) -> None:
        """`keys` are only shown: how to leave the zoom."""
        super().__init__(id=id, classes=classes)
        self._keys = keys
        self._panes = [AgentPane(classes="agent-pane") for _ in range(MOST)]
        self._tabs = AgentTabs()
        self._empty = Static(id="agent-empty", markup=False)
        self._agents: Mapping[str, AgentView] = {}
        self._logs = AgentLogs()
        self._at: datetime | None = None
        self._places: Places = ()
        self._current: str | None = None
        self._pinned: str | None = None
        self._zoomed = False
        self._read_to: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        yield self._tabs
        with Horizontal(id="agent-tiles"):
            yield from self._panes
        yield self._empty

    def on_mount(self) -> None:
        self._arrange()
        FlushTimer(self).add(*self._panes, self)

    # What is shown

    def show(self, agents: Sequence[AgentView], logs: AgentLogs, at: datetime) -> None:
        """Shows these agents of one project at the moment `at`; other `logs` are another project's."""
        if logs is not self._logs:
            self._places, self._agents, self._read_to = (), {}, {}
            self._current, self._pinned, self._zoomed = None, None, False
        given = {agent.agent_id: agent for agent in agents}
        self._unpin(given)
        self._agents = {**self._readable(), **given}
        self._logs, self._at = logs, at
        self._arrange()

    def tick(self, at: datetime) -> None:
        """Shows what changes with the time: agents that think for long say nothing meanwhile."""
        if self._at is not None:
            self._at = at
            for pane in self._visible:
                pane.tick(at)

    def _readable(self) -> Mapping[str, AgentView]:
        """Agents in panes that have ended; they stay until their place is needed, told of or not."""
        shown = {one: agent for one, agent in self._agents.items() if one in self._places}
        return {one: agent for one, agent in shown.items() if not is_at_work(agent)}

    def _unpin(self, given: Mapping[str, AgentView]) -> None:
        """An agent that a person chose gives way to one that starts after that, unless its log has the focus."""
        focused = self._focused_pane()
        reads = focused is not None and focused.agent is not None and focused.agent.agent_id == self._pinned
        if not reads and any(is_at_work(agent) for one, agent in given.items() if one not in self._agents):
            self._pinned = None

    def show_empty(self, text: str) -> None:
        """What to say while there is no agent."""
        self._empty.update(clean(text))

    @property
    def has_news(self) -> bool:
        """Whether the tabs may have something new to tell; the panes are flushed by themselves."""
        return bool(self._tabs.display)

    def flush(self) -> bool:
        """Shows in the tabs what has arrived in logs that are in no pane."""
        if self._tabs.display:
            self._show_tabs()
        return False

    @property
    def _visible(self) -> list[AgentPane]:
        return [pane for pane in self._panes if pane.display]

    @property
    def _pane_of(self) -> Mapping[str, AgentPane]:
        return {one: pane for one, pane in zip(self._places, self._panes, strict=False) if one}

    def _capacity(self) -> int:
        if self.size.width >= MOST * SWARM_CELLS:
            return MOST
        return max(1, self.size.width // LEAST_CELLS)

    def _arrange(self) -> None:
        """Gives every agent its place, and every pane its agent."""
        if self._at is not None:
            held = {one for one, pane in self._pane_of.items() if pane.is_read or one == self._pinned}
            self._places = placed(self._places, self._capacity(), self._agents, held)
            for agent_id, pane in self._pane_of.items():
                pane.show(self._agents[agent_id], self._log_of(agent_id, pane), self._at)
        self._show_panes()

    def _log_of(self, agent_id: str, pane: AgentPane) -> LogBuffer:
        if agent_id in self._logs:
            return self._logs[agent_id]
        known = pane.agent is not None and pane.agent.agent_id == agent_id
        return pane.view.buffer if known else LogBuffer()

    def _show_panes(self) -> None:
        pane_of = self._pane_of
        if self._current not in pane_of:
            self._current = next(iter(pane_of), None)
        lost = self._focused_pane()
        shown = [self._current] if self._zoomed else list(pane_of)
        for index, pane in enumerate(self._panes):
            agent_id = self._places[index] if index < len(self._places) else None
            pane.display = agent_id is not None and agent_id in shown
        self._empty.display = not pane_of
        self.query("#agent-tiles").set(display=bool(pane_of))
        self._tabs.display = len(self._agents) > len(self._visible)
        self._show_tabs()
        self._tell_zoom()
        if lost is not None and not lost.display and self._visible:
            self._visible[0].view.focus()

    def _show_tabs(self) -> None:
        visible = {pane.agent.agent_id: pane for pane in self._visible if pane.agent}
        for agent_id in visible:
            if agent_id in self._logs:
                self._read_to[agent_id] = self._logs[agent_id].end
        tabs = [
            Tab(agent, agent.agent_id in visible, agent.agent_id == self._current, self._new_lines(agent.agent_id))
            for agent in self._in_order()
        ]
        self._tabs.show(tabs)

    def _in_order(self) -> Sequence[AgentView]:
        """Agents at work in the order they started, then those that have ended, the newest first."""
        at_work = [agent for agent in self._agents.values() if is_at_work(agent)]
        ended = [agent for agent in newest_last(self._agents.values()) if not is_at_work(agent)]
        return [*sorted(at_work, key=lambda agent: (agent.started_at, agent.number)), *reversed(ended)]

    def _new_lines(self, agent_id: str) -> int:
        if agent_id not in self._logs:
            return 0
        log = self._logs[agent_id]
        return log.shown_since(self._read_to.setdefault(agent_id, 0 if is_at_work(self._agents[agent_id]) else log.end))

    # Moving

    def focus_agent(self, agent_id: str) -> bool:
        """Shows an agent, in the pane that was used last if it is in none, and gives its log the focus.

        Returns:
            Whether the agent is known here.
        """
        if agent_id not in self._agents:
            return False
        self._bring(agent_id)
        self._pane_of[agent_id].view.focus()
        return True

    @property
    def focused_agent(self) -> str | None:
        """The id of the agent whose log has the focus."""
        pane = self._focused_pane()
        return pane.agent.agent_id if pane is not None and pane.agent is not None else None

    def focus_first(self) -> bool:
        """Gives the log that was used last the focus, or the first one; False when there is none."""
        if self._current is not None and self._current in self._pane_of:
            return self.focus_agent(self._current)
        return any(self.focus_agent(agent_id) for agent_id in list(self._pane_of)[:1])

    @property
    def is_zoomed(self) -> bool:
        """Whether one pane has the whole place."""
        return self._zoomed

    def toggle_zoom(self) -> None:
        """Gives the whole place to the pane that was used last, and back."""
        self._zoomed = not self._zoomed and bool(self._pane_of)
        self._show_panes()

    def action_go(self, steps: int) -> None:
        """Goes to another agent, in the order of the tabs."""
        order = [agent.agent_id for agent in self._in_order()]
        if not self._tabs.display:
            order = list(self._pane_of)
        if self._current in order:
            self.focus_agent(order[max(0, min(len(order) - 1, order.index(self._current) + steps))])

    def _bring(self, agent_id: str) -> None:
        """Makes an agent the current one and sees to it that it is shown."""
        if agent_id not in self._places and self._current in self._places:
            self._places = tuple(agent_id if one == self._current else one for one in self._places)
        # One at work keeps its place anyway, and must not keep it for ever once it has ended.
        self._pinned = None if is_at_work(self._agents[agent_id]) else agent_id
        self._current = agent_id
        self._arrange()

    def _focused_pane(self) -> AgentPane | None:
        return next((pane for pane in self._panes if pane.is_attached and pane.has_focus_within), None)

    def _tell_zoom(self) -> None:
        hint = f"{self._keys.shown('zoom')} back" if self._keys and self._zoomed else ""
        for pane in self._panes:
            pane.tell_hint(hint if pane.display else "")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The pane that keys go to is the one to zoom, and the one another agent comes into."""
        pane = self._focused_pane()
        if pane is not None and pane.agent is not None:
            self._current = pane.agent.agent_id
            self._show_tabs()

    def on_agent_tabs_picked(self, message: AgentTabs.Picked) -> None:
        message.stop()
        self.focus_agent(message.agent_id)

    def on_resize(self) -> None:
        """There may be room for another number of panes."""
        self._arrange()
