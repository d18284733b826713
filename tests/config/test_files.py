import stat
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator_tui.config.files import read_toml, write_atomic, write_setting, write_settings
from orchestrator_tui.config.paths import find_paths, shipped
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.config.template import render_template
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.statuses import Autonomy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "orchestrator.toml"


def test_a_setting_is_added_changed_and_taken_away(file: Path) -> None:
    write_setting(file, "agent.model", "opus")
    write_setting(file, "phases.testing.max_rounds", 5)
    write_setting(file, "agent.model", "haiku")
    write_setting(file, "autonomy.mode", Autonomy.FULL)
    write_setting(file, "project.workspace", Path("/w"))
    assert read_toml(file) == {
        "agent": {"model": "haiku"},
        "phases": {"testing": {"max_rounds": 5}},
        "autonomy": {"mode": "full"},
        "project": {"workspace": "/w"},
    }
    write_setting(file, "agent.model", None)
    assert read_toml(file)["agent"] == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("agent.modle", "opus"),
        ("agent.model", "gpt"),
        ("agent.max_turns", "3"),
        ("agent", 1),
        ("linear_api_key", "lin_api_hidden"),
        ("project.name", "sk-ant-hidden"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(file: Path, key: str, value: object) -> None:
    write_setting(file, "agent.max_turns", 7)
    before = file.read_bytes()
    with pytest.raises(SettingsError) as caught:
        write_setting(file, key, value)
    assert file.read_bytes() == before
    assert str(file) in caught.value.message
    assert "hidden" not in caught.value.message


def test_a_file_that_is_broken_already_is_left_as_it_is(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("agent = [")
    with pytest.raises(SettingsError, match="line 1, column 10"):
        write_setting(file, "agent.model", "opus")
    assert file.read_text() == "agent = ["


def test_writing_leaves_no_draft_and_keeps_links_and_permissions(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "o.toml"
    target.parent.mkdir()
    target.write_text("")
    target.chmod(0o640)
    file.parent.mkdir()
    file.symlink_to(target)
    write_settings(file, {"agent": {"model": "opus"}})
    assert file.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert tomllib.loads(target.read_text()) == {"agent": {"model": "opus"}}
    assert [entry.name for entry in target.parent.iterdir()] == ["o.toml"]


def test_a_draft_that_does_not_pass_its_check_replaces_nothing(file: Path) -> None:
    write_settings(file, {"log": {"keep": 2}})

    def refuse(content: bytes) -> None:
        raise OSError(content.decode())

    with pytest.raises(OSError, match="new"):
        write_atomic(file, b"new", check=refuse)
    assert read_toml(file) == {"log": {"keep": 2}}
    assert len(list(file.parent.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "blocker").write_text("")
    file = tmp_path / "blocker" / "orchestrator.toml"
    with pytest.raises(SettingsError, match="cannot be written"):
        write_settings(file, {"log": {"keep": 2}})


def test_the_shipped_file_is_what_the_models_say() -> None:
    assert shipped("orchestrator.toml").read_text(encoding="utf-8") == render_template()


def test_the_shipped_file_holds_every_setting_at_its_default() -> None:
    text = render_template()
    defaults = SettingsModel().model_dump(mode="json", exclude_none=True)
    assert tomllib.loads(text) == defaults
    with_optional = "\n".join(line.removeprefix("# ") if line.endswith('= "…"') else line for line in text.splitlines())
    assert _keys(tomllib.loads(with_optional)) == _keys(SettingsModel().model_dump())


def _keys(data: object) -> object:
    return {name: _keys(value) for name, value in data.items()} if isinstance(data, dict) else None


def test_every_setting_in_the_shipped_file_is_explained() -> None:
    lines = render_template().splitlines()
    bare = [line for above, line in pairwise(lines) if line[:1] not in ("#", "") and above[:1] != "#"]
    assert bare == []


def test_one_variable_puts_all_folders_in_one_place(tmp_path: Path) -> None:
    paths = find_paths({"ORCHESTRATOR_HOME": str(tmp_path)})
    assert {paths.user_settings.parent, paths.database.parent, paths.logs.parent} == {tmp_path}


def test_a_file_that_is_not_shipped_is_told() -> None:
    with pytest.raises(FileNotFoundError, match="install"):
        shipped("nothing-of-this-name")
