"""What each command may be given: a table from names to rules, and deny for every name that is not in it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator_tui.agents.shell_words import Refused, Word, literal

LONGEST_SLEEP_SECONDS = 60
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_DANGEROUS_NAME = re.compile(
    r"(LD|DYLD|BASH|GIT|SSH|CLAUDE|ANTHROPIC|ORCHESTRATOR|AWS|GOOGLE|NPM|PIP|CARGO|RUSTC|MAKE|PROMPT)_?\w*"
    r"|PATH|ENV|IFS|PS[0-4]|SHELL|SHELLOPTS|CDPATH|GLOBIGNORE|HOME|EDITOR|VISUAL|PAGER|LESSOPEN|LESSCLOSE|TMPDIR"
    r"|PYTHONSTARTUP|PYTHONHOME|NODE_OPTIONS|GOFLAGS|\w*_PROXY|FUNCNAME|HISTFILE|INPUTRC|HOSTALIASES|LOCPATH|TERMINFO",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|ANTHROPIC", re.IGNORECASE)


class Shell(Protocol):
    """What a rule asks of the command line around it; each method raises `Refused`."""

    def read(self, path: Word) -> None: ...

    def write(self, path: Word) -> None: ...

    def run(self, command: Sequence[Word]) -> None: ...

    def script(self, text: str) -> None: ...

    def script_file(self, path: Word) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Sequence[Word]
    shell: Shell

    def texts(self) -> list[str]:
        return literal(self.arguments)

    def positional(self) -> list[Word]:
        """The arguments that are no options; everything after `--` counts."""
        found: list[Word] = []
        for index, argument in enumerate(self.arguments):
            if argument.text == "--":
                return [*found, *self.arguments[index + 1 :]]
            if not str(argument).startswith("-") or argument.text == "-":
                found.append(argument)
        return found

    def refuse(self, why: str) -> Refused:
        return Refused(f"{self.name}: {why}")


Rule = Callable[[Call], None]


def check_name(name: str) -> None:
    """Refuse to set a variable that changes which programs run, or how."""
    if _DANGEROUS_NAME.fullmatch(name):
        raise Refused(f"Setting {name} is not allowed. Pass what the program needs as an argument.")


def check_shown(name: str) -> None:
    """Refuse to expand a variable whose name says that it holds a secret."""
    if _SECRET_NAME.search(name):
        raise Refused(f"Reading {name} is not allowed. The work does not need credentials.")


def anything(call: Call) -> None:
    """No argument can do harm."""


def never(why: str) -> Rule:
    def rule(call: Call) -> None:
        raise call.refuse(why)

    return rule


def without(forbidden: Sequence[str], rule: Rule) -> Rule:
    """`rule`, after refusing the options in `forbidden`, abbreviated and bundled ones included."""
    letters = {option[1] for option in forbidden if not option.startswith("--")}
    long = [option for option in forbidden if option.startswith("--")]

    def checked(call: Call) -> None:
        for text in call.texts():
            name = text.partition("=")[0]
            if text.startswith("--"):
                bad = len(name) > 2 and any(option.startswith(name) for option in long)
            else:
                bad = text.startswith("-") and bool(letters & set(text[1:]))
            if bad:
                raise call.refuse(f"{name} is not allowed here. Leave it out.")
        rule(call)

    return checked


def reads(call: Call) -> None:
    """Every argument that can be a file must be inside the project."""
    for argument in call.arguments:
        check_argument(argument, call)


def check_argument(argument: Word, call: Call) -> None:
    for candidate in _paths_in(literal([argument])[0]):
        call.shell.read(Word(candidate, argument.glob))


def reads_after_pattern(*pattern_options: str) -> Rule:
    """The first argument is a pattern unless one of `pattern_options` gives it; the others are files."""
    letters = {option[1] for option in pattern_options if not option.startswith("--")}

    def rule(call: Call) -> None:
        texts = call.texts()
        given = any(
            text.startswith(tuple(option for option in pattern_options if option.startswith("--")))
            or (text.startswith("-") and not text.startswith("--") and letters & set(text[1:]))
            for text in texts
        )
        positional = call.positional()
        skipped = None if given or not positional else positional[0]
        for argument in call.arguments:
            if argument is not skipped:
                check_argument(argument, call)

    return rule


def writes(call: Call) -> None:
    """Every argument that is no option is written, moved or removed."""
    for argument in call.arguments:
        check_argument(argument, call)
    for argument in call.positional():
        call.shell.write(argument)


def reads_then_writes(call: Call) -> None:
    """All but the last argument are read, the last is written."""
    reads(call)
    if positional := call.positional():
        target = positional[-1]
        if len(positional) < 2 or target.text not in (".", "./"):
            call.shell.write(target)


def moves(call: Call) -> None:
    reads_then_writes(call)
    for argument in call.positional()[:-1]:
        call.shell.write(argument)


def links(call: Call) -> None:
    if any(text.startswith("/") or ".." in text.split("/") for text in call.texts()):
        raise call.refuse("a link may only lead to files below its own folder. Use a relative path without `..`.")
    writes(call)


def second_is_written(call: Call) -> None:
    reads(call)
    for argument in call.positional()[1:]:
        call.shell.write(argument)


def prints(call: Call) -> None:
    """`printf`: any text, but not into a variable."""
    if str(call.arguments[0] if call.arguments else "").startswith("-v") or any(
        argument.text is None for argument in call.arguments[:1]
    ):
        raise call.refuse("give the format as plain text, without -v.")


def tests(call: Call) -> None:
    if any(argument.text in ("-v", "-R") for argument in call.arguments):
        raise call.refuse("-v and -R are not allowed. Compare the value with an empty text.")


def sleeps(call: Call) -> None:
    seconds = sum(_seconds(call, text) for text in call.texts())
    if seconds > LONGEST_SLEEP_SECONDS:
        raise call.refuse(f"at most {LONGEST_SLEEP_SECONDS} seconds.")


def _seconds(call: Call, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([sm]?)", text)
    if match is None:
        raise call.refuse("say how many seconds, as a plain number.")
    return float(match[1]) * (60 if match[2] == "m" else 1)


def sets_options(call: Call) -> None:
    if not call.arguments or not all(re.fullmatch(r"[-+][eux]+o?|pipefail|[-+]o", text) for text in call.texts()):
        raise call.refuse("only -e, -u, -x and -o pipefail.")


def reads_line(call: Call) -> None:
    for text in call.texts():
        if text.startswith("-") and text != "-r":
            raise call.refuse("only the option -r.")
        if not re.fullmatch(r"-r|[A-Za-z_]\w*", text):
            raise call.refuse("give plain names of variables.")
        check_name(text)


def is_assignment(text: str) -> bool:
    return _ASSIGNMENT.match(text) is not None


def _paths_in(text: str) -> list[str]:
    """The parts of an argument that may name a file: itself, or what an option carries."""
    if text.startswith("--"):
        return [text.partition("=")[2]] if "=" in text else []
    if not text.startswith("-") or len(text) < 2:
        return [text] if text else []
    tails = [text[2:], *(text[match.start() :] for match in re.finditer(r"\.\./|/|~", text))]
    return [tail for tail in tails if tail not in ("", "/", "~")]


def _quiet(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


BASIC_RULES: Mapping[str, Rule] = {
    **_quiet("echo true false : pwd basename dirname which type uname whoami id nproc seq", anything),
    **_quiet("exit return break continue wait shift tr", anything),
    **_quiet("ls cat head tail wc egrep fgrep cut diff file stat du nl od tac rev paste comm cmp column fold", reads),
    **_quiet("md5sum sha1sum sha256sum realpath readlink strings", reads),
    "date": without(("-s", "--set"), reads),
    "sort": without(("-o", "-T", "--output", "--compress-program", "--temporary-directory"), reads),
    "tree": without(("-o", "-R"), reads),
    "uniq": second_is_written,
    "grep": reads_after_pattern("-e", "-f", "--regexp", "--file"),
    "rg": without(
        ("--pre", "--hostname-bin", "--search-zip"), reads_after_pattern("-e", "-f", "--regexp", "--file", "--files")
    ),
    "printf": prints,
    "test": tests,
    "sleep": sleeps,
    "set": sets_options,
    "read": reads_line,
    "mkdir": writes,
    "touch": writes,
    "tee": writes,
    "rm": writes,
    "rmdir": writes,
    "chmod": writes,
    "cp": without(("-t", "--target-directory", "--parents"), reads_then_writes),
    "mv": without(("-t", "--target-directory"), moves),
    "ln": without(("-t", "--target-directory"), links),
    **_quiet("printenv set-env", never("the environment is not shown. The work does not need it.")),
    **_quiet("eval source . exec trap builtin alias unalias", never("run the command itself, written out.")),
    **_quiet("curl wget nc ssh scp telnet ftp", never("no network. Use what is installed.")),
    **_quiet("sudo su doas kill pkill killall", never("not allowed. Work inside the project, with its own files.")),
    **_quiet("npx pipx uvx", never("it would download programs. Use what is installed.")),
}
