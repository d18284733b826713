"""Where file tools may go: inside the project directory, whatever a path looks like."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.decision import Decision, allow, deny
from orchestrator_tui.agents.links import names_of, passes, shared_outside

READ_ONLY_NAMES = frozenset({".git", ".orchestrator", ".orchestrator_state.json", ".claude", ".mcp.json"})
_OF_THE_KERNEL = (Path("/proc"), Path("/dev"), Path("/sys"))
"""What a path there means depends on the process that uses it."""
_GLOB = re.compile(r"[*?\[{]")
_CLIMBS = re.compile(r"(?:^|[/,{(|])\.\.(?:$|[/,})|])")
_ABSOLUTE_ALTERNATIVE = re.compile(r"[{,(|]\s*[/~]")


@dataclass(frozen=True, slots=True)
class Boundary:
    """The project directory `root`, and folders outside of it that may be read."""

    root: Path
    readable: tuple[Path, ...] = ()

    @classmethod
    def around(cls, directory: Path, readable: Sequence[Path] = ()) -> "Boundary":
        return cls(_real(directory), tuple(_real(folder) for folder in readable))

    def refuse_read(self, path: str, here: Path) -> str | None:
        """Why `path`, as written by an agent that is in folder `here`, must not be read; None when it may."""
        for real in _meanings(path, here):
            if real is None or not any(real.is_relative_to(folder) for folder in (self.root, *self.readable)):
                return f"{_shown(path)} is outside the project. Use paths inside {self.root}."
            if why := self._refuse_kind(path, real):
                return why
        return None

    def refuse_write(self, path: str, here: Path) -> str | None:
        """Why `path` must not be written, moved or removed; None when it may."""
        for real in _meanings(path, here):
            if real is None or not real.is_relative_to(self.root):
                return f"{_shown(path)} is outside the project. Write inside {self.root}."
            if real == self.root:
                return f"{_shown(path)} is the project directory itself. Name the files in it that you mean."
            if kept := self._kept(real):
                return f"{kept} is kept by the engine and can only be read. Write elsewhere in the project."
            if why := self._refuse_kind(path, real, written=True):
                return why
        return None

    def _refuse_kind(self, path: str, real: Path, *, written: bool = False) -> str | None:
        """Why a file must not be used that is none of the project, though its path is; `written` counts kept ones."""
        try:
            found = real.lstat()
        except (OSError, ValueError):
            return None
        if stat.S_ISDIR(found.st_mode):
            return None
        if not stat.S_ISREG(found.st_mode):
            return f"{_shown(path)} is no plain file but a device or a pipe. Use plain files."
        if found.st_nlink == 1 or not real.is_relative_to(self.root):
            return None
        names = names_of(found, self.root)
        if len(names) < found.st_nlink:
            return f"{_shown(path)} has another name outside the project. Make a copy with a name of its own."
        if written and any(self._kept(name) for name in names):
            return f"{_shown(path)} is another name of a file that the engine keeps. Write elsewhere in the project."
        return None

    def _kept(self, real: Path) -> str | None:
        parts = [_plain(part) for part in real.relative_to(self.root).parts]
        if ".git" in parts:
            return ".git"
        return parts[0] if parts[0] in READ_ONLY_NAMES else None


def decide(tool: str, arguments: Mapping[str, Any], boundary: Boundary, here: Path) -> Decision:
    """Whether a call of one of the CLI's file tools stays within `boundary`."""
    match tool, arguments:
        case "Read", {"file_path": str(path)}:
            return _decided_file(boundary.refuse_read(path, here), path, here)
        case (("Write" | "Edit"), {"file_path": str(path)}):
            return _decided_file(boundary.refuse_write(path, here), path, here)
        case "Glob", {"pattern": str(pattern)}:
            return _decision(_refuse_folder(arguments, boundary, here) or _refuse_pattern(pattern, boundary, here))
        case "Grep", {"pattern": str()}:
            refused = _refuse_folder(arguments, boundary, here) or _refuse_filter(arguments, boundary, here)
            return _decision(refused or _refuse_content(arguments.get("path") or ".", boundary, here))
    return deny(f"{tool} is not understood with these arguments. Name the file by a path inside {boundary.root}.")


def _decision(refusal: str | None) -> Decision:
    return allow() if refusal is None else deny(refusal)


def _decided_file(refusal: str | None, path: str, here: Path) -> Decision:
    """The decision about one file; what a link leads to is named, so that the link can no more be exchanged."""
    if refusal is not None:
        return deny(refusal)
    written = here / path.strip()
    real = _real(written)
    return allow() if real == Path(os.path.normpath(written)) else replace(allow(), place=real)


def _refuse_folder(arguments: Mapping[str, Any], boundary: Boundary, here: Path) -> str | None:
    path = arguments.get("path")
    if path is None:
        return boundary.refuse_read(".", here)
    if not isinstance(path, str):
        return "path is not text. Name a folder inside the project."
    return boundary.refuse_read(path, here)


def _refuse_content(path: str, boundary: Boundary, here: Path) -> str | None:
    """Why the files below a folder must not be read through; a path to a single one was looked at already."""
    for real in _meanings(path, here):
        if real is None or not real.is_relative_to(boundary.root) or not real.is_dir():
            continue
        if (file := shared_outside(real, boundary.root)) is None:
            continue
        if file == real:
            return f"There is too much below {_shown(path)} to know where its links lead. Search in a narrower folder."
        return f"{_shown(str(file))} has another name outside the project. Search in folders without it."
    return None


def _refuse_filter(arguments: Mapping[str, Any], boundary: Boundary, here: Path) -> str | None:
    pattern = arguments.get("glob")
    if pattern is None:
        return None
    if not isinstance(pattern, str):
        return "glob is not text. Give a pattern such as *.py."
    return _refuse_pattern(pattern, boundary, here)


def _refuse_pattern(pattern: str, boundary: Boundary, here: Path) -> str | None:
    if _CLIMBS.search(pattern) or _ABSOLUTE_ALTERNATIVE.search(pattern):
        return f"{_shown(pattern)} climbs out of the project. Use one such as **/*.py, relative to {boundary.root}."
    return boundary.refuse_read(fixed_part(pattern), here)


def fixed_part(pattern: str) -> str:
    """The folders of a glob pattern before its first special character; "." when there are none."""
    fixed = _GLOB.split(pattern, maxsplit=1)[0]
    if fixed == pattern:
        return pattern or "."
    head, slash, _ = fixed.rpartition("/")
    return head + slash or "."


def _meanings(path: str, here: Path) -> Iterator[Path | None]:
    """Every file that `path` may mean: as written, as the CLI trims, composes and shortens it; None is no file at all.

    The CLI resolves `..` in the text before it follows links, the kernel follows links first; both must be inside.
    """
    if "\0" in path or not path.strip():
        yield None
        return
    for written in {path, path.strip(), unicodedata.normalize("NFC", path.strip())}:
        try:
            joined = here / Path(written).expanduser() if written.startswith("~") else here / written
            for meant in {joined, Path(os.path.normpath(joined))}:
                yield None if passes(meant, _OF_THE_KERNEL) else _real(meant)
        except (OSError, RuntimeError, ValueError):
            yield None


def _plain(name: str) -> str:
    """A name as file systems may compare it: without case, composition and characters that are not seen."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return seen.casefold().rstrip(" .")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _shown(path: str) -> str:
    return repr(path if len(path) <= 200 else path[:200] + "…")
