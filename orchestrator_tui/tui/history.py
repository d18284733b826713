"""What is loaded of a project's history: pages read backwards from the end, new lines at it, searched and filtered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import SessionLog, WorkItem
from orchestrator_tui.tui.happenings import Happening, Kind, agent_name, line_of, named

PAGE = 500
"""Events read at once."""


def names_of(sessions: Iterable[SessionLog], items: Iterable[WorkItem]) -> dict[str, str]:
    """What the history calls agents and work items, by their ids."""
    agents = {session.id: agent_name(session.role, session.session_number) for session in sessions}
    return agents | {item.id: item.key for item in items}


@dataclass(frozen=True, slots=True)
class History:
    """Lines in the order they happened. `first` and `last` are the `seq` of the ends of what was read; `complete`
    when there is nothing before it. `only` is the one kind that shows, all when it is None."""

    lines: tuple[Happening, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    first: int | None = None
    last: int = 0
    complete: bool = False
    only: Kind | None = None

    def before(self, page: Sequence[Recorded], *, limit: int = PAGE) -> "History":
        """With an older page in front; one that is not full is the first."""
        older = self._lines(page)
        return replace(
            self,
            lines=(*older, *self.lines),
            first=page[0].seq if page else self.first,
            last=max(self.last, page[-1].seq) if page else self.last,
            complete=len(page) < limit,
        )

    def after(self, recorded: Iterable[Recorded]) -> "History":
        """With what happened since; what is in it already is left out."""
        new = [one for one in recorded if one.seq > self.last]
        if not new:
            return self
        first = self.first if self.first is not None else new[0].seq
        return replace(self, lines=(*self.lines, *self._lines(new)), first=first, last=new[-1].seq)

    @property
    def shown(self) -> Sequence[Happening]:
        """The lines of the kind that shows."""
        return self.lines if self.only is None else [line for line in self.lines if line.kind is self.only]

    def _lines(self, page: Iterable[Recorded]) -> list[Happening]:
        made = []
        for recorded in page:
            if pair := named(recorded.event):
                self.names.setdefault(*pair)
            if line := line_of(recorded, self.names):
                made.append(line)
        return made


def next_kind(kind: Kind | None) -> Kind | None:
    """The kind that shows after this one; all come around again."""
    kinds: list[Kind | None] = [None, *Kind]
    return kinds[(kinds.index(kind) + 1) % len(kinds)]


def find(lines: Sequence[Happening], needle: str, start: int, *, forward: bool) -> int | None:
    """The index of the next line that has `needle`, from the one after `start` around to `start`; None if none has."""
    wanted = needle.casefold()
    step = 1 if forward else -1
    for distance in range(1, len(lines) + 1):
        index = (start + step * distance) % len(lines)
        if wanted in haystack(lines[index]):
            return index
    return None


def haystack(line: Happening) -> str:
    """What a search looks through."""
    return f"{line.who} {line.text}\n{line.detail}".casefold()
