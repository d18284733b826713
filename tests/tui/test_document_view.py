from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Markdown, Static

from orchestrator_tui.tui.themes import load_themes
from orchestrator_tui.tui.widgets import document_view
from orchestrator_tui.tui.widgets.document_view import RENDERED, DocumentView
from tests.tui.stage import SMALL, WIDE, Stage, text_of, until

THEMES = load_themes(Path("/nowhere")).names
SOME = """# Requirements

Checks **links** with `mdcheck`.

## Who

- people
  - in a hurry
- others

1. one
2. two

> said

```sh
make test
```

| a | b |
|---|---|
| 1 | 2 |
"""
LONG = "\n\n".join(f"paragraph {number}" for number in range(200))


async def show(pilot: Pilot[Any], text: str) -> DocumentView:
    view = pilot.app.query_one(DocumentView)
    await view.set_text(text)
    await pilot.pause()
    return view


@pytest.mark.parametrize("size", [WIDE, SMALL])
@pytest.mark.parametrize("theme", THEMES)
async def test_a_document_is_rendered_in_every_theme(theme: str, size: tuple[int, int]) -> None:
    async with Stage(DocumentView(), theme=theme).run_test(size=size) as pilot:
        await show(pilot, SOME)
        shown = text_of(pilot)
        for words in ("Requirements", "Checks links with mdcheck.", "in a hurry", "2. two", "said", "make test"):
            assert words in shown
        assert "**" not in shown
        assert "##" not in shown


async def test_html_and_pictures_are_shown_as_they_are_written() -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        await show(
            pilot, "<div hidden>rm -rf</div>\n\nsee <b>this</b> ![a cat](http://example.org/cat.png)\n\n[//]: # (aside)"
        )
        shown = text_of(pilot)
        assert "<div hidden>rm -rf</div>" in shown
        assert "<b>this</b>" in shown
        assert "a cat" in shown
        assert "(aside)" in shown


async def test_what_is_nested_too_deep_to_be_rendered_is_still_shown() -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        await show(pilot, "> " * 30 + "at the bottom")
        assert "at the bottom" in text_of(pilot)


@pytest.mark.parametrize("filler", ["", "word\n" * RENDERED])
async def test_control_characters_of_a_document_do_not_reach_the_screen(filler: str) -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        await show(pilot, "a\x1b[2Jb\u202ec [red]d[/red]\n" + filler)
        assert "abc [red]d[/red]" in text_of(pilot)


async def test_a_link_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    app = Stage(DocumentView(), kept=(Markdown.LinkClicked,))
    async with app.run_test(size=SMALL) as pilot:
        monkeypatch.setattr(app, "open_url", lambda url, **_: opened.append(url))
        await show(pilot, "[here](http://example.org)")
        await pilot.click(Markdown, offset=(1, 0))
        await until(pilot, lambda: app.seen)
        assert opened == []


async def test_keys_scroll_and_a_new_version_stays_at_the_place() -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        view = await show(pilot, LONG)
        view.focus()
        await pilot.press("pagedown", "down")
        await until(pilot, lambda: view.scroll_y > 20)
        await until(pilot, lambda: view.scroll_y == view.scroll_target_y)
        place = view.scroll_y
        await view.set_text(LONG.replace("paragraph", "line"))
        await until(pilot, lambda: "line 13" in text_of(pilot))
        assert view.scroll_y == place
        await pilot.press("end")
        await until(pilot, lambda: "line 199" in text_of(pilot))
        await view.set_text("short")
        await until(pilot, lambda: text_of(pilot).startswith("short"))


async def test_a_huge_document_is_plain_wrapped_and_costs_no_widgets() -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        text = "\n".join(f"# line {number} " + "word " * 30 for number in range(5_000))
        view = await show(pilot, text)
        assert text_of(pilot).startswith("# line 0 word")
        assert len(view.query("*")) < 10
        view.focus()
        await pilot.press("end")
        await until(pilot, lambda: "# line 4999" in text_of(pilot))
        await view.set_text("small again")
        await until(pilot, lambda: text_of(pilot).startswith("small again"))


async def test_a_document_of_many_small_parts_is_shown_as_it_is_written_with_hanging_items() -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        view = await show(pilot, "- " + "word " * 20 + "end\n" + "- item\n" * 400)
        assert len(view.query("*")) < 10
        assert text_of(pilot).startswith("- word")
        assert "\n  word word" in text_of(pilot)


async def test_what_stands_above_scrolls_with_the_document() -> None:
    async with Stage(DocumentView(Static("head"))).run_test(size=SMALL) as pilot:
        view = await show(pilot, LONG)
        assert text_of(pilot).startswith("head")
        view.focus()
        await pilot.press("end")
        await until(pilot, lambda: "head" not in text_of(pilot))


async def test_deep_nesting_and_any_size_do_no_harm() -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        await show(
            pilot, ">" * 500 + " deep\n\n" + "\n".join("  " * depth + "- in" for depth in range(60)) + "\n" + SOME
        )
        for size in ((1, 1), (3, 2), (40, 10), (1, 30), WIDE):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await show(pilot, "x" * (document_view.RENDERED + 1))
        for size in ((1, 1), (300, 2), WIDE):
            await pilot.resize_terminal(*size)
            await pilot.pause()


async def test_another_theme_is_followed() -> None:
    async with Stage(DocumentView()).run_test(size=SMALL) as pilot:
        await show(pilot, "x" * (RENDERED + 1))
        for theme in THEMES:
            pilot.app.theme = theme
            await pilot.pause()
            assert text_of(pilot).startswith("xxx")
