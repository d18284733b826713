"""Decides whether bytes from a project's folder, which anybody may have written, are a whole state file."""

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from orchestrator_tui.backends import dependencies
from orchestrator_tui.domain.records import Dossier
from orchestrator_tui.domain.statuses import PHASE_ORDER

VERSION = 2
SHOWN_PROBLEMS = 3
_LARGEST_NUMBER = 2**31 - 1
_LONGEST = {"output_type": 100, "content_hash": 128, "cli_session_id": 100}
# A project's own row is made anew, and trackers may name items as they like.
_NO_IDS = frozenset({"cli_session_id", "work_item_id", "agent_id"})


def checked(content: bytes) -> Dossier:
    """The dossier in the content of a state file.

    Raises:
        ValueError: it is not whole; the message says where.
    """
    try:
        document = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("it is no state file: an object was expected")
    _check_version(document.get("version"))
    try:
        dossier = _adapter().validate_json(content, strict=True)
    except ValidationError as error:
        raise ValueError(_told([_line(entry["loc"], entry["msg"]) for entry in error.errors()])) from None
    if problems := list(_problems(dossier)):
        raise ValueError(_told(problems))
    return dossier


@cache
def _adapter() -> TypeAdapter[Dossier]:
    # Made when the first file is read: it costs more than a start of the program should wait for.
    return TypeAdapter(Dossier)


def _check_version(version: object) -> None:
    if type(version) is not int:
        raise ValueError("it is no state file: its version is missing")
    if version > VERSION:
        raise ValueError(f"it has version {version}, and this program knows {VERSION}: a newer program wrote it")
    if version < VERSION:
        raise ValueError(f"it has version {version}, which holds too little to build a project from")


def _told(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    return "; ".join(problems[:SHOWN_PROBLEMS]) + more


def _line(place: Sequence[str | int], message: str) -> str:
    where = " ".join(f"{part + 1}" if isinstance(part, int) else part for part in place)
    return f"{where}: {message[:1].lower()}{message[1:]}"


def _problems(dossier: Dossier) -> Iterator[str]:
    """What the types of the records do not say, and a database or the engine relies on."""
    yield from _values(dossier, "")
    if set(dossier.state.phases) != set(PHASE_ORDER):
        yield "state phases: some are missing"
    if any(name is not phase.phase for name, phase in dossier.state.phases.items()):
        yield "state phases: one has the name of another"
    if dossier.state.status is not dossier.project.status:
        yield "state status: it is not that of the project"
    for section in ("items", "artifacts", "sessions", "requests", "instructions"):
        if any(record.project_id != dossier.project.id for record in getattr(dossier, section)):
            yield f"{section}: one belongs to another project"
    for section in ("items", "comments", "artifacts", "sessions", "requests", "instructions"):
        if _repeats([record.id for record in getattr(dossier, section)]):
            yield f"{section}: an id is used twice"
    yield from _items(dossier)
    artifacts = {artifact.id for artifact in dossier.artifacts}
    if any(request.artifact_id not in artifacts | {None} for request in dossier.requests):
        yield "requests: one is about an artifact that is not here"
    if _repeats([session.session_number for session in dossier.sessions]):
        yield "sessions: a number is used twice"


def _items(dossier: Dossier) -> Iterator[str]:
    items = {item.id: item for item in dossier.items}
    if _repeats([item.number for item in dossier.items]):
        yield "items: a number is used twice"
    if any(not 1 <= item.priority <= 4 or item.number < 1 for item in dossier.items):
        yield "items: a number or a priority is out of range"
    if any(comment.work_item_id not in items for comment in dossier.comments):
        yield "comments: one is about an item that is not here"
    links = {item.id: item.dependencies for item in dossier.items}
    parents = {item.id: item.parent_id for item in dossier.items}
    yield from (f"items: {complaint}" for complaint in dependencies.complaints(links, parents, ()))


def _repeats(values: Sequence[object]) -> bool:
    return len(set(values)) < len(values)


def _values(value: Any, place: str) -> Iterator[str]:
    """Problems with single values, in records within records."""
    if isinstance(value, datetime) and value.tzinfo is None:
        yield f"{place}: the time has no zone"
    elif isinstance(value, int) and abs(value) > _LARGEST_NUMBER and not place.endswith("_tokens"):
        yield f"{place}: the number is too large"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: the number is not finite"
    elif is_dataclass(value):
        for field in fields(value):
            inner = getattr(value, field.name)
            yield from _values(inner, f"{place} {field.name}".strip())
            yield from _text(field.name, inner, place)
    elif isinstance(value, tuple):
        for number, inner in enumerate(value, 1):
            yield from _values(inner, f"{place} {number}")
    elif isinstance(value, Mapping) and place == "state phases":
        for name, inner in value.items():
            yield from _values(inner, f"{place} {name}")


def _text(name: str, value: object, place: str) -> Iterator[str]:
    """Problems with ids, and with texts that have a longest form."""
    if not isinstance(value, str):
        return
    if (name == "id" or name.endswith("_id")) and name not in _NO_IDS and not _is_id(value):
        yield f"{place} {name}: it is no id"
    if len(value) > _LONGEST.get(name, len(value)):
        yield f"{place} {name}: it is too long"


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
