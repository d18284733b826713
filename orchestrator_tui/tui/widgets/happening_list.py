"""A list of what happened, one line each: time, sign, who, words; what is searched for stands out."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text

from orchestrator_tui.tui.happenings import Happening
from orchestrator_tui.tui.widgets.row_list import RowList

WHO = 16


class HappeningList(RowList[Happening]):
    """The owner gives lines by `show`; `needle` is what it searches for."""

    _ELSEWHERE: ClassVar[frozenset[str]] = frozenset({"scroll_left", "scroll_right"})
    """Actions of any scroll view that mean nothing here; their keys are the screen's."""

    def __init__(self, *, empty: str, id: str | None = None) -> None:
        super().__init__(self._line, lambda line: str(line.seq), empty=empty, id=id)
        self._needle = ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leaves keys that it has no use for to the screen."""
        return action not in self._ELSEWHERE and super().check_action(action, parameters)

    def look_for(self, needle: str) -> None:
        """Lets these words stand out."""
        self._needle = needle
        self.repaint()

    def at_end(self) -> bool:
        """Whether the cursor is on the last line, or there is none."""
        return not self.rows or self.marked == self.rows[-1]

    def _line(self, line: Happening, width: int, marked: bool) -> Sequence[Text]:
        text = Text(no_wrap=True)
        text.append(f"{line.at.astimezone():%H:%M:%S}  ", self.color("muted"))
        text.append(f"{line.sign} ", self.color(line.color))
        if line.who:
            text.append(f"{line.who}  ", self.color("accent"))
        text.append(line.text, self.color("error") if line.color == "error" else "")
        if self._needle:
            text.highlight_words([self._needle], "reverse", case_sensitive=False)
        return (text,)
