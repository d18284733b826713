import re
from collections.abc import Mapping

import pytest

from orchestrator_tui.tui.terminal_colors import choose_theme, colors_off
from tests.tui.in_terminal import written

MANY = {"TERM": "xterm-256color"}
TRUE = {**MANY, "COLORTERM": "truecolor"}


@pytest.mark.parametrize("term", ["linux", "xterm", "xterm-color", "screen", "rxvt", "vt100", "", "xterm-16color"])
def test_sixteen_colours_get_the_theme_of_sixteen_unless_somebody_chose_another(term: str) -> None:
    assert choose_theme("dark", False, {"TERM": term}) == "ansi"
    assert choose_theme("light", True, {"TERM": term}) == "light"


@pytest.mark.parametrize(
    "environ",
    [
        MANY,
        TRUE,
        {"TERM": "screen-256color"},
        {"TERM": "xterm-kitty"},
        {"TERM": "xterm", "COLORTERM": "24bit"},
        {"TERM": "dumb", "TEXTUAL_COLOR_SYSTEM": "truecolor"},
    ],
)
def test_more_colours_get_the_theme_that_is_set(environ: Mapping[str, str]) -> None:
    assert choose_theme("high-contrast", False, environ) == "high-contrast"


def test_a_colour_system_forced_on_textual_goes_over_what_the_terminal_says() -> None:
    assert choose_theme("dark", False, {**TRUE, "TEXTUAL_COLOR_SYSTEM": "standard"}) == "ansi"


def test_no_color_counts_only_when_it_is_not_empty_and_goes_over_a_choice() -> None:
    assert choose_theme("dark", True, {**TRUE, "NO_COLOR": "1"}) == "ansi"
    assert choose_theme("dark", True, {**TRUE, "NO_COLOR": ""}) == "dark"
    assert (colors_off({"NO_COLOR": "0"}), colors_off({"NO_COLOR": ""}), colors_off({})) == (True, False, False)


def codes(output: str) -> set[str]:
    """The parameters of all sequences that set colours or styles."""
    return set(re.findall(r"\x1b\[([\d;]*)m", output))


@pytest.mark.parametrize("environ", [{"TERM": "xterm"}, {"TERM": "linux"}])
async def test_a_terminal_of_sixteen_colours_is_painted_in_its_own(environ: Mapping[str, str]) -> None:
    found = codes(await written(environ))
    assert not any(";2;" in code or ";5;" in code for code in found)
    assert "34;44" in found
    assert any(code.startswith("7;") for code in found)


async def test_a_terminal_of_256_colours_gets_no_more() -> None:
    found = codes(await written(MANY))
    assert any("38;5;" in code for code in found)
    assert not any("38;2;" in code for code in found)


async def test_a_terminal_of_all_colours_gets_those_of_the_theme() -> None:
    assert any("38;2;122;162;247" in code for code in codes(await written(TRUE)))


async def test_without_colours_the_cursor_is_still_seen() -> None:
    assert codes(await written({**TRUE, "NO_COLOR": "1"})) == {"0", "39;49", "7;39;49"}
