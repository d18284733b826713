from pathlib import Path

import pytest

from orchestrator_tui.config.settings import KeymapSettings
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.commands import COMMANDS
from orchestrator_tui.tui.help_text import matching, needle_for, sections
from orchestrator_tui.tui.keymap import ACTIONS, Keymap
from orchestrator_tui.tui.screens.help import HelpPage
from tests.tui.stage import KEYS, SMALL, WIDE, Stage, context, text_of, until

# The page never asks the engine.
NO_ENGINE: EngineClient = None  # type: ignore[assignment]


def test_every_command_and_every_action_is_told() -> None:
    found = sections(KEYS, [])
    names = [entry.name for section in found for entry in section.entries]
    meanings = {entry.meaning for section in found for entry in section.entries}
    assert [command.usage for command in COMMANDS if command.usage not in names] == []
    assert [action.id for action in ACTIONS if action.tooltip not in meanings] == []


def test_keys_are_those_that_are_set() -> None:
    found = matching(sections(Keymap(KeymapSettings.model_validate({"diff": "D"})), []), "/diff")
    (entry,) = found[0].entries
    assert entry.more.startswith("D")


def test_a_search_needs_all_words_and_looks_into_titles() -> None:
    assert matching(sections(KEYS, []), "replay faster")[0].title == "Keys: replay"
    assert matching(sections(KEYS, []), "zebra") == []


@pytest.mark.parametrize("name", ["zoom", "rehearsal", "new project", "follow", "new_project"])
def test_a_search_finds_what_a_key_does_by_the_name_of_its_action(name: str) -> None:
    found = [entry for section in matching(sections(KEYS, []), name) for entry in section.entries]
    tooltips = {action.tooltip for action in ACTIONS if name in (action.id, action.id.replace("_", " "))}
    assert tooltips & {entry.meaning for entry in found}


async def test_keys_that_have_no_setting_of_their_own_are_found_by_their_ids(tmp_path: Path) -> None:
    app = Stage()
    async with app.run_test(size=WIDE) as pilot:
        await app.push_screen(HelpPage(context(NO_ENGINE, tmp_path)))
        await until(pilot, lambda: "How it goes" in text_of(pilot))
        await pilot.press(*"items.search")
        await until(pilot, lambda: "Show only items with these words." in text_of(pilot))


def test_help_about_a_command_finds_it_by_any_of_its_names() -> None:
    assert [needle_for(name) for name in ("resume", "/continue", None, "what")] == ["/resume", "/resume", "", "what"]


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_flow_comes_first_and_typing_finds(tmp_path: Path, size: tuple[int, int]) -> None:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        page = HelpPage(context(NO_ENGINE, tmp_path))
        await app.push_screen(page)
        await until(pilot, lambda: "Type a sentence" in text_of(pilot))
        assert "…" not in text_of(pilot)
        await pilot.press(*"/resume")
        await until(pilot, lambda: "Let a project go on." in text_of(pilot) and "/stop" not in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "Type a sentence" in text_of(pilot))
        for small in ((1, 1), (9, 4), size):
            await pilot.resize_terminal(*small)
            await pilot.pause()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not page)


async def test_it_scrolls_while_the_field_has_the_focus(tmp_path: Path) -> None:
    app = Stage()
    async with app.run_test(size=SMALL) as pilot:
        await app.push_screen(HelpPage(context(NO_ENGINE, tmp_path)))
        await until(pilot, lambda: "How it goes" in text_of(pilot))
        await pilot.press("down", "down", "pagedown", "pagedown")
        await until(pilot, lambda: "/quit" in text_of(pilot) and "How it goes" not in text_of(pilot))
        await pilot.press("pageup", "pageup", "pageup", "up")
        await until(pilot, lambda: "How it goes" in text_of(pilot))


async def test_it_opens_at_a_command(tmp_path: Path) -> None:
    app = Stage()
    async with app.run_test(size=SMALL) as pilot:
        page = HelpPage(context(NO_ENGINE, tmp_path), "diff")
        await app.push_screen(page)
        await until(pilot, lambda: "/diff [item]" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not page)
