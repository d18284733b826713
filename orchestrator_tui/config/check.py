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
    if not data:
        return []
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
    return [key for key, _ in leaves(data) if not _is_known(key, keys)]


def _is_known(key: Key, keys: Mapping[str, FieldInfo]) -> bool:
    """Also true inside a setting that was written as a table: that is a wrong value, not an unknown key."""
    if setting_at(key[:2], keys) is not None:
        return True
    return ".".join(key) in known_groups() or any(".".join(key[:length]) in keys for length in range(1, len(key) + 1))


def _wrong_values(
    data: Mapping[str, Any], where: Where, hide: Mask, keys: Mapping[str, FieldInfo], lenient: bool
) -> list[tuple[Key, str]]:
    try:
        if lenient:
            SettingsModel.model_validate(data)
        else:
            SettingsModel.model_validate_json(json.dumps(data, default=_marked), strict=True)
    except ValidationError as error:
        found = {
            _of_setting(entry["loc"], keys): _in_array(entry, data, hide)
            # Of several things that are wrong with a setting the first is told.
            for entry in reversed(error.errors())
            if entry["type"] != "extra_forbidden" or _is_in_array(entry)
        }
        return [(key, _value_line(key, data, where, hide, keys, wrong)) for key, wrong in reversed(found.items())]
    return []


def _is_in_array(entry: ErrorDetails) -> bool:
    return any(isinstance(part, int) for part in entry["loc"])


def _in_array(entry: ErrorDetails, data: Mapping[str, Any], hide: Mask) -> str:
    """Which table of an array is wrong and what about it, such as `number 2, "team": url: not encrypted`, without any
    value: those may be secrets. "" for what is wrong with other settings."""
    found: Any = data
    which, field = "", ""
    for part in entry["loc"]:
        if which:
            field = str(part)
            break
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            # What pydantic adds about the alternatives of a setting, or what is not there.
            found = None
        if isinstance(part, int) and isinstance(found, Mapping):
            name = found.get("name")
            which = f"number {part + 1}" + (f", {shown(hide(name))}" if isinstance(name, str) else "")
    match entry["type"]:
        case _ if not which and not (isinstance(found, list) and entry["type"] == "value_error"):
            return ""
        case "value_error":
            said = [which, field, str(entry["ctx"]["error"])]
        case "extra_forbidden":
            said = [which, f"there is no {field}"]
        case "missing":
            said = [which, f"{field} is needed"]
        case _:
            said = [which, f"{field} cannot be used" if field else "cannot be used"]
    return ": ".join(part for part in said if part)


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


def _value_line(
    key: Key, data: Mapping[str, Any], where: Where, hide: Mask, keys: Mapping[str, FieldInfo], wrong: str
) -> str:
    name = dotted(key)
    found: Any = data
    for part in key:
        found = found[part]
    setting = setting_at(key, keys)
    expected = expectation(setting) if setting else f"a group of settings, [{name}]"
    if wrong:
        return f"{where(name)}: {name}, {wrong}; expected {expected}."
    value = shown(hide(found) if isinstance(found, str) else found)
    return f"{where(name)}: {name} is {value}; expected {expected}."
