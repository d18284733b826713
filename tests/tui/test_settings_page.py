from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from orchestrator_tui.config.keys import known_keys
from orchestrator_tui.config.loader import Settings, load_settings
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui import settings_form as form
from orchestrator_tui.tui.screens.settings import SettingsPage
from orchestrator_tui.tui.widgets.row_list import RowList
from tests.tui.stage import SMALL, WIDE, Stage, context, text_of, until

COMMENTED = "# mine\n[agent]\n# why so few\nmax_parallel = 2 # two\n"


@dataclass
class Opened:
    pilot: Pilot[Any]
    app: Stage
    page: SettingsPage
    project_file: Path
    user_file: Path

    @property
    def text(self) -> str:
        return text_of(self.pilot)

    async def shows(self, words: str) -> None:
        await until(self.pilot, lambda: words in " ".join(self.text.split()))

    async def go_to(self, key: str) -> None:
        self.page.query_one("#settings-list", RowList).mark(key)
        await self.shows(key)

    async def type_anew(self, text: str) -> None:
        await self.pilot.press("end", "shift+home", "delete", *text)


@asynccontextmanager
async def opened(
    home: Path,
    *,
    content: str = "",
    environ: Mapping[str, str] | None = None,
    preset: tuple[str, str | None] | None = None,
    size: tuple[int, int] = WIDE,
) -> AsyncIterator[Opened]:
    # The page never asks the engine.
    client: EngineClient = None  # type: ignore[assignment]
    given = context(client, home / "config")
    folder = home / "folder"
    folder.mkdir()
    file = folder / "orchestrator.toml"
    if content:
        file.write_text(content)
    user = given.paths.user_settings

    def load() -> Settings:
        return load_settings(paths=given.paths, environ=environ or {}, cwd=folder)

    page = SettingsPage(given, load, file, user, preset)
    app = Stage(kept=(SettingsPage.Changed,))
    async with app.run_test(size=size) as pilot:
        await app.push_screen(page)
        await until(pilot, lambda: page.query_one("#settings-list", RowList).rows or "cannot" in text_of(pilot))
        yield Opened(pilot, app, page, file, user)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_it_shows_each_setting_with_value_origin_and_meaning(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, content=COMMENTED, size=size) as on:
        await on.go_to("agent.max_parallel")
        line = next(line for line in on.text.splitlines() if "max_parallel " in line)
        assert ("• max_parallel" in line, " 2 " in line, "this folder" in line) == (True, True, True)
        assert "Sessions at work at the same time, over all projects." in on.text
        assert "Allowed: a whole number from 1 up to 20" in on.text
        assert "Default: 3" in on.text
        assert "counts for what starts or goes on from now on; a run under way keeps its own" in " ".join(
            on.text.split()
        )


async def test_a_number_is_changed_and_comments_stay(tmp_path: Path) -> None:
    async with opened(tmp_path, content=COMMENTED) as on:
        await on.go_to("agent.max_parallel")
        await on.pilot.press("enter")
        await on.type_anew("5")
        await on.pilot.press("enter")
        await on.shows("agent.max_parallel is 5 in")
        assert on.project_file.read_text() == COMMENTED.replace("= 2", "= 5")
        assert [message.key for message in on.app.seen if isinstance(message, SettingsPage.Changed)] == [
            "agent.max_parallel"
        ]
        assert "It counts for what starts or goes on from now on; a run under way keeps its own." in " ".join(
            on.text.split()
        )


async def test_a_wrong_value_is_refused_beside_the_field_and_stays_typed(tmp_path: Path) -> None:
    async with opened(tmp_path, content=COMMENTED) as on:
        await on.go_to("agent.max_parallel")
        await on.pilot.press("enter")
        await on.type_anew("many")
        await on.pilot.press("enter")
        await on.shows('agent.max_parallel is "many"; expected a whole number from 1 up to 20.')
        assert on.page.query_one("#setting-text", Input).value == "many"
        assert on.project_file.read_text() == COMMENTED
        await on.pilot.press("escape")
        await on.pilot.press("enter")
        assert on.page.query_one("#setting-text", Input).value == "many"


async def test_a_choice_is_made_from_a_list(tmp_path: Path) -> None:
    async with opened(tmp_path) as on:
        await on.go_to("autonomy.mode")
        await on.pilot.press("enter")
        await on.shows("checkpoint now default")
        await on.pilot.press("up", "enter")
        await on.shows("autonomy.mode is full in")
        assert on.project_file.read_text() == '[autonomy]\nmode = "full"\n'


async def test_a_click_opens_a_setting_and_a_click_chooses(tmp_path: Path) -> None:
    async with opened(tmp_path) as on:
        row = next(y for y, line in enumerate(on.text.splitlines()) if " mode " in line)
        await on.pilot.click(offset=(10, row))
        await on.pilot.click(offset=(10, row))
        await on.shows("enter writes")
        row = next(y for y, line in enumerate(on.text.splitlines()) if line.startswith(" │") and "full" in line)
        await on.pilot.click(offset=(6, row))
        await on.pilot.click(offset=(6, row))
        await on.shows("autonomy.mode is full in")


async def test_themes_are_chosen_by_name_and_count_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as on:
        await on.go_to("tui.theme")
        assert "counts at once" in on.text
        await on.pilot.press("enter")
        await on.shows("high-contrast")
        await on.pilot.press("end", "enter")
        await on.shows("tui.theme is light in")
        assert "next start" not in on.text.splitlines()[-2]


async def test_a_setting_goes_back_to_its_default(tmp_path: Path) -> None:
    async with opened(tmp_path, content=COMMENTED) as on:
        await on.go_to("agent.max_parallel")
        await on.pilot.press("delete")
        await on.shows("agent.max_parallel is not in")
        assert on.project_file.read_text() == "# mine\n[agent]\n# why so few\n"
        await on.pilot.press("delete")
        await on.shows("agent.max_parallel is at its default.")


async def test_the_other_file_takes_changes_when_it_is_chosen(tmp_path: Path) -> None:
    async with opened(tmp_path) as on:
        assert "changes for this folder go into" in on.text.splitlines()[0]
        await on.pilot.press("o")
        await on.shows("changes for all folders go into")
        await on.go_to("verify.timeout_seconds")
        await on.pilot.press("enter")
        await on.type_anew("60")
        await on.pilot.press("enter")
        await on.shows("verify.timeout_seconds is 60 in")
        assert on.user_file.read_text() == "[verify]\ntimeout_seconds = 60.0\n"
        assert not on.project_file.exists()


async def test_it_says_when_the_environment_goes_over_what_was_written(tmp_path: Path) -> None:
    async with opened(tmp_path, environ={"ORCHESTRATOR_AGENT__MAX_PARALLEL": "7"}) as on:
        await on.go_to("agent.max_parallel")
        assert "comes from environment ORCHESTRATOR_AGENT__MAX_PARALLEL" in on.text
        await on.pilot.press("enter")
        await on.type_anew("4")
        await on.pilot.press("enter")
        await on.shows("But environment ORCHESTRATOR_AGENT__MAX_PARALLEL goes over it: 7.")
        await on.pilot.press("delete")
        await on.shows("change it there.")


async def test_a_preset_value_is_written_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path, preset=("agent.max_parallel", "4")) as on:
        await on.shows("agent.max_parallel is 4 in")
        assert on.project_file.read_text() == "[agent]\nmax_parallel = 4\n"


async def test_a_preset_value_that_is_wrong_stays_in_the_field(tmp_path: Path) -> None:
    async with opened(tmp_path, preset=("agent.max_parallel", "forty")) as on:
        await on.shows('agent.max_parallel is "forty"; expected a whole number')
        assert on.page.query_one("#setting-text", Input).value == "forty"


async def test_a_credential_is_not_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path) as on:
        await on.go_to("project.name")
        await on.pilot.press("enter")
        await on.type_anew("sk-ant-0123456789")
        await on.pilot.press("enter")
        await on.shows("is a credential")
        assert not on.project_file.exists()


async def test_settings_are_found_by_typing(tmp_path: Path) -> None:
    async with opened(tmp_path) as on:
        await on.pilot.press("ctrl+f", *"stall")
        await on.shows("stall_timeout_minutes")
        await until(on.pilot, lambda: "max_parallel" not in on.text)
        await on.pilot.press("escape")
        await on.shows("checkpoint_pause")


async def test_a_broken_file_is_told_with_its_place(tmp_path: Path) -> None:
    async with opened(tmp_path, content="[agent\n") as on:
        await on.shows("line 1, column 7: not valid TOML")
        await on.pilot.press("enter", "delete", "o")
        await on.pilot.resize_terminal(1, 1)
        await on.pilot.pause()


async def test_it_survives_any_size(tmp_path: Path) -> None:
    async with opened(tmp_path) as on:
        await on.pilot.press("enter")
        for size in ((1, 1), (7, 3), (30, 8), WIDE):
            await on.pilot.resize_terminal(*size)
            await on.pilot.pause()
        assert "project" in on.text


def test_every_setting_has_a_meaning_and_says_what_it_takes() -> None:
    found = form.entries(Settings())
    assert [entry.key for entry in found] == list(known_keys())
    assert [entry.key for entry in found if not entry.meaning or not entry.expected] == []


def test_every_default_can_be_typed() -> None:
    for entry in form.entries(Settings()):
        assert form.shown(form.value_of(entry.key, entry.default)) == entry.default


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("agent.max_turns", " 7 ", 7),
        ("phases.deploy.enabled", "true", True),
        ("project.name", "", None),
        ("project.name", "12", "12"),
        ("project.directory", "a/b", "a/b"),
        ("phases.ideation.pattern", "single", "single"),
        ("keymap.diff", "D, F5", "D,f5"),
        (
            "webhooks.receivers",
            '[{ name = "chat", url_from = "CHAT_URL", format = "slack", on = ["failed"] }]',
            [{"name": "chat", "url_from": "CHAT_URL", "format": "slack", "on": ["failed"]}],
        ),
    ],
)
def test_text_becomes_the_value_it_means(key: str, text: str, value: object) -> None:
    assert form.value_of(key, text) == value


def test_what_has_tables_in_it_is_shown_as_it_is_written() -> None:
    text = '[{ name = "team", url = "https://example.org/hook", key_from = "TEAM_KEY" }]'
    assert form.shown(form.value_of("webhooks.receivers", text)) == text


@pytest.mark.parametrize(("key", "text"), [("agent.max_turns", ""), ("tui.theme", "a b"), ("keymap.diff", "ctrl+")])
def test_text_that_means_nothing_is_refused(key: str, text: str) -> None:
    with pytest.raises(SettingsError, match="expected"):
        form.value_of(key, text)
