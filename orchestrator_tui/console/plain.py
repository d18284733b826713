"""Lines of the log as plain text: time, phase, who, what."""

from orchestrator_tui.console.lines import Kind, Line

PHASE_WIDTH = 14
WHO_WIDTH = 18
NARROW = 72
"""Columns below which only time and text are shown."""


def prefix(line: Line) -> str:
    """The local time, the phase and who, in columns."""
    return f"{clock(line)}  {line.phase:<{PHASE_WIDTH}}  {line.who:<{WHO_WIDTH}}"


def clock(line: Line) -> str:
    return line.at.astimezone().strftime("%H:%M:%S")


def text(line: Line, width: int | None = None) -> str:
    """The line as text; on a screen of fewer than `NARROW` columns without phase and who."""
    if line.kind is Kind.HEADING or (width is not None and width < NARROW):
        return f"{clock(line)}  {line.text}"
    return f"{prefix(line)}  {line.text}"
