"""Settings files: read with errors that say where, written so that no crash leaves half a file."""

import os
import re
import secrets
import stat
import tomllib
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import tomli_w

from orchestrator_tui.config.secrets import mask
from orchestrator_tui.domain.errors import SettingsError

LARGEST_FILE = 1_000_000
"""Bytes; nobody writes that many settings, so a larger file was named by mistake."""

_PLACE = re.compile(
    r"^(?P<reason>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL
)


def read_toml(file: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        FileNotFoundError: there is no such file.
        SettingsError: it cannot be read or is not TOML; the message says where.
    """
    return parse_toml(read_text(file), str(file))


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """The content of TOML text; `name` is what an error calls it.

    Raises:
        SettingsError: it is not TOML; with line, column and reason.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(mask(f"{name}{_place(str(error), text)}")) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{name}: a value cannot be read: it is too long or nested too deeply.") from error


def write_setting(file: Path, key: str, value: Any) -> None:
    """Set one dotted key, such as `agent.model`, in a settings file; None takes the key away.

    Raises:
        SettingsError: the file cannot be read or written, or the value cannot be used or is a credential.
    """
    data = _read_if_there(file)
    *groups, last = key.split(".")
    table = data
    for group in groups:
        table = table.setdefault(group, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: {key} cannot be set because {group} is not a group of settings there.")
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value
    write_settings(file, data)


def write_settings(file: Path, data: Mapping[str, Any]) -> None:
    """Make `data` the whole content of a settings file. Comments in the file are not kept. Blocks on the disk.

    Raises:
        SettingsError: a value cannot be used or is a credential, or the file cannot be written.
    """
    # Imported here: it brings all settings with it, and reading a file needs none of them.
    from orchestrator_tui.config.check import problems_in

    plain = _plain(data)
    if problems := problems_in(plain, lambda key: str(file)):
        raise SettingsError("\n".join(problems))
    try:
        write_atomic(file, tomli_w.dumps(plain).encode(), check=lambda written: _same(written, plain))
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}.") from error


def write_atomic(
    file: Path, content: bytes, *, check: Callable[[bytes], object], private: bool = False, through_links: bool = True
) -> None:
    """Replace a file as a whole: a crash at any moment leaves the old or the new one.

    `check` gets what was read back from the disk and raises when it is not right; the old file then stays.
    A link stays a link unless `through_links` is off: then it is replaced. The permissions of the old file are kept,
    unless it is `private`: then only its owner may read it.

    Raises:
        OSError: the folder cannot be written.
    """
    target = file.resolve() if through_links else file
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        _write_synced(draft, content, 0o600 if private else 0o666)
        check(draft.read_bytes())
        if not private and (mode := _mode_of(target)) is not None:
            draft.chmod(mode)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(target.parent)


def read_text(file: Path) -> str:
    """The text of a settings file.

    Raises:
        FileNotFoundError: there is no such file.
        SettingsError: it cannot be read; the message says why.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise SettingsError(f"{file} is not a file; a settings file in TOML was expected.")
        if file.stat().st_size > LARGEST_FILE:
            raise SettingsError(f"{file} is larger than {LARGEST_FILE:,} bytes; a settings file was expected.")
        return file.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(str(file)) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not text in UTF-8: byte {error.start} cannot be read.") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror or error}.") from error


def _read_if_there(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file)
    except FileNotFoundError:
        return {}


def _place(error: str, text: str) -> str:
    """`, line 3, column 5: reason` from what the TOML reader says, which knows no numbers for the end of a text."""
    found = _PLACE.match(error)
    if found is None:
        return f": not valid TOML: {' '.join(error.split())}."
    lines = text.split("\n")
    line, column = found["line"] or len(lines), found["column"] or len(lines[-1]) + 1
    return f", line {line}, column {column}: not valid TOML: {' '.join(found['reason'].split())}."


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Only what TOML can hold; keys without a value are left out."""
    plain: dict[str, Any] = {}
    for key, value in data.items():
        match value:
            case None:
                continue
            case Mapping():
                plain[key] = _plain(value)
            case Enum():
                plain[key] = value.value
            case Path():
                plain[key] = str(value)
            case _:
                plain[key] = value
    return plain


def _same(written: bytes, data: dict[str, Any]) -> None:
    from orchestrator_tui.config.keys import leaves

    if list(leaves(tomllib.loads(written.decode()))) != list(leaves(data)):
        raise OSError("what was read back is not what was written")


def _mode_of(file: Path) -> int | None:
    """The permissions of a file; None when there is no file of that name."""
    try:
        found = file.lstat().st_mode
    except FileNotFoundError:
        return None
    return stat.S_IMODE(found) if stat.S_ISREG(found) else None


def _write_synced(file: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
