"""Puts a timeline into the cells there are: names in full, shortened, or signs alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product

from rich.cells import cell_len
from rich.text import Text

from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus
from orchestrator_tui.domain.text import clean
from orchestrator_tui.tui.glyphs import PHASES
from orchestrator_tui.tui.timeline import Progress, Step, Timeline

Ink = Callable[[str], str]
"""Gives a colour of the theme, such as `muted`, as Rich wants it."""

JOINT = 3
"""The least cells between two phases: a line with a blank on either side."""
SIGN = 2
"""Cells of a phase's sign and its blank."""
LEAST_BAR = 8
LEAST_PLACE = 16

Names = Callable[[Step], str]
Figures = Callable[[Step], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Painted rows; `starts` are the cells of the first row at which the phases begin."""

    rows: Sequence[Text]
    starts: Sequence[int]

    def phase_at(self, x: int) -> int:
        """The number of the phase that a cell belongs to."""
        return max(0, sum(start <= x for start in self.starts) - 1)


def lay_out(timeline: Timeline, width: int, height: int, cursor: int | None, ink: Ink) -> Layout:
    """The timeline in `width` × `height` cells; the phase `cursor` is shown reversed."""
    if height >= 2:
        for names, figures, joint in _ways(height):
            starts = _starts(timeline.steps, names, figures, joint)
            if starts[-1] <= width:
                return _columns(timeline, names, figures, starts, width, height, cursor, ink)
    return _compact(timeline, width, height, cursor, ink)


def _ways(height: int) -> Iterator[tuple[Names, Figures, int]]:
    """Ways to show it, the one that says the most first; the last resort is short names without lines between."""
    figures: tuple[Figures, ...] = (_one_line, _two_lines, _duration) if height >= 4 else (_one_line, _duration)
    yield from ((*way, JOINT) for way in product((_full, _medium, _short), figures))
    yield from ((_short, one, 1) for one in figures)


def _full(step: Step) -> str:
    return step.name


def _medium(step: Step) -> str:
    return step.short_name if step.phase is PhaseName.ARCHITECTURE else step.name


def _short(step: Step) -> str:
    return step.short_name


def _one_line(step: Step) -> Sequence[str]:
    return (step.figures,)


def _two_lines(step: Step) -> Sequence[str]:
    return step.duration, step.money


def _duration(step: Step) -> Sequence[str]:
    return (step.duration,)


def _starts(steps: Sequence[Step], names: Names, figures: Figures, joint: int) -> list[int]:
    """Where each phase begins, and where the last one ends."""
    cells = [SIGN + max(len(names(step)), *(len(figure) for figure in figures(step))) for step in steps]
    return [*accumulate((own + joint for own in cells[:-1]), initial=0), sum(cells) + joint * (len(cells) - 1)]


def _columns(
    timeline: Timeline,
    names: Names,
    figures: Figures,
    starts: list[int],
    width: int,
    height: int,
    cursor: int | None,
    ink: Ink,
) -> Layout:
    head = Text()
    below = [Text() for _ in figures(timeline.steps[0])]
    for index, step in enumerate(timeline.steps):
        if index:
            line = "─" * (starts[index] - head.cell_len - 2)
            head.append(f" {line} " if line else " " * (starts[index] - head.cell_len), style=ink("line"))
        _append_step(head, step, names(step), index == cursor, ink)
        for row, figure in zip(below, figures(step), strict=True):
            row.append(" " * (starts[index] + SIGN - row.cell_len))
            row.append(figure, style=ink("foreground" if step.is_current else "muted"))
    rows = [head, *below]
    if height > len(rows) + 1:
        rows.append(Text())
    rows.append(_last_row(timeline, width, ink))
    return Layout(rows[:height], starts[:-1])


def _compact(timeline: Timeline, width: int, height: int, cursor: int | None, ink: Ink) -> Layout:
    """Signs, with the name of the current phase or the one under the cursor; its figures at the right end."""
    named = timeline.current if cursor is None else cursor
    head, starts = _signs(timeline, named, cursor, ink)
    step = timeline.steps[named]
    if head.cell_len > width:
        head, starts = Text(), [0 if index <= named else width for index in range(len(timeline.steps))]
        _append_step(head, step, step.name, named == cursor, ink)
    if height > 1:
        # When all is over no phase is named here, and the figures of one alone would say nothing.
        figures = "" if timeline.is_over and cursor is None else step.figures
        return Layout([head, Text(figures, style=ink("muted")), _last_row(timeline, width, ink)][:height], starts)
    room = width - head.cell_len - 2
    more = _figures(timeline, step, room, ink) if named == timeline.current else _right(step.figures, room, ink)
    return Layout([Text.assemble(head, "  ", more)], starts)


def _signs(timeline: Timeline, named: int, cursor: int | None, ink: Ink) -> tuple[Text, list[int]]:
    text, starts = Text(), []
    for index, step in enumerate(timeline.steps):
        text.append(" " if index else "")
        starts.append(text.cell_len)
        told = index == cursor or (index == named and not timeline.is_over)
        _append_step(text, step, step.name if told else "", index == cursor, ink)
    return text, starts


def _figures(timeline: Timeline, step: Step, room: int, ink: Ink) -> Text:
    """The current phase in one piece: a remark, or duration, bar and units as far as they fit."""
    if timeline.progress is None:
        # The sign and the name stand at the left already.
        remark = timeline.remark.removeprefix(f"● {step.name} ").removeprefix(f"× {step.name} ")
        words = f"{step.duration}  {remark}".strip() if timeline.color == "muted" else remark
        text = Text(words, style=ink(timeline.color))
        text.truncate(max(0, room), overflow="ellipsis")
        return text
    figures = f"{step.duration} {timeline.progress.figures}".strip()
    bar = room - len(figures) - 1
    if bar < LEAST_BAR:
        return _right(figures if len(figures) <= room else timeline.progress.figures, room, ink)
    return Text.assemble(f"{step.duration} ", _bar(timeline.progress, bar - 1, ink), f" {timeline.progress.figures}")


def _right(text: str, room: int, ink: Ink) -> Text:
    return Text(text.rjust(room) if len(text) <= room else "", style=ink("muted"))


def _append_step(text: Text, step: Step, name: str, marked: bool, ink: Ink) -> None:
    sign, color = PHASES[step.status]
    text.append(sign, style=ink(color))
    if name:
        calm = "muted" if step.status in (PhaseStatus.PENDING, PhaseStatus.SKIPPED) else "foreground"
        style = f"bold {ink(color)}" if step.is_current or step.status is PhaseStatus.FAILED else ink(calm)
        text.append(" ")
        text.append(name, style=f"reverse {style}" if marked else style)


def _last_row(timeline: Timeline, width: int, ink: Ink) -> Text:
    """A bar with what it stands for, or a remark."""
    progress = timeline.progress
    if progress is None:
        text = Text(timeline.remark, style=ink(timeline.color))
        room = width - text.cell_len - 3
        if timeline.place and room >= LEAST_PLACE:
            text.append(f" · {_end_of(clean(timeline.place), room)}", style=ink("muted"))
        text.truncate(width, overflow="ellipsis")
        return text
    after = Text(f"  {progress.figures}", style=ink("foreground"))
    if after.cell_len + 2 + len(progress.left) + LEAST_BAR <= width:
        after.append(f"  {progress.left}" if progress.left else "", style=ink("muted"))
    return _bar(progress, max(0, width - after.cell_len), ink).append_text(after)


def _end_of(path: str, cells: int) -> str:
    """A path, or its end, which tells more than its beginning."""
    if cell_len(path) <= cells:
        return path
    while cell_len(path) > cells - 1:
        path = path[1:]
    return f"…{path}"


def _bar(progress: Progress, width: int, ink: Ink) -> Text:
    done = width * min(progress.done, progress.total) // progress.total
    return Text.assemble(("━" * done, ink("accent")), ("─" * (width - done), ink("line")))
