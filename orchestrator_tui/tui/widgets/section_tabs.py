"""One row that says which parts a page has, with the key of each; a click or the key shows a part."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from orchestrator_tui.tui.colors import rich_color


class Section(NamedTuple):
    """One part of a page; `detail` stands behind its name, dimmed."""

    name: str
    detail: str = ""


class SectionTabs(Widget):
    """The owner tells which part shows; this only asks for another one."""

    DEFAULT_CSS = """
    SectionTabs { height: 1; margin-bottom: 1; background: $background; color: $foreground; }
    """

    class Picked(Message):
        """A person wants part `index`, counted from 0."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *sections: Section, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sections: Sequence[Section] = sections
        self._active = 0

    def show(self, sections: Sequence[Section], active: int) -> None:
        """Shows these parts, of which `active` is the one that is looked at."""
        if (tuple(sections), active) != (tuple(self._sections), self._active):
            self._sections, self._active = tuple(sections), active
            self.refresh()

    def render(self) -> Text:
        colors = {name: rich_color(self.app.theme_variables[name]) for name in ("accent", "muted", "foreground")}
        text = Text(no_wrap=True, overflow="ellipsis")
        for index, section in enumerate(self._sections):
            active = index == self._active
            text.append(f"{index + 1} ", colors["muted"])
            text.append(section.name, f"bold underline {colors['accent']}" if active else colors["foreground"])
            text.append(f" {section.detail}" if section.detail else "", colors["muted"])
            text.append("   ")
        return text

    def on_click(self, event: events.Click) -> None:
        """Asks for the part under the mouse."""
        left = event.get_content_offset_capture(self).x
        for index, section in enumerate(self._sections):
            left -= len(f"{index + 1} {section.name}") + (len(section.detail) + 1 if section.detail else 0) + 3
            if left < 0:
                self.post_message(self.Picked(index))
                return
