"""The colours of one theme, how well its text can be read, and what Textual is told about them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from textual.color import Color
from textual.theme import Theme

LEAST_CONTRAST = 4.5
"""What WCAG 2.2 asks for (level AA, text of normal size)."""

_EIGHT = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
ANSI_NAMES = (
    "ansi_default",
    *(f"ansi_{color}" for color in _EIGHT),
    *(f"ansi_bright_{color}" for color in _EIGHT),
)

_TEXTS = ("foreground", "muted", "accent", "success", "warning", "error", "tool")
_GROUNDS = ("background", "surface", "panel")


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Colours as `#rrggbb`, or all of them as names such as `ansi_blue`."""

    dark: bool
    background: str
    surface: str
    panel: str
    foreground: str
    muted: str
    border: str
    accent: str
    success: str
    warning: str
    error: str
    tool: str
    selection: str
    selection_text: str

    @property
    def ansi(self) -> bool:
        return is_ansi(self.background)


def is_ansi(value: object) -> bool:
    """Whether a colour is one of the terminal's own."""
    return isinstance(value, str) and value.startswith("ansi_")


def color_problem(name: str, value: object) -> str | None:
    """What is wrong with a colour, or None."""
    if is_ansi(value):
        return None if value in ANSI_NAMES else f"{name} is {value}; expected one of {', '.join(ANSI_NAMES)}."
    digits = value.removeprefix("#") if isinstance(value, str) and value.startswith("#") else ""
    if len(digits) in (3, 6) and all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return None
    return f'{name} is {str(value)[:40]!r}; expected a colour such as "#7aa2f7" or "ansi_blue".'


def contrast(one: str, other: str) -> float | None:
    """Contrast of two colours from 1 to 21 as WCAG 2.2 defines it; None when only the terminal knows."""
    if is_ansi(one) or is_ansi(other):
        return None
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def low_contrasts(palette: Palette) -> Iterator[str]:
    """One line for each kind of text that is hard to read on what it stands on."""
    colors = asdict(palette)
    pairs = [(text, ground) for text in _TEXTS for ground in _GROUNDS] + [("selection_text", "selection")]
    for text, ground in pairs:
        found = contrast(colors[text], colors[ground])
        if found is not None and found < LEAST_CONTRAST:
            yield f"{text} on {ground} has a contrast of {found:.1f}; {LEAST_CONTRAST} or more can be read well."
        elif found is None and colors[text] == colors[ground] != "ansi_default":
            yield f"{text} on {ground} is the same colour; it cannot be read."


def theme_of(name: str, palette: Palette) -> Theme:
    """The theme as Textual wants it; besides its own, stylesheets get `$muted`, `$line`, `$tool` and `$selection`."""
    return Theme(
        name=name,
        primary=palette.accent,
        secondary=palette.tool,
        accent=palette.accent,
        success=palette.success,
        warning=palette.warning,
        error=palette.error,
        foreground=palette.foreground,
        background=palette.background,
        surface=palette.surface,
        panel=palette.panel,
        dark=palette.dark,
        ansi=palette.ansi,
        variables=_variables(palette),
    )


def _variables(palette: Palette) -> dict[str, str]:
    return {
        "muted": palette.muted,
        "line": palette.border,
        "tool": palette.tool,
        "selection": palette.selection,
        "selection-text": palette.selection_text,
        **_texts(palette),
        **_cursors(palette),
        **_bars(palette),
        **(_ansi(palette) if palette.ansi else _input(palette)),
    }


def _texts(palette: Palette) -> dict[str, str]:
    """Text in the theme's very colours, where Textual would mix its own."""
    headings = {f"markdown-h{level}-color": palette.accent for level in (1, 2)}
    headings |= {f"markdown-h{level}-color": palette.foreground for level in (3, 4, 5, 6)}
    return headings | {
        "text": palette.foreground,
        "text-muted": palette.muted,
        "text-primary": palette.accent,
        "text-secondary": palette.tool,
        "text-accent": palette.accent,
        "text-success": palette.success,
        "text-warning": palette.warning,
        "text-error": palette.error,
        "link-color": palette.accent,
    }


def _cursors(palette: Palette) -> dict[str, str]:
    return {
        "block-cursor-background": palette.selection,
        "block-cursor-foreground": palette.selection_text,
        "block-cursor-blurred-background": palette.panel,
        "block-cursor-blurred-foreground": palette.foreground,
        "block-hover-background": palette.panel,
        "screen-selection-background": palette.selection,
        "screen-selection-foreground": palette.selection_text,
    }


def _bars(palette: Palette) -> dict[str, str]:
    grounds = ("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active")
    return dict.fromkeys((*grounds, "scrollbar-corner-color", "footer-background"), palette.background) | {
        "border": palette.accent,
        "border-blurred": palette.border,
        "scrollbar": palette.border,
        "scrollbar-hover": palette.muted,
        "scrollbar-active": palette.accent,
        "footer-foreground": palette.foreground,
        "footer-key-foreground": palette.accent,
        "footer-description-foreground": palette.muted,
    }


def _ansi(palette: Palette) -> dict[str, str]:
    """What Textual's own stylesheets ask for in themes of this sort only."""
    return {"ansi-background": palette.background, "ansi-foreground": palette.foreground}


def _input(palette: Palette) -> dict[str, str]:
    """Not for a terminal's own colours: there Textual reverses the cell, which is right on any background."""
    return {
        "input-cursor-background": palette.foreground,
        "input-cursor-foreground": palette.background,
        "input-selection-background": palette.selection,
        "input-selection-foreground": palette.selection_text,
    }


def _luminance(value: str) -> float:
    red, green, blue = (_linear(part) for part in Color.parse(value).normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
