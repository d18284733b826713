"""One agent: who it is and for what, its log, how long it has worked and what it used."""

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from orchestrator_tui.domain import words
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui import short_forms
from orchestrator_tui.tui.glyphs import AGENTS
from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.values import agent_name
from orchestrator_tui.tui.view import AgentView
from orchestrator_tui.tui.widgets.log_panel import LogPanel

CORNERS = 4
"""Cells of a border's title that are not its text."""

Pieces = Sequence[tuple[str, str]]
"""Text with the style of each piece of it."""


class AgentPane(LogPanel):
    """A log with a border that says whose it is; shows one agent after another."""

    DEFAULT_CSS = """
    AgentPane {
        padding: 0 0 0 1;
        border: round $line;
        border-title-color: $foreground;
        border-subtitle-color: $muted;
        border-subtitle-align: right;
        &:focus-within { border: round $accent; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.agent: AgentView | None = None
        self._at: datetime | None = None
        self._hint = ""
        self._told: tuple[Pieces, Pieces] = ((), ())

    def show(self, agent: AgentView, log: LogBuffer, at: datetime) -> None:
        """Shows an agent at the moment `at`."""
        self.agent, self._at = agent, at
        self.show_log(log)
        self._tell()

    def tick(self, at: datetime) -> None:
        """Says how long the agent has worked by then."""
        self._at = at
        self._tell()

    def tell_hint(self, hint: str) -> None:
        """Says something more at the end of the title."""
        self._hint = hint
        self._tell()

    def filtered(self) -> None:
        """Says in the border what is hidden."""
        self._tell()

    def on_resize(self) -> None:
        """The border has another width."""
        self._tell()

    def _tell(self) -> None:
        if self.agent is None or self._at is None:
            return
        room = max(0, self.outer_size.width - CORNERS)
        told = title_of(self.agent, self._hint), subtitle_of(self.agent, self._at, self.hidden_words, room)
        if told != self._told:
            self._told = told
            self.border_title, self.border_subtitle = (Content.assemble(*pieces) for pieces in told)


def title_of(agent: AgentView, hint: str = "") -> Pieces:
    """`● agent-1 TASK-32 implementer`."""
    sign, color = AGENTS[agent.status]
    rest = " ".join(part for part in (agent.item_key or "", one_line(words.title(agent.role), 40)) if part)
    after = f" {rest} · {hint}" if hint else f" {rest}"
    return (sign, f"${color}"), (f" {agent_name(agent)}", "bold"), (after, "$muted")


def subtitle_of(agent: AgentView, at: datetime, hidden: Sequence[str], room: int) -> Pieces:
    """`2m41 · $0.11 · 38k`, and before that what is hidden, in `room` cells if it can be."""
    figures = " · ".join(figures_of(agent, at))
    if not hidden:
        return ((figures, "$muted"),)
    named, counted = f"without {', '.join(hidden)}", f"without {len(hidden)} kinds"
    less = named if len(named) + 3 + len(figures) <= room else counted if len(hidden) > 1 else named
    return (less, "$warning"), (f" · {figures}", "$muted")


def figures_of(agent: AgentView, at: datetime) -> Sequence[str]:
    """How long it has worked by `at`; money and tokens once they are known."""
    figures = [short_forms.span(((agent.ended_at or at) - agent.started_at).total_seconds())]
    if agent.usage.cost_usd:
        figures.append(words.money(agent.usage.cost_usd))
    if agent.usage.tokens:
        figures.append(short_forms.count(agent.usage.tokens))
    return figures
