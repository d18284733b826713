"""Which theme suits the terminal: its own sixteen colours where it has no more, none at all where nobody wants any."""

from collections.abc import Mapping

SIXTEEN = "ansi"
"""The shipped theme that uses the terminal's own colours."""

_MANY = ("truecolor", "24bit")
_MANY_ENDINGS = ("256color", "kitty")
_SYSTEMS = {"truecolor": True, "256": True, "standard": False}


def choose_theme(setting: str, explicit: bool, environ: Mapping[str, str]) -> str:
    """The name of the theme to start with: the one that is set, unless the terminal cannot show it.

    `explicit` says that somebody chose the setting; only NO_COLOR goes over that.
    """
    if colors_off(environ) or not (explicit or has_many_colors(environ)):
        return SIXTEEN
    return setting


def colors_off(environ: Mapping[str, str]) -> bool:
    """Whether colours are unwanted (https://no-color.org): NO_COLOR is there and not empty.

    Then the app is made with `ansi_color=True`, as Textual otherwise paints in shades of grey.
    """
    return bool(environ.get("NO_COLOR"))


def has_many_colors(environ: Mapping[str, str]) -> bool:
    """Whether Textual will paint in 256 colours or more here; with fewer it takes the nearest of sixteen, badly."""
    forced = _SYSTEMS.get(environ.get("TEXTUAL_COLOR_SYSTEM", "").lower())
    if forced is not None:
        return forced
    if environ.get("COLORTERM", "").strip().lower() in _MANY:
        return True
    return environ.get("TERM", "").strip().lower().rpartition("-")[2] in _MANY_ENDINGS
