import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest

from orchestrator_tui.adapters.broker import Broker
from orchestrator_tui.adapters.console import ConsoleAdapter
from orchestrator_tui.adapters.editor import edit_text
from orchestrator_tui.adapters.line_reader import LineReader
from orchestrator_tui.adapters.review import Approved, ChangesWanted, Edited, InputEnded, StopWanted
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.domain.commands import AnswerRequest, EditArtifact
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import Choice, PhaseName, RequestKind
from orchestrator_tui.engine.client import EngineClient

LONG = "\n".join(f"line {number}" for number in range(1, 101))


class Screen(StringIO):
    """What was written, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def write(self, text: str) -> int:
        self._changed.set()
        return super().write(text)

    async def ends_with(self, text: str) -> None:
        async with asyncio.timeout(10):
            while not self.getvalue().endswith(text):
                self._changed.clear()
                await self._changed.wait()


@dataclass
class Person:
    """Types into a pipe, or into a terminal, and sees what the adapter writes."""

    adapter: ConsoleAdapter
    screen: Screen
    keyboard: int

    def types(self, text: str) -> None:
        os.write(self.keyboard, text.encode())

    def leaves(self) -> None:
        os.close(self.keyboard)
        self.keyboard = -1


@contextmanager
def person(*, at_terminal: bool = False, **environ: str) -> Iterator[Person]:
    if at_terminal:
        keyboard, source = pty.openpty()
        tty.setcbreak(keyboard)
    else:
        source, keyboard = os.pipe()
    screen = Screen()
    with os.fdopen(source, "rb", buffering=0) as stream:
        someone = Person(ConsoleAdapter(stream, screen, environ), screen, keyboard)
        try:
            yield someone
        finally:
            if someone.keyboard != -1:
                os.close(someone.keyboard)


def request(
    kind: RequestKind = RequestKind.APPROVAL,
    choices: tuple[Choice, ...] = (Choice.APPROVE,),
    phase: PhaseName = PhaseName.IDEATION,
) -> InputRequest:
    return InputRequest(
        id="r",
        project_id="p",
        kind=kind,
        phase=phase,
        title="Approve the requirements",
        body=LONG,
        choices=choices,
        content_hash="h",
        created_at=datetime.now(UTC),
    )


@pytest.mark.parametrize("answer", ["", "y", "Y", "yes", " YES "])
async def test_only_a_clear_yes_approves(answer: str) -> None:
    with person() as someone:
        someone.types(f"{answer}\n")
        assert await someone.adapter.get_approval("the plan", "ideation") is True
        assert "Does this look right? [Y/n/view/stop]" in someone.screen.getvalue()


@pytest.mark.parametrize("answer", ["n", "N", "no", "NO!", "nope", "no, not yet", "n: add a page"])
async def test_no_in_any_form_does_not(answer: str) -> None:
    with person() as someone:
        someone.types(f"{answer}\n")
        assert await someone.adapter.get_approval("the plan", "ideation") is False


@pytest.mark.parametrize("unclear", ["not really", "yes but", "y n", "maybe", "yesno", "edit", "\x1b[A", "0"])
async def test_what_is_unclear_is_asked_again(unclear: str) -> None:
    with person() as someone:
        someone.types(f"{unclear}\nn\n")
        assert await someone.adapter.get_approval("the plan", "ideation") is False
        assert "Please answer" in someone.screen.getvalue()


async def test_the_end_of_the_input_is_never_a_yes() -> None:
    with person() as someone:
        someone.leaves()
        for asking in (
            someone.adapter.get_approval("the plan", "ideation"),
            someone.adapter.review(request()),
            someone.adapter.get_clarification("why?"),
            someone.adapter.show_error("broken", ["retry", "stop"]),
            someone.adapter.get_initial_idea(),
        ):
            with pytest.raises(InputEnded):
                await asking


async def test_a_long_document_is_shortened_until_it_is_viewed() -> None:
    with person() as someone:
        someone.types("view\ny\n")
        assert await someone.adapter.review(request()) == Approved()
        before, after = someone.screen.getvalue().split("[Y/n/edit/view/stop]")[:2]
    assert "line 40" in before
    assert "line 41" not in before
    assert "60 more lines" in before
    assert "line 100" in after


async def test_no_asks_for_words_until_there_are_some() -> None:
    with person() as someone:
        someone.types("n\n\n  \nleave out the moon\n")
        assert await someone.adapter.review(request()) == ChangesWanted("leave out the moon")


async def test_words_after_no_are_the_changes() -> None:
    with person() as someone:
        someone.types("no, leave out the moon\n")
        assert await someone.adapter.review(request()) == ChangesWanted("leave out the moon")


async def test_a_project_can_be_stopped_from_the_question() -> None:
    with person() as someone:
        someone.types("stop\n")
        assert await someone.adapter.review(request()) == StopWanted()


async def test_an_edited_document_comes_back_as_it_was_left() -> None:
    with person(EDITOR="sed -i 's/line 1$/first line/'") as someone:
        someone.types("edit\n")
        verdict = await someone.adapter.review(request())
    assert verdict == Edited(LONG.replace("line 1\n", "first line\n", 1))


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ("true", "You left the text as it was."),
        ("truncate -s 0", "An empty text is not taken."),
        ("false", "false ended with exit code 1. Nothing was changed."),
        ("/no/such/editor", "/no/such/editor was not found"),
        ("/etc/passwd", "/etc/passwd may not be run."),
        ("ln -sf /dev/zero", "a link to another file, which is not read."),
        ("ln -sf /etc/passwd", "a link to another file, which is not read."),
        ("truncate -s 1000001", "The document is too large: 1 MB is the most."),
        ("cp /bin/true", "left is no text in UTF-8."),
        ("rm", "rm left no document."),
        ("sh -c 'rm $0 && mkfifo $0'", "no file of its own, which is not read."),
        ("sh -c 'kill -9 $$'", "sh was ended by SIGKILL."),
    ],
)
async def test_an_editor_that_changes_nothing_says_so_and_leads_back_to_the_question(editor: str, told: str) -> None:
    with person(EDITOR=editor) as someone:
        someone.types("edit\nn bad\n")
        assert await someone.adapter.review(request()) == ChangesWanted("bad")
        screen = someone.screen.getvalue()
    assert told in screen
    assert screen.count("line 17") == 1
    assert screen.count("Does this look right?") == 2


async def test_a_question_that_comes_back_does_not_show_its_document_again() -> None:
    with person() as someone:
        someone.types("y\ny\ny\n")
        for asked in (request(), request(), replace(request(), id="other")):
            await someone.adapter.review(asked)
        assert someone.screen.getvalue().count("line 17") == 2


async def test_what_is_not_understood_lists_the_answers() -> None:
    with person() as someone:
        someone.types("yes please\ny\n")
        await someone.adapter.review(request())
        assert "Please answer y for yes, n for no, edit, view or stop." in someone.screen.getvalue()


async def test_what_was_saved_is_kept_when_something_ends_the_wait_for_the_editor(tmp_path: Path) -> None:
    saved, kept = tmp_path / "saved", list[str]()
    os.mkfifo(saved)
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\necho "less moon" > "$1"\necho > {saved}\nexec sleep 60\n')
    editor.chmod(0o700)

    async def keep(text: str) -> None:
        kept.append(text)

    environ = {"PATH": os.environ["PATH"], "EDITOR": str(editor)}
    waiting = asyncio.create_task(edit_text("moon", environ, keep=keep))
    await asyncio.to_thread(saved.read_text)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert kept == ["less moon\n"]


async def test_a_plan_of_work_items_cannot_be_edited_as_text() -> None:
    with person() as someone:
        someone.types("edit\ny\n")
        assert await someone.adapter.review(request(phase=PhaseName.TASK_BREAKDOWN)) == Approved()
        assert "[Y/n/view/stop]" in someone.screen.getvalue()


@pytest.mark.parametrize("answer", ["2", "retry with hint", "RETRY_WITH_HINT", "retry_", "9\n-1\n\nretry w"])
async def test_an_error_decision_is_chosen_by_number_or_words(answer: str) -> None:
    with person() as someone:
        someone.types(f"{answer}\n")
        assert await someone.adapter.show_error("broken", ["retry", "retry_with_hint", "stop"]) == "retry_with_hint"


async def test_text_of_agents_cannot_drive_the_terminal() -> None:
    with person() as someone:
        someone.types("y\n")
        await someone.adapter.get_approval("\x1b[2J\x1b]0;title\x07hidden\u202e", "ideation")
        assert all(c.isprintable() or c == "\n" for c in someone.screen.getvalue())


async def test_at_a_terminal_what_was_typed_before_the_question_is_no_answer() -> None:
    with person(at_terminal=True) as someone:
        someone.types("y\n\n")
        asking = asyncio.create_task(someone.adapter.get_approval("the plan", "ideation"))
        await someone.screen.ends_with("[Y/n/view/stop] ")
        someone.types("n\n")
        async with asyncio.timeout(10):
            assert await asking is False


async def test_a_pasted_idea_of_several_lines_is_one_idea() -> None:
    with person(at_terminal=True) as someone:
        someone.types("\nA house\nwith a garden\n")
        async with asyncio.timeout(10):
            assert await someone.adapter.get_initial_idea() == "A house\nwith a garden"


async def test_waiting_for_a_person_can_be_given_up_and_taken_up_again() -> None:
    with person() as someone:
        asking = asyncio.create_task(someone.adapter.get_clarification("why?"))
        await someone.screen.ends_with("> ")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        someone.types("because\n")
        assert await someone.adapter.get_clarification("why?") == "because"


async def test_a_reader_takes_files_as_well_as_pipes(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    file.write_bytes(b"one\r\ntwo \xff\nlast")
    with file.open("rb", buffering=0) as stream:
        reader = LineReader(stream)
        assert [await reader.line() for _ in range(5)] == ["one", "two \ufffd", "last", None, None]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EngineClient]:
    environ = {"ORCHESTRATOR_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    async with open_engine(Launch(paths=find_paths(environ), environ=environ, cwd=tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "typed", "choice", "text"),
    [
        (RequestKind.APPROVAL, "y", Choice.APPROVE, None),
        (RequestKind.APPROVAL, "n more", Choice.REQUEST_CHANGES, "more"),
        (RequestKind.APPROVAL, "stop", Choice.STOP, None),
        (RequestKind.CLARIFICATION, "blue", Choice.ANSWER, "blue"),
        (RequestKind.PERMISSION, "deny", Choice.DENY, None),
        (RequestKind.ERROR_DECISION, "retry", Choice.RETRY, None),
        (RequestKind.ERROR_DECISION, "retry with hint\nlook there", Choice.RETRY_WITH_HINT, "look there"),
    ],
)
async def test_the_broker_turns_words_into_the_answer_of_what_was_shown(
    engine: EngineClient, kind: RequestKind, typed: str, choice: Choice, text: str | None
) -> None:
    with person() as someone:
        someone.types(f"{typed}\n")
        command = await Broker(engine, someone.adapter, by="console").ask(request(kind, tuple(Choice)))
    assert command == AnswerRequest(request_id="r", choice=choice, content_hash="h", text=text, by="console")


async def test_the_broker_hands_an_edit_on_as_a_new_document(engine: EngineClient) -> None:
    with person(EDITOR="sed -i 1d") as someone:
        someone.types("edit\n")
        command = await Broker(engine, someone.adapter).ask(request())
    assert command == EditArtifact(request_id="r", content_hash="h", markdown=LONG.split("\n", 1)[1])
