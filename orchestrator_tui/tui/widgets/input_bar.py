"""The input bar: a sentence, a `/command` or words for an `@agent`, with completion, history and what went wrong."""

import asyncio
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from orchestrator_tui.config.secrets import mask
from orchestrator_tui.domain.errors import OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.text import clean
from orchestrator_tui.tui import recall
from orchestrator_tui.tui.commands import find_command
from orchestrator_tui.tui.input_history import InputHistory, Mask, load_history, save_history
from orchestrator_tui.tui.recall import Recall
from orchestrator_tui.tui.slash import Completion, Values, complete, usage_hint
from orchestrator_tui.tui.widgets.completion_list import CompletionList
from orchestrator_tui.tui.widgets.input_field import InputField
from orchestrator_tui.tui.widgets.row_list import RowList


class InputBar(Widget):
    """Posts `Submitted`; the owner answers with `accepted` or `refused`, until then the text stays, unless another one
    is typed meanwhile.

    `values` says what arguments can be. `hide` masks credentials in what is kept in the file.
    """

    DEFAULT_CSS = """
    InputBar {
        height: auto;
        background: $background;
        & > #input-problem { display: none; height: auto; max-height: 5; padding: 0 2; }
        & > #input-frame {
            height: auto;
            border: round $line;
            border-subtitle-color: $muted;
            padding: 0 1;
            &:focus-within { border: round $accent; }
        }
        & #input-sign { width: 2; height: 1; color: $accent; }
    }
    """

    class Submitted(Message):
        """A person sent `text`."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """A person wants to be elsewhere; what is typed stays."""

    def __init__(self, values: Values, history_file: Path, *, hide: Mask = mask) -> None:
        super().__init__()
        self._values = values
        self._file = history_file
        self._hide = hide
        self._history = InputHistory()
        self._writing = asyncio.Lock()
        self._field = InputField(self)
        self._completions = CompletionList()
        self._recall: Recall | None = None
        self._quiet = ""
        self._sent: list[str] = []

    def compose(self) -> ComposeResult:
        yield self._completions
        yield Static(id="input-problem", markup=False)
        with Horizontal(id="input-frame"):
            yield Static("›", id="input-sign", markup=False)
            yield self._field

    def on_mount(self) -> None:
        self.run_worker(self._load(), name="read the input history")

    # For the owner

    @property
    def text(self) -> str:
        """What is typed."""
        return self._field.text

    def focus_text(self) -> None:
        """Puts the cursor into the field, at once: keys that come right behind are meant for it."""
        self.screen.set_focus(self._field)

    def fill(self, text: str) -> None:
        """Puts `text` into the field and the cursor behind it; what was typed there is in the history."""
        if text != self.text:
            self._history = self._history.added(self.text, hide=self._hide)
            self._put(text)
        self.key_pressed()
        self.focus_text()

    def paste(self, text: str) -> None:
        """Takes what was pasted while the cursor was elsewhere."""
        self.focus_text()
        self._field.post_message(events.Paste(text))

    def takes(self, event: events.Key) -> bool:
        """Whether the field does something with a key: writes it, edits or sends."""
        return event.is_printable or event.key in self._field.own_keys

    def pass_on(self, event: events.Key) -> None:
        """Takes a key that was meant for the field and went to another widget."""
        if (action := self._field.own_keys.get(event.key)) is None:
            self._field.post_message(events.Key(event.key, event.character))
        else:
            # Behind the characters that were passed on before it.
            self._field.call_later(self.app.run_action, action, self._field)

    def accepted(self, sent: str | None = None) -> None:
        """What was sent is carried out: it goes to the history, and out of the field unless that was edited since."""
        if (done := self._answered(sent)) is None:
            return
        self._history = self._history.added(done, hide=self._hide)
        self.run_worker(self._keep(done), name="write the input history")
        if self.text == done:
            self._put("")

    def refused(self, error: OrchestratorError, sent: str | None = None) -> None:
        """What was sent cannot be carried out: it stays, the error shows until the next key press."""
        failed = self._answered(sent)
        if failed is not None and failed != self.text:
            self._history = self._history.added(failed, hide=self._hide)
        self._tell(error)

    def _answered(self, sent: str | None) -> str | None:
        """What was sent and is answered now; the oldest when it is not named."""
        answered = sent if sent in self._sent else next(iter(self._sent), None)
        if answered is not None:
            self._sent.remove(answered)
        return answered

    # For the field

    def key_pressed(self) -> None:
        """Whatever went wrong was read."""
        self.query_one("#input-problem").display = False

    def begun(self) -> None:
        """Something is typed or pasted: behind a text that is being carried out it is the next one."""
        if self.text in self._sent and self._field.cursor_at_end_of_text:
            self._put("")

    def edited(self) -> None:
        """Offers what the text can go on with."""
        if not self.is_mounted:
            return
        text, at_end = self.text, self._field.cursor_at_end_of_text
        if text != self._quiet:
            self._recall, self._quiet = None, ""
        self._field.suggestion = usage_hint(text) if at_end else ""
        self._completions.offer(() if self._quiet or not at_end else self._offered(text))
        self._tell_place()

    def _offered(self, text: str) -> tuple[Completion, ...]:
        found = complete(text, self._values) if "\n" not in text else ()
        return () if [one.text.strip() for one in found] == [text.strip()] else found

    def take(self) -> bool:
        """Takes the marked completion."""
        marked = self._completions.marked if self._completions.is_open else None
        if marked is not None:
            self._put(marked.text)
        return marked is not None

    def older(self) -> bool:
        """Up in what is offered, or back in the history."""
        if self._completions.is_open:
            self._completions.move(-1)
        else:
            self._go((self._recall or recall.recall(self._history, self.text)).older())
        return True

    def newer(self) -> bool:
        """Down in what is offered, or on in the history."""
        if self._completions.is_open:
            self._completions.move(1)
        elif self._recall is not None:
            self._go(self._recall.newer())
        else:
            return False
        return True

    def search(self) -> None:
        """Back to what was typed before and holds what is typed now; again, further back."""
        searching = self._recall if self._recall and self._recall.searching else None
        self._go((searching or recall.search(self._history, self.text)).older())

    def send(self) -> None:
        """Sends the text; a name that is not typed to its end is completed first, so that nothing else is meant."""
        if self._completions.is_open and (self._completions.moved or self._is_begun(self.text)):
            self.take()
        elif self.text.strip() and self.text not in self._sent:
            self._completions.offer(())
            self._sent.append(self.text)
            self.post_message(self.Submitted(self.text))

    def _is_begun(self, text: str) -> bool:
        """Whether this is the beginning of a name only."""
        name = text.strip()
        return " " not in name and (name[:1] == "@" or find_command(name[1:]) is None)

    def leave(self) -> None:
        """Closes what is offered, then leaves."""
        if self._completions.is_open:
            self._quiet = self.text
            self._completions.offer(())
        else:
            self.post_message(self.Left())

    # Inside

    def _put(self, text: str) -> None:
        self._field.put(text)
        self.edited()

    def _go(self, to: Recall) -> None:
        """Shows a place in the history, where nothing is offered."""
        self._recall = to
        self._quiet = to.text
        if to.text != self.text:
            self._field.put(to.text)
        self._recall, self._quiet = to, self.text
        self.edited()

    def _tell_place(self) -> None:
        told = self._recall.told if self._recall else ""
        many = self._field.document.line_count > 1
        self.query_one("#input-frame").border_subtitle = told or ("enter sends, ^j adds a line" if many else "")

    def _tell(self, error: OrchestratorError) -> None:
        row = Content.assemble((f"{clean(error.title)}: ", "bold $error"), clean(error.message))
        if error.hint:
            row += Content.styled(f"\n{clean(error.hint)}", "$muted")
        problem = self.query_one("#input-problem", Static)
        problem.update(row)
        problem.display = True

    def on_row_list_chosen(self, message: RowList.Chosen) -> None:
        """A click on a completion."""
        message.stop()
        self._put(message.row.text)
        self.focus_text()

    def on_text_area_selection_changed(self) -> None:
        """The cursor moved: hints stand at the end only."""
        if not self._field.cursor_at_end_of_text:
            self.edited()

    async def _load(self) -> None:
        try:
            async with self._writing:
                kept = await asyncio.to_thread(load_history, self._file)
        except OSError as error:
            self._tell(self._unkept(error, "read"))
            return
        for entry in self._history.entries:
            kept = kept.added(entry, hide=self._hide)
        self._history = kept

    async def _keep(self, text: str) -> None:
        try:
            async with self._writing:
                await asyncio.to_thread(_add, self._file, text, self._hide)
        except OSError as error:
            self._tell(self._unkept(error, "written"))

    def _unkept(self, error: OSError, done: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._file}: what was typed cannot be {done}: {error.strerror or error}.",
            hint="It is remembered until you leave.",
        )


def _add(file: Path, text: str, hide: Mask) -> None:
    """Reads first: other dashboards keep theirs in the same file. Blocks on the disk."""
    save_history(file, load_history(file).added(text, hide=hide))
