"""Themes as TOML files: shipped ones and a person's own, checked before any is used."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from textual.theme import Theme

from orchestrator_tui.config.files import read_toml
from orchestrator_tui.config.paths import shipped
from orchestrator_tui.domain.errors import SettingsError, UsageError
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.palette import Palette, color_problem, is_ansi, low_contrasts, theme_of

REQUIRED = ("background", "foreground", "muted", "border", "accent", "success", "warning", "error")
INSTEAD = {
    "surface": "background",
    "panel": "background",
    "tool": "accent",
    "selection": "border",
    "selection_text": "foreground",
}
"""Colours that may be left out, with the one that is used then."""
COLORS = (*REQUIRED, *INSTEAD)
TABLES = ("dark", "colors")
STANDARD = "dark"
"""The theme to use when the one that was asked for does not exist."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


class ThemeBroken(UsageError):
    """A theme file cannot be used."""

    title = "Theme"


@dataclass(frozen=True, slots=True)
class LoadedTheme:
    """A theme that can be used. `notes` say in one line each where its text is hard to read."""

    name: str
    file: Path
    theme: Theme
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """All themes by name. `problems` has one line for each file that was skipped."""

    themes: Mapping[str, LoadedTheme]
    problems: tuple[str, ...] = ()
    broken: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.themes))

    def pick(self, name: str) -> LoadedTheme:
        """The theme of this name.

        Raises:
            ThemeBroken: there is none; the message says which exist.
        """
        if found := self.themes.get(name):
            return found
        meant = difflib.get_close_matches(name, self.names, n=1)
        advice = f"Did you mean {meant[0]}?" if meant else f"There are {', '.join(self.names)}."
        raise ThemeBroken(f"There is no theme {one_line(name, 40)!r}.", hint=advice)


def load_themes(user: Path, before: Catalog | None = None) -> Catalog:
    """All themes: those in the folder `user`, which need not exist, over the shipped ones. Blocks on the disk.

    A file that is broken is skipped: then the theme of this name in `before` stays, or else the shipped one.
    """
    themes: dict[str, LoadedTheme] = {}
    problems: list[str] = []
    broken: set[str] = set()
    for file in theme_files(user):
        try:
            themes[file.stem] = load_theme(file)
            broken.discard(file.stem)
        except ThemeBroken as error:
            problems.append(one_line(error.line(), 400))
            broken.add(file.stem)
    kept = {name: before.themes[name] for name in broken if before and name in before.themes}
    return Catalog(MappingProxyType(themes | kept), tuple(problems), frozenset(broken))


def load_theme(file: Path) -> LoadedTheme:
    """The theme in a file; its name is the file's without `.toml`.

    Raises:
        ThemeBroken: the file cannot be read, has an unknown key, or lacks a colour.
    """
    if not _NAME.fullmatch(file.stem):
        raise ThemeBroken(f"{file}: a theme's name has letters, digits, - and _ only; give the file another name.")
    try:
        data = read_toml(file)
    except FileNotFoundError as error:
        raise ThemeBroken(f"{file} does not exist.") from error
    except SettingsError as error:
        raise ThemeBroken(error.message) from error
    if problem := next(_problems(data), None):
        raise ThemeBroken(f"{file}: {problem}")
    palette = _palette(data)
    notes = tuple(f"{file}: {note}" for note in low_contrasts(palette))
    return LoadedTheme(file.stem, file, theme_of(file.stem, palette), notes)


def theme_files(user: Path) -> list[Path]:
    """The shipped theme files, then those of a person; drafts of editors are left out. Blocks on the disk.

    Raises:
        OSError: a folder cannot be read.
    """
    folders = (shipped("themes"), user)
    found = [sorted(folder.glob("*.toml")) for folder in folders if folder.is_dir()]
    return [file for files in found for file in files if not file.name.startswith(".")]


def _problems(data: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong in a theme's data, the worst first."""
    yield from _unknown(data, TABLES, "")
    if not isinstance(data.get("dark", True), bool):
        yield "dark is expected to be true or false."
    colors = data.get("colors", {})
    if not isinstance(colors, Mapping):
        yield "colors is expected to be a table, [colors]."
        return
    yield from _unknown(colors, COLORS, "colors.")
    if missing := [name for name in REQUIRED if name not in colors]:
        yield f"colors.{missing[0]} is missing; a theme needs {', '.join(REQUIRED)}."
    yield from (problem for name, value in colors.items() if (problem := color_problem(f"colors.{name}", value)))
    if len({is_ansi(value) for value in colors.values()}) > 1:
        yield "colours are either all hexadecimal or all ansi_ names; here they are mixed."


def _unknown(data: Mapping[str, Any], known: Sequence[str], prefix: str) -> Iterator[str]:
    for name in data:
        if name not in known:
            meant = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {prefix}{meant[0]}?" if meant else f"there are {', '.join(known)}."
            yield f"{prefix}{one_line(name, 40)} is unknown; {advice}"


def _palette(data: Mapping[str, Any]) -> Palette:
    colors = dict(data["colors"])
    for name, other in INSTEAD.items():
        colors.setdefault(name, colors[other])
    return Palette(dark=data.get("dark", True), **colors)
