"""The keys of all settings as dotted names, what each expects, and which one a person meant."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator_tui.config.settings import KEYMAP, Expected, Keys, SettingsModel

Key = tuple[str, ...]

_KEYS_BY_ID = FieldInfo.from_annotation(Keys)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60
_LONGEST = 100


@cache
def known_keys(model: type[BaseModel] = SettingsModel) -> Mapping[str, FieldInfo]:
    """All settings, such as `agent.model`, in the order of the model."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        if group := group_of(field):
            found |= {f"{name}.{inner}": inner_field for inner, inner_field in known_keys(group).items()}
        else:
            found[name] = field
    return MappingProxyType(found)


def setting_at(key: Key, keys: Mapping[str, FieldInfo]) -> FieldInfo | None:
    """The setting of a key; the key of a binding may go by any id with a dot, `keymap."items.search"`."""
    if len(key) == 2 and key[0] == KEYMAP and "." in key[1]:
        return _KEYS_BY_ID
    return keys.get(dotted(key))


@cache
def known_groups() -> frozenset[str]:
    """The groups that hold the settings, such as `agent` and `phases.implement`."""
    parts = [key.split(".") for key in known_keys()]
    return frozenset(".".join(path[:length]) for path in parts for length in range(1, len(path)))


def group_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a group of settings."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def leaves(data: Mapping[str, Any], key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every value in nested data with its key; an empty table is a value."""
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*key, str(name)))
        else:
            yield (*key, str(name)), value


def nested(key: Key, value: Any) -> dict[str, Any]:
    """`value` in the tables that `key` leads through."""
    for name in reversed(key):
        value = {name: value}
    result: dict[str, Any] = value
    return result


def dotted(key: Key) -> str:
    """The key as it is written in TOML, always on one line."""
    return ".".join(name if _BARE.fullmatch(name) else json.dumps(name) for name in key)


def nearest(key: Key, candidates: Mapping[str, FieldInfo]) -> str | None:
    """The known key that was probably meant: the most alike, by the whole name or by its last part.

    In the same group only the last part counts, as the group's name would make all of them alike.
    """
    group = dotted(key[:-1])
    wanted, wanted_last = dotted(key).lower()[:_LONGEST], key[-1].lower()[:_LONGEST]

    def likeness(candidate: str) -> float:
        inside, _, name = candidate.rpartition(".")
        last = difflib.SequenceMatcher(None, wanted_last, name).ratio()
        if inside == group:
            return last
        whole = difflib.SequenceMatcher(None, wanted, candidate).ratio()
        return max(whole, 0.9 * last)

    best = max(candidates, key=lambda candidate: (likeness(candidate), -len(candidate)))
    return best if likeness(best) >= 0.6 else None


def expectation(field: FieldInfo) -> str:
    """What a setting has to be, in words."""
    return _words(field.annotation, tuple(field.metadata))


def _words(kind: Any, metadata: tuple[Any, ...]) -> str:
    stated = [entry.words for entry in metadata if isinstance(entry, Expected)]
    if stated:
        return str(stated[0])
    if get_origin(kind) is Annotated:
        return _words(get_args(kind)[0], get_args(kind)[1:])
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind))
    inner = [argument for argument in get_args(kind) if argument is not NoneType]
    if inner:
        return _words(inner[0], ())
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _one_of(tuple(member.value for member in kind))
    names = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path in quotes"}
    return names.get(kind, "text in quotes") + _limits(metadata)


def _one_of(values: tuple[Any, ...]) -> str:
    quoted = [f'"{value}"' for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _limits(metadata: tuple[Any, ...]) -> str:
    low = next((f" from {entry.ge:,}" for entry in metadata if isinstance(entry, Ge)), "")
    above = next((f" above {entry.gt:,}" for entry in metadata if isinstance(entry, Gt)), "")
    high = next((f" up to {entry.le:,}" for entry in metadata if isinstance(entry, Le)), "")
    return f"{low}{above}{high}"


def shown(value: Any) -> str:
    """A value as a person would write it, short and on one line."""
    match value:
        case Mapping():
            return "a table"
        case list() | tuple():
            return "an array"
        case date() | time():
            return value.isoformat()
        case bool() | int() | float():
            text = str(value).lower()
        case _:
            text = json.dumps(str(value), ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
