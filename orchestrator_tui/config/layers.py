"""The sources of settings, each as nested data that knows where every value was written."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_tui.config.check import problems_in, unknown_line
from orchestrator_tui.config.files import read_toml
from orchestrator_tui.config.keys import dotted, known_groups, known_keys, leaves, nearest, nested
from orchestrator_tui.config.paths import SETTINGS_FILE, shipped
from orchestrator_tui.config.secrets import Secrets, is_secret_name, variable_for
from orchestrator_tui.domain.errors import SettingsError

PREFIX = "ORCHESTRATOR_"
NOT_SETTINGS = frozenset(
    {
        "ORCHESTRATOR_HOME",
        "ORCHESTRATOR_TOKEN",
        "ORCHESTRATOR_CLI_ENV",
        "ORCHESTRATOR_RUN_ID",
        "ORCHESTRATOR_PROJECT_ID",
        "ORCHESTRATOR_AGENT_ID",
    }
)
"""Variables with the prefix that are no settings: the home folder, a server's token, the marks that sessions carry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One source.

    Attributes:
        label: the source as a whole, such as a file's path. places: dotted key -> a more exact place.
        lenient: numbers and truth values may be written as text.
        problems: what was wrong already when the source was read, one line each.
    """

    data: Mapping[str, Any]
    label: str
    places: Mapping[str, str] = field(default_factory=dict)
    lenient: bool = False
    problems: tuple[str, ...] = ()

    def where(self, key: str) -> str:
        """Where a key was written."""
        return self.places.get(key, self.label)

    def check(self, secrets: Secrets) -> list[str]:
        """What is wrong in this source, one line each, without showing a credential."""
        found = problems_in(self.data, self.where, hide=secrets.mask, lenient=self.lenient)
        return [secrets.mask(line) for line in self.problems] + found


def from_file(file: Path, *, required: bool) -> Layer:
    """The layer of a settings file; an optional one that does not exist is empty, and so is an untouched template."""
    try:
        data = read_toml(file)
        untouched = file.read_bytes() == shipped(SETTINGS_FILE).read_bytes()
        return Layer(data={} if untouched else data, label=str(file))
    except FileNotFoundError:
        problems = (f"{file} does not exist; name a settings file that does.",) if required else ()
    except SettingsError as error:
        problems = (error.message,)
    return Layer(data={}, label=str(file), problems=problems)


def from_command_line(overrides: Mapping[str, Any], flags: Mapping[str, str]) -> Layer:
    """The layer of the command line; `flags` names the flag of a dotted key when it is not `--set`."""
    names = {dotted(key) for key, _ in leaves(overrides)}
    places = {name: f"command line {flags.get(name, f'--set {name}')}" for name in names}
    return Layer(data=overrides, label="command line", places=places, lenient=True)


def from_environment(environ: Mapping[str, str]) -> Layer:
    """The layer of the `ORCHESTRATOR_…` variables, `__` between the names of a key; an empty one counts as not set."""
    keys = known_keys()
    data: dict[str, Any] = {}
    places: dict[str, str] = {}
    problems: list[str] = []
    for variable in sorted(environ):
        if not variable.upper().startswith(PREFIX) or variable.upper() in NOT_SETTINGS:
            continue
        key = variable[len(PREFIX) :].lower().replace("__", ".")
        if key not in keys:
            problems.append(_unknown_variable(variable, key))
        elif environ[variable]:
            data = merge(nested(tuple(key.split(".")), environ[variable]), data)
            places[key] = f"environment {variable}"
    return Layer(data=data, label="environment", places=places, lenient=True, problems=tuple(problems))


def merge(above: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """Nested data with the values of `above` where both have one."""
    merged = dict(below)
    for name, value in above.items():
        other = merged.get(name)
        merged[name] = merge(value, other) if isinstance(value, Mapping) and isinstance(other, Mapping) else value
    return merged


def parse_assignment(text: str) -> dict[str, Any]:
    """Nested data for `phases.implement.model=claude-x`; the value is TOML, or text when it is not.

    Raises:
        SettingsError: there is no `=` or no key before it.
    """
    name, equals, value = text.partition("=")
    key = tuple(part.strip() for part in name.split("."))
    if not equals or not all(key):
        raise SettingsError('command line --set: KEY=VALUE was expected, such as "agent.max_parallel=2".')
    return nested(key, _value(value.strip()))


def _value(text: str) -> Any:
    """Only what is on one line: text with a line break in it could hold further keys."""
    if "\n" in text or "\r" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _unknown_variable(variable: str, key: str) -> str:
    where = f"environment {variable}"
    parts = tuple(key.split("."))
    keys = known_keys()
    if is_secret_name(variable):
        return f"{where}: this is not a setting; a credential is read from {variable_for(variable)} only."
    if key in known_groups():
        return f"{where}: {key} is a group of settings; expected a variable such as {_variable(_first_in(key))}."
    meant = nearest(parts, keys)
    hint = f" Set {_variable(meant)} for it, or take the variable away." if meant else ""
    return unknown_line(parts, where, keys) + hint


def _first_in(group: str) -> str:
    return next(key for key in known_keys() if key.startswith(f"{group}."))


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace(".", "__")
