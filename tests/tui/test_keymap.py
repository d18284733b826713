import re
import subprocess
import sys
from pathlib import Path

import pytest
from textual.app import App
from textual.binding import Binding
from textual.keys import _character_to_key

from orchestrator_tui.config.key_names import SIGNS, check_keys, check_typing_keys
from orchestrator_tui.config.loader import Settings, load_settings
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.config.settings import KeymapSettings, SettingsModel
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.tui.binding_ids import bindings_by_id, unknown
from orchestrator_tui.tui.keymap import ACTIONS, Keymap, Place, actions_of, bindings, show_key


def loaded(folder: Path, content: str) -> Settings:
    (folder / "orchestrator.toml").write_text(content)
    paths = find_paths({"ORCHESTRATOR_HOME": str(folder / "home")})
    return load_settings(paths=paths, environ={}, cwd=folder)


def problem(folder: Path, content: str) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(folder, content)
    return caught.value.message.replace(str(folder / "orchestrator.toml"), "FILE")


def keymap(**keys: str) -> Keymap:
    return Keymap(KeymapSettings(**keys))


def test_every_action_has_a_setting_with_its_keys_and_its_tooltip() -> None:
    assert [action.id for action in ACTIONS] != []
    assert {action.id for action in ACTIONS} == set(KeymapSettings.model_fields)
    assert [action.id for action in ACTIONS if not (action.label and action.tooltip and action.places)] == []


def test_the_default_keys_are_written_as_they_are_reported_and_do_not_conflict() -> None:
    assert keymap().conflicts() == ()
    assert keymap().as_textual() == {action.id: action.default_keys for action in ACTIONS}


def test_the_footer_shows_an_action_only_where_it_works() -> None:
    for action in ACTIONS:
        assert Place.EVERYWHERE in action.places or set(action.footer) <= set(action.places), action.id


def test_what_works_everywhere_types_nothing() -> None:
    for action in actions_of(Place.EVERYWHERE):
        assert check_typing_keys(action.default_keys) == action.default_keys


def test_names_of_signs_are_those_of_the_terminal() -> None:
    assert {name: _character_to_key(sign) for name, sign in SIGNS.items()} == {name: name for name in SIGNS}


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("d", "d"),
        ("D", "D"),
        ("Ctrl+D", "ctrl+d"),
        (" a , F5,a", "a,f5"),
        ("/", "slash"),
        ("?", "question_mark"),
        ("comma", "comma"),
        ("shift+ctrl+Left", "ctrl+shift+left"),
        ("ctrl+/", "ctrl+slash"),
        ("+", "plus"),
        ("ctrl+m", "enter"),
        ("PageDown", "pagedown"),
    ],
)
def test_keys_get_the_names_a_terminal_reports(written: str, keys: str) -> None:
    assert check_keys(written) == keys


@pytest.mark.parametrize(
    "keys", ["", "a,,b", "ctrl+", "hyperspace", "strg+d", "f25", "shift+d", "ctrl+c", "ctrl+d d", "é̃", "\n", "+a"]
)
def test_what_cannot_be_pressed_is_an_error_that_names_file_and_key(tmp_path: Path, keys: str) -> None:
    escaped = keys.replace("\n", "\\n")
    line = problem(tmp_path, f'keymap.zoom = "{escaped}"')
    assert line.startswith("FILE: keymap.zoom is ")
    assert line.endswith("; expected keys in quotes, commas between them, such as d or ctrl+d or f5 or a,enter.")


@pytest.mark.parametrize("keys", ["q", "Q", "tab", "enter", "ctrl+q,space", "ctrl+i", "question_mark", "shift+end"])
def test_keys_that_type_cannot_be_those_that_work_everywhere(tmp_path: Path, keys: str) -> None:
    assert "keymap.quit is " in problem(tmp_path, f'[keymap]\nquit = "{keys}"')


def test_unknown_actions_are_told_with_what_exists(tmp_path: Path) -> None:
    assert problem(tmp_path, '[keymap]\nquti = "f9"') == "FILE: keymap.quti is not a setting; did you mean keymap.quit?"
    line = problem(tmp_path, '[keymap]\nqqqqqqqq = "f9"')
    assert line.startswith("FILE: keymap.qqqqqqqq is not a setting; [keymap] has palette, help, settings, ")


def test_a_key_of_any_binding_is_set_by_its_id_with_the_same_checks(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'keymap."items.search" = "F6, /"')
    assert Keymap(settings.keymap).as_textual()["items.search"] == "f6,slash"
    assert settings.origin('keymap."items.search"') == str(tmp_path / "orchestrator.toml")
    line = problem(tmp_path, 'keymap."items.search" = "strg+d"')
    assert line.startswith('FILE: keymap."items.search" is "strg+d"; expected keys in quotes, commas between them')
    assert 'keymap."items.search" is 6; expected' in problem(tmp_path, 'keymap."items.search" = 6')


def test_settings_are_read_without_the_screens_that_their_keys_are_for() -> None:
    code = (
        "import sys; from orchestrator_tui.config.settings import SettingsModel; "
        "SettingsModel.model_validate({'keymap': {'items.search': 'f6'}}); "
        "sys.exit(any(name.startswith(('textual', 'orchestrator_tui.tui')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_an_id_that_no_binding_has_is_told_with_the_one_that_was_meant() -> None:
    known = bindings_by_id()
    assert {"items.search", "patch.next_file", "bar.search", "part.1", "text.up"} <= set(known)
    assert unknown({"items.search": "f6"}, known) == ""
    assert unknown({"items.serch": "f6"}, known) == "No key has the id 'items.serch'; did you mean items.search?"


def test_keys_of_the_settings_go_over_the_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[keymap]\nquit = "Ctrl+W, f10"\n[tui]\ntheme = "light"')
    mine = Keymap(settings.keymap)
    assert settings.tui.theme == "light"
    assert mine.keys("quit") == ("ctrl+w", "f10")
    assert mine.as_textual()["quit"] == "ctrl+w,f10"
    assert mine.as_textual()["zoom"] == "z"


@pytest.mark.parametrize("theme", ["", "../dark", "a b", "x" * 61])
def test_a_theme_s_name_that_no_file_can_have_is_refused(tmp_path: Path, theme: str) -> None:
    assert "tui.theme is " in problem(tmp_path, f'tui.theme = "{theme}"')


def test_conflicts_are_told_with_the_file_that_made_them(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'keymap.cost = "z"')
    (line,) = Keymap(settings.keymap).conflicts(settings.origin)
    assert line == (
        f"{tmp_path / 'orchestrator.toml'}: z is the key of both keymap.zoom and keymap.cost; "
        "give keymap.cost another one."
    )


def test_the_same_key_conflicts_only_where_both_work() -> None:
    assert keymap(retry_with_hint="f", allow_once="d").conflicts() == ()
    assert len(keymap(deny="o").conflicts()) == 1
    assert len(keymap(palette="ctrl+e").conflicts()) == 1
    assert len(keymap(fold="z").conflicts()) == 1
    assert keymap(zoom="d", diff="z").conflicts() == ()


def test_keys_are_shown_short() -> None:
    shown = {key: show_key(key) for key in ("ctrl+p", "f1", "tab", "shift+tab", "slash", "escape", "f", "ctrl+home")}
    assert shown == {
        "ctrl+p": "^p", "f1": "F1", "tab": "tab", "shift+tab": "shift+tab", "slash": "/", "escape": "esc", "f": "f",
        "ctrl+home": "ctrl+home",
    }  # fmt: skip
    assert keymap(input="?").shown("input") == "?"


class Pressed(App[None]):
    BINDINGS = [*bindings(Place.EVERYWHERE, Place.MAIN)]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def action_zoom(self) -> None:
        self.done.append("zoom")

    def action_diff(self) -> None:
        self.done.append("diff")

    def action_input(self) -> None:
        self.done.append("input")


async def test_swapped_keys_both_work_in_a_running_app() -> None:
    app = Pressed()
    app.set_keymap(keymap(zoom="d", diff="z", input="?").as_textual())
    async with app.run_test() as pilot:
        await pilot.press("d", "z", "question_mark", "slash")
    assert app.done == ["zoom", "diff", "input"]


async def test_default_keys_work_in_a_running_app() -> None:
    app = Pressed()
    async with app.run_test() as pilot:
        await pilot.press("d", "z", "slash")
    assert app.done == ["diff", "zoom", "input"]


def test_bindings_carry_id_tooltip_and_priority() -> None:
    given = {binding.id: binding for binding in bindings(Place.EVERYWHERE, Place.MAIN)}
    assert isinstance(given["quit"], Binding)
    assert (given["quit"].priority, given["zoom"].priority) == (True, False)
    assert (given["zoom"].show, given["cost"].show, given["palette"].show) == (True, False, True)
    assert given["zoom"].tooltip == "Give the whole screen to this pane, and back."
    assert "fold" not in given


def test_the_template_offers_every_key() -> None:
    template = (Path(__file__).parents[2] / "orchestrator.toml").read_text(encoding="utf-8")
    section = template.partition("[keymap]")[2]
    assert re.findall(r"^(\w+) = ", section, re.MULTILINE) == list(SettingsModel().keymap.model_dump())
