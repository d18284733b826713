"""Finds the pages to check: the named files, and every Markdown file below the named folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

SUFFIXES = frozenset({".md", ".markdown"})


class PathNotFound(Exception):
    """A path somebody named does not exist."""


def find_pages(paths: Iterable[Path], exclude: Sequence[str] = ()) -> list[Path]:
    """The pages below `paths`, each once, sorted within a folder.

    A glob of `exclude` leaves out what it matches by name (`CHANGELOG.md`, `vendor`) or by path below the
    folder it was found in (`docs/old/*`); a folder left out is not entered. Hidden folders never are.

    Raises:
        PathNotFound: one of `paths` does not exist.
    """
    pages: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            pages.update(dict.fromkeys(_walk(path, exclude)))
        elif path.exists():
            pages[path] = None
        else:
            raise PathNotFound(f"{path}: there is no such file or folder")
    return list(pages)


def _walk(top: Path, exclude: Sequence[str]) -> Iterator[Path]:
    seen = {os.path.realpath(top)}
    for name, folders, files in os.walk(top, followlinks=True):
        folder = Path(name)
        folders[:] = [child for child in sorted(folders) if _is_entered(folder / child, top, exclude, seen)]
        for file in sorted(files):
            page = folder / file
            if page.suffix.lower() in SUFFIXES and not _is_excluded(page, top, exclude):
                yield page


def _is_entered(folder: Path, top: Path, exclude: Sequence[str], seen: set[str]) -> bool:
    if folder.name.startswith(".") or _is_excluded(folder, top, exclude):
        return False
    # A symbolic link may lead back up; by its real path every folder is entered once.
    real = os.path.realpath(folder)
    is_new = real not in seen
    seen.add(real)
    return is_new


def _is_excluded(path: Path, top: Path, exclude: Sequence[str]) -> bool:
    below = path.relative_to(top).as_posix()
    return any(fnmatch(path.name, glob) or fnmatch(below, glob.rstrip("/")) for glob in exclude)
