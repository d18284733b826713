"""A list of sessions: who worked on what, how it ended, how long it took, what it cost."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.text import Text

from orchestrator_tui.domain import words
from orchestrator_tui.domain.records import SessionLog
from orchestrator_tui.tui import glyphs
from orchestrator_tui.tui.widgets.row_list import RowList

NAME = 30


class SessionList(RowList[SessionLog]):
    """Enter on one asks for its log by `RowList.Chosen`."""

    def __init__(self, *, empty: str, id: str | None = None) -> None:
        super().__init__(self._line, lambda session: session.id, empty=empty, id=id)
        self._keys: Mapping[str, str] = {}
        self._at: datetime | None = None

    def show_sessions(self, sessions: Sequence[SessionLog], keys: Mapping[str, str], at: datetime) -> None:
        """Shows these; `keys` has the name of each work item by its id."""
        self._keys, self._at = keys, at
        self.show(sessions)

    def _line(self, session: SessionLog, width: int, marked: bool) -> Sequence[Text]:
        sign, color = glyphs.AGENTS[session.status]
        left = Text(no_wrap=True)
        left.append(f"{sign} ", self.color(color))
        left.append(f"{session.session_number:>3}  ", self.color("muted"))
        key = self._keys.get(session.work_item_id or "", "")
        left.append(f"{words.one_line(words.title(session.role), NAME)}")
        left.append(f"  {key}" if key else "", self.color("accent"))
        if session.error:
            left.append(f"  {words.one_line(session.error)}", self.color("error"))
        right = Text(no_wrap=True)
        right.append(f"{words.duration(self._seconds(session)):>7}")
        # What a session used is known when it has ended.
        known = session.ended_at is not None
        right.append(f"{words.tokens(session.usage.tokens) if known else '–':>11}", self.color("muted"))
        cost = words.money(session.usage.cost_usd) if known else "–"
        right.append(f"{cost:>8} ", "" if known else self.color("muted"))
        return (side_by_side(left, right, width),)

    def _seconds(self, session: SessionLog) -> float:
        end = session.ended_at or self._at
        return max(0.0, (end - session.started_at).total_seconds()) if end else 0.0


def side_by_side(left: Text, right: Text, width: int) -> Text:
    """`left` cut so that `right` stands at the right edge; without `right` where there is no room for both."""
    room = width - right.cell_len - 1
    if room < 12:
        return left
    left.truncate(room, overflow="ellipsis", pad=True)
    return left + Text(" ") + right
