"""A few facts, one a row: what it is, dimmed, then its value; long values wrap under themselves."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text
from textual.widget import Widget

from orchestrator_tui.tui.colors import rich_color


class Bit(NamedTuple):
    """A piece of a value; `color` is a variable of the theme."""

    text: str
    color: str = "foreground"


class Fact(NamedTuple):
    """One row."""

    label: str
    bits: Sequence[Bit]


class Facts(Widget):
    """Shows what `show` was given last, in the colours of the theme that is in force."""

    DEFAULT_CSS = "Facts { height: auto; background: transparent; }"

    def __init__(self, *facts: Fact, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts: Sequence[Fact] = facts

    def show(self, facts: Sequence[Fact]) -> None:
        """Shows other facts."""
        if list(facts) != list(self._facts):
            self._facts = tuple(facts)
            self.refresh(layout=True)

    def render(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        for fact in self._facts:
            value = Text()
            for bit in fact.bits:
                value.append(bit.text, self._color(bit.color))
            table.add_row(Text(fact.label, self._color("muted")), value)
        return table

    def _color(self, name: str) -> str:
        return rich_color(self.app.theme_variables[name])
