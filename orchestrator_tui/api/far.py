"""Records of another machine: a process there is none of this machine, whatever its host is called."""

from dataclasses import replace
from functools import singledispatch
from typing import Any

from orchestrator_tui.domain import words
from orchestrator_tui.domain.events import LeaseTaken, Recorded, StopRequested, TakeoverAwaited
from orchestrator_tui.domain.records import ProjectOverview, Snapshot


@singledispatch
def _from_afar(value: Any) -> Any:
    return value


def from_afar(value: Any) -> Any:
    """The same record with its owners as people are told of them, so that nobody looks for their processes here."""
    return _from_afar(value)


@_from_afar.register
def _(value: ProjectOverview) -> ProjectOverview:
    if value.state.owner is None:
        return value
    return replace(value, state=replace(value.state, owner=words.owner(value.state.owner)))


@_from_afar.register
def _(value: Snapshot) -> Snapshot:
    return replace(value, projects=tuple(map(from_afar, value.projects)))


@_from_afar.register
def _(value: Recorded) -> Recorded:
    match value.event:
        case LeaseTaken(owner=owner, over=str(before)):
            return replace(value, event=replace(value.event, owner=words.owner(owner), over=words.owner(before)))
        case LeaseTaken(owner=owner) | TakeoverAwaited(owner=owner) | StopRequested(owner=owner):
            return replace(value, event=replace(value.event, owner=words.owner(owner)))
        case _:
            return value
