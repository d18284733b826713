"""Turns the frozen dataclasses of this floor into JSON-safe data and back, by their annotations."""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

_AS_IT_IS = frozenset({str, int, float, bool, type(None)})


def to_plain(value: Any) -> Any:
    """JSON-safe data for a record: dataclasses and mappings become dicts, tuples lists, moments ISO text."""
    # Nearly all values are of these; what is derived of them, such as an Enum, is not.
    if value.__class__ in _AS_IT_IS:
        return value
    if isinstance(value, str | int | float):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(to_plain(key)): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if is_dataclass(value):
        return {name: to_plain(getattr(value, name)) for name in _field_names(value.__class__)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def from_plain(kind: Any, data: Any) -> Any:
    """A value of type `kind` from what `to_plain` made of it; unknown fields are passed over.

    Raises:
        TypeError, ValueError, KeyError: when `data` does not fit `kind`.
    """
    return _reader(kind)(data)


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _optional_reader(kind)
    if origin is tuple:
        item = _reader(get_args(kind)[0])
        return lambda data: tuple(item(element) for element in data)
    if origin is not None and issubclass(origin, Mapping):
        key, value = (_reader(argument) for argument in get_args(kind))
        return lambda data: {key(k): value(v) for k, v in data.items()}
    if kind is datetime:
        return datetime.fromisoformat
    if isinstance(kind, type) and (issubclass(kind, Enum) or kind is float):
        return kind
    return lambda data: data


def _dataclass_reader(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    readers = {name: _reader(hints[name]) for name in _field_names(kind)}

    def read(data: Mapping[str, Any]) -> Any:
        return kind(**{name: reader(data[name]) for name, reader in readers.items() if name in data})

    return read


def _optional_reader(kind: Any) -> Callable[[Any], Any]:
    inner = [argument for argument in get_args(kind) if argument is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"{kind} is a union of more than one type")
    reader = _reader(inner[0])
    return lambda data: None if data is None else reader(data)
