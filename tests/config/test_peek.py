from pathlib import Path

import pytest

from orchestrator_tui.config.peek import LARGEST_FILE, peek

KEY = "tui.theme"


def file_of(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_each_source_goes_over_those_after_it(tmp_path: Path) -> None:
    mine = file_of(tmp_path, "mine.toml", '[tui]\ntheme = "light"\n')
    other = file_of(tmp_path, "other.toml", '[tui]\ntheme = "ansi"\n')
    environ = {"ORCHESTRATOR_TUI__THEME": "high-contrast"}
    assert peek(KEY, ["agent.model=opus", "tui.theme=dark"], environ, (mine, other)) == "dark"
    assert peek(KEY, ["tui.theme=dark", 'tui.theme = "light"'], {}, ()) == "light"
    assert peek(KEY, [], environ, (mine, other)) == "high-contrast"
    assert peek(KEY, [], {}, (mine, other)) == "light"
    assert peek(KEY, [], {}, (tmp_path / "none.toml", other)) == "ansi"
    assert peek(KEY, [], {}, ()) is None


@pytest.mark.parametrize("text", ["[tui", "tui = 3", "[tui]\ntheme = 3", "", "[tui.theme]\nname = 1", "\0"])
def test_what_is_wrong_in_a_file_is_left_to_those_who_read_it_all(tmp_path: Path, text: str) -> None:
    assert peek(KEY, [], {}, (file_of(tmp_path, "broken.toml", text),)) is None


def test_a_folder_and_a_huge_file_are_passed_over(tmp_path: Path) -> None:
    huge = file_of(tmp_path, "huge.toml", '[tui]\ntheme = "light"\n#' + "x" * LARGEST_FILE)
    assert peek(KEY, [], {}, (tmp_path, huge)) is None
