"""Looks at links of the file system: which folders a path passes on its way, and which names a file has."""

import fnmatch
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

_MOST_LINKS = 40
_MOST_ENTRIES = 100_000


def passes(path: Path, folders: Sequence[Path]) -> bool:
    """Whether an absolute path goes through one of `folders`, itself or by links; True when its links never end."""
    waiting, links = [str(path)], 0
    while waiting:
        walked = waiting.pop()
        if _is_in_any(walked, folders):
            return True
        at = "/"
        parts = [part for part in walked.split("/") if part not in ("", ".")]
        for number, part in enumerate(parts):
            at = os.path.normpath(f"{at}/{part}") if part == ".." else f"{at.rstrip('/')}/{part}"
            try:
                target = os.readlink(at)  # noqa: PTH115
            except (OSError, ValueError):
                continue
            links += 1
            if links > _MOST_LINKS:
                return True
            start = target if target.startswith("/") else f"{os.path.dirname(at)}/{target}"  # noqa: PTH120
            waiting.append("/".join([start, *parts[number + 1 :]]))
            break
    return False


def names_of(file: os.stat_result, root: Path) -> list[Path]:
    """The names below `root` of a file; some are missing when there is too much to look at."""
    found: list[Path] = []
    seen = 0
    waiting = [str(root)]
    while waiting and len(found) < file.st_nlink and seen <= _MOST_ENTRIES:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.inode() == file.st_ino and entry.stat(follow_symlinks=False).st_dev == file.st_dev:
                        found.append(Path(entry.path))
        except OSError:
            continue
    return found


def shared_outside(folder: Path, root: Path) -> Path | None:
    """A file below `folder` that has another name outside of `root`; `folder` itself when there is too much to know.

    What git keeps is left out: a local clone shares it with its origin, and no search looks into it.
    """
    shared: dict[tuple[int, int], tuple[Path, int]] = {}
    for seen, (entry, found) in enumerate(_files(folder)):
        if seen >= _MOST_ENTRIES:
            return folder
        if found.st_nlink > 1:
            shared[found.st_dev, found.st_ino] = (Path(entry.path), found.st_nlink)
    if not shared:
        return None
    names = Counter((found.st_dev, found.st_ino) for _, found in islice(_files(root), _MOST_ENTRIES))
    return next((path for file, (path, links) in shared.items() if names[file] < links), None)


def _files(folder: Path) -> Iterator[tuple["os.DirEntry[str]", os.stat_result]]:
    """The files below a folder, but for those of a repository in it."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        yield entry, entry.stat(follow_symlinks=False)
                    elif entry.name != ".git":
                        waiting.append(entry.path)
        except OSError:
            continue


def leads_out(folder: Path, root: Path, names: Sequence[str] = ("*",)) -> bool:
    """Whether a link below `folder` that one of the patterns `names` fits leads out of `root`, or there is too much
    below it to know."""
    waiting, seen = [str(folder)], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_symlink() and _is_out(entry, root) and _fits(entry.name, names):
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue
        if seen > _MOST_ENTRIES:
            return True
    return False


def _is_out(entry: "os.DirEntry[str]", root: Path) -> bool:
    return not Path(os.path.realpath(entry.path)).is_relative_to(root)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name.casefold(), pattern.casefold()) for pattern in patterns)


def _is_in_any(path: str, folders: Sequence[Path]) -> bool:
    plain = Path(os.path.normpath(path))
    return any(plain.is_relative_to(folder) or Path(path).is_relative_to(folder) for folder in folders)
