"""What a text in the input bar can go on with: at most eight rows that float above it."""

from collections.abc import Sequence

from rich.text import Text

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.slash import Completion
from orchestrator_tui.tui.widgets.row_list import RowList

MOST_ROWS = 8
GAP = 2


class CompletionList(RowList[Completion], can_focus=False):
    """Never has the focus: the input bar moves its cursor. A click on a row chooses it (`Chosen`)."""

    CHOOSE_BY_CLICK = True
    DEFAULT_CSS = """
    CompletionList {
        display: none;
        overlay: screen;
        width: 1fr;
        height: 1;
        background: $surface;
        border: round $line;
        & .row-list--blurred { background: $selection; color: $selection-text; }
    }
    """

    def __init__(self) -> None:
        super().__init__(self._painted_row, lambda completion: completion.text)
        self._names = 0
        self.moved = False

    @property
    def is_open(self) -> bool:
        return bool(self.display) and bool(self.rows)

    def offer(self, completions: Sequence[Completion]) -> None:
        """Shows these, with the cursor on the first; nothing shows when there are none."""
        self.moved = False
        self._names = max((len(one.shown) for one in completions), default=0)
        self.show(completions)
        self.action_first()
        rows = min(len(completions), MOST_ROWS) + 2
        self.styles.height = rows
        self.styles.offset = (0, -rows)
        self.display = bool(completions)

    def move(self, rows: int) -> None:
        """Moves the cursor, around the ends."""
        self.moved = True
        marked = self.rows.index(self.marked) if self.marked in self.rows else 0
        self.mark(self.rows[(marked + rows) % len(self.rows)].text)

    def _painted_row(self, row: Completion, width: int, marked: bool) -> Sequence[Text]:
        text = Text(one_line(row.shown, width or 1), no_wrap=True)
        space = width - self._names - GAP
        if row.detail and row.detail != row.shown and space > GAP:
            text.append(" " * (self._names + GAP - text.cell_len))
            text.append(one_line(row.detail, space), style="" if marked else self.color("muted"))
        return [text]
