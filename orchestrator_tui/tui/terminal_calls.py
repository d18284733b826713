"""Escape sequences that reach past the screen: desktop notifications and the title of the terminal's window."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from textual.app import App

from orchestrator_tui.domain.text import one_line

LONGEST = 200
"""Characters of a notification or title; some terminals drop a longer sequence, and nobody reads more."""

_ESC = "\x1b"
_END = "\x1b\\"
_MUTE_TERMS = ("", "dumb", "unknown", "linux")


class Notify(StrEnum):
    """How a terminal is told to notify the desktop."""

    OSC_9 = "9"
    OSC_777 = "777"
    NOT = ""


_PROGRAMS = {
    "iTerm.app": Notify.OSC_9,
    "WezTerm": Notify.OSC_9,
    "ghostty": Notify.OSC_9,
    "WarpTerminal": Notify.OSC_9,
    "rio": Notify.OSC_9,
    "contour": Notify.OSC_777,
}
_TERMS = {
    "xterm-ghostty": Notify.OSC_9,
    "xterm-kitty": Notify.OSC_9,
    "wezterm": Notify.OSC_9,
    "contour": Notify.OSC_777,
    "foot": Notify.OSC_777,
    "rxvt-unicode": Notify.OSC_777,
}
# Inside tmux the two names above are tmux's own; these variables stay those of the terminal around it.
_TRACES = {
    "ITERM_SESSION_ID": Notify.OSC_9,
    "WEZTERM_PANE": Notify.OSC_9,
    "GHOSTTY_RESOURCES_DIR": Notify.OSC_9,
    "KITTY_WINDOW_ID": Notify.OSC_9,
    "VTE_VERSION": Notify.OSC_777,
}


def notify_by(environ: Mapping[str, str]) -> Notify:
    """What this terminal understands; nothing is sent to one that is not known to understand it."""
    term = environ.get("TERM", "")
    if term in _MUTE_TERMS:
        return Notify.NOT
    if found := _PROGRAMS.get(environ.get("TERM_PROGRAM", "")):
        return found
    for start, how in _TERMS.items():
        if term == start or term.startswith(f"{start}-"):
            return how
    return next((how for name, how in _TRACES.items() if environ.get(name)), Notify.NOT)


def notification(title: str, words: str, environ: Mapping[str, str]) -> str:
    """The sequence that shows a notification on the desktop, or "" where there is no such thing."""
    title, words = _plain(title), _plain(words)
    match notify_by(environ):
        case Notify.OSC_9:
            return _through(f"{_ESC}]9;{f'{title}: {words}' if words else title}{_END}", environ)
        case Notify.OSC_777:
            return _through(f"{_ESC}]777;notify;{title};{words}{_END}", environ)
        case Notify.NOT:
            return ""


def window_title(title: str, environ: Mapping[str, str]) -> str:
    """The sequence that names the window (OSC 2); tmux takes it for its pane."""
    return f"{_ESC}]2;{_plain(title)}{_END}" if _has_title(environ) else ""


def push_title(environ: Mapping[str, str]) -> str:
    """The sequence that has the terminal remember its title (XTWINOPS 22)."""
    return f"{_ESC}[22;2t" if _has_title(environ) else ""


def pop_title(environ: Mapping[str, str]) -> str:
    """The sequence that brings the remembered title back (XTWINOPS 23)."""
    return f"{_ESC}[23;2t" if _has_title(environ) else ""


def write_escape(app: App[Any], sequence: str) -> None:
    """Send a sequence to the terminal between two paints; nothing happens in a test, in a browser or after the end."""
    # Textual has no public way to send one: `App.bell` and `App.copy_to_clipboard` do the same inside.
    driver = app._driver
    if sequence and driver is not None and not (app.is_headless or app.is_web):
        driver.write(sequence)
        driver.flush()


def _has_title(environ: Mapping[str, str]) -> bool:
    return environ.get("TERM", "") not in _MUTE_TERMS


def _through(sequence: str, environ: Mapping[str, str]) -> str:
    """Wrapped, so that tmux hands it on to the terminal around it (its `allow-passthrough`)."""
    if not environ.get("TMUX"):
        return sequence
    return f"{_ESC}Ptmux;{sequence.replace(_ESC, _ESC * 2)}{_END}"


def _plain(text: str) -> str:
    """One line that cannot end the sequence or begin another field of it."""
    return one_line(text, LONGEST).replace(";", ",")
