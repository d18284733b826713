from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from textual import events

from orchestrator_tui.domain.commands import EditArtifact
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.tui import guard
from orchestrator_tui.tui.app import QUIET_SECONDS
from tests.tui.board import REHEARSED, Board, board


def rung(it: Board, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one each time the terminal rings."""
    rings: list[str] = []
    monkeypatch.setattr(it.app, "bell", lambda: rings.append("ring"))
    return rings


async def test_the_bell_rings_once_for_each_question_and_never_for_one_that_is_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with board(tmp_path / "home") as it:
        rings = rung(it, monkeypatch)
        await it.press("f5")
        await it.question("example waits for you")
        assert len(rings) == 1
        (request,) = await it.client.requests()
        edit = EditArtifact(request_id=request.id, content_hash=request.content_hash, markdown="# Other words")
        await it.client.submit(edit)
        await it.question("The document changed while you looked at it", "Other words")
        assert len(rings) == 1
        await it.press("a")
        await it.until(lambda: it.project.phases[PhaseName.ARCHITECTURE].round == 1)
        await it.question("Architecture")
        assert len(rings) == 2


async def test_a_bell_that_is_switched_off_stays_silent_and_the_list_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with board(tmp_path / "home", settings={"tui": {"bell": False}}) as it:
        rings = rung(it, monkeypatch)
        await it.type("typing")
        await it.press("f5")
        await it.shows("● you", "● 1 waits")
        assert rings == []


async def test_a_key_that_was_meant_for_what_stood_there_before_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        # Whatever time it takes here until the key comes, that is too early.
        with monkeypatch.context() as patch:
            patch.setattr(guard, "QUIET", 3600)
            await it.until(lambda: it.app.asker.is_open)
            it.app.post_message(events.Key("a", "a"))
            await it.shows("Nothing was decided: this had only just appeared.")
        assert it.project.phases[PhaseName.ARCHITECTURE].round == 0
        await it.question("a Approve")
        await it.press("a")
        await it.until(lambda: it.project.phases[PhaseName.ARCHITECTURE].round == 1)


async def test_a_question_waits_until_a_page_is_closed_and_a_sentence_is_sent(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.press("f1")
        await it.shows("Keys: everywhere")
        await it.client.submit(replace(REHEARSED, name="example"))
        await it.until(lambda: it.app.selected is not None and it.project.waits_for_person)
        await it.type("stop")
        help_page = it.app.screen
        assert type(help_page).__name__ == "HelpPage"
        await it.until(lambda: monotonic() - it.app.last_key_at >= 2 * QUIET_SECONDS)
        it.app.asker.consider()
        await it.pilot.pause()
        assert it.app.screen is help_page and not it.app.asker.is_open
        await it.press("escape", "escape")
        await it.until(lambda: help_page not in it.app.screen_stack)
        await it.question("example waits for you")


async def test_no_in_any_form_is_never_taken_as_yes(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("n", "N", "q", "x", "y", "enter", "space", "backspace")
        await it.press("escape")
        await it.refused("/approve no", "does not take 'no'")
        await it.refused("/approve not yet", "does not take 'not yet'")
        await it.send("no")
        await it.shows("New project")
        await it.leave()
        assert it.project.status is PipelineStatus.PAUSED
        assert it.project.phases[PhaseName.ARCHITECTURE].round == 0


async def test_words_and_an_edited_text_survive_being_put_off(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("c")
        await it.type("less moon")
        await it.press("ctrl+n")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.press("escape", "c")
        await it.shows("less moon")
        await it.press("escape")
        await it.press("e")
        await it.shows("^s Save")
        await it.type("Bees. ")
        await it.leave()
        await it.press("e")
        await it.shows("Bees. # Requirements")
        assert it.project.phases[PhaseName.IDEATION].round == 1


@pytest.mark.parametrize("ending", ["left by its key", "its terminal vanishes"])
async def test_what_was_written_and_not_sent_is_there_after_the_next_start(tmp_path: Path, ending: str) -> None:
    home = tmp_path / "home"

    async def end(it: Board) -> None:
        if ending == "left by its key":
            await it.press("ctrl+q")
        else:
            it.app.leaving.unseen()
        await it.until(lambda: it.app.return_code == 0)

    async with board(home, first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("c")
        await it.type("less moon")
        await end(it)
    async with board(home) as it:
        await it.question("small waits for you")
        await it.press("c")
        await it.shows("less moon")
        await it.press("escape")
        await it.press("e")
        await it.shows("^s Save")
        await it.type("Bees. ")
        await end(it)
    async with board(home) as it:
        await it.question("small waits for you")
        await it.press("e")
        await it.shows("Bees. # Requirements")
        await it.press("escape")
        await it.press("c")
        await it.shows("less moon")


async def test_another_program_s_editor_is_refused_where_there_is_no_terminal_for_it(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, environ={"EDITOR": "true"}) as it:
        await it.question("small waits for you")
        await it.press("ctrl+e")
        await it.shows("No other program can have this terminal now: e edits the text right here.")


async def test_keys_right_behind_the_one_that_leads_to_the_input_bar_are_typed_there_in_order(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.press("escape")
        for key, character in (("slash", "/"), ("h", "h"), ("e", "e"), ("l", "l"), ("p", "p"), ("enter", "\r")):
            it.app.post_message(events.Key(key, character))
        await it.shows("Keys: everywhere")
        await it.until(lambda: it.typed == "")


async def test_editing_keys_in_a_burst_behind_the_slash_edit_in_the_order_they_came(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.press("escape")
        burst = [("slash", "/"), ("x", "x"), ("ctrl+u", "\x15"), ("slash", "/"), *((c, c) for c in "help")]
        for key, character in [*burst, ("enter", "\r")]:
            it.app.post_message(events.Key(key, character))
        await it.shows("Keys: everywhere")
        await it.until(lambda: it.typed == "")
