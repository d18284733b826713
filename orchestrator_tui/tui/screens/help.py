"""All commands and keys, and how a project goes; typing finds."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from orchestrator_tui.tui.binding_ids import bindings_by_id
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.help_text import Entry, Section, matching, needle_for, sections
from orchestrator_tui.tui.screens.page import Page
from orchestrator_tui.tui.widgets.sheet import Ink, Sheet
from orchestrator_tui.tui.wrapping import wrap

WIDEST_NAME = 28


class HelpPage(Page):
    """Opens at a command if one is given."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "Up", show=False, id="help.up", tooltip="One row up"),
        Binding("down", "scroll(1)", "Down", show=False, id="help.down", tooltip="One row down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="help.pageup", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="help.pagedown", tooltip="One page down"),
    ]
    DEFAULT_CSS = """
    HelpPage #help-field { height: 1; border: none; padding: 0 1; background: $panel; }
    HelpPage Sheet { height: 1fr; }
    """

    def __init__(self, context: Context, command: str | None = None) -> None:
        super().__init__(context, "Help")
        self._needle = needle_for(command)
        self._sections = sections(context.keymap, [])

    def body(self) -> ComposeResult:
        yield Input(self._needle, placeholder="Type to find a command or a key", id="help-field")
        yield Sheet()

    def on_mount(self) -> None:
        self.query_one("#help-field", Input).focus()

    async def load(self) -> None:
        self._show()
        # All screens are imported for it; nobody waits for that.
        found = await asyncio.to_thread(bindings_by_id)
        self._sections = sections(self.context.keymap, [bindings[0] for bindings in found.values()])
        self._show()

    @on(Input.Changed, "#help-field")
    def _typed(self) -> None:
        self._show()
        self.query_one(Sheet).scroll_to(y=0, animate=False)

    def _show(self) -> None:
        found = matching(self._sections, self.query_one("#help-field", Input).value)
        self.query_one(Sheet).show(lambda width, ink: help_lines(found, width, ink))

    def action_search(self) -> None:
        """Goes to the field."""
        self.query_one("#help-field", Input).focus()

    def action_close(self) -> None:
        """Empties the field, else closes the help."""
        field = self.query_one("#help-field", Input)
        if field.value and field.value != self._needle:
            field.value = ""
        else:
            super().action_close()

    def action_scroll(self, rows: int) -> None:
        """Scrolls by so many rows."""
        self.query_one(Sheet).scroll_relative(y=rows, animate=False)

    def action_page(self, pages: int) -> None:
        """Scrolls by so many pages; one row of the old page stays."""
        sheet = self.query_one(Sheet)
        sheet.scroll_relative(y=pages * max(1, sheet.size.height - 1), animate=False)


def help_lines(found: Sequence[Section], width: int, ink: Ink) -> list[Text]:
    """The help, laid out for so many cells; meanings wrap under a hanging indent."""
    if not found:
        return [Text(), Text("Nothing in the help has these words.", ink("muted"))]
    longest = max(len(entry.name) for section in found for entry in section.entries)
    column = min(longest, WIDEST_NAME, max(6, width // 3)) + 2
    lines: list[Text] = []
    for section in found:
        lines += [Text(), Text(section.title, f"bold {ink('accent')}")]
        for entry in section.entries:
            lines += _entry(entry, column, width, ink)
    return lines


def _entry(entry: Entry, column: int, width: int, ink: Ink) -> list[Text]:
    space = max(1, width - column)
    more = f"   {entry.more}" if entry.more else ""
    first, *others = _rows(entry.meaning, space)
    lines = [Text(first, ink("foreground")), *(Text(row, ink("foreground")) for row in others)]
    if len(lines[-1]) + len(more) <= space:
        lines[-1].append(more, ink("muted"))
    else:
        lines += [Text(row, ink("muted")) for row in _rows(entry.more, space)]
    names = _rows(entry.name, column - 2)
    height = max(len(names), len(lines))
    padded = [(names[at] if at < len(names) else "").ljust(column) for at in range(height)]
    lines += [Text()] * (height - len(lines))
    return [Text(name, ink("accent")).append_text(line) for name, line in zip(padded, lines, strict=True)]


def _rows(text: str, width: int) -> list[str]:
    return [text[start:end].rstrip() for start, end in wrap(text, max(1, width))]
