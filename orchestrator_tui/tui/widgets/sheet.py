"""A sheet of painted lines that scrolls: laid out for the width there is, again after a resize or another theme."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from orchestrator_tui.tui.colors import rich_color

Ink = Callable[[str], str]
"""Gives a colour of the theme, such as `muted`, as Rich wants it."""

Lines = Callable[[int, Ink], Sequence[Text]]
"""Lays out a sheet for so many cells; a line that is longer is cut with an ellipsis."""


def ink_of(app: App[Any]) -> Ink:
    """The colours of the app's theme."""
    return lambda name: rich_color(app.theme_variables[name])


class Sheet(ScrollView, can_focus=True):
    """Shows what `show` was given last; the place in it is kept."""

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = """
    Sheet { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; background: $background; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lay_out: Lines = lambda width, ink: ()
        self._laid_out: Sequence[Text] = ()

    def show(self, lines: Lines) -> None:
        """Shows other lines."""
        self._lay_out = lines
        self._renew()

    def on_resize(self) -> None:
        """Lays out for the new width."""
        self._renew()

    def watch_show_vertical_scrollbar(self) -> None:
        """Lays out again beside the bar."""
        self.call_after_refresh(self._renew)

    def notify_style_update(self) -> None:
        """Lays out in the new colours."""
        super().notify_style_update()
        if self.is_attached:
            self._renew()

    def render_line(self, y: int) -> Strip:
        """The line `y` of the screen."""
        width, at = max(0, self.scrollable_content_region.width), self.scroll_offset.y + y
        if at >= len(self._laid_out):
            return Strip.blank(width, self.rich_style)
        text = self._laid_out[at]
        if text.cell_len > width:
            text = text.copy()
            text.truncate(width, overflow="ellipsis")
        strip = Strip(text.render(self.app.console, end=""))
        return strip.apply_style(self.rich_style).adjust_cell_length(width, self.rich_style)

    def _renew(self) -> None:
        width = self.scrollable_content_region.width
        self._laid_out = self._lay_out(width, ink_of(self.app)) if width > 0 else ()
        size = Size(width, len(self._laid_out))
        if size != self.virtual_size:
            self.virtual_size = size
        self.refresh()
