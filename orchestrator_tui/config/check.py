"""Checks the settings of one source and says what is wrong with them, one line each."""

import json
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from orchestrator_tui.config.keys import (
    Key,
    dotted,
    expectation,
    known_groups,
    known_keys,
    leaves,
    nearest,
    setting_at,
    shown,
)
from orchestrator_tui.config.secrets import find_secrets, mask, variable_for
from orchestrator_tui.config.settings import SettingsModel

Where = Callable[[str], str]
"""Says for a dotted key where it was found: a file, a variable, a flag."""

Mask = Callable[[str], str]

MOST_UNKNOWN = 20
"""Unknown keys that are told one by one; a file with more of them was meant for something else."""


def problems_in(data: Mapping[str, Any], where: Where, *, hide: Mask = mask, lenient: bool = False) -> list[str]:
    """What is wrong in `data`, one line each, without showing a credential.

    `lenient` takes a number written as text, as the environment has nothing else.
    """
    keys = known_keys()
    secret = dict.fromkeys(find_secrets(data))
    lines = [_secret_line(key, where) for key in secret]
    unknown = [key for key in _unknown(data, keys) if not _covers(secret, key)]
    lines += [unknown_line(key, where(dotted(key)), keys) for key in unknown[:MOST_UNKNOWN]]
    if len(unknown) > MOST_UNKNOWN:
        lines.append(f"{where('')}: {len(unknown) - MOST_UNKNOWN:,} more keys are not settings; is it the right file?")
    lines += [line for key, line in _wrong_values(data, where, hide, keys, lenient) if not _covers(secret, key)]
    return [hide(" ".join(line.split())) for line in lines]


def unknown_line(key: Key, where: str, keys: Mapping[str, FieldInfo]) -> str:
    """The line for a key that is no setting, with the one that was probably meant."""
    meant = nearest(key, keys)
    advice = f"did you mean {meant}?" if meant else _what_exists(key, keys)
    return f"{where}: {dotted(key)} is not a setting; {advice}"


def _what_exists(key: Key, keys: Mapping[str, FieldInfo]) -> str:
    group = f"{dotted(key[:-1])}."
    inside = [name.removeprefix(group) for name in keys if name.startswith(group)]
    if inside:
        return f"[{group[:-1]}] has {', '.join(inside)}."
    return f"known groups are {', '.join(SettingsModel.model_fields)}."


def _covers(found: Mapping[Key, None], key: Key) -> bool:
    return any(key[: len(secret)] == secret for secret in found)


def _secret_line(key: Key, where: Where) -> str:
    variable = variable_for(key[-1])
    return (
        f"{where(dotted(key))}: {dotted(key)} is a credential, and credentials are not kept in settings; "
        f"take it out and set it in the environment as {variable}."
    )


def _unknown(data: Mapping[str, Any], keys: Mapping[str, FieldInfo]) -> list[Key]:
    groups = known_groups(keys)
    return [key for key, _ in leaves(data) if not _is_known(key, keys, groups)]


def _is_known(key: Key, keys: Mapping[str, FieldInfo], groups: set[str]) -> bool:
    """Also true inside a setting that was written as a table: that is a wrong value, not an unknown key."""
    if setting_at(key[:2], keys) is not None:
        return True
    return ".".join(key) in groups or any(".".join(key[:length]) in keys for length in range(1, len(key) + 1))


def _wrong_values(
    data: Mapping[str, Any], where: Where, hide: Mask, keys: Mapping[str, FieldInfo], lenient: bool
) -> list[tuple[Key, str]]:
    try:
        if lenient:
            SettingsModel.model_validate(data)
        else:
            SettingsModel.model_validate_json(json.dumps(data, default=_marked), strict=True)
    except ValidationError as error:
        found: dict[Key, ErrorDetails] = {}
        for entry in error.errors():
            key = _of_setting(entry["loc"], keys)
            # A key that is no setting is told as such elsewhere; within a setting it is a wrong value.
            if entry["type"] != "extra_forbidden" or setting_at(key, keys) is not None:
                found.setdefault(key, entry)
        return [
            (key, _value_line(key, data, where, hide, keys) + _within(key, data, entry, keys))
            for key, entry in found.items()
        ]
    return []


def _within(key: Key, data: Mapping[str, Any], entry: ErrorDetails, keys: Mapping[str, FieldInfo]) -> str:
    """Which table of an array of tables is wrong, and what about it; "" for every other setting."""
    value: Any = data
    for part in key:
        value = value[part]
    if setting_at(key, keys) is None or not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return ""
    index, *inside = entry["loc"][len(key) :] or (None,)
    if not isinstance(index, int) and entry["type"] != "value_error":
        # It should be no array at all.
        return ""
    at = f"Table {index + 1}" if isinstance(index, int) else "Tables"
    fields = "".join(f", {part}" for part in inside if isinstance(part, str))
    # What pydantic says names what is expected, never what it found.
    problem = "no such key" if entry["type"] == "extra_forbidden" else entry.get("ctx", {}).get("error", entry["msg"])
    return f" {at}{fields}: {problem}."


def _of_setting(found: tuple[str | int, ...], keys: Mapping[str, FieldInfo]) -> Key:
    """The setting that something wrong was found in: whichever entry of its array it is, and without what pydantic
    adds about the alternatives of a setting."""
    key = tuple(part for part in found if isinstance(part, str))
    return next((key[:length] for length in range(1, len(key)) if setting_at(key[:length], keys)), key)


def _marked(value: Any) -> Any:
    """Dates become arrays of arrays, which no setting is: as text they would pass for one."""
    if isinstance(value, date | time):
        return [[value.isoformat()]]
    raise TypeError(f"{type(value).__name__} is no value of a settings file")


def _value_line(key: Key, data: Mapping[str, Any], where: Where, hide: Mask, keys: Mapping[str, FieldInfo]) -> str:
    name = dotted(key)
    found: Any = data
    for part in key:
        found = found[part]
    setting = setting_at(key, keys)
    expected = expectation(setting) if setting else f"a group of settings, [{name}]"
    value = shown(hide(found) if isinstance(found, str) else found)
    return f"{where(name)}: {name} is {value}; expected {expected}."
