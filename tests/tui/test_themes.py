import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input, OptionList

from orchestrator_tui.config.paths import shipped
from orchestrator_tui.tui.palette import contrast
from orchestrator_tui.tui.theme_watch import ThemesChanged, watch_themes
from orchestrator_tui.tui.themes import Catalog, ThemeBroken, load_theme, load_themes

GOOD = (shipped("themes") / "dark.toml").read_text(encoding="utf-8")
SHIPPED = ("ansi", "dark", "high-contrast", "light")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    folder = tmp_path / "themes"
    folder.mkdir()
    return folder


def with_accent(color: str) -> str:
    return GOOD.replace("#7aa2f7", color)


async def next_change(changes: AsyncIterator[ThemesChanged]) -> ThemesChanged:
    async with asyncio.timeout(20):
        return await anext(changes)


def test_all_shipped_themes_load_and_their_text_can_be_read(user: Path) -> None:
    catalog = load_themes(user)
    assert catalog.names == SHIPPED
    assert catalog.problems == ()
    assert [note for theme in catalog.themes.values() for note in theme.notes] == []


class Screenful(App[None]):
    CSS = "Input { border: solid $line; color: $muted; background: $selection; }"

    def compose(self) -> ComposeResult:
        yield Input("words")
        yield OptionList("one", "two")


@pytest.mark.parametrize("name", SHIPPED)
async def test_a_shipped_theme_can_be_shown_and_gives_its_very_colours_to_stylesheets(user: Path, name: str) -> None:
    app = Screenful()
    theme = load_themes(user).themes["dark"].theme
    app.register_theme(theme)
    app.theme = theme.name
    async with app.run_test() as pilot:
        other = load_themes(user).themes[name].theme
        app.register_theme(other)
        app.theme = other.name
        await pilot.pause()
        given = app.get_css_variables()
        assert {name: given[name] for name in other.variables} == other.variables
        assert given["accent"].lower() == given["text-accent"] == other.accent
        assert given["background"].lower() == other.background


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#fff", "#fff") == 1
    assert contrast("ansi_red", "#ffffff") is None


def test_a_theme_of_one_s_own_goes_over_the_shipped_one(user: Path) -> None:
    (user / "dark.toml").write_text(with_accent("#ffcc00"))
    (user / "mine.toml").write_text(GOOD)
    catalog = load_themes(user)
    assert catalog.pick("dark").theme.accent == "#ffcc00"
    assert catalog.names == ("ansi", "dark", "high-contrast", "light", "mine")


def test_a_theme_may_leave_out_what_has_a_stand_in(user: Path) -> None:
    lines = [line for line in GOOD.splitlines() if line.partition(" ")[0] not in ("surface", "panel", "tool", "dark")]
    (user / "short.toml").write_text("\n".join(lines))
    theme = load_theme(user / "short.toml").theme
    assert (theme.surface, theme.panel, theme.secondary, theme.dark) == ("#16161e", "#16161e", "#7aa2f7", True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD.replace("accent =", "acent ="), "FILE: colors.acent is unknown; did you mean colors.accent?"),
        (f"wheels = 4\n{GOOD}", "FILE: wheels is unknown; there are dark, colors."),
        (f"drak = true\n{GOOD}", "FILE: drak is unknown; did you mean dark?"),
        (GOOD.replace("dark = true", "dark = 1"), "FILE: dark is expected to be true or false."),
        ("colors = 3", "FILE: colors is expected to be a table, [colors]."),
        ("", "FILE: colors.background is missing; a theme needs background, foreground, muted, border, accent, "
         "success, warning, error."),
        (with_accent("blue"), "FILE: colors.accent is 'blue'; expected a colour such as \"#7aa2f7\" or \"ansi_blue\"."),
        (with_accent("#12345"), "FILE: colors.accent is '#12345'; expected a colour such as"),
        (GOOD.replace('"#7aa2f7"', "7"), "FILE: colors.accent is '7'; expected a colour such as"),
        (with_accent("ansi_pink"), "FILE: colors.accent is ansi_pink; expected one of ansi_default, ansi_black, "),
        (with_accent("ansi_blue"), "FILE: colours are either all hexadecimal or all ansi_ names; here they are mixed."),
        ("[colors\n", "FILE, line 1, column 8: not valid TOML: "),
    ],
)  # fmt: skip
def test_a_broken_theme_is_told_in_one_line_and_the_others_load(user: Path, content: str, told: str) -> None:
    file = user / "mine.toml"
    file.write_text(content)
    catalog = load_themes(user)
    (line,) = catalog.problems
    assert line.replace(str(file), "FILE").startswith(told)
    assert catalog.names == SHIPPED


def test_a_broken_theme_of_one_s_own_leaves_the_shipped_one(user: Path) -> None:
    (user / "dark.toml").write_text("broken")
    catalog = load_themes(user)
    assert catalog.pick("dark").file == shipped("themes") / "dark.toml"
    assert len(catalog.problems) == 1


def test_text_that_is_hard_to_read_is_told_but_usable(user: Path) -> None:
    (user / "grey.toml").write_text(GOOD.replace("#858db5", "#3b4261"))
    theme = load_themes(user).pick("grey")
    assert len(theme.notes) == 3
    assert theme.notes[0] == (
        f"{user / 'grey.toml'}: muted on background has a contrast of 1.8; 4.5 or more can be read well."
    )


def test_ansi_text_in_the_colour_of_its_ground_is_told(user: Path) -> None:
    ansi = (shipped("themes") / "ansi.toml").read_text(encoding="utf-8")
    (user / "blue.toml").write_text(ansi.replace("ansi_bright_white", "ansi_blue"))
    assert len(load_theme(user / "blue.toml").notes) == 1


def test_a_theme_that_does_not_exist_is_told_with_what_exists(user: Path) -> None:
    catalog = load_themes(user)
    with pytest.raises(ThemeBroken) as caught:
        catalog.pick("drak")
    assert caught.value.line() == "There is no theme 'drak'. Did you mean dark?"
    with pytest.raises(ThemeBroken) as other:
        catalog.pick("zzz")
    assert other.value.hint == "There are ansi, dark, high-contrast, light."


def test_files_that_are_no_themes_are_left_out_or_told(user: Path) -> None:
    (user / ".draft.toml").write_text("")
    (user / "notes.txt").write_text("")
    (user / "two words.toml").write_text(GOOD)
    (user / "folder.toml").mkdir()
    catalog = load_themes(user)
    assert catalog.names == SHIPPED
    assert len(catalog.problems) == 2


async def test_an_edited_theme_is_given_and_a_broken_one_leaves_the_last_good_one(user: Path) -> None:
    file = user / "mine.toml"
    file.write_text(GOOD)
    async with watch_themes(user, load_themes(user)) as changes:
        file.write_text(with_accent("#ffcc00"))
        change = await next_change(changes)
        assert change.changed == {"mine"}
        file.write_text("accent = broken")
        change = await next_change(changes)
        assert change.changed == change.gone == frozenset()
        assert change.catalog.pick("mine").theme.accent == "#ffcc00"
        assert len(change.catalog.problems) == 1
        file.write_text(with_accent("#00ccff"))
        change = await next_change(changes)
        assert change.catalog.pick("mine").theme.accent == "#00ccff"
        assert change.catalog.problems == ()
        file.unlink()
        assert (await next_change(changes)).gone == {"mine"}


async def test_a_folder_made_later_is_noticed(tmp_path: Path) -> None:
    user = tmp_path / "config" / "themes"
    async with watch_themes(user, load_themes(user)) as changes:
        user.mkdir(parents=True)
        (user / "mine.toml").write_text(GOOD)
        change = await next_change(changes)
        while "mine" not in change.catalog.themes:
            change = await next_change(changes)


async def test_watching_can_be_cancelled_and_leaves_nothing_running(user: Path) -> None:
    before = asyncio.all_tasks()
    given = asyncio.Event()

    async def watch(catalog: Catalog) -> None:
        async with watch_themes(user, catalog) as changes:
            async for _ in changes:
                given.set()

    task = asyncio.create_task(watch(load_themes(user)))
    (user / "mine.toml").write_text(GOOD)
    async with asyncio.timeout(20):
        await given.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
