"""The smallest terminal in which what is on the screen can be read, and so be decided about."""

from textual.geometry import Size

LEAST = Size(50, 14)
TOO_SMALL = f"The terminal is too small to decide anything: {LEAST.width}×{LEAST.height} is the least."


def is_too_small(size: Size) -> bool:
    """Whether a terminal of this size shows too little."""
    return size.width < LEAST.width or size.height < LEAST.height
