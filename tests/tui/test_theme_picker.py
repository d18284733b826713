from pathlib import Path

from orchestrator_tui.tui.screens.theme_picker import ThemePicker
from orchestrator_tui.tui.themes import Catalog, load_themes
from tests.tui.stage import SMALL, WIDE, Stage, text_of, until


def catalog(folder: Path) -> Catalog:
    folder.mkdir()
    (folder / "broken.toml").write_text("dark = 3\n")
    return load_themes(folder)


async def test_a_theme_is_tried_while_moving_and_kept_by_enter(tmp_path: Path) -> None:
    app = Stage()
    chosen: list[str | None] = []
    async with app.run_test(size=WIDE) as pilot:
        await app.push_screen(ThemePicker(catalog(tmp_path / "themes")), chosen.append)
        await until(pilot, lambda: "▌dark" in text_of(pilot))
        await pilot.press("end")
        await until(pilot, lambda: app.theme == "light")
        assert "▌light" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: chosen == ["light"])
        assert app.theme == "light"


async def test_going_back_brings_the_old_theme_back(tmp_path: Path) -> None:
    app = Stage()
    chosen: list[str | None] = []
    async with app.run_test(size=SMALL) as pilot:
        await app.push_screen(ThemePicker(catalog(tmp_path / "themes")), chosen.append)
        await until(pilot, lambda: "▌dark" in text_of(pilot))
        await pilot.press("home")
        await until(pilot, lambda: app.theme == "ansi")
        for size in ((1, 1), (9, 4), SMALL):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await pilot.press("escape")
        await until(pilot, lambda: chosen == [None])
        assert app.theme == "dark"


async def test_a_broken_theme_file_is_told(tmp_path: Path) -> None:
    app = Stage()
    async with app.run_test(size=WIDE) as pilot:
        await app.push_screen(ThemePicker(catalog(tmp_path / "themes")))
        await until(
            pilot, lambda: "dark is expected to be true or false." in " ".join(text_of(pilot).replace("│", " ").split())
        )
