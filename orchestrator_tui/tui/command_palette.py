"""What Textual's command palette offers: slash commands, keys, projects and themes, each with its key."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

from rich.text import Text
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.fuzzy import FuzzySearch
from textual.message import Message

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.commands import COMMANDS, Command, Kind
from orchestrator_tui.tui.keymap import ACTIONS, Keymap
from orchestrator_tui.tui.messages import CommandGiven
from orchestrator_tui.tui.pressing import press
from orchestrator_tui.tui.screens.once import OnceScreen
from orchestrator_tui.tui.slash import Values

BATCH = 200
"""How many entries are searched before others get their turn."""
LESS = 0.5
"""What a match in the summary counts against one in the name."""
PLAIN = 1000.0
WIDTH = 76
"""Columns of the palette, where the terminal has as many."""
FRAME = 5
"""Columns of it that are border, padding and scroll bar."""
_HIDDEN = ("palette", "close")


class InputWanted(Message):
    """The person has to type more: `text` goes into the input bar, the cursor behind it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Source(Protocol):
    """What the app is asked for when the palette opens."""

    keys: Keymap
    values: Values


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to choose. Exactly one of `command` (a line of the input bar), `draft` (its beginning) and `action`
    (a binding's id) is set; `key` is as people see it."""

    name: str
    summary: str
    key: str = ""
    command: str = ""
    draft: str = ""
    action: str = ""


def entries(keys: Keymap, values: Values, actions: Iterable[str]) -> Iterator[Entry]:
    """Everything there is to choose, in the order it is listed; `actions` are the ids of bindings that work now."""
    yield from (_of_command(command, keys) for command in COMMANDS)
    commanded = {command.action for command in COMMANDS}
    working = set(actions)
    for action in ACTIONS:
        if action.id in working and action.id not in commanded and action.id not in _HIDDEN:
            yield Entry(action.label, action.tooltip, keys.shown(action.id), action=action.id)
    for project in values(Kind.PROJECT):
        name = one_line(project.label or project.text, 60)
        yield Entry(f"Go to {name}", f"Project {project.text}.", command=f"/status {project.text}")
    for theme in values(Kind.THEME):
        yield Entry(f"Theme {theme.text}", "Use these colours.", command=f"/theme {theme.text}")


def _of_command(command: Command, keys: Keymap) -> Entry:
    key = keys.shown(command.action) if command.action else ""
    line = f"/{command.name}"
    if any(argument.required for argument in command.arguments):
        return Entry(command.usage, command.summary, key, draft=f"{line} ")
    return Entry(command.usage, command.summary, key, command=line)


class Palette(CommandPalette, OnceScreen[None]):
    """Textual's palette in the dashboard's dress."""

    DEFAULT_CSS = """
    Palette {
        background: $background 60%;
        & > Vertical { width: 76; max-width: 100%; margin: 2 0; background: $background; }
        & > Vertical:dark { background: $background; }
        & #--input { border: round $accent; background: $background; padding: 0 1; }
        & #--input.--list-visible { border: round $accent; }
        & CommandInput, & CommandInput:focus { border: none; height: 1; }
        & SearchIcon { display: none; }
        & CommandList {
            background: $background;
            border: round $line;
            scrollbar-size-vertical: 1;
            &:focus { border: round $line; }
        }
        & CommandList > .option-list--option { padding: 0 1; }
        & CommandList > .option-list--option-highlighted { background: $selection; color: $selection-text; }
        & > .command-palette--help-text { color: $muted; text-style: not bold; }
    }
    Palette:nocolor CommandList > .option-list--option-highlighted { text-style: reverse; }
    """

    def __init__(self) -> None:
        super().__init__(placeholder="Commands, keys, projects, themes")


class PaletteCommands(Provider):
    """For `App.COMMANDS`; the app has to be a `Source`."""

    async def startup(self) -> None:
        """Reads once what there is to choose from."""
        source = cast(Source, self.app)
        self._entries = list(entries(source.keys, source.values, self._working()))

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        for entry in self._entries:
            yield DiscoveryHit(self._shown(entry, Text(entry.name)), self._run(entry), entry.name, entry.summary)

    async def search(self, query: str) -> Hits:
        """What fits by its name, or less so by its summary."""
        matcher, fuzzy = self.matcher(query), FuzzySearch()
        for index, entry in enumerate(self._entries):
            if index % BATCH == BATCH - 1:
                await asyncio.sleep(0)
            score = max(matcher.match(entry.name), LESS * matcher.match(entry.summary))
            if score > 0:
                score += _plain_match(entry, query.strip().casefold())
                name = _underlined(entry.name, fuzzy.match(query, entry.name)[1])
                yield Hit(score, self._shown(entry, name), self._run(entry), entry.name, entry.summary)

    def _working(self) -> list[str]:
        found = self.screen.active_bindings.values()
        return [one.binding.id for one in found if one.binding.id and one.enabled]

    def _shown(self, entry: Entry, name: Text) -> Text:
        room = min(WIDTH, self.app.size.width) - FRAME
        if entry.key:
            name.append(entry.key.rjust(max(len(entry.key) + 2, room - name.cell_len)), style="not bold")
        return name

    def _run(self, entry: Entry) -> Callable[[], Any]:
        app, screen = self.app, self.screen
        if entry.action:
            return partial(press, screen, entry.action)
        message = InputWanted(entry.draft) if entry.draft else CommandGiven(entry.command)
        return lambda: app.post_message(message)


def _plain_match(entry: Entry, words: str) -> float:
    """More than any fuzzy match gets, as `/cost` also fits the first letters of `/config [setting]`."""
    name = entry.name.casefold()
    if name.removeprefix("/").startswith(words.removeprefix("/")):
        return 3 * PLAIN
    return 2 * PLAIN if words in name else PLAIN if words in entry.summary.casefold() else 0.0


def _underlined(name: str, offsets: Iterable[int]) -> Text:
    text = Text(name)
    for offset in offsets:
        text.stylize("underline", offset, offset + 1)
    return text
