"""Compares the screen with a stored picture of it: text that is read in a diff, and beside it each cell's style."""

import asyncio
import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters, digits, punctuation
from typing import Any

import pytest
from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input, TextArea

from orchestrator_tui.tui.colors import rich_color
from tests.tui.idling import worked_off
from tests.tui.stage import strips_of

FOLDER = Path(__file__).parent / "snapshots"
WRITING = "SNAPSHOTS"
STILL = 3
"""Looks in a row at which the screen has to be the same."""
LOOK = 0.01
"""Seconds between them."""
ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")
LETTERS = ascii_letters + digits + punctuation
NAMES = (
    "background", "surface", "panel", "foreground", "muted", "line", "accent", "success", "warning", "error", "tool",
    "selection", "selection-text",
)  # fmt: skip
"""The variables of a theme, in the order in which a colour is called after them."""
SHADE = 0.6
"""How much of the background lies over what is below a modal."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is on a screen. `styles` has one letter for each cell, a blank for plain text; `legend` says in words what
    each letter stands for."""

    text: tuple[str, ...]
    styles: tuple[str, ...]
    legend: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*self.text, "", *self.styles, "", *self.legend]) + "\n"


def check(pilot: Pilot[Any], name: str) -> None:
    """Fail when the screen is not the one in `snapshots/<name>.txt`; with SNAPSHOTS=write it is written instead."""
    shown, file = picture(pilot.app), FOLDER / f"{name}.txt"
    if os.environ.get(WRITING) == "write":
        file.write_text(str(shown), encoding="utf-8")
        return
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    if kept == str(shown):
        return
    advice = "Look at the difference; if the screen is as it should be: make snapshots."
    pytest.fail(f"{name} is not as in {file.name}.\n{_difference(kept, shown)}\n{advice}", pytrace=False)


async def settled(pilot: Pilot[Any], *, resting: Callable[[], bool] = lambda: True) -> None:
    """Wait until `resting` holds and the screen has stood still for a while; no cursor blinks from then on."""
    still, before = 0, list[Strip]()
    while still < STILL:
        for field in (*pilot.app.screen.query(Input), *pilot.app.screen.query(TextArea)):
            field.cursor_blink = False
            if isinstance(field, TextArea):
                # Its lines are kept as they were painted before it had the focus, and so without a cursor.
                field._line_cache.clear()
                field.refresh()
        await asyncio.sleep(LOOK)
        rests = resting()
        # To look whether it rests can change what is shown, below a modal, too.
        await worked_off(pilot.app)
        now = strips_of(pilot.app)
        still = still + 1 if rests and now == before else 0
        before = now


def picture(app: App[Any]) -> Picture:
    """What is on the screen now."""
    names = color_names(app.theme_variables)
    rows = [list(_cells(strip, names)) for strip in strips_of(app)]
    letters = _letters({how for row in rows for _, how in row if how})
    return Picture(
        tuple("".join(text for text, _ in row).rstrip() for row in rows),
        tuple("".join(letters.get(how, " ") * len(text) for text, how in row).rstrip() for row in rows),
        tuple(f"{letter} {how}" for how, letter in letters.items()),
    )


def color_names(variables: Mapping[str, str]) -> dict[str, str]:
    """Colours by what the theme calls them, the first name counts; below a modal they are shaded."""
    values = {name: variables[name] for name in NAMES if variables[name] != "transparent"}
    colors = {name: Color.parse(rich_color(value)) for name, value in values.items()}
    found: dict[str, str] = {}
    for name, color in colors.items():
        found.setdefault(_plain(color), name)
    if ground := colors["background"].triplet:
        for name, color in colors.items():
            if color.triplet:
                found.setdefault(blend_rgb(color.triplet, ground, SHADE).hex, f"shaded-{name}")
    return found


def _plain(color: Color) -> str:
    return color.get_truecolor().hex if color.triplet else f"color {color.number}"


def _named(color: Color, names: dict[str, str]) -> str:
    """Rounding may have moved a colour by one."""
    plain = _plain(color)
    if plain not in names:
        near = (name for value, name in names.items() if color.triplet and _distance(value, color.triplet) <= 1)
        names[plain] = next(near, plain)
    return names[plain]


def _distance(value: str, triplet: ColorTriplet) -> int:
    other = Color.parse(value).triplet if value.startswith("#") else None
    return max(abs(one - two) for one, two in zip(other, triplet, strict=True)) if other else 256


def _cells(strip: Iterable[Segment], names: dict[str, str]) -> Iterator[tuple[str, str]]:
    for text, style, _ in Segment.simplify(strip):
        for piece in re.findall(r" +|[^ ]+", text):
            yield piece, _told(style or Style(), names, blank=piece.isspace())


def _told(style: Style, names: dict[str, str], *, blank: bool) -> str:
    """A style in words, "" for plain text; of a blank only what can be seen of it."""
    words = [name for name in ATTRIBUTES if getattr(style, name) and (not blank or name in ("underline", "reverse"))]
    behind = _name(style.bgcolor, names, "background")
    before = "" if blank and not words else _name(style.color, names, "foreground")
    on = [] if behind == "background" else [f"on {behind}"]
    told = " ".join([*([before] if before else []), *on, *words])
    return "" if told == "foreground" else told


def _name(color: Color | None, names: dict[str, str], usual: str) -> str:
    if color is None or color.is_default:
        return usual
    return _named(color, names)


def _letters(styles: set[str]) -> dict[str, str]:
    """A letter for each style: that of its colour where it is free, a capital for bold."""
    letters: dict[str, str] = {}
    taken: set[str] = set()
    for how in sorted(styles, key=lambda how: (len(how.split()), how)):
        first = how.lstrip("#").removeprefix("on ").removeprefix("shaded-")[:1]
        wanted = first.upper() if "bold" in how.split() else first
        letter = next(one for one in (wanted, wanted.swapcase(), *LETTERS) if one not in taken)
        taken.add(letter)
        letters[how] = letter
    return dict(sorted(letters.items(), key=lambda pair: pair[0]))


def _difference(kept: str, shown: Picture) -> str:
    """Of the text where that differs, else of the styles."""
    height = len(shown.text)
    old, new = kept.splitlines(), str(shown).splitlines()
    part = slice(height) if old[:height] != new[:height] else slice(height, None)
    return "\n".join(difflib.unified_diff(old[part], new[part], "kept", "shown", lineterm="", n=1))
