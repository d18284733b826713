"""Sets one key in the text of a TOML file and leaves the rest as it was written, comments and all."""

import copy
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from orchestrator_tui.config.check import problems_in
from orchestrator_tui.config.files import parse_toml, read_text, write_atomic
from orchestrator_tui.config.keys import Key, dotted
from orchestrator_tui.domain.errors import SettingsError

_HEADER = re.compile(r"\s*\[(?!\[)")
_ANY_HEADER = re.compile(r"\s*\[")
_TABLES = re.compile(r"\s*\[\[")


@dataclass(frozen=True, slots=True)
class Statement:
    """A header or `key = value` on the lines from `start` up to but not including `end`; `key` is the whole path."""

    start: int
    end: int
    key: Key
    header: bool = False
    equals: int = -1


def set_in_file(file: Path, key: str, value: Any) -> None:
    """Set one dotted key, such as `agent.model`, in a settings file; None takes the key away. Comments are kept.

    Blocks on the disk.

    Raises:
        SettingsError: the file cannot be read or written, the value cannot be used or is a credential, or the file
            is written in a way that cannot be changed without losing something; the file is then as it was.
    """
    before = _text_of(file)
    after = edited(before, key, value, name=str(file))
    if problems := problems_in(parse_toml(after, str(file)), lambda key: str(file)):
        raise SettingsError("\n".join(problems))
    if after == before:
        return
    try:
        write_atomic(file, after.encode(), check=lambda written: _unharmed(written, after))
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}.") from error


def edited(text: str, key: str, value: Any, *, name: str = "The file") -> str:
    """The text with one dotted key set, or taken away for None; everything else in it stays as it is.

    Raises:
        SettingsError: the text is not TOML, or the key cannot be changed without touching more than its own lines.
    """
    path = tuple(key.split("."))
    wanted = _with(parse_toml(text, name), path, value, name)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    for candidate in _candidates(lines, path, value):
        made = newline.join(candidate)
        if _reads_as(made, wanted):
            return made
    raise SettingsError(
        f"{name}: {key} is written there in a way that cannot be changed without losing something.",
        hint="Change it in an editor.",
    )


def _text_of(file: Path) -> str:
    try:
        return read_text(file)
    except FileNotFoundError:
        return ""


def _unharmed(written: bytes, text: str) -> None:
    if written.decode() != text:
        raise OSError("what was read back is not what was written")


def _with(data: dict[str, Any], path: Key, value: Any, name: str) -> dict[str, Any]:
    """The data that the text has to have afterwards."""
    data = copy.deepcopy(data)
    table = data
    for depth, group in enumerate(path[:-1], 1):
        if value is None and group not in table:
            return data
        table = table.setdefault(group, {})
        if not isinstance(table, dict):
            raise SettingsError(
                f"{name}: {dotted(path)} cannot be set because {dotted(path[:depth])} is not a group of settings there."
            )
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = value
    return data


def _reads_as(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return _same(tomllib.loads(text), wanted)
    except ValueError:
        return False


def _same(one: Any, other: Any) -> bool:
    """Equal, also in type: 1, 1.0 and true are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _candidates(lines: list[str], path: Key, value: Any) -> Iterator[list[str]]:
    """Texts that may be right, the most natural first."""
    statements = list(_statements(lines))
    own = next((one for one in statements if not one.header and one.key == path), None)
    if value is None:
        yield lines if own is None else [*lines[: own.start], *lines[own.end :]]
        return
    if own is not None:
        yield [*lines[: own.start], *_replaced(lines, own, value), *lines[own.end :]]
        return
    yield from _added(lines, statements, path, value)


def _added(lines: list[str], statements: Sequence[Statement], path: Key, value: Any) -> Iterator[list[str]]:
    header = next((index for index, one in enumerate(statements) if one.header and one.key == path[:-1]), None)
    if header is not None:
        at = _place(lines, statements, header, path[-1])
        yield [*lines[:at], _line(path[-1:], value), *lines[at:]]
    siblings = [one for one in statements if not one.header and one.key[:-1] == path[:-1]]
    if siblings:
        last = siblings[-1]
        begin = lines[last.start][: last.equals]
        written = len(_path_of(f"{begin}= 0"))
        indent = begin[: len(begin) - len(begin.lstrip())]
        yield [*lines[: last.end], indent + _line(path[-written:], value), *lines[last.end :]]
    kept = lines[:-1] if lines[-1] == "" else lines
    table = [f"[{dotted(path[:-1])}]", _line(path[-1:], value), ""]
    yield [*kept, *([""] if kept and kept[-1].strip() else []), *table]


def _place(lines: Sequence[str], statements: Sequence[Statement], header: int, name: str) -> int:
    """The line to put a new key of a table at: after its commented default, else after the table's last key."""
    end = next((one.start for one in statements[header + 1 :] if one.header), len(lines))
    commented = re.compile(rf"\s*#\s*{re.escape(name)}\s*=")
    for index in range(statements[header].end, end):
        if commented.match(lines[index]):
            return index + 1
    inside = [one for one in statements[header + 1 :] if one.end <= end and not one.header]
    return inside[-1].end if inside else statements[header].end


def _line(path: Key, value: Any) -> str:
    return f"{dotted(path)} = {written(value)}"


def written(value: Any) -> str:
    """A value in TOML; an array of tables is written on one line."""
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return _inline(value)
    return tomli_w.dumps({"v": value}).partition("=")[2].strip()


def _inline(value: Any) -> str:
    match value:
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case dict():
            return "{ " + ", ".join(f"{dotted((name,))} = {_inline(inner)}" for name, inner in value.items()) + " }"
        case _:
            return written(value)


def _replaced(lines: Sequence[str], own: Statement, value: Any) -> list[str]:
    """The statement's lines with another value; what is before the value and a comment after it stay."""
    text = "\n".join(lines[own.start : own.end])
    begin, old = text[: own.equals + 1], text[own.equals + 1 :]
    blanks = old[: len(old) - len(old.lstrip(" \t"))]
    return f"{begin}{blanks}{written(value)}{_comment_after(old)}".split("\n")


def _comment_after(value: str) -> str:
    """The comment behind a value, with the blanks before it: from the first `#` that leaves a whole value."""
    at = value.find("#")
    while at >= 0:
        if _parsed(f"v ={value[:at]}") is not None:
            before = value[:at].rstrip(" \t")
            return value[len(before) :]
        at = value.find("#", at + 1)
    return ""


def _statements(lines: Sequence[str]) -> Iterator[Statement]:
    """The headers and assignments of a text that is TOML, one after another."""
    table: Key | None = ()
    index = 0
    while index < len(lines):
        line = lines[index]
        end = index + 1
        if _ANY_HEADER.match(line):
            # Below an array of tables a key has no path of its own.
            table = _path_of(line) if _HEADER.match(line) and not _TABLES.match(line) else None
            yield Statement(index, end, table or ("", ""), header=True)
        elif line.strip() and not line.lstrip().startswith("#"):
            end = _end_of(lines, index)
            equals = _equals_in(line)
            if table is not None and equals >= 0:
                yield Statement(index, end, (*table, *_path_of(f"{line[:equals]}= 0")), equals=equals)
        index = end


def _end_of(lines: Sequence[str], start: int) -> int:
    """The line after an assignment, which may go over many lines: as soon as it can be read by itself."""
    end = start + 1
    while end < len(lines) and _parsed("\n".join(lines[start:end])) is None:
        end += 1
    return end


def _equals_in(line: str) -> int:
    """Where the `=` after the key is; one inside a quoted key does not count."""
    at = line.find("=")
    while at >= 0 and _parsed(f"{line[:at]}= 0") is None:
        at = line.find("=", at + 1)
    return at


def _path_of(line: str) -> Key:
    """The path that a header or an assignment leads to."""
    data, path = _parsed(line) or {}, []
    while isinstance(data, dict) and data:
        name = next(iter(data))
        path.append(name)
        data = data[name]
    return tuple(path)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except ValueError:
        return None
