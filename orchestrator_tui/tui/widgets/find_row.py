"""A row to type what to search for: Enter goes on, Esc closes it and gives the focus back."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Static


class FindRow(Horizontal):
    """Hidden until `ask`; the owner searches and says by `tell` what it found."""

    DEFAULT_CSS = """
    FindRow { height: 1; display: none; background: $background; }
    FindRow.-open { display: block; }
    FindRow > Label { width: auto; color: $accent; padding-right: 1; }
    FindRow > Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    FindRow > Static { width: auto; min-width: 12; color: $muted; padding-left: 1; text-align: right; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", show=False, id="find.leave", tooltip="Close the search"),
        Binding("up", "again(False)", "Before", show=False, id="find.before", tooltip="The match before"),
        Binding("down", "again(True)", "Next", show=False, id="find.next", tooltip="The next match"),
    ]

    class Asked(Message):
        """A person looks for `needle`; `fresh` while it is typed, otherwise for the next place."""

        def __init__(self, needle: str, *, forward: bool = True, fresh: bool = False) -> None:
            super().__init__()
            self.needle = needle
            self.forward = forward
            self.fresh = fresh

    class Left(Message):
        """The search is closed."""

    def __init__(self, placeholder: str = "words to find", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._placeholder = placeholder
        self._back: Widget | None = None

    def compose(self) -> ComposeResult:
        yield Label("find")
        yield Input(placeholder=self._placeholder, compact=True)
        yield Static(markup=False)

    @property
    def needle(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    def ask(self) -> None:
        """Opens, with the words of last time selected."""
        focused = self.screen.focused
        if focused is not None and focused is not self.query_one(Input):
            self._back = focused
        self.add_class("-open")
        self.query_one(Input).focus()
        self.query_one(Input).select_all()

    def tell(self, found: str) -> None:
        """Says what was found, such as `3 of 17`."""
        self.query_one(Static).update(found)

    def action_again(self, forward: bool) -> None:
        """Asks for the next match, or the one before."""
        self.post_message(self.Asked(self.needle, forward=forward))

    def action_leave(self) -> None:
        """Closes and gives the focus back."""
        self.remove_class("-open")
        if self._back is not None and self._back.is_attached:
            self._back.focus()
        self.post_message(self.Left())

    def on_input_changed(self, event: Input.Changed) -> None:
        """Searches while it is typed."""
        event.stop()
        if self.has_class("-open"):
            self.post_message(self.Asked(event.value, fresh=True))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes on to the next match."""
        event.stop()
        self.action_again(True)
