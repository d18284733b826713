from typing import Any, ClassVar

import pytest
from textual.binding import BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import OptionList

from orchestrator_tui.tui.command_palette import Entry, InputWanted, Palette, PaletteCommands, entries
from orchestrator_tui.tui.commands import COMMANDS, Kind
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.messages import CommandGiven
from orchestrator_tui.tui.slash import Value, Values
from tests.tui.stage import KEYS, SMALL, WIDE, Stage, text_of, until
from tests.tui.test_slash import nothing, values


class Main(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.MAIN)]

    def action_zoom(self) -> None:
        assert isinstance(self.app, Palettes)
        self.app.done.append("zoom")


class Palettes(Stage):
    COMMANDS: ClassVar[set[Any]] = {PaletteCommands}
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.EVERYWHERE)]

    def __init__(self) -> None:
        super().__init__(kept=(CommandGiven, InputWanted))
        self.keys = KEYS
        self.values: Values = values
        self.done: list[str] = []

    def get_default_screen(self) -> Screen[Any]:
        return Main()

    def action_palette(self) -> None:
        self.push_screen(Palette())

    def action_help(self) -> None:
        self.done.append("help")

    @property
    def told(self) -> list[str]:
        return [one.text for one in self.seen if isinstance(one, CommandGiven | InputWanted)]


def listed(pilot: Pilot[Any]) -> int:
    found = pilot.app.screen.query(OptionList)
    return found.first().option_count if found else 0


async def chosen(pilot: Pilot[Any], words: str) -> None:
    """Opens the palette, types the words and takes the first that fits."""
    await pilot.press("ctrl+p")
    await until(pilot, lambda: listed(pilot) > 0)
    for letter in words:
        await pilot.press("space" if letter == " " else letter)
    await until(pilot, lambda: words.casefold() in first_row(pilot).casefold())
    await pilot.press("enter")
    await until(pilot, lambda: not isinstance(pilot.app.screen, Palette))
    await pilot.pause()


def first_row(pilot: Pilot[Any]) -> str:
    return str(pilot.app.screen.query(OptionList).first().get_option_at_index(0).prompt) if listed(pilot) else ""


def names(*actions: str) -> list[str]:
    return [entry.name for entry in entries(KEYS, values, actions)]


def test_every_slash_command_is_there_once_with_its_key() -> None:
    found = {entry.name: entry for entry in entries(KEYS, nothing, [command.action for command in COMMANDS])}
    assert list(found) == [command.usage for command in COMMANDS]
    assert found["/diff [item]"] == Entry(
        "/diff [item]", "Show what changed, in all or by a work item.", "d", command="/diff"
    )
    assert found["/resume <id>"].draft == "/resume "


def test_keys_are_there_only_where_they_do_something() -> None:
    assert "zoom" in names("zoom")
    assert "zoom" not in names()
    assert "palette" not in names("palette")


def test_projects_and_themes_can_be_gone_to() -> None:
    found = {entry.name: entry.command for entry in entries(KEYS, values, ())}
    assert found["Go to task manager"] == "/status 2"
    assert found["Theme light"] == "/theme light"


@pytest.mark.parametrize("size", [WIDE, SMALL, (40, 12)])
async def test_it_lists_commands_with_their_keys_at_the_right(size: tuple[int, int]) -> None:
    app = Palettes()
    async with app.run_test(size=size) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "/resume <id>" in text_of(pilot))
        rows = text_of(pilot).splitlines()
        (resume,) = [row for row in rows if "/resume <id>" in row]
        assert "r" in resume.partition("<id>")[2]
        assert "Commands, keys, projects, themes" in text_of(pilot)


async def test_a_command_is_carried_out() -> None:
    app = Palettes()
    async with app.run_test(size=SMALL) as pilot:
        await chosen(pilot, "/cost")
        assert app.told == ["/cost"]


async def test_a_command_that_needs_more_goes_into_the_input_bar() -> None:
    app = Palettes()
    async with app.run_test(size=SMALL) as pilot:
        await chosen(pilot, "/resume")
        assert [type(one) for one in app.seen] == [InputWanted]
        assert app.told == ["/resume "]


async def test_keys_of_the_screen_below_and_of_the_app_are_pressed() -> None:
    app = Palettes()
    async with app.run_test(size=SMALL) as pilot:
        await chosen(pilot, "zoom")
        assert app.done == ["zoom"]


async def test_words_of_the_summary_find_it_too() -> None:
    app = Palettes()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("ctrl+p", *"spent")
        await until(pilot, lambda: first_row(pilot).startswith("/cost"))


async def test_names_with_markup_are_shown_as_they_are() -> None:
    app = Palettes()
    app.values = lambda kind: [Value("7", "[red]x")] if kind is Kind.PROJECT else []
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("ctrl+p", *"goto")
        await until(pilot, lambda: "Go to [red]x" in text_of(pilot))
