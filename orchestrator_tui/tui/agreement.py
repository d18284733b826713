"""Who of a swarm stands behind each point of a document, read from the artifact; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.words import title

DECIDED = ("decision", "stack")
"""Kinds of points of an architecture that somebody decided; the others describe."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One point, and who raised it."""

    title: str
    raised_by: tuple[str, ...]
    members: int

    @property
    def marks(self) -> str:
        """One sign for each planner, such as `●●○`."""
        return "●" * len(self.raised_by) + "○" * (self.members - len(self.raised_by))

    @property
    def alone(self) -> str:
        """Such as `risks alone`; empty when somebody agrees, or when there was nobody who could have."""
        return f"{title(self.raised_by[0])} alone" if len(self.raised_by) == 1 < self.members else ""

    @property
    def unanimous(self) -> bool:
        return len(self.raised_by) == self.members


@dataclass(frozen=True, slots=True)
class Agreement:
    """The points of a document in its order. `missing` are planners that failed."""

    members: tuple[str, ...]
    voices: tuple[Voice, ...]
    missing: tuple[str, ...] = ()

    @property
    def lonely_first(self) -> tuple[Voice, ...]:
        """The points with the fewest behind them first."""
        return tuple(sorted(self.voices, key=lambda voice: len(voice.raised_by)))


def agreement(content: Mapping[str, Any]) -> Agreement | None:
    """Who agreed on what in a stored artifact; None when no swarm made it, or it cannot be told."""
    swarm = content.get("swarm")
    if not isinstance(swarm, Mapping):
        return None
    members = _names(swarm.get("members"))
    points = _points(swarm)
    decided = [point for point in points if point.get("kind") in DECIDED]
    # The author of a requirements document says for each requirement which planners raised it.
    for entries in (_entries(content.get("requirements")), decided, points):
        voices = tuple(voice for entry in entries if (voice := _voice(entry, members)) is not None)
        if voices:
            return Agreement(members, voices, _names(swarm.get("missing")))
    return None


def _points(swarm: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [*_entries(swarm.get("agreed")), *_entries(swarm.get("single"))]


def _voice(entry: Mapping[str, Any], members: Sequence[str]) -> Voice | None:
    raised_by = set(_names(entry.get("raised_by")))
    known = tuple(member for member in members if member in raised_by)
    return Voice(one_line(str(entry.get("title", ""))), known, len(members)) if known else None


def _entries(value: Any) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list | tuple) else []


def _names(value: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, Iterable) and not isinstance(value, str) else ()
