"""The field in which one setting is changed: its values to choose from, or a line to type; errors stand beside it."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from orchestrator_tui.domain.text import clean
from orchestrator_tui.tui.settings_form import Entry
from orchestrator_tui.tui.widgets.row_list import RowList

MOST_CHOICES = 6


class SettingField(Vertical):
    """Hidden until it is opened; what was typed and not written is there again when it is opened again."""

    DEFAULT_CSS = """
    SettingField {
        height: auto; border: round $accent; border-title-color: $accent; border-subtitle-color: $muted;
        padding: 0 1; display: none;
        & #setting-text { height: 1; border: none; padding: 0; background: $background; }
        & #setting-problem { height: auto; max-height: 3; color: $error; }
    }
    """

    class Given(Message):
        """A person wants the setting to be what `text` says."""

        def __init__(self, entry: Entry, text: str) -> None:
            super().__init__()
            self.entry = entry
            self.text = text

    def __init__(self) -> None:
        super().__init__()
        self._entry: Entry | None = None
        self._drafts: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield Input(id="setting-text")
        yield RowList[str](self._paint, str, id="setting-choices")
        yield Static(id="setting-problem", markup=False)

    def open(self, entry: Entry, text: str | None = None) -> None:
        """Shows the field for a setting, with `text` or what stands there now."""
        self._entry = entry
        self.border_title = entry.name
        self.border_subtitle = "enter writes · esc goes back"
        self.display = True
        self.refuse("")
        choices, line = self.query_one(RowList), self.query_one(Input)
        choices.display, line.display = bool(entry.choices), not entry.choices
        if entry.choices:
            choices.styles.height = min(len(entry.choices), MOST_CHOICES)
            choices.show(entry.choices)
            choices.mark(text if text is not None else entry.value)
            choices.focus()
        else:
            line.value = text if text is not None else self._drafts.get(entry.key, entry.value)
            line.placeholder = f"empty: {entry.default or 'not set'}" if entry.optional else entry.expected
            line.cursor_position = len(line.value)
            line.focus()

    def close(self) -> None:
        """Hides the field."""
        self.display = False

    def accept(self) -> None:
        """What was typed is written: hides the field."""
        if self._entry is not None:
            self._drafts.pop(self._entry.key, None)
        self.close()

    def refuse(self, problem: str) -> None:
        """Shows what is wrong; what was typed stays."""
        line = self.query_one("#setting-problem", Static)
        line.update(clean(problem))
        line.display = bool(problem)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._entry is not None and event.value != self._entry.value:
            self._drafts[self._entry.key] = event.value

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._entry is not None:
            self.post_message(self.Given(self._entry, event.value))

    @on(RowList.Chosen)
    def _chosen(self, event: RowList.Chosen) -> None:
        event.stop()
        if self._entry is not None:
            self.post_message(self.Given(self._entry, event.row))

    @on(RowList.Marked)
    def _moved(self, event: RowList.Marked) -> None:
        event.stop()

    def _paint(self, value: str, width: int, marked: bool) -> tuple[Text]:
        text = Text(value)
        muted = self.query_one(RowList).color("muted")
        if self._entry is not None and value == self._entry.value:
            text.append("  now", muted)
        if self._entry is not None and value == self._entry.default:
            text.append("  default", muted)
        return (text,)
