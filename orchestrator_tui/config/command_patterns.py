"""Patterns of commands in the settings: words as in a shell, `*` at the end for any arguments."""

import shlex
import tomllib
from functools import lru_cache
from typing import Any

ANY = "*"
PATTERNS = 'an array of commands, * at the end of one for any arguments, such as ["npm run *"]'
_COMPOUND = (";", "|", "&", "\n", "`", "$(", "<", ">")


@lru_cache(maxsize=1024)
def pattern_words(pattern: str) -> tuple[str, ...]:
    """The words of a pattern; the last one may be `ANY`.

    Raises:
        ValueError: it is empty, names no program, is more than one simple command, or its quotes are not closed.
    """
    words = tuple(shlex.split(pattern))
    if not words or words[0] in ("", ANY) or any(sign in pattern for sign in _COMPOUND):
        raise ValueError(PATTERNS)
    return words


def check_pattern(pattern: str) -> str:
    """`pattern`, when it is one.

    Raises:
        ValueError: it is none.
    """
    pattern_words(pattern)
    return pattern


def patterns_in(value: Any) -> Any:
    """The entries of an array; text from a variable or the command line may be an array in TOML, or one pattern."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except ValueError:
            return value
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value
