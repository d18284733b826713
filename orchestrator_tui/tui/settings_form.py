"""The settings as rows of a form: what each is, where it comes from, and what may be written instead; pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from orchestrator_tui.config.check import problems_in
from orchestrator_tui.config.keys import expectation, known_keys, nested
from orchestrator_tui.config.loader import Settings
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.config.toml_edit import written
from orchestrator_tui.domain.errors import SettingsError

LIVE_GROUPS = ("tui", "keymap")
"""Groups that the dashboard takes over at once; everything else counts for the runs that begin after it."""
DEFAULT = "default"
NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting. `value` and `default` are as people write them, "" when there is none.

    Attributes:
        choices: all values there are; empty when any text may be right.
        optional: whether it may be left empty.
    """

    key: str
    value: str
    default: str
    origin: str
    meaning: str
    expected: str
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def group(self) -> str:
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    @property
    def live(self) -> bool:
        """Whether a change counts at once."""
        return self.key.partition(".")[0] in LIVE_GROUPS

    @property
    def is_default(self) -> bool:
        return self.origin == DEFAULT


@dataclass(frozen=True, slots=True)
class Heading:
    """A group of settings, with what it is about."""

    group: str
    meaning: str


Row = Entry | Heading


def entries(settings: Settings, choices: Mapping[str, Sequence[str]] = NOTHING) -> Sequence[Entry]:
    """All settings in the order of `orchestrator.toml`; `choices` has those that only this start knows."""
    defaults = SettingsModel()
    return [_entry(key, field, settings, defaults, choices) for key, field in known_keys().items()]


def rows(found: Sequence[Entry]) -> Sequence[Row]:
    """The entries under headings of their groups."""
    return list(_with_headings(found))


def matching(found: Sequence[Entry], needle: str) -> Sequence[Entry]:
    """The entries that have all the words of `needle` in key, value or meaning."""
    wanted = needle.casefold().split()
    return [one for one in found if all(word in f"{one.key} {one.value} {one.meaning}".casefold() for word in wanted)]


def value_of(key: str, text: str) -> Any:
    """What a text means as the value of a setting, as TOML holds it; None when it is empty and may be.

    Raises:
        SettingsError: the setting does not take it; the message says what it takes.
    """
    written = text.strip()
    if not written and is_optional(known_keys()[key]):
        return None
    data = nested(tuple(key.split(".")), written)
    if problems := problems_in(data, lambda key: "Not written", lenient=True):
        raise SettingsError(problems[0])
    try:
        return plain(_at(SettingsModel.model_validate(data), key))
    except ValidationError as error:
        raise SettingsError(f"Not written: {key} does not take {written!r}.") from error


def shown(value: Any) -> str:
    """A value as people write it; "" for none."""
    match plain(value):
        case None:
            return ""
        case bool() as truth:
            return str(truth).lower()
        case float() as number:
            return f"{number:g}"
        case list() as entries if any(isinstance(entry, dict) for entry in entries):
            return written(entries)
        case list() as entries:
            return json.dumps(entries, ensure_ascii=False)
        case other:
            return str(other)


def plain(value: Any) -> Any:
    """A value as TOML holds it."""
    match value:
        case Enum():
            return value.value
        case Path():
            return str(value)
        case tuple():
            return [plain(one) for one in value]
        case BaseModel():
            return value.model_dump(mode="json", exclude_unset=True)
        case _:
            return value


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """All values a setting can have, when they can be counted."""
    kind = _bare(field.annotation)
    if kind is bool:
        return ("true", "false")
    if get_origin(kind) is Literal:
        return tuple(map(str, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(str(member.value) for member in kind)
    return ()


def is_optional(field: FieldInfo) -> bool:
    """Whether a setting may have no value."""
    return NoneType in get_args(field.annotation)


def _entry(
    key: str, field: FieldInfo, settings: Settings, defaults: SettingsModel, choices: Mapping[str, Sequence[str]]
) -> Entry:
    return Entry(
        key=key,
        value=shown(_at(settings, key)),
        default=shown(_at(defaults, key)),
        origin=settings.origin(key),
        meaning=meaning_of(key),
        expected=expectation(field).replace(" in quotes", ""),
        choices=tuple(choices.get(key, ())) or choices_of(field),
        optional=is_optional(field),
    )


def meaning_of(key: str) -> str:
    """What a setting's docstring says; one that only has another default keeps that of the class above."""
    *groups, name = key.split(".")
    group = type(reduce(getattr, groups, SettingsModel()))
    above = (kind.model_fields.get(name) for kind in group.__mro__ if issubclass(kind, BaseModel))
    return next((field.description for field in above if field and field.description), "")


def _with_headings(found: Sequence[Entry]) -> Iterator[Row]:
    group = None
    for entry in found:
        if entry.group != group:
            group = entry.group
            yield Heading(group, _about(group))
        yield entry


def _about(group: str) -> str:
    *above, name = group.split(".")
    holder: Any = reduce(getattr, above, SettingsModel())
    described = type(holder).model_fields[name].description
    return described or (type(getattr(holder, name)).__doc__ or "").strip()


def _at(settings: SettingsModel, key: str) -> Any:
    return reduce(getattr, key.split("."), settings)


def _bare(kind: Any) -> Any:
    """A type without what it may be instead, and without limits."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(one for one in get_args(kind) if one is not NoneType))
    return kind
