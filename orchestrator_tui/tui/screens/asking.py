"""What a question to a person looks like and how it is answered, whatever it is about: the base of the modals."""

import asyncio
from collections.abc import Iterator
from enum import Enum
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer
from textual.widget import Widget

from orchestrator_tui.domain.commands import AnswerRequest, Command
from orchestrator_tui.domain.errors import OrchestratorError, RequestClosed
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import Choice
from orchestrator_tui.domain.words import title
from orchestrator_tui.tui.context import BY, Context
from orchestrator_tui.tui.guard import EARLY, Guard
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.least_size import TOO_SMALL, is_too_small
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.opening import Opening
from orchestrator_tui.tui.questions import Ended, how_it_ended, still_asked, touches
from orchestrator_tui.tui.screens.once import OnceModal
from orchestrator_tui.tui.widgets.action_row import Offer
from orchestrator_tui.tui.widgets.question_box import QuestionBox

STOP = "Stop the project? {key} again to stop; it can be resumed."

PAUSE = 0.5
"""Seconds without a change, after which what is written is kept."""


class Mode(Enum):
    """What keys are for: to choose, to write words, to edit the document; or nobody is asked any more."""

    READ = 1
    WORDS = 2
    EDIT = 3
    GONE = 4


class Question(OnceModal[bool]):
    """Subclasses yield what they show in `body`, fill it in `show_request`, and say in `offers` what can be chosen.

    Dismissed with True when the person decided here, with False for later, or when somebody else decided.
    """

    BACK: ClassVar[str] = "Back"
    """What leaving the field for words is called."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-tall")]  # noqa: RUF012
    CSS_PATH = "asking.tcss"
    opening = Opening.DOCUMENT
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.WRITING)]

    def __init__(self, context: Context, request: InputRequest, project_name: str) -> None:
        super().__init__()
        self.context = context
        self.request = request
        self.project_name = project_name
        self.mode = Mode.READ
        self.guard = Guard()
        self._keeping: Timer | None = None
        self._showing = True
        self._seen = False
        self._busy = False
        self._happened_meanwhile = False
        self._stop_asked = False
        self._words_for: Choice | None = None
        self._looking = asyncio.Lock()
        self._ended: Ended | None = None

    @property
    def ready(self) -> bool:
        """Whether a key may decide now: the content is there, since long enough to be what the person looks at."""
        return self._seen and not self._busy and self.guard.is_open

    # What it looks like

    def compose(self) -> ComposeResult:
        yield QuestionBox(self.context.keymap, self.project_name, self.body())

    @property
    def box(self) -> QuestionBox:
        """The frame, which tells things."""
        return self.query_one(QuestionBox)

    def body(self) -> Iterator[Widget]:
        """The widgets between head and actions."""
        raise NotImplementedError

    async def show_request(self) -> None:
        """Puts the present request into the body."""
        raise NotImplementedError

    def offers(self) -> Iterator[Offer]:
        """What can be chosen while nothing is written."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.box.tell_head(title(self.request.phase or self.request.kind).capitalize())
        self._offer()
        self.run_worker(self.while_open(self._open()), name="open question")

    def _offer(self) -> None:
        row = self.box.actions
        # While something is written, the row itself offers the way back.
        self.box.tell_way_out(f"{self.context.keymap.shown('close')} later" if self.mode is Mode.READ else "")
        row.display = self.mode is not Mode.GONE
        if self.mode is Mode.READ:
            row.offer(*self.offers())
        else:
            row.offer(Offer("send", "Save" if self.mode is Mode.EDIT else "Send"), Offer("close", self.BACK))

    # Words

    def ask_words(self, choice: Choice, question: str) -> None:
        """Opens the field for words that go with a choice; what was written before is still there."""
        self._words_for = choice
        self.forget_stop()
        self.box.tell_ask(question)
        if not self.box.field.text:
            self.box.field.text = self.context.drafts.get(self._draft_key(), "")
            self.box.field.move_cursor(self.box.field.document.end)
        self.set_mode(Mode.WORDS)
        self.box.field.focus()

    def set_mode(self, mode: Mode) -> None:
        """Changes what keys are for."""
        self.mode = mode
        self.set_class(mode is Mode.WORDS, "-words")
        self.set_class(mode is Mode.EDIT, "-edit")
        self.set_class(mode is Mode.GONE, "-gone")
        self._offer()

    def action_send(self) -> None:
        """Sends what was written."""
        words = self.box.field.text.strip()
        if not words:
            self.box.tell_problem("Nothing is written yet.")
        elif self._words_for is not None:
            self.decide(self._words_for, words)

    def keep_words(self) -> None:
        """What is written is there again when the question is opened again."""
        if self.box.field.text.strip():
            self.context.drafts[self._draft_key()] = self.box.field.text
        elif self._words_for is not None:
            # It was opened here, and emptied.
            self.context.drafts.pop(self._draft_key(), None)

    def on_text_area_changed(self) -> None:
        """A pause in writing is enough to have it kept."""
        if self._keeping is not None:
            self._keeping.stop()
        self._keeping = self.set_timer(PAUSE, self._keep, name="keep words")

    async def _keep(self) -> None:
        self.keep_words()
        await self.context.drafts.store()

    def _draft_key(self) -> str:
        return f"{self.request.project_id} {self.request.kind} {self.request.phase} {self.request.work_item_id}"

    # Deciding

    def choose(self, choice: Choice) -> None:
        """Gives an answer without words, when the request takes it."""
        self.forget_stop()
        if choice in self.request.choices:
            self.decide(choice)

    def action_stop(self) -> None:
        """Stops the project when it is asked for twice in a row; a key that is held down asks only once."""
        if Choice.STOP not in self.request.choices:
            return
        if self._stop_asked and not self.guard.is_repeated:
            self.choose(Choice.STOP)
        else:
            self._stop_asked = True
            self.box.tell_problem(STOP.format(key=self.context.keymap.shown("stop")))

    def forget_stop(self) -> None:
        """Nothing was asked back, and nothing went wrong."""
        self._stop_asked = False
        self.box.tell_problem("")

    def decide(self, choice: Choice, text: str | None = None) -> None:
        """Gives this answer to what is shown; it counts only while that is what is asked."""
        self.submit(
            AnswerRequest(
                request_id=self.request.id,
                choice=choice,
                content_hash=self.request.content_hash,
                text=text,
                by=BY,
            )
        )

    def submit(self, command: Command) -> None:
        """Sends a command, one at a time, and not for a key that was pressed before this could be read."""
        if self._busy or self.mode is Mode.GONE:
            return
        if is_too_small(self.app.size):
            self.box.tell_problem(TOO_SMALL)
        elif not self._seen and not self._showing:
            self.run_worker(self.while_open(self.show_again()), name="show again")
        else:
            self.box.tell_problem(EARLY if not self._seen else self.guard.decide(self, lambda: self._send(command)))

    def _send(self, command: Command) -> None:
        if self.ready and self.mode is not Mode.GONE:
            self._set_busy(True)
            self.run_worker(self.while_open(self._submit(command)), name="answer question")

    async def submitted(self, command: Command) -> None:
        """The command was carried out."""
        self.context.drafts.pop(self._draft_key(), None)
        self.dismiss(True)

    async def _submit(self, command: Command) -> None:
        try:
            await self.context.client.submit(command)
        except OrchestratorError as error:
            self.box.tell_problem(error.line())
            if isinstance(error, RequestClosed) or self._happened_meanwhile:
                await self._look_again()
            if self.mode is Mode.GONE and not isinstance(error, RequestClosed):
                # The answer is stored; what it led to went wrong.
                self.box.tell_problem(f"{error.line()} Any key closes this.")
            return
        finally:
            self._set_busy(False)
        await self.submitted(command)

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        if busy:
            self._happened_meanwhile = False
        self.box.actions.busy = busy

    # What happens meanwhile

    def on_happened(self, message: Happened) -> None:
        """Looks whether the question still stands, when something of its project was asked or answered."""
        mine = [one.event for one in message.recorded if one.project_id == self.request.project_id]
        touching = [event for event in mine if touches(event, self.request)]
        for event in touching:
            if isinstance(event, Ended):
                self._ended = event
        if not touching:
            return
        if self.mode is Mode.GONE:
            self._tell_gone()
        elif self._busy:
            self._happened_meanwhile = True
        else:
            self.run_worker(self.while_open(self._look_again()), name="look again")

    def changed_note(self, request: InputRequest) -> str:
        """What is said when another request took the place of the one that was shown."""
        return "This changed while you looked at it: it is the new one."

    async def _open(self) -> None:
        await self.show_again()
        self.guard.appeared()
        await self._look_again()
        if self.opening:
            await self.run_action(self.opening)

    async def _look_again(self) -> None:
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        try:
            found = await self.context.client.requests(self.request.project_id)
        except OrchestratorError as error:
            self.box.tell_problem(error.line())
            return
        request = still_asked(self.request, found)
        if request is None:
            self._gone()
        elif (request.id, request.content_hash) != (self.request.id, self.request.content_hash):
            note = self.changed_note(request)
            self.request = request
            self._ended = None
            self.box.tell_note(note)
            await self._show()
            self.guard.appeared()

    async def show_again(self) -> None:
        """Shows the present request once more, after what has to be shown of it changed."""
        async with self._looking:
            await self._show()

    async def _show(self) -> None:
        self._showing, self._seen = True, False
        try:
            await self.show_request()
            self._offer()
            self._seen = True
        except OrchestratorError as error:
            self.box.tell_problem(error.line())
        finally:
            self._showing = False

    def _gone(self) -> None:
        self.keep_words()
        self.guard.appeared()
        self.box.field.read_only = True
        self.set_mode(Mode.GONE)
        self._tell_gone()

    def _tell_gone(self) -> None:
        kept = " What you wrote is kept." if self.box.field.text.strip() else ""
        self.box.tell_note("")
        self.box.tell_problem(f"{how_it_ended(self._ended)}{kept} Any key closes this.")

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a person writes, only sending and going back are actions of this screen."""
        if action == "send":
            return self.mode in (Mode.WORDS, Mode.EDIT)
        if action in CHOOSING:
            return self.mode is Mode.READ
        return True

    def on_key(self, event: events.Key) -> None:
        """Any key closes a question that nobody asks any more; any other key than its own takes a stop back."""
        means = self.mode is not Mode.READ or event.key in self.active_bindings
        self.guard.pressed(event.key, does_nothing=event.is_printable and not means)
        if self._stop_asked and event.key not in self.context.keymap.keys("stop"):
            self.forget_stop()
        if self.mode is Mode.GONE:
            event.stop()
            event.prevent_default()
            if self.guard.is_open:
                self.dismiss(False)

    def on_paste(self) -> None:
        """A paste can hold what ends it; what comes right behind it is no key of a person."""
        self.guard.appeared()

    def action_close(self) -> None:
        """Back from the field, or later: nothing is decided."""
        if self._busy:
            return
        if self.mode is Mode.READ or self.mode is Mode.GONE:
            self.keep_words()
            self.dismiss(False)
        else:
            self.box.tell_problem("")
            self.keep_words()
            self.set_mode(Mode.READ)
            self.focus_content()

    def focus_content(self) -> None:
        """Focus goes to what is read, never to what decides."""
        raise NotImplementedError


CHOOSING = frozenset(
    """
    approve request_changes edit editor view diff stop
    allow_once allow_project deny deny_with_words retry retry_with_hint skip
    """.split()  # noqa: SIM905
)
