"""What a rule for a command sees, and the rules that many commands share."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator_tui.agents.sandbox import READ_ONLY_NAMES
from orchestrator_tui.agents.shell_words import Refused, Word

_PATH_STARTS = re.compile(r"(?<![./\w])/|(?<![/.])\.\./|(?<!/)~")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_DANGEROUS_NAME = re.compile(
    r"(LD|DYLD|BASH|GIT|SSH|CLAUDE|ANTHROPIC|ORCHESTRATOR|AWS|GOOGLE|NPM|PIP|CARGO|RUSTC|MAKE|PROMPT)_?\w*"
    r"|PATH|PWD|OLDPWD|ENV|IFS|PS[0-4]|SHELL|SHELLOPTS|CDPATH|GLOBIGNORE|HOME|EDITOR|VISUAL|PAGER|LESSOPEN|LESSCLOSE|TMPDIR"
    r"|PYTHONSTARTUP|PYTHONHOME|PYTHONBREAKPOINT|PYTHONEXECUTABLE|NODE_OPTIONS|GOFLAGS|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS"
    r"|JDK_JAVA_OPTIONS|RUBYOPT|PERL5\w+|BROWSER|\w*_PROXY|FUNCNAME|HISTFILE|INPUTRC|HOSTALIASES|LOCPATH|TERMINFO"
    r"|DOCKER_\w+|KUBE\w+|GCONV_PATH|NLSPATH|MAN\w*|LESS\w*|TAR_OPTIONS|ZIPOPT|UNZIP\w*|GREP_OPTIONS|RSYNC_\w+|XDG_\w+"
    r"|LUA_\w+|GNUMAKEFLAGS|OPENSSL_\w+|CURL_\w+|WGETRC|NETRC|SSLKEYLOGFILE|SSL_CERT_\w+|RIPGREP_CONFIG_PATH|BAT_\w+"
    r"|COMPILER_PATH|GCC_\w+|CCACHE_\w+|ERL_\w+|ELIXIR_ERL_OPTIONS|PYTHON(USERBASE|PYCACHEPREFIX|PLATLIBDIR|INSPECT)"
    r"|DOTNET_(STARTUP|ADDITIONAL)\w*|GO(PROXY|ENV|TOOLCHAIN|TOOLDIR|BIN|MODCACHE|CACHE|PATH|\w*SUMDB|PRIVATE|INSECURE)"
    r"|NODE_(V8_COVERAGE|REDIRECT_WARNINGS|EXTRA_CA_CERTS)|UV_\w+|POETRY_\w+|PDM_\w+|SUDO_\w+|GEM_\w+|BUNDLE_\w+"
    r"|PHPRC|PHP_INI_SCAN_DIR|R_(PROFILE|ENVIRON|HOME)\w*|JULIA_\w+|PERL\w*|YARN_\w+|COREPACK_\w+|DENO_\w+|BUN_\w+",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"(GIT_)?PAGER=(cat)?|CARGO_TERM_COLOR=\w+|GOFLAGS=-mod=(vendor|readonly)"
    r"|NODE_OPTIONS=( ?--(max-old-space-size=\d+|experimental-vm-modules|no-warnings|enable-source-maps))+"
)
_OPTIONS_NAME = re.compile(r"\w*(FLAGS|OPTS|OPTIONS|ARGS)", re.IGNORECASE)
_OTHER_PROGRAMS = re.compile(r"-javaagent|-agent(lib|path)|linker|plugin|wrapper|toolexec|--eval|-B|@|-fuse-ld")
"""What options of compilers and virtual machines hold that makes them run other programs."""
CODE_FOLDERS = frozenset({"PYTHONPATH", "NODE_PATH", "RUBYLIB", "CLASSPATH", "JAVA_HOME", "GOROOT", "MYPYPATH"})
"""Variables that hold folders whose code is run; they must lie in the project."""
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|ANTHROPIC", re.IGNORECASE)


class Shell(Protocol):
    """What a rule asks of the command line around it.

    `read`, `read_through` (with what links lead to), `write` and `make` (for what compilers make) check a path,
    `run`, `script` and `script_file` what is run; each raises `Refused`. `ask` keeps a question for a person. `exists`
    looks for a file, here or above in the project. `moved` is the same shell in another folder. `changes` tells of what
    a command may change that was looked at already; `found_below` checks the links below a folder whose names fit.
    """

    def read(self, path: Word) -> None: ...

    def write(self, path: Word) -> None: ...

    def make(self, path: Word) -> None: ...

    def read_through(self, path: Word) -> None: ...

    def ask(self, question: str) -> None: ...

    def changes(self, path: Word) -> None: ...

    def found_below(self, path: Word, names: Sequence[str]) -> None: ...

    def exists(self, path: str) -> bool: ...

    def moved(self, path: Word) -> "Shell": ...

    def run(self, command: Sequence[Word]) -> None: ...

    def script(self, text: str) -> None: ...

    def script_file(self, path: Word) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Sequence[Word]
    shell: Shell

    def texts(self) -> list[str]:
        """The arguments; a person is asked when one is only known at run time, "…" stands in its place."""
        if any(argument.text is None for argument in self.arguments):
            self.ask("an argument is only known when the shell runs it.")
        return [str(argument) for argument in self.arguments]

    def rest(self, arguments: Sequence[Word], name: str | None = None) -> "Call":
        """The same call with other arguments."""
        return Call(name or self.name, arguments, self.shell)

    def ask(self, why: str) -> None:
        self.shell.ask(f"{self.name}: {why}")

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


def check_name(name: str, value: str | None = None) -> None:
    """Refuse to set a variable that changes which programs run, or how, but for values known to be harmless."""
    is_known = _HARMLESS.fullmatch(f"{name}={value}") is not None
    hides = _OPTIONS_NAME.fullmatch(name) and (value is None or _OTHER_PROGRAMS.search(value))
    if not is_known and (hides or _DANGEROUS_NAME.fullmatch(name)):
        raise Refused(f"Setting {name} is not allowed. Pass what the program needs as an argument.")


def check_shown(name: str) -> None:
    """Refuse to expand a variable whose name says that it holds a secret."""
    if _SECRET_NAME.search(name):
        raise Refused(f"Reading {name} is not allowed. The work does not need credentials.")


def anything(call: Call) -> None:
    """No argument can do harm."""


def asks(why: str, rule: "Rule | None" = None) -> Rule:
    """A person is asked, after `rule` (the arguments are inside the project) found nothing to refuse."""

    def asked(call: Call) -> None:
        (rule or works)(call)
        call.ask(why)

    return asked


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


def works(call: Call) -> None:
    """`reads`, for programs that also write where they are told to: not in the folders of the engine."""
    reads(call)
    if any(str(argument).startswith("/dev/") and argument.text != "/dev/null" for argument in call.arguments):
        call.ask("it takes its input for a file of the project.")
    for argument in call.arguments:
        if set_to := re.match(r"[A-Za-z][\w.-]*=(?=/|~|\.\./)", argument.text or ""):
            call.shell.read(Word(str(argument)[set_to.end() :]))
        for candidate in _paths_in(argument.text or ""):
            if any(name in candidate.casefold() for name in READ_ONLY_NAMES):
                call.shell.make(Word(candidate))


def check_argument(argument: Word, call: Call) -> None:
    if argument.text is None:
        call.ask("an argument is only known when the shell runs it.")
        return
    for candidate in _paths_in(argument.text):
        if candidate.strip():
            call.shell.read(Word(candidate, argument.glob))


def following(options: str, rule: Rule) -> Rule:
    """`rule`; with an option that matches `options`, links below the folders that are named are followed."""
    pattern = re.compile(options)

    def checked(call: Call) -> None:
        rule(call)
        if any(pattern.fullmatch(str(argument)) for argument in call.arguments):
            for argument in call.positional():
                call.shell.read_through(argument)

    return checked


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


def is_assignment(text: str) -> bool:
    return _ASSIGNMENT.match(text) is not None


def _paths_in(text: str) -> list[str]:
    """The parts of an argument that may name a file: itself, or what an option carries."""
    if text.startswith("--"):
        return [text.partition("=")[2]] if "=" in text else []
    if not text.startswith("-") or len(text) < 2:
        return [text] if text else []
    tails = [text[2:], *(text[match.start() :] for match in _PATH_STARTS.finditer(text, 2))]
    # Behind letters it may be a path or the rest of one, which is told by what there is.
    tails += [tail for match in re.finditer(r"(?<=[A-Za-z])/", text) if Path(tail := text[match.start() :]).exists()]
    return [tail for tail in tails if tail not in ("", "/", "~")]
