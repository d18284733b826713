"""Theme colours as Rich wants them, for text that a widget paints itself."""

from collections.abc import Iterable

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from orchestrator_tui.tui.palette import LEAST_CONTRAST, contrast


def rich_color(value: str) -> str:
    """A theme's colour by Rich's name: `ansi_bright_black` is `bright_black`, `#rrggbb` stays."""
    return value.removeprefix("ansi_")


def readable(style: Style, ground: Style) -> Style:
    """`style`, or with the text colour of `ground` where its own would be hard to read on the ground's background."""
    found = _contrast(style.color, ground.bgcolor)
    if style.color == ground.color or (found is not None and found >= LEAST_CONTRAST):
        return style
    return style + Style(color=ground.color)


def grounded(segments: Iterable[Segment], ground: Style, *, careful: bool) -> Strip:
    """The segments on a background; if `careful`, only with those colours that can be read there."""
    styled = [(text, ground + style if style else ground) for text, style, _ in segments]
    return Strip([Segment(text, readable(style, ground) if careful else style) for text, style in styled])


def _contrast(one: Color | None, other: Color | None) -> float | None:
    """None when only the terminal knows its colours."""
    triplets = [color.triplet if color else None for color in (one, other)]
    return None if None in triplets else contrast(*(triplet.hex for triplet in triplets if triplet))
