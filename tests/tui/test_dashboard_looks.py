from pathlib import Path

import pytest

from orchestrator_tui.config.paths import shipped
from tests.tui.board import REHEARSED, Board, board

MINE = """\
# My settings, with words of my own.
[tui]
# The colours.
theme = "dark"  # for the night

[agent]
max_turns = 99
"""


def accent_of(it: Board) -> str | None:
    return it.app.current_theme.accent


async def test_a_theme_chosen_by_command_or_picker_is_kept_in_the_file_with_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "home" / "orchestrator.toml"
    file.parent.mkdir()
    file.write_text(MINE)
    async with board(tmp_path / "home") as it:
        assert it.app.theme == "dark"
        await it.command("/theme light")
        await it.until(lambda: file.read_text() == MINE.replace('"dark"', '"light"'))
        assert it.app.theme == "light"
        await it.press("f3")
        await it.shows("Colours", "enter keeps · esc goes back")
        await it.press("up")
        await it.until(lambda: it.app.theme == "high-contrast")
        await it.press("escape")
        await it.until(lambda: it.app.theme == "light")
        await it.press("f3")
        await it.shows("Colours")
        await it.press("up", "enter")
        await it.until(lambda: file.read_text() == MINE.replace('"dark"', '"high-contrast"'))
        assert it.app.theme == "high-contrast"


async def test_a_theme_file_of_ones_own_is_followed_and_a_broken_one_leaves_the_last_good_one(tmp_path: Path) -> None:
    file = tmp_path / "home" / "themes" / "mine.toml"
    file.parent.mkdir(parents=True)
    dark = (shipped("themes") / "dark.toml").read_text()
    accent = next(line for line in dark.splitlines() if line.startswith("accent"))
    file.write_text(dark.replace(accent, 'accent = "#123456"'))
    settings = {"tui": {"theme": "mine"}}
    async with board(tmp_path / "home", settings=settings, notifications=True) as it:
        await it.until(lambda: it.app.theme == "mine")
        assert accent_of(it) == "#123456"
        file.write_text(dark.replace(accent, 'accent = "#654321"'))
        await it.until(lambda: accent_of(it) == "#654321")
        file.write_text(dark.replace(accent, 'accent = "no colour"'))
        await it.shows("mine.toml", "accent")
        assert accent_of(it) == "#654321"
        file.write_text(dark.replace(accent, 'accent = "#abcdef"'))
        await it.until(lambda: accent_of(it) == "#abcdef")


async def test_a_chosen_theme_that_was_gone_or_broken_is_shown_as_soon_as_it_can_be(tmp_path: Path) -> None:
    file = tmp_path / "home" / "themes" / "mine.toml"
    file.parent.mkdir(parents=True)
    good = (shipped("themes") / "light.toml").read_text()
    file.write_text("no = theme")
    async with board(tmp_path / "home", settings={"tui": {"theme": "mine"}}, notifications=True) as it:
        await it.says("The theme mine cannot be used; dark is used.")
        file.write_text(good)
        await it.until(lambda: it.app.theme == "mine")
        file.unlink()
        await it.until(lambda: it.app.theme == "dark")
        file.write_text(good)
        await it.until(lambda: it.app.theme == "mine")


async def test_a_theme_that_does_not_exist_is_told_and_another_is_used(tmp_path: Path) -> None:
    async with board(tmp_path / "home", settings={"tui": {"theme": "nowhere"}}, notifications=True) as it:
        await it.shows("There is no theme nowhere")
        assert it.app.theme == "dark"


async def test_other_keys_work_and_are_shown_in_the_row_of_keys_and_in_help(tmp_path: Path) -> None:
    settings = {"keymap": {"palette": "ctrl+k", "cost": "C", "help": "f9"}}
    # Tall enough for all that the help has to say about commands, and the first keys.
    async with board(tmp_path / "home", settings=settings, size=(120, 60)) as it:
        await it.shows("^k palette", "F9 help")
        await it.press("ctrl+k")
        await it.shows("Commands, keys, projects, themes")
        await it.leave()
        await it.press("ctrl+p")
        assert it.app.screen is it.app.main_screen
        await it.press("escape", "C")
        await it.shows("Cost")
        await it.leave()
        await it.press("f9")
        await it.shows("Keys: everywhere", "^k ", "F9 ")
        await it.type("spent")
        await it.shows("/cost [id]", "C  ")


async def test_two_actions_on_one_key_are_told_at_the_start(tmp_path: Path) -> None:
    async with board(tmp_path / "home", settings={"keymap": {"diff": "a"}}, notifications=True) as it:
        await it.shows("a is the key of both", "keymap.approve", "keymap.diff")


async def test_settings_changed_by_command_count_at_once_where_they_can(tmp_path: Path) -> None:
    file = tmp_path / "home" / "orchestrator.toml"
    async with board(tmp_path / "home", settings={}) as it:
        await it.send("/config tui.theme light")
        await it.until(lambda: it.app.theme == "light")
        await it.shows("tui.theme is light in")
        await it.leave()
        await it.send("/config tui.bell false")
        await it.until(lambda: it.app.attention.settings is not None and not it.app.attention.settings.bell)
        await it.leave()
        await it.send("/config keymap.palette ctrl+k")
        await it.shows("keymap.palette is ctrl+k in")
        await it.leave()
        await it.shows("^k palette")
        await it.press("ctrl+k")
        await it.shows("Commands, keys, projects, themes")
        await it.leave()
        await it.send("/config agent.model opus")
        await it.shows("agent.model is opus in")
        await it.says("It counts for what starts or goes on from now on;")
        await it.leave()
        await it.send("/config agent.model gpt")
        await it.shows("sonnet, opus, haiku, default or a full name")
        assert all(line in file.read_text() for line in ('theme = "light"', "bell = false", 'model = "opus"'))
        assert "gpt" not in file.read_text()


async def test_a_setting_is_found_and_changed_by_keys_and_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "home" / "orchestrator.toml"
    async with board(tmp_path / "home", settings={}) as it:
        await it.press("f2", "ctrl+f")
        await it.type("max_turns")
        await it.shows("Turns of one session at most.")
        await it.press("enter", "enter")
        await it.press("end", "backspace", "backspace", "backspace", "7", "enter")
        await it.shows("agent.max_turns is 7 in")
        assert "max_turns = 7" in file.read_text()
        await it.press("delete")
        await it.shows("agent.max_turns is not in")
        assert "max_turns" not in file.read_text()


async def test_a_key_that_is_pressed_again_and_again_tells_one_thing_once(tmp_path: Path) -> None:
    async with board(tmp_path / "home", notifications=True) as it:
        await it.press("escape", *["ctrl+c"] * 5)
        await it.shows("leaves the dashboard")
        await it.pilot.pause()
        assert it.shown.count("leaves the dashboard") == 1


async def test_nothing_covers_that_the_terminal_is_too_small(tmp_path: Path) -> None:
    async with board(tmp_path / "home", notifications=True) as it:
        await it.press("escape", "ctrl+c")
        await it.shows("leaves the dashboard")
        await it.pilot.resize_terminal(49, 13)
        await it.shows("The terminal is too small for the dashboard.", "50×14 is the least, 80×24 is good.")
        assert "leaves the dashboard" not in it.shown
        await it.pilot.resize_terminal(120, 40)
        await it.shows("leaves the dashboard")


@pytest.mark.parametrize(("size", "notice"), [((80, 24), "costs are pretended, you pay 0."), ((50, 14), "you pay 0.")])
async def test_the_notice_of_a_rehearsal_takes_one_row_and_leaves_the_project_its_own(
    tmp_path: Path, size: tuple[int, int], notice: str
) -> None:
    async with board(tmp_path / "home", first=REHEARSED, size=size) as it:
        await it.shows("waits for you")
        await it.leave()
        rows = it.shown.splitlines()
        assert rows[1].startswith(" Rehearsal: ") and rows[1].rstrip().endswith(notice)
        assert "Projects" in rows[2] and "small" in rows[3]
