from pathlib import Path

import pytest

from orchestrator_tui.compose import open_store_for
from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import Choice, RequestKind
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.view import Dashboard
from tests.running import launch
from tests.tui.asked import Asked, asked_about
from tests.tui.stage import NOON, SMALL, WIDE, until

PERMISSION = (Choice.ALLOW_ONCE, Choice.ALLOW_PROJECT, Choice.DENY)
DECISION = (Choice.RETRY, Choice.RETRY_WITH_HINT, Choice.STOP)
COMMAND = "Bash  npm install [left-pad] && rm -rf node_modules/*"


async def answers_of(case: Asked) -> list[events.InputAnswered]:
    recorded = await case.run.engine.events(project_id=case.run.project_id, limit=5000)
    return [one.event for one in recorded if isinstance(one.event, events.InputAnswered)]


async def answered(case: Asked) -> tuple[Choice, str | None]:
    assert await case.closed() is True
    (answer,) = await answers_of(case)
    assert answer.by == "dashboard"
    return answer.choice, answer.text


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_permission_shows_exactly_what_is_asked_for(tmp_path: Path, size: tuple[int, int]) -> None:
    async with asked_about(
        tmp_path, RequestKind.PERMISSION, PERMISSION, title="agent-2 wants to run a command", body=COMMAND, size=size
    ) as case:
        await case.sees("agent-2 wants to run a command", COMMAND, "o ", "p ", "n Deny", "esc later")


@pytest.mark.parametrize(("key", "choice"), [("o", Choice.ALLOW_ONCE), ("p", Choice.ALLOW_PROJECT), ("n", Choice.DENY)])
async def test_a_permission_is_given_or_denied_by_its_key(tmp_path: Path, key: str, choice: Choice) -> None:
    async with asked_about(tmp_path, RequestKind.PERMISSION, PERMISSION, body=COMMAND) as case:
        await case.press(key)
        # The project rests at another question meanwhile, so that the engine can only take the answer down.
        assert await answered(case) == (choice, None)


@pytest.mark.parametrize("key", ["enter", "space", "y", "N", "a"])
async def test_no_other_key_allows_anything(tmp_path: Path, key: str) -> None:
    async with asked_about(tmp_path, RequestKind.PERMISSION, PERMISSION, body=COMMAND) as case:
        await case.press(key, key)
        assert "n Deny" in case.shown()
        assert await answers_of(case) == []


async def test_characters_of_a_permission_that_cannot_be_seen_are_told(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.PERMISSION, PERMISSION, body="Bash  ls \u202e\u200b-la") as case:
        await case.sees("Bash  ls -la", "2 characters in it cannot be seen")


async def test_the_line_end_of_a_command_is_no_hidden_character(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.PERMISSION, PERMISSION, body="Bash  ls \u200b-la\n") as case:
        await case.sees("Bash  ls -la", "1 character in it cannot be seen and is left out")


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_question_is_answered_in_words(tmp_path: Path, size: tuple[int, int]) -> None:
    async with asked_about(
        tmp_path,
        RequestKind.CLARIFICATION,
        (Choice.ANSWER,),
        title="Which currency?",
        body="Prices need one.",
        size=size,
    ) as case:
        await case.sees("Which currency?", "Prices need one.", "Your answer", "^s Send")
        await case.press(*"Euro", "enter", *"only", "ctrl+s")
        assert await answered(case) == (Choice.ANSWER, "Euro\nonly")


async def test_an_answer_that_is_left_is_there_again_later(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.CLARIFICATION, (Choice.ANSWER,), body="Which currency?") as case:
        await case.press(*"Eur", "escape")
        assert await case.closed() is False
        assert list(case.screen.context.drafts.values()) == ["Eur"]


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_failure_shows_only_the_ways_on_that_there_are(tmp_path: Path, size: tuple[int, int]) -> None:
    async with asked_about(
        tmp_path,
        RequestKind.ERROR_DECISION,
        DECISION,
        title="The implement phase failed",
        body="Set X first.",
        size=size,
    ) as case:
        await case.sees("The implement phase failed", "Set X first.", "t ", "h ", "s Stop")
        assert "k " not in case.shown().splitlines()[-3]
        await case.press("k")
        assert await answers_of(case) == []


async def test_a_failure_is_tried_again_by_its_key(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.ERROR_DECISION, DECISION, body="Broken.") as case:
        await case.press("t")
        assert await answered(case) == (Choice.RETRY, None)


async def test_a_hint_is_written_before_it_is_tried_again(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.ERROR_DECISION, DECISION, body="Broken.") as case:
        await case.press("h")
        await case.sees("What should the agent know?")
        await case.press(*"the tests need X", "ctrl+s")
        assert await answered(case) == (Choice.RETRY_WITH_HINT, "the tests need X")


async def test_an_error_of_the_engine_is_shown_and_the_words_stay(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.CLARIFICATION, (), body="Which currency?") as case:
        await case.press(*"Euro", "ctrl+s")
        await case.sees("This question cannot be answered with answer.", "Euro", "^s Send")
        assert case.answers == []


async def test_an_answer_to_a_question_that_is_gone_decides_nothing(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.PERMISSION, PERMISSION, body=COMMAND) as case:
        request = case.screen.request
        async with open_store_for(launch(tmp_path, None), Bus()) as store, store.transaction() as unit:
            await unit.withdraw_requests(request.project_id)
        await case.press("o")
        await case.sees("This was answered meanwhile. Any key closes this.")
        withdrawn = events.InputWithdrawn(request_id=request.id, kind=request.kind)
        recorded = Recorded(seq=1, at=NOON, project_id=request.project_id, event=withdrawn)
        case.screen.post_message(Happened(Dashboard(), (recorded,)))
        await case.sees("This is not asked any more: the project went on without an answer.")
        await case.press("enter")
        assert await case.closed() is False
        assert await answers_of(case) == []


async def test_questions_survive_any_size(tmp_path: Path) -> None:
    async with asked_about(tmp_path, RequestKind.ERROR_DECISION, DECISION, body="Broken.\n" * 100) as case:
        for key in ("tab", "h"):
            for size in ((1, 1), (10, 3), (30, 10), SMALL, (200, 60)):
                await case.pilot.resize_terminal(*size)
                await case.pilot.pause()
            await case.press(key)
            await until(case.pilot, lambda: case.shown())
