"""Checks who is told by HTTP, as it is written in settings."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from orchestrator_tui.domain.notices import Happening

RECEIVERS = (
    "an array of tables with names of their own, each with one of url (https, or http on this machine) and url_from, "
    'and with key_from unless its format is "slack", '
    'such as [{ name = "team", url = "https://example.org/hook", key_from = "TEAM_WEBHOOK_KEY" }]'
)


_VARIABLE = re.compile(r"(?!ORCHESTRATOR_)[A-Z_][A-Z0-9_]{0,99}")


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def receivers_in(value: Any) -> Any:
    """The tables of an array; text from a variable or the command line is an array in TOML."""
    if isinstance(value, str):
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except ValueError:
            return value
    return tuple(value) if isinstance(value, list) else value


def happenings_in(value: Any) -> Any:
    """What a receiver is told, of the names in an array.

    Raises:
        ValueError: one of them is nothing that is told.
    """
    if not isinstance(value, list | tuple):
        return value
    try:
        return tuple(map(Happening, value))
    except ValueError as error:
        raise ValueError(f"expected an array of {', '.join(Happening)}") from error


def check_variable(name: str) -> str:
    """The name of an environment variable that is none of our settings.

    Raises:
        ValueError: it is something else.
    """
    if not _VARIABLE.fullmatch(name):
        raise ValueError("no name of a variable")
    return name


def check_receiver(url: str | None, url_from: str | None, key_from: str | None, form: str) -> None:
    """Raises ValueError unless there is exactly one address, and a key where what is sent is signed."""
    if (url is None) == (url_from is None):
        raise ValueError("one address is needed")
    if form == "json" and key_from is None:
        raise ValueError("a key is needed to sign with")


def each_named_once(receivers: Sequence[T]) -> Sequence[T]:
    """`receivers`, when no two have the same name.

    Raises:
        ValueError: two have.
    """
    if len({one.name for one in receivers}) < len(receivers):
        raise ValueError("two have the same name")
    return receivers
