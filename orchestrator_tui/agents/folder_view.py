"""What a Bash command may touch, seen from every folder the shell may stand in."""

import fnmatch
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator_tui.agents import command_rules, program_rules
from orchestrator_tui.agents.sandbox import READ_ONLY_NAMES, Boundary
from orchestrator_tui.agents.shell_words import Refused, Word, literal

Folders = frozenset[Path]

_DEVICES = frozenset({"/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr"})
_LARGEST_SCRIPT_BYTES = 200_000
_SHELL_MARKS = (b"/sh", b"/bash", b" sh", b" bash", b"/dash", b" dash", b"/zsh", b" zsh", b"/ksh", b" ksh")


@dataclass(frozen=True, slots=True)
class Traces:
    """What a command writes and which scripts it runs: it must not write the scripts that were just read."""

    written: set[Path] = field(default_factory=set)
    scripts: set[Path] = field(default_factory=set)

    def check(self) -> None:
        for script in self.scripts:
            if any(script.is_relative_to(path) for path in self.written):
                raise Refused(f"{script.name} is written and run by the same command. Use two commands.")


class Line(Protocol):
    """The walk that a view belongs to."""

    @property
    def boundary(self) -> Boundary: ...

    @property
    def traces(self) -> Traces: ...

    def run(self, command: Sequence[Word], here: Folders) -> None: ...

    def script(self, text: str, here: Folders) -> None: ...


@dataclass(frozen=True, slots=True)
class FolderView:
    """The `Shell` that rules ask, for a shell that may stand in any folder of `here`."""

    line: Line
    here: Folders

    def read(self, path: Word) -> None:
        text = literal([path])[0]
        if text not in _DEVICES:
            self._check(text, self.line.boundary.refuse_read)

    def write(self, path: Word) -> None:
        text = literal([path])[0]
        if text in _DEVICES:
            return
        self._check(text, self.line.boundary.refuse_write)
        if path.glob and (kept := _matched(text)):
            raise Refused(f"{text} also means {kept}, which is kept by the engine. Name the files you mean.")
        self.line.traces.written.update(Path(os.path.realpath(folder / text)) for folder in self.here)

    def run(self, command: Sequence[Word]) -> None:
        self.line.run(command, self.here)

    def script(self, text: str) -> None:
        self.line.script(text, self.here)

    def script_file(self, path: Word) -> None:
        """Check the script in a file of the project, line by line like a command."""
        self.read(path)
        for folder in self.here:
            file = Path(os.path.realpath(folder / str(path)))
            self.line.traces.scripts.add(file)
            self.script(_script_text(file))

    def program(self, path: Word, arguments: Sequence[Word]) -> None:
        """Check a program given by its path: it must be the project's own."""
        self.read(path)
        text = str(path)
        call = command_rules.Call(text, arguments, self)
        rule = program_rules.find_rule(Path(text).name) if Path(text).parent.name in ("bin", ".bin") else None
        (rule or command_rules.reads)(call)
        if rule is None and any(_is_shell_script(Path(os.path.realpath(folder / text))) for folder in self.here):
            self.script_file(path)

    def _check(self, text: str, refuse: Callable[[str, Path], str | None]) -> None:
        for folder in self.here:
            if why := refuse(text, folder):
                raise Refused(why)


def _matched(pattern: str) -> str | None:
    parts = [part for part in pattern.casefold().split("/") if part.startswith(".")]
    return next((name for name in READ_ONLY_NAMES for part in parts if fnmatch.fnmatchcase(name, part)), None)


def _is_shell_script(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            first = content.readline(200)
    except OSError as error:
        raise Refused(f"{file.name} cannot be read. Make it first, in a command of its own.") from error
    if file.suffix == ".sh" or not first.startswith((b"#!", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")):
        return True
    return first.startswith(b"#!") and any(mark in first for mark in _SHELL_MARKS)


def _script_text(file: Path) -> str:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_SCRIPT_BYTES:
            raise Refused(f"{file.name} is no script that can be checked. Run its commands one by one.")
        return file.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise Refused(f"{file.name} cannot be read. Run its commands one by one.") from error
