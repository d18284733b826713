"""Works out which file, and which place in it, the destination of a link means."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


@dataclass(frozen=True)
class Target:
    """A file or folder by its absolute path, and the part after the `#`, or ""."""

    path: Path
    fragment: str = ""


def resolve(destination: str, page: Path, root: Path) -> Target | None:
    """What `destination` on `page` means; None if it is not a relative link (`https:`, `mailto:`, `//host`).

    A destination that starts with a slash is looked up from `root`, as GitHub does.
    """
    if _SCHEME.match(destination):
        return None
    address, _, fragment = destination.partition("#")
    address = unquote(address.partition("?")[0])
    if not address:
        return Target(absolute(page), fragment)
    base = root if address.startswith("/") else page.parent
    return Target(absolute(base / address.lstrip("/")), fragment)


def absolute(path: Path) -> Path:
    """`path` from the top and without `..`, symbolic links left as they are."""
    return Path(os.path.normpath(path.absolute()))


def is_inside(path: Path, root: Path) -> bool:
    return absolute(root) in (path, *path.parents)


def exists(path: Path) -> bool:
    """Whether there is a file or folder at `path`; one too long to be a path does not exist."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
