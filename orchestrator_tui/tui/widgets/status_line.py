"""The first row of the dashboard: which project, how it stands, what it costs; and a row for what must be known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from orchestrator_tui.domain import words
from orchestrator_tui.domain.ownership import elsewhere
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.domain.words import plural
from orchestrator_tui.tui import short_forms
from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.glyphs import PIPELINES
from orchestrator_tui.tui.view import ProjectView

GAP = 2
NAME_CELLS = 32

PHASELESS = (PipelineStatus.NOT_STARTED, PipelineStatus.COMPLETED)
"""States in which no phase matters."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the line: words in theme colours (`*` for bold). The least `rank` stays the longest."""

    rank: int
    pieces: tuple[tuple[str, str], ...]
    right: bool = False

    @property
    def plain(self) -> str:
        return "".join(text for text, _ in self.pieces)


class StatusLine(Widget):
    """One row. As it gets narrow, parts drop out from the least important on."""

    DEFAULT_CSS = """
    StatusLine { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._parts: Sequence[Part] = parts_of(None, 0, None, 0)

    def show(
        self, project: ProjectView | None, agents: int, at: datetime, waiting: int, limit_usd: float | None = None
    ) -> None:
        """Shows a project at the moment `at`; `agents` work for it, `waiting` projects in all wait for a person."""
        parts = parts_of(project, agents, at, waiting, limit_usd)
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def notify_style_update(self) -> None:
        """Paints in the new colours."""
        super().notify_style_update()
        self.refresh()

    def render(self) -> Text:
        width = self.content_size.width
        parts = fitting(self._parts, width)
        left = self._joined([part for part in parts if not part.right], "  ")
        right = self._joined([part for part in parts if part.right], " · ")
        left.truncate(max(0, width - right.cell_len - bool(right)), overflow="ellipsis")
        return left.append(" " * max(0, width - left.cell_len - right.cell_len)).append_text(right)

    def _joined(self, parts: Sequence[Part], between: str) -> Text:
        text = Text(no_wrap=True, overflow="crop")
        for part in parts:
            text.append(between if text else "", style=self._style("muted"))
            for piece, style in part.pieces:
                text.append(piece, style=self._style(style))
        return text

    def _style(self, style: str) -> str:
        color = rich_color(self.app.theme_variables[style.removesuffix("*")])
        return f"bold {color}" if style.endswith("*") else color


class Banner(Static):
    """A row below the status line for what must be known now; not there while there is nothing to say."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 3; padding: 0 1; background: $panel; color: $warning; display: none; }
    """

    PADDING: ClassVar[int] = 2
    """Cells of its width that are not its text's."""

    def __init__(self, note: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(clean(note), id=id, classes=classes, markup=False)
        self._note = note
        self.display = bool(note)

    def show(self, note: str) -> None:
        """Says something else; hides when `note` is empty."""
        if note != self._note:
            self._note = note
            self.update(clean(note))
            self.display = bool(note)


def parts_of(
    project: ProjectView | None, agents: int, at: datetime | None, waiting: int, limit_usd: float | None = None
) -> Sequence[Part]:
    """All parts of the line from left to right."""
    parts = [Part(6, (("orchestrator", "accent*"),))]
    if project is not None:
        parts += [Part(0, ((one_line(project.name, NAME_CELLS), "foreground*"),)), _state(project)]
        if process := elsewhere(project.owner, project.status):
            parts.append(Part(3, ((f"in {process}", "muted"),)))
        if project.sandboxed is False and project.status not in PHASELESS:
            parts.append(Part(2, (("no sandbox", "warning"),)))
    if waiting:
        parts.append(Part(1, ((f"● {waiting} {'waits' if waiting == 1 else 'wait'}", "warning*"),), right=True))
    if project is not None:
        parts += _figures(project, agents, limit_usd)
    if at is not None:
        parts.append(Part(7, ((f"{at.astimezone():%H:%M}", "muted"),), right=True))
    return parts


def _state(project: ProjectView) -> Part:
    sign, color = PIPELINES[project.status]
    state = words.title(project.status)
    if project.current_phase is not None and project.status not in PHASELESS:
        phase = words.title(project.current_phase)
        return Part(2, ((f"{sign} {state}", color), (" · ", "muted"), (phase, "foreground")))
    return Part(2, ((f"{sign} {state}", color),))


def _figures(project: ProjectView, agents: int, limit_usd: float | None) -> Sequence[Part]:
    usage = project.usage
    of = f" of {short_forms.limit(limit_usd)}" if limit_usd is not None else ""
    spent = (("spent ", "muted"), (words.money(usage.cost_usd), "foreground"), (of, "muted"))
    tokens = ((short_forms.count(usage.tokens), "foreground"), (" tok", "muted"))
    number, _, noun = plural(agents, "agent").partition(" ")
    working = ((number, "foreground"), (f" {noun}", "muted"))
    parts = (Part(3, spent, right=True), Part(5, tokens, right=True), Part(4, working, right=True))
    return [part for part, shown in zip(parts, (True, usage.tokens, agents), strict=True) if shown]


def fitting(parts: Sequence[Part], width: int) -> Sequence[Part]:
    """The parts that fit into `width` cells, the most important ones first."""
    kept: Sequence[Part] = []
    for part in sorted(parts, key=lambda part: part.rank):
        more = [one for one in parts if one in kept or one is part]
        if not kept or _cells(more) <= width:
            kept = more
    return kept


def _cells(parts: Sequence[Part]) -> int:
    right = [part for part in parts if part.right]
    cells = sum(Text(part.plain).cell_len for part in parts)
    return cells + 2 * max(0, len(parts) - len(right) - 1) + 3 * max(0, len(right) - 1) + GAP * bool(right)
