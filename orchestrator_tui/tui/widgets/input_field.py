"""The field of the input bar: grows with its text, asks its bar before it moves the cursor, keeps keys to itself."""

from typing import ClassVar, Protocol

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from orchestrator_tui.domain.text import clean

MOST_ROWS = 6
PLACEHOLDER = "Describe what to build, / for commands"


class Bar(Protocol):
    """What the field asks of the bar it is in; each tells whether there was something to do."""

    def key_pressed(self) -> None: ...

    def begun(self) -> None: ...

    def edited(self) -> None: ...

    def take(self) -> bool: ...

    def older(self) -> bool: ...

    def newer(self) -> bool: ...

    def send(self) -> None: ...

    def leave(self) -> None: ...

    def search(self) -> None: ...


class InputField(TextArea):
    """Text of one or more lines; Enter sends it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", show=False, id="bar.send", tooltip="Send what is typed"),
        Binding(
            "shift+enter,alt+enter,ctrl+j",
            "add_line",
            "New line",
            show=False,
            id="bar.line",
            tooltip="Begin a new line",
        ),
        Binding("tab", "take", "Take", show=False, id="bar.take", tooltip="Take what is offered"),
        Binding("escape", "leave", "Leave", show=False, id="bar.leave", tooltip="Close what is offered, then leave"),
        Binding("ctrl+r", "search", "Search", show=False, id="bar.search", tooltip="Search what was typed before"),
    ]
    DEFAULT_CSS = f"""
    InputField {{
        width: 1fr;
        height: 1;
        min-height: 1;
        max-height: {MOST_ROWS};
        padding: 0;
        border: none;
        background: $background;
        color: $foreground;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        &:focus {{ border: none; }}
        & .text-area--placeholder {{ color: $muted; }}
        & .text-area--suggestion {{ color: $muted; }}
    }}
    """

    def __init__(self, bar: Bar) -> None:
        super().__init__(
            compact=True, highlight_cursor_line=False, placeholder=PLACEHOLDER, id="input-field", soft_wrap=True
        )
        self._bar = bar
        # A dashboard is open all day: a cursor that blinks is repainted for nothing.
        self.cursor_blink = False
        self.match_cursor_bracket = False

    @property
    def own_keys(self) -> dict[str, str]:
        """The action of each key that is bound here."""
        return {key: bound[0].action for key, bound in self._bindings.key_to_bindings.items()}

    def put(self, text: str) -> None:
        """Shows `text` instead, with the cursor at its end; undo brings back what was there."""
        result = self.replace(tidy(text), *self._whole())
        self.move_cursor(result.end_location)
        self._fit()

    def _whole(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (0, 0), self.document.end

    def update_suggestion(self) -> None:
        """Textual calls this at each edit."""
        self._fit()
        self._bar.edited()

    def on_resize(self) -> None:
        """Other rows of text at another width."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        rows = max(1, min(self.wrapped_document.height, MOST_ROWS))
        if self.styles.height is None or self.styles.height.value != rows:
            self.styles.height = rows

    async def _on_key(self, event: events.Key) -> None:
        self._bar.key_pressed()
        if event.key == "enter":
            # The key's binding sends; the base class would insert it.
            event.prevent_default()
            return
        if self.text and self._belongs_to_others(event.key):
            event.stop()
        if event.is_printable:
            self._bar.begun()

    def _belongs_to_others(self, key: str) -> bool:
        """Whether a key is one of the screen's: while something is typed, those do nothing."""
        found = self.screen.active_bindings.get(key)
        return found is not None and found.node is not self and not found.binding.priority

    async def _on_paste(self, event: events.Paste) -> None:
        """A paste stays whole, without what could move the terminal's cursor."""
        event.stop()
        event.prevent_default()
        self._bar.key_pressed()
        self._bar.begun()
        result = self.replace(tidy(event.text), *self.selection)
        self.move_cursor(result.end_location)

    def action_send(self) -> None:
        """Sends the text."""
        self._bar.send()

    def action_add_line(self) -> None:
        """Begins a new line."""
        result = self.replace("\n", *self.selection)
        self.move_cursor(result.end_location)

    def action_take(self) -> None:
        """Takes what is offered; in an empty field the key is the screen's."""
        if not self._bar.take() and not self.text:
            raise SkipAction

    def action_leave(self) -> None:
        """Closes what is offered, or leaves the bar."""
        self._bar.leave()

    def action_search(self) -> None:
        """Goes back to what holds this text."""
        self._bar.search()

    def action_cursor_right(self, select: bool = False) -> None:
        """To the right; at the end, takes what is offered."""
        if select or not self.cursor_at_end_of_text or not self._bar.take():
            self.suggestion = ""
            super().action_cursor_right(select)
            self._bar.edited()

    def action_cursor_up(self, select: bool = False) -> None:
        """Up; from the first row, back through what was typed before."""
        at_first = self.navigator.is_first_wrapped_line(self.cursor_location)
        if select or not at_first or not self._bar.older():
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Down; from the last row, on through what was typed before."""
        at_last = self.navigator.is_last_wrapped_line(self.cursor_location)
        if select or not at_last or not self._bar.newer():
            super().action_cursor_down(select)


def tidy(text: str) -> str:
    """Text that is safe to show, with line breaks as terminals and files write them."""
    return clean(text.replace("\r\n", "\n").replace("\r", "\n"))
