from typing import ClassVar

import pytest
from rich.color import Color
from textual.binding import BindingType

from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.widgets.welcome import Welcome
from tests.tui.stage import KEYS, SMALL, WIDE, Stage, strips_of, text_of


class Shown(Stage):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.EVERYWHERE, Place.MAIN)]

    def action_rehearsal(self) -> None:
        self.commands.append("rehearsal")

    def action_help(self) -> None:
        self.commands.append("help")


@pytest.mark.parametrize("size", [WIDE, SMALL, (50, 18)])
async def test_it_says_how_to_begin_and_that_a_rehearsal_costs_nothing(size: tuple[int, int]) -> None:
    app = Stage(Welcome(KEYS, True))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = text_of(pilot)
    assert "Type what you want built and press Enter." in text
    assert f"{KEYS.shown('rehearsal'):7}a rehearsal: no credentials, no cost" in text
    assert "F1     all keys and commands" in text
    assert "✓ Credentials for Claude were found." in text


async def test_without_credentials_it_names_the_variables() -> None:
    app = Stage(Welcome(KEYS, False))
    async with app.run_test(size=(50, 20)) as pilot:
        await pilot.pause()
        text = " ".join(text_of(pilot).split())
    assert "No credentials for Claude were found. Set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY" in text


async def test_a_click_does_what_the_line_says() -> None:
    app = Shown(Welcome(KEYS, True))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.pause()
        rows = text_of(pilot).splitlines()
        for words in ("a rehearsal", "all keys", "From a sentence"):
            row = next(at for at, line in enumerate(rows) if words in line)
            await pilot.click(offset=(rows[row].index(words), row))
        await pilot.pause()
    assert app.commands == ["rehearsal", "help"]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 5)])
async def test_it_survives_any_size(size: tuple[int, int]) -> None:
    app = Stage(Welcome(KEYS, False))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.resize_terminal(*size)
        await pilot.pause()
        assert text_of(pilot) is not None


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "ansi"])
async def test_keys_are_in_the_accent_of_a_theme_that_was_changed_to(theme: str) -> None:
    app = Stage(Welcome(KEYS, True), theme="light" if theme == "dark" else "dark")
    async with app.run_test(size=SMALL) as pilot:
        app.theme = theme
        await pilot.pause()
        painted = [segment for strip in strips_of(app) for segment in strip]
        (key,) = [segment for segment in painted if segment.text.strip() == "F1"]
        assert key.style is not None
        assert key.style.color is not None
        accent = Color.parse(rich_color(app.theme_variables["accent"]))
        assert key.style.color.get_ansi_codes() == accent.get_ansi_codes()
