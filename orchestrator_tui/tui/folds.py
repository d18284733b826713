"""Which lines of a log are folded: all long ones of some kinds, or none, but for those a person chose otherwise."""

from orchestrator_tui.tui.loglines import FOLDABLE


class Folds:
    """Lines that can be folded have more than `over` lines of text. `closed` says how lines are that nobody touched."""

    def __init__(self, over: int) -> None:
        self.over = over
        self.closed = True
        self._toggled: set[int] = set()

    def can(self, kind: int, text: str) -> bool:
        """Whether a line is long enough, and of a kind, to be folded."""
        return kind in FOLDABLE and text.count("\n") >= self.over

    def is_folded(self, number: int, kind: int, text: str) -> bool:
        """Whether a line shows its first line only."""
        return (number in self._toggled) is not self.closed and self.can(kind, text)

    def toggle(self, number: int) -> None:
        """Folds or unfolds one line."""
        self._toggled ^= {number}

    def toggle_all(self) -> None:
        """Unfolds all lines if none is unfolded, else folds them all."""
        self.closed = not self.closed or bool(self._toggled)
        self._toggled.clear()

    def forget(self, number: int) -> None:
        """The line is gone."""
        self._toggled.discard(number)
