from textual.events import Key
from textual.screen import ModalScreen

from orchestrator_tui.tui.screens.confirm import Answer, ConfirmScreen
from tests.tui.stage import SMALL, Stage, text_of, until

ANSWERS = (Answer("stay", "escape", "Stay"), Answer("leave", "l", "Leave"))


def question() -> ConfirmScreen:
    return ConfirmScreen("Is it?", "", ANSWERS, safe="stay")


async def test_a_screen_that_is_dismissed_twice_gives_one_answer_and_closes_no_other_screen() -> None:
    app = Stage()
    given: list[str | None] = []
    async with app.run_test(size=SMALL) as pilot:
        below = ModalScreen[None]()
        app.push_screen(below)
        app.push_screen(screen := question(), given.append)
        await until(pilot, lambda: "Is it?" in text_of(pilot))
        for answer in ("stay", "leave", None):
            screen.dismiss(answer)
        await until(pilot, lambda: given)
        await pilot.pause()
        assert given == ["stay"]
        assert app.screen is below


async def test_keys_in_a_burst_answer_once() -> None:
    app = Stage()
    given: list[str | None] = []
    async with app.run_test(size=SMALL) as pilot:
        app.push_screen(question(), given.append)
        await until(pilot, lambda: "Is it?" in text_of(pilot))
        for key in ("l", "enter", "escape"):
            app.post_message(Key(key, None))
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.pause()
        assert given == ["leave"]


async def test_a_screen_below_another_one_closes_when_that_one_is_gone() -> None:
    app = Stage()
    given: list[str | None] = []
    async with app.run_test(size=SMALL) as pilot:
        app.push_screen(screen := question(), given.append)
        app.push_screen(above := question())
        await until(pilot, lambda: app.screen is above)
        screen.dismiss("leave")
        await pilot.pause()
        assert (app.screen, given) == (above, [])
        above.dismiss(None)
        await until(pilot, lambda: given == ["leave"])
        assert len(app.screen_stack) == 1
