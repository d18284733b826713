from pathlib import Path

import pytest
from textual.events import Paste
from textual.widgets import TextArea

from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import AnswerRequest, EditArtifact
from orchestrator_tui.domain.statuses import Choice, PhaseName, PipelineStatus
from orchestrator_tui.tui.guard import HELD
from orchestrator_tui.tui.themes import load_themes
from tests.running import Watched
from tests.tui.asked import asked, asked_at_checkpoint, swarm_project
from tests.tui.stage import SMALL, WIDE, played_project, until


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_approval_shows_document_facts_and_actions(tmp_path: Path, size: tuple[int, int]) -> None:
    async with asked_at_checkpoint(tmp_path, size=size) as case:
        await case.sees("demo waits for you", "Ideation  demo · round 1", "A package of 3 small modules.", "esc later")
        for action in ("a Approve", "hanges", "e Edit", "^e $EDITOR", "v View", "d Diff", "s Stop"):
            assert action in case.shown()


async def test_approving_lets_the_project_go_on(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("a")
        assert await case.closed() is True
        await case.run.until_rest()
        (request,) = await case.run.engine.requests(case.run.project_id)
        assert request.phase is PhaseName.ARCHITECTURE


async def test_an_action_can_be_clicked(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        case.hand.seconds += 10
        await case.pilot.click("#question-actions", offset=(3, 0))
        assert await case.closed() is True


async def test_an_action_can_be_marked_and_chosen(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("tab", "right", "enter")
        await case.sees("What should be different?")


@pytest.mark.parametrize("key", ["enter", "y", "space", "n", "N", "q", "ctrl+s"])
async def test_no_other_key_approves(tmp_path: Path, key: str) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press(key, key)
        assert "a Approve" in case.shown()
        assert case.answers == []
        assert [one.kind for one in await case.run.engine.requests(case.run.project_id)] == ["approval"]


async def test_a_key_right_after_opening_approves_nothing(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.pilot.press("a")
        await case.sees("Nothing was decided")
        case.hand.seconds += 0.5
        await case.pilot.press("a")
        assert await case.closed() is True


async def test_a_key_that_is_held_down_from_before_the_question_came_approves_nothing(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        case.screen.guard.opened_by("a", case.hand.seconds)
        case.screen.guard.held = 3600
        # Terminals wait longer before the first repeat than between the others.
        case.hand.seconds += 0.5
        await case.pilot.press("a", "a")
        await case.sees("the key is held down")
        for _ in range(30):
            case.hand.seconds += 0.03
            await case.pilot.press("a")
        assert case.answers == []
        assert await answers_of(case.run) == []
        case.screen.guard.held = HELD
        case.hand.seconds += 0.5
        await case.pilot.press("a")
        assert await case.closed() is True


async def test_a_letter_of_what_is_typed_at_an_open_question_approves_nothing(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        case.hand.seconds += 10
        for key in ("slash", "p", "space", "a"):
            case.hand.seconds += 0.15
            await case.pilot.press(key)
        await case.sees("a letter of what you typed")
        assert case.answers == []
        case.hand.seconds += 0.5
        await case.pilot.press("down", "a")
        assert await case.closed() is True


async def test_keys_that_come_too_early_make_the_pause_begin_anew(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        for key in ("a", "down") * 5:
            case.hand.seconds += 0.3
            await case.pilot.press(key)
        case.hand.seconds += 0.3
        await case.pilot.press("a")
        await case.sees("Nothing was decided")
        assert case.answers == []


async def test_a_key_right_behind_a_paste_decides_nothing(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        case.hand.seconds += 10
        case.pilot.app.post_message(Paste("a green banana"))
        await case.pilot.press("a")
        await case.sees("Nothing was decided")
        assert case.answers == []


async def test_a_held_key_asks_whether_to_stop_and_does_not_stop(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        # However long this machine takes from key to key, only the clock of the test counts.
        case.screen.guard.held = 3600
        await case.press("s")
        case.hand.seconds += 0.5
        for _ in range(20):
            await case.pilot.press("s")
            case.hand.seconds += 0.03
        await case.sees("Stop the project? s again to stop")
        assert case.answers == []
        await case.press("s")
        assert await case.closed() is True


async def test_nothing_is_approved_in_a_terminal_too_small_to_read_it(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.pilot.resize_terminal(10, 2)
        await case.press("a")
        await case.pilot.resize_terminal(49, 30)
        await case.press("a")
        await case.sees("too small")
        assert case.answers == []
        await case.pilot.resize_terminal(50, 14)
        await case.press("a")
        assert await case.closed() is True


async def test_pressing_twice_answers_once(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("a", "a", "a")
        assert await case.closed() is True
        assert len(await answers_of(case.run)) == 1


async def test_escape_is_later(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("escape")
        assert await case.closed() is False
        assert len(await case.run.engine.requests(case.run.project_id)) == 1


async def test_changes_are_asked_for_in_words_and_the_next_round_can_be_compared(tmp_path: Path) -> None:
    async with played_project(tmp_path, autonomy="checkpoint") as run:
        async with asked(run, tmp_path) as case:
            await case.press("d")
            await case.sees("This is the first round")
            await case.press("d", "c")
            await case.sees("What should be different?")
            await case.press(*"no a", "enter", *"more", "ctrl+s")
            assert await case.closed() is True
        await run.until_rest()
        assert [one.text for one in await answers_of(run)] == ["no a\nmore"]
        async with asked(run, tmp_path) as case:
            await case.sees("round 2")
            await case.press("d")
            await case.sees("Nothing changed since round 1.")


async def test_words_that_are_not_sent_are_kept(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("c", "ctrl+s")
        await case.sees("Nothing is written yet.")
        await case.press(*"red", "escape")
        await until(case.pilot, lambda: "What should be" not in case.shown())
        await case.press("c")
        await case.sees("red", "^s Send")
        await case.press("escape", "escape")
        assert await case.closed() is False
        assert list(case.screen.context.drafts.values()) == ["red"]


async def test_a_document_is_edited_in_place_and_asked_about_again(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("e")
        await case.sees("# Requirements", "^s Save")
        await case.press("ctrl+s")
        await case.sees("You left the text as it was.")
        await case.press(*"Mine ", "ctrl+s")
        await case.sees("This is your edited text", "Mine # Requirements", "edited by hand", "a Approve")
        assert case.answers == []
        await case.press("d")
        await case.sees("the text before the edit: +1 −1", "− # Requirements", "+ Mine # Requirements")
        await case.press("escape", "a")
        assert await case.closed() is True
        await case.run.until_rest()
        artifact = (await case.run.engine.artifacts(case.run.project_id))[1]
        assert str(artifact.content["edited_markdown"]).startswith("Mine # Requirements")


async def test_an_empty_text_is_not_taken(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("e")
        case.screen.query_one("#approval-text", TextArea).text = " \n"
        await case.press("ctrl+s")
        await case.sees("The text is empty")


async def test_without_a_terminal_to_give_away_the_editor_is_the_one_in_place(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("ctrl+e")
        await case.sees("No other program can have this terminal now: e edits")


async def test_a_document_that_changed_meanwhile_is_shown_and_no_key_approves_it_at_once(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("down")
        await edit_from_outside(case.run, "# Theirs")
        await case.sees("The document changed while you looked at it: this is the new one.", "Theirs")
        await case.pilot.press("a")
        await case.sees("Nothing was decided")
        assert case.answers == []
        await case.press("a")
        assert await case.closed() is True
        artifact = (await case.run.engine.artifacts(case.run.project_id))[1]
        assert (await answers_of(case.run))[-1].choice is Choice.APPROVE
        assert artifact.content["edited_markdown"] == "# Theirs"


async def test_an_edit_survives_a_change_from_outside(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("e", *"Mine ")
        await edit_from_outside(case.run, "# Theirs")
        await case.sees("The document changed while you edited it", "Mine # Requirements")
        await case.press("ctrl+s")
        await case.sees("This is your edited text", "Mine # Requirements")


async def test_words_survive_a_change_from_outside(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("c", *"red")
        await edit_from_outside(case.run, "# Theirs")
        await case.sees("The document changed", "Theirs", "red", "^s Send")
        await case.press("ctrl+s")
        assert await case.closed() is True
        assert (await answers_of(case.run))[-1].text == "red"


async def test_an_answer_of_somebody_else_is_told_and_any_key_closes(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("c", *"red")
        request = await case.run.request()
        await case.run.engine.submit(
            AnswerRequest(
                request_id=request.id, choice=Choice.APPROVE, content_hash=request.content_hash, by="ann on Discord"
            )
        )
        await case.sees("ann on Discord answered meanwhile with approve. What you wrote is kept. Any key closes this.")
        await case.pilot.press("d")
        assert case.answers == []
        await case.press("x")
        assert await case.closed() is False
        assert list(case.screen.context.drafts.values()) == ["red"]


async def test_stopping_asks_once_more_and_another_key_takes_it_back(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        await case.press("s")
        await case.sees("Stop the project? s again to stop")
        await case.press("down", "s")
        assert case.answers == []
        await case.press("s")
        assert await case.closed() is True
        assert (await case.run.project()).status is PipelineStatus.STOPPED


async def test_the_whole_screen_is_given_to_the_document_and_taken_back(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path, size=SMALL) as case:
        await case.press("v")
        await until(case.pilot, lambda: "╭" not in case.shown())
        await case.sees("v Leave view")
        await case.press("escape")
        await case.sees("╭", "esc later")
        assert case.answers == []


async def test_what_a_swarm_agreed_on_shows_at_a_glance(tmp_path: Path) -> None:
    async with swarm_project(tmp_path) as run, asked(run, tmp_path, size=SMALL) as case:
        await case.sees("what requirements, feasibility, risks say", "●●●  Modules that tell their name")


async def test_a_plan_is_shown_in_short_and_in_full(tmp_path: Path) -> None:
    async with played_project(tmp_path, items=20, autonomy="checkpoint") as run:
        for _ in range(2):
            await run.answer(Choice.APPROVE)
            await run.until_rest()
        async with asked(run, tmp_path, size=SMALL) as case:
            await case.sees("Task breakdown", "20 work items", "5 urgent, 5 high, 5 normal, 5 low.", "TASK-1")
            assert "e Edit" not in case.shown()
            await case.press("e")
            await case.sees("This cannot be edited as text")
            await case.press("v")
            await case.sees("Write item00001.py")


@pytest.mark.parametrize("theme", load_themes(Path("/nowhere")).names)
async def test_every_theme_is_followed(tmp_path: Path, theme: str) -> None:
    async with swarm_project(tmp_path) as run, asked(run, tmp_path) as case:
        for key in ("tab", "e", "escape", "d"):
            await case.press(key)
            case.pilot.app.theme = theme
            await case.pilot.pause()
            await case.sees("Ideation", "demo waits for you")
            case.pilot.app.theme = "dark"


async def test_it_survives_any_size(tmp_path: Path) -> None:
    async with asked_at_checkpoint(tmp_path) as case:
        for key in ("c", "escape", "d", "v", "escape", "e"):
            await case.press(key)
            for size in ((1, 1), (10, 3), (30, 10), SMALL, (200, 60)):
                await case.pilot.resize_terminal(*size)
                await case.pilot.pause()


async def edit_from_outside(run: Watched, markdown: str) -> None:

    request = await run.request()
    await run.engine.submit(
        EditArtifact(request_id=request.id, content_hash=request.content_hash, markdown=markdown, by="ann")
    )


async def answers_of(run: Watched) -> list[events.InputAnswered]:

    recorded = await run.engine.events(project_id=run.project_id, limit=5000)
    return [one.event for one in recorded if isinstance(one.event, events.InputAnswered)]
