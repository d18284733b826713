"""Going back through what was typed before, with what is being typed kept as the newest: pure."""

from dataclasses import dataclass, replace

from orchestrator_tui.tui.input_history import InputHistory


@dataclass(frozen=True, slots=True)
class Recall:
    """`found` is what can be gone back to, newest first; `at` is the place in it, -1 at the draft.

    `searching` says that only those are found that hold the draft.
    """

    found: tuple[str, ...]
    draft: str
    at: int = -1
    searching: bool = False

    @property
    def text(self) -> str:
        """What stands in the field here."""
        return self.found[self.at] if self.at >= 0 else self.draft

    @property
    def told(self) -> str:
        """Where in the history this is, in a few words; empty at the draft."""
        if not self.found:
            return f"nothing typed before holds {self.draft!r}" if self.searching and self.draft else "nothing older"
        return f"history {self.at + 1} of {len(self.found)}" if self.at >= 0 else ""

    def older(self) -> "Recall":
        """One further back; at the oldest it stays there."""
        return replace(self, at=min(self.at + 1, len(self.found) - 1))

    def newer(self) -> "Recall":
        """One further on; the draft comes after the newest."""
        return replace(self, at=max(self.at - 1, -1))


def recall(history: InputHistory, draft: str) -> Recall:
    """All that was typed before."""
    return Recall(tuple(reversed(history.entries)), draft)


def search(history: InputHistory, words: str) -> Recall:
    """What was typed before and holds `words`, in whatever case."""
    wanted = words.strip().casefold()
    found = tuple(entry for entry in reversed(history.entries) if wanted in entry.casefold() and entry != words)
    return Recall(found, words, searching=True)
