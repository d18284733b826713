"""A page of several parts, of which one shows at a time; keys 1 to 9 and clicks choose, searching works in patches."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.widgets.find_row import FindRow
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.patch_view import PatchView
from orchestrator_tui.tui.widgets.section_tabs import Section, SectionTabs

DIFF_KEY = [binding for binding in bindings(Place.MAIN) if binding.id == "diff"]


class PartsPage(LivePage):
    """Subclasses yield one widget a part in `parts`, each with an id, and give their names by `sections`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(f"{number}", f"part({number - 1})", f"Part {number}", show=False, id=f"part.{number}",
                    tooltip=f"Show part {number} of this page")
            for number in range(1, 6)
        ),
        Binding("left", "next_part(-1)", "Part before", show=False, id="part.before", tooltip="Show the part before"),
        Binding("right", "next_part(1)", "Next part", show=False, id="part.next", tooltip="Show the next part"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    PartsPage > #page-body { padding: 0; }
    PartsPage SectionTabs { padding: 0 1; margin: 1 0; }
    PartsPage ContentSwitcher { height: 1fr; padding: 0 1; }
    PartsPage ContentSwitcher > * { height: 1fr; }
    """

    def __init__(self, context: Context, head: str, *, part: int = 0) -> None:
        super().__init__(context, head)
        self._part = part
        self._widgets: list[Widget] = []

    def parts(self) -> ComposeResult:
        """The widgets, one a part."""
        raise NotImplementedError

    def sections(self) -> Sequence[Section]:
        """The names of the parts, as much as is known by now."""
        raise NotImplementedError

    def hints(self) -> Sequence[Hint]:
        """How to go through the parts."""
        return (Hint(f"1–{len(self.sections())}", "parts", "next_part(1)"),)

    def body(self) -> ComposeResult:
        self._widgets = list(self.parts())
        yield SectionTabs()
        with ContentSwitcher(initial=self._widgets[self._part].id):
            yield from self._widgets
        yield FindRow()

    def on_mount(self) -> None:
        self.show_sections()
        self._widgets[self._part].focus()

    def show_sections(self) -> None:
        """Shows what is known of the parts now."""
        self.query_one(SectionTabs).show(self.sections(), self._part)

    @property
    def part(self) -> Widget:
        """What shows now."""
        return self._widgets[self._part]

    def action_part(self, index: int) -> None:
        """Shows a part; one that is not there leaves all as it is."""
        if not 0 <= index < len(self._widgets):
            return
        self._part = index
        self.query_one(ContentSwitcher).current = self.part.id
        self.show_sections()
        self.part.focus()

    def action_next_part(self, step: int) -> None:
        """Shows the next part, or the one before; all come around."""
        self.action_part((self._part + step) % len(self._widgets))

    def on_section_tabs_picked(self, message: SectionTabs.Picked) -> None:
        """A name was clicked."""
        self.action_part(message.index)

    def on_patch_view_search_requested(self, message: PatchView.SearchRequested) -> None:
        """Somebody wants to search in the patch."""
        self.query_one(FindRow).ask()

    def on_find_row_asked(self, message: FindRow.Asked) -> None:
        """Searches in the patch that shows."""
        find_in(self.part, message, self.query_one(FindRow))

    def on_find_row_left(self) -> None:
        """The marks of the search go."""
        if isinstance(self.part, PatchView):
            self.part.clear_search()


def find_in(widget: Widget, asked: FindRow.Asked, row: FindRow) -> None:
    """Searches in a patch, and says in the row what was found."""
    if not isinstance(widget, PatchView):
        return
    if not asked.needle:
        widget.clear_search()
        row.tell("")
        return
    found = widget.search(asked.needle, forward=asked.forward)
    at, count = widget.found
    row.tell(f"{at} of {count}" if found else "no match")
