"""What a Bash command may touch, seen from every folder the shell may stand in."""

import fnmatch
import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator_tui.agents import command_rules, program_rules
from orchestrator_tui.agents.found_rules import FOUND
from orchestrator_tui.agents.links import leads_out
from orchestrator_tui.agents.sandbox import READ_ONLY_NAMES, Boundary
from orchestrator_tui.agents.shell_words import SUBSTITUTED, Refused, Word, literal

Folders = frozenset[Path]

_DEVICES = frozenset({"/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", SUBSTITUTED})
_SOURCES = frozenset({"/dev/zero", "/dev/urandom", "/dev/random", "/etc/os-release", "/proc/cpuinfo", "/proc/meminfo"})
_SYSTEM = Boundary(
    Path("/usr/include"), tuple(Path(f"/usr/{name}") for name in ("lib", "share", "local/include", "local/lib"))
)
"""Headers, libraries and their documents, the same on every machine."""
_OWN_RUNNERS = frozenset({"gradlew", "mvnw", "configure"})
"""Scripts that build tools put into projects, too long to be read line by line."""
_LARGEST_SCRIPT_BYTES = 200_000
_MOST_FOLDERS = 16
_MOST_MATCHES = 1000
_MOST_STEPS = 10_000
_SHELL_MARKS = (b"/sh", b"/bash", b" sh", b" bash", b"/dash", b" dash", b"/zsh", b" zsh", b"/ksh", b" ksh")


@dataclass(slots=True)
class Traces:
    """What a command writes and which scripts it runs: it must not write the scripts that were just read.

    `questions` are what a person is asked; `questions_in_files` what they could not see in the command itself; `steps`
    how much of it was looked at so far; `passed` the paths that may be used, from which folder and for what.
    """

    written: set[Path] = field(default_factory=set)
    scripts: set[Path] = field(default_factory=set)
    questions: list[str] = field(default_factory=list)
    questions_in_files: list[str] = field(default_factory=list)
    steps: int = 0
    passed: set[tuple[str, Path, str]] = field(default_factory=set)

    def ask(self, *questions: str, in_file: bool) -> None:
        """Keep what a person is to be asked."""
        (self.questions_in_files if in_file else self.questions).extend(questions)

    def count(self, steps: int = 1) -> None:
        """So much more is looked at.

        Raises:
            Refused: loops and calls of functions make more of it than can be checked in a moment.
        """
        self.steps += steps
        if self.steps > _MOST_STEPS:
            raise Refused("The command has too many steps to check. Write it in several commands, or as a script.")

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

    def script(self, text: str, here: Folders, *, in_file: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class FolderView:
    """The `Shell` that rules ask, for a shell that may stand in any folder of `here`."""

    line: Line
    here: Folders
    questions: list[str]

    def ask(self, question: str) -> None:
        self.questions.append(question)

    def read(self, path: Word) -> None:
        if path.text is None:
            self.ask("An argument is only known when the shell runs it.")
        elif path.text.startswith(f"{FOUND.text}/"):
            self._below_found(path.text)
        elif path.text not in _DEVICES | _SOURCES and not self._is_system(path.text):
            self._check(path.text, self.line.boundary.refuse_read)
            if path.glob:
                self._check_matches(path.text)

    def write(self, path: Word) -> None:
        text = literal([path])[0]
        if text in _DEVICES:
            return
        self.make(path)
        if path.glob and (kept := _matched(text)):
            raise Refused(f"{text} also means {kept}, which is kept by the engine. Name the files you mean.")
        self.changes(path)

    def changes(self, path: Word) -> None:
        for text in () if path.text is None else (path.text,):
            self.line.traces.written.update(Path(os.path.realpath(folder / text)) for folder in self.here)

    def make(self, path: Word) -> None:
        text = literal([path])[0]
        if text not in _DEVICES:
            self._check(text, self.line.boundary.refuse_write)
            if path.glob:
                self._check_matches(text)

    def run(self, command: Sequence[Word]) -> None:
        self.line.run(command, self.here)

    def script(self, text: str) -> None:
        self.line.script(text, self.here)

    def script_file(self, path: Word) -> None:
        """Check the script in a file of the project, line by line like a command."""
        text = literal([path])[0]
        self.read(path)
        for folder in self.here:
            file = Path(os.path.realpath(folder / text))
            self.line.traces.scripts.add(file)
            if file.exists():
                self.line.script(_script_text(file), self.here, in_file=True)
            else:
                self.ask(f"{text} does not exist yet, so it could not be read.")

    def program(self, path: Word, arguments: Sequence[Word]) -> None:
        """Check a program given by its path: it must be the project's own."""
        self.read(path)
        text = str(path)
        name = Path(text).name
        call = command_rules.Call(text, arguments, self)
        installed = name in _OWN_RUNNERS or Path(text).parent.name in ("bin", ".bin")
        rule = program_rules.find_rule(name) if installed else None
        if rule is None and self._is_system(text):
            raise Refused(f"{text} is a program outside the project. Call programs by their plain names.")
        (rule or command_rules.reads)(call)
        if rule is not None:
            return
        files = {Path(os.path.realpath(folder / text)) for folder in self.here}
        self.line.traces.scripts.update(files)
        if any(_is_shell_script(file) for file in files):
            self.script_file(path)

    def moved(self, path: Word) -> "FolderView":
        """The view of a shell that went to `path`."""
        text = literal([path])[0]
        self.read(path)
        there = frozenset(Path(os.path.realpath(folder / text)) for folder in self.here)
        if len(there) > _MOST_FOLDERS:
            raise Refused("The command changes folders too often. Use paths from the project directory.")
        if not all(folder.is_relative_to(self.line.boundary.root) for folder in there):
            raise Refused(f"{text} is outside the project. Stay in {self.line.boundary.root}.")
        return FolderView(self.line, there, self.questions)

    def read_through(self, path: Word) -> None:
        """Check a folder that is read with all that links in it lead to."""
        self.read(path)
        for folder in self.here:
            if path.text is not None and leads_out(Path(os.path.realpath(folder / path.text)), self.line.boundary.root):
                raise Refused(f"A link below {path} leads out of the project. Do not follow links.")

    def found_below(self, path: Word, names: Sequence[str]) -> None:
        self.read(path)
        for folder in self.here:
            start = Path(os.path.realpath(folder / (path.text or ".")))
            if leads_out(start, self.line.boundary.root, names):
                raise Refused("A link that would be found leads out of the project. Look for plain files: -type f.")

    def exists(self, path: str) -> bool:
        """Whether there is such a file, here or in a folder of the project above."""
        root = self.line.boundary.root
        return any(
            (place / path).exists()
            for folder in self.here
            for place in (folder, *folder.parents)
            if place.is_relative_to(root)
        )

    def option_like(self, pattern: str) -> str | None:
        """A name that a pattern matches now and that a program would take for an option."""
        if "/" in pattern:
            return None
        for folder in self.here:
            names = [name for name in _names(folder) if name.startswith("-")]
            if matching := fnmatch.filter(names, pattern):
                return matching[0]
        return None

    def _check_matches(self, pattern: str) -> None:
        """Check that no name that a pattern matches now is a link out of the project."""
        for folder in self.here:
            matches = glob.iglob(pattern, root_dir=folder, include_hidden=True)  # noqa: PTH207
            for number, match in enumerate(matches):
                real = Path(os.path.realpath(folder / match))
                if not real.is_relative_to(self.line.boundary.root):
                    raise Refused(f"{pattern} also means {match}, which leads out of the project. Name single files.")
                if number >= _MOST_MATCHES:
                    self.ask(f"{pattern} means too many files to look at each.")
                    break

    def _below_found(self, text: str) -> None:
        """Below what is found on the way may lie anything: it may be a link."""
        if ".." in text.split("/"):
            raise Refused("`..` behind a name that only shows when it is found may lead anywhere. Name the file.")
        self.ask("What lies below a folder that only shows when it is found may be outside the project.")

    def _is_system(self, text: str) -> bool:
        return text.startswith("/usr/") and _SYSTEM.refuse_read(text, Path("/")) is None

    def _check(self, text: str, refuse: Callable[[str, Path], str | None]) -> None:
        for folder in self.here:
            looked_at = (text, folder, refuse.__name__)
            if looked_at in self.line.traces.passed:
                continue
            if why := refuse(text, folder):
                raise Refused(why)
            self.line.traces.passed.add(looked_at)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _matched(pattern: str) -> str | None:
    parts = [part for part in pattern.casefold().split("/") if part.startswith(".")]
    return next((name for name in READ_ONLY_NAMES for part in parts if fnmatch.fnmatchcase(name, part)), None)


def _is_shell_script(file: Path) -> bool:
    """Whether Bash would read a file; one that is not there does nothing."""
    if not file.exists():
        return file.suffix == ".sh"
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
