"""What goes over the wire: records, events, commands and errors as JSON and back, alike at both ends."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from orchestrator_tui.domain import errors
from orchestrator_tui.domain.codec import from_plain, to_plain
from orchestrator_tui.domain.commands import COMMAND_TYPES, Command
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.events import AgentDelta, Live, Recorded, Resync, decode, encode

DELTA, RESYNC, TROUBLE = "delta", "resync", "trouble"
"""The names of the stream's events that are not stored ones."""

_PATHS = ("directory", "file")
_ERRORS: Mapping[str, type[OrchestratorError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, OrchestratorError)
}


def dumps(value: Any) -> bytes:
    """Compact JSON of records, or of plain data. Numbers that are not finite become null."""
    plain = to_plain(value)
    try:
        return to_json(plain, inf_nan_mode="null")
    except PydanticSerializationError:
        # Half a surrogate pair, such as in text that is still being written.
        return json.dumps(plain, separators=(",", ":")).encode()


class Written:
    """The JSON of the records that were asked for last. Their fields never change, so the same ones read the same."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._known: OrderedDict[int, tuple[Any, bytes]] = OrderedDict()

    def text(self, value: Any) -> bytes:
        """As `dumps` has it."""
        known = self._known.get(id(value))
        if known is None:
            # Kept together with the value: as long as it is, no other has its identity.
            known = self._known[id(value)] = value, dumps(value)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return known[1]


# Events


def recorded_plain(recorded: Recorded) -> dict[str, Any]:
    """A stored event as JSON-safe data; `type` is the name of the event's class, `data` its fields."""
    return {
        "seq": recorded.seq,
        "at": recorded.at.isoformat(),
        "project_id": recorded.project_id,
        "type": type(recorded.event).__name__,
        "data": encode(recorded.event),
    }


def recorded_from(plain: Mapping[str, Any]) -> Recorded:
    """The stored event that `recorded_plain` made this of.

    Raises:
        OrchestratorError: this version does not know such an event.
    """
    try:
        event = decode(plain["type"], plain["data"])
    except KeyError as error:
        raise OrchestratorError(
            f"The server tells of something this version does not know: {plain.get('type')}.",
            hint="Update orchestrator-tui here.",
        ) from error
    at = datetime.fromisoformat(plain["at"])
    return Recorded(seq=plain["seq"], at=at, project_id=plain["project_id"], event=event)


def frame(live: Live) -> bytes:
    """What a stream of Server-Sent Events says of one thing that happened. Only stored events have an id."""
    match live:
        case Recorded():
            return b"id: %d\ndata: %b\n\n" % (live.seq, dumps(recorded_plain(live)))
        case AgentDelta():
            return b"event: %b\ndata: %b\n\n" % (DELTA.encode(), dumps(live))
        case Resync():
            return b"event: %b\ndata: %b\n\n" % (RESYNC.encode(), dumps(live))


def live_from(name: str, data: str) -> Live | None:
    """What an event of the stream tells; None for one of a name this version does not know.

    Raises:
        OrchestratorError: it tells of trouble, as an error of ours; or this version does not know such an event.
        ValueError, KeyError, TypeError: it cannot be understood.
    """
    plain = json.loads(data)
    match name:
        case "message":
            return recorded_from(plain)
        case "delta":
            return from_plain(AgentDelta, plain)  # type: ignore[no-any-return]
        case "resync":
            return from_plain(Resync, plain)  # type: ignore[no-any-return]
        case "trouble":
            raise error_from(plain)
    return None


# Commands


def command_plain(command: Command) -> dict[str, Any]:
    """A command as JSON-safe data: its fields, and its class's name as `type`."""
    return {"type": type(command).__name__, **to_plain(command)}


def command_from(plain: Mapping[str, Any]) -> Command:
    """The command that `command_plain` made this of.

    Raises:
        KeyError, TypeError, ValueError: there is no such command, or it cannot have these fields.
    """
    return from_plain(COMMAND_TYPES[plain["type"]], plain)  # type: ignore[no-any-return]


# Errors


def error_plain(error: Exception) -> dict[str, Any]:
    """An error as the members of a problem: its class, title, words, and what else it carries."""
    match error:
        case OrchestratorError():
            return {
                "error": _known_name(type(error)),
                "title": error.title,
                "detail": error.message,
                "hint": error.hint,
                "fields": dict(_fields(error)),
            }
        case KeyError():
            name = str(error.args[0]) if error.args else ""
            detail = f"There is nothing with the id {name[:100]!r}." if name else "There is no such thing."
            return {"error": "KeyError", "title": "Not found", "detail": detail, "hint": "", "fields": {"key": name}}
        case _:
            broken = errors.ServerBroken()
            return error_plain(broken)


def error_from(plain: Mapping[str, Any]) -> Exception:
    """The error that `error_plain` made this of, of the same class if this version has it."""
    fields = plain.get("fields")
    fields = fields if isinstance(fields, dict) else {}
    if plain.get("error") == "KeyError":
        return KeyError(fields.get("key", ""))
    kind = _ERRORS.get(str(plain.get("error")), OrchestratorError)
    error = kind.__new__(kind)
    # Their own constructors put sentences together that are put together already.
    OrchestratorError.__init__(error, str(plain.get("detail") or plain.get("title") or "") or None)
    error.title, error.hint = str(plain.get("title") or kind.title), str(plain.get("hint") or "")
    if issubclass(kind, errors.StoreUnavailable):
        # What is final for the server's process is not for ours.
        fields = {**fields, "final": False}
    for name, value in fields.items():
        setattr(error, name, Path(value) if name in _PATHS else value)
    return error


def _known_name(kind: type[OrchestratorError]) -> str:
    """The name of the nearest class that both ends have."""
    return next(base.__name__ for base in kind.__mro__ if base.__name__ in _ERRORS)


def _fields(error: OrchestratorError) -> Iterator[tuple[str, Any]]:
    for name, value in vars(error).items():
        if name in ("hint", "title"):
            continue
        if isinstance(value, Path):
            yield name, str(value)
        elif value is None or isinstance(value, str | int | float | bool):
            yield name, value
