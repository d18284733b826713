"""A row with all agents when there are more than panes: which are shown, how much is new with the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from orchestrator_tui.domain.words import title
from orchestrator_tui.tui import short_forms
from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.glyphs import AGENTS
from orchestrator_tui.tui.view import AgentView

MORE = 2
"""Cells at either end to say that there are more."""


@dataclass(frozen=True, slots=True)
class Tab:
    """`shown`: in a pane; `marked`: in the one that keys go to; `new`: lines since it was looked at."""

    agent: AgentView
    shown: bool = False
    marked: bool = False
    new: int = 0

    @property
    def text(self) -> str:
        """`[● 3 TASK-7]` while shown, else ` ● 3 TASK-7 +12 `."""
        sign, _ = AGENTS[self.agent.status]
        new = f" +{short_forms.count(self.new)}" if self.new else ""
        inner = f"{sign} {self.agent.number} {self.agent.item_key or title(self.agent.role)}{new}"
        return f"[{inner}]" if self.shown else f" {inner} "


class AgentTabs(Widget):
    """A click on a tab picks it. The marked one is always among those that fit."""

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = """
    AgentTabs { height: 1; padding: 0 1; background: $background; color: $muted; display: none; }
    """

    class Picked(Message):
        """A person wants to see an agent."""

        def __init__(self, agent_id: str) -> None:
            super().__init__()
            self.agent_id = agent_id

    def __init__(self) -> None:
        super().__init__()
        self._tabs: Sequence[Tab] = ()

    def show(self, tabs: Sequence[Tab]) -> None:
        """Shows these agents."""
        if tabs != self._tabs:
            self._tabs = tabs
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Picks the tab under the mouse."""
        offset = event.get_content_offset(self)
        for tab, x in self._places():
            if offset is not None and x <= offset.x < x + len(tab.text):
                self.post_message(self.Picked(tab.agent.agent_id))

    def notify_style_update(self) -> None:
        """Paints in the new colours."""
        super().notify_style_update()
        self.refresh()

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="crop")
        places = list(self._places())
        if places and places[0][0] is not self._tabs[0]:
            text.append("‹ ")
        for tab, x in places:
            text.append(" " * (x - text.cell_len))
            text.append(tab.text, style=self._style(tab))
        if places and places[-1][0] is not self._tabs[-1]:
            text.append(" ›")
        return text

    def _style(self, tab: Tab) -> str:
        color = "accent" if tab.marked else "foreground" if tab.shown else "warning" if tab.new else "muted"
        return f"{'bold ' if tab.marked else ''}{rich_color(self.app.theme_variables[color])}"

    def _places(self) -> Iterator[tuple[Tab, int]]:
        """The tabs that fit, and where each begins."""
        room = self.content_size.width
        first = self._first(room)
        x = MORE if first else 0
        for index, tab in enumerate(self._tabs[first:], first):
            last = index == len(self._tabs) - 1
            if x + len(tab.text) + (0 if last else MORE) > room and index != first:
                return
            yield tab, x
            x += len(tab.text) + 1

    def _first(self, room: int) -> int:
        """The first tab to show: as far to the left as the marked one allows."""
        if not self._tabs:
            return 0
        marked = next((index for index, tab in enumerate(self._tabs) if tab.marked), 0)
        first, cells = marked, 2 * MORE
        for index in range(marked, -1, -1):
            cells += len(self._tabs[index].text) + 1
            if cells > room:
                break
            first = index
        return first
