"""Checks what a person wants built before anything is started with it."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

from orchestrator_tui.domain.errors import BadIdea

LONGEST_IDEA = 100_000
"""Characters."""

_MOST_BYTES = LONGEST_IDEA * 4 + 1
_SAY = 'Say in a sentence what to build, such as --idea "A checker for links in Markdown files".'


def check_idea(text: str, source: str = "The idea") -> str:
    """The idea without blanks around it; `source` is what an error calls it.

    Raises:
        BadIdea: it is empty, no text, or too long.
    """
    if "\0" in text:
        raise BadIdea(f"{source} is not text: it holds a NUL byte.", hint="Give a text file.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadIdea(f"{source} is not text in UTF-8.", hint="Save it as UTF-8.") from error
    idea = text.strip()
    if not idea:
        raise BadIdea(f"{source} is empty.", hint=_SAY)
    if len(idea) > LONGEST_IDEA:
        hint = "Shorten it to what matters, and put the rest into files of the project."
        raise BadIdea(f"{source} has {len(idea):,} characters; {LONGEST_IDEA:,} is the most.", hint=hint)
    return idea


def read_idea_file(name: str, stdin: BinaryIO) -> str:
    """The idea in a file; `-` means `stdin`.

    Raises:
        BadIdea: it cannot be read, or what is in it cannot be used.
    """
    if name == "-":
        return _from_bytes(stdin.read(_MOST_BYTES), "Standard input")
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            return _from_bytes(file.read(_MOST_BYTES), str(path))
    except OSError as error:
        raise BadIdea(f"{path} cannot be read: {_reason(error)}.", hint="Name a text file, or use --idea.") from error
    except ValueError as error:
        raise BadIdea(f"{name!r} is no name of a file.", hint="Name a text file, or use --idea.") from error


def _from_bytes(data: bytes, source: str) -> str:
    if len(data) == _MOST_BYTES:
        raise BadIdea(f"{source} is too long; {LONGEST_IDEA:,} characters is the most.", hint="Shorten it.")
    if b"\0" in data:
        raise BadIdea(f"{source} is not text: it holds a NUL byte.", hint="Give a text file.")
    try:
        return check_idea(data.decode("utf-8-sig"), source)
    except UnicodeDecodeError as error:
        raise BadIdea(
            f"{source} is not text in UTF-8: byte {error.start} cannot be read.", hint="Save it as UTF-8."
        ) from error


def _reason(error: OSError) -> str:
    if error.errno == errno.EISDIR:
        return "it is a folder"
    return os.strerror(error.errno).lower() if error.errno else str(error)
