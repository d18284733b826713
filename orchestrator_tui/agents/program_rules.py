"""Rules for commands that run other commands, or have a language of their own: git, find, python, npm."""

import re
from collections.abc import Mapping, Sequence

from orchestrator_tui.agents import text_rules
from orchestrator_tui.agents.command_rules import (
    BASIC_RULES,
    Call,
    Rule,
    check_argument,
    check_name,
    is_assignment,
    never,
    reads,
    without,
)
from orchestrator_tui.agents.shell_words import Refused, Word, literal

_GIT_READS = frozenset({
    "status", "diff", "log", "show", "ls-files", "rev-parse", "grep", "blame", "describe", "shortlog",
    "check-ignore", "cat-file", "ls-tree", "add", "restore",
})  # fmt: skip
_GIT_WRITES = frozenset({"mv", "rm"})
_GIT_SWITCHES = frozenset({"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs"})
_GIT_OPTIONS = (
    "--output", "--ext-diff", "--textconv", "--no-index", "--open-files-in-pager", "-O",
    "--pathspec-from-file", "--contents", "--exec",
)  # fmt: skip
_FIND_RUNS = frozenset({"-exec", "-execdir"})
_FIND_NEVER = frozenset({"-delete", "-ok", "-okdir", "-fls", "-fprint", "-fprint0", "-fprintf", "-files0-from"})
_FILTERS = frozenset({"sort", "uniq", "grep", "egrep", "head", "tail"})


def find_rule(name: str) -> Rule | None:
    """The rule for a command of that name; None when there is none, which means deny."""
    if name in _PROGRAM_RULES:
        return _PROGRAM_RULES[name]
    if re.fullmatch(r"(python|pip)3?(\.\d+)?", name):
        return _python if name.startswith("python") else _pip
    return BASIC_RULES.get(name)


def is_lister(command: Sequence[Word]) -> bool:
    """Whether a command prints nothing but names of files of the project."""
    names = [word.text for word in command[:2]]
    return bool(names) and (names[0] == "find" or names == ["git", "ls-files"]) and not _prints_more(command)


def is_filter(command: Sequence[Word]) -> bool:
    """Whether a command only lets some lines of its input through."""
    if not command or command[0].text not in _FILTERS:
        return False
    positional = Call(command[0].text, command[1:], _NOWHERE).positional()
    return len(positional) <= (1 if command[0].text in ("grep", "egrep") else 0)


def _prints_more(command: Sequence[Word]) -> bool:
    return any(word.text in ("-printf", "-exec", "-execdir", "--format") or word.text is None for word in command)


def _git(call: Call) -> None:
    texts = call.texts()
    while texts and texts[0] in _GIT_SWITCHES:
        texts = texts[1:]
    if not texts or texts[0].startswith("-"):
        raise call.refuse("give the subcommand first, such as `git status`; -C and -c are not allowed.")
    name, rest = texts[0], call.arguments[len(call.arguments) - len(texts) + 1 :]
    inner = Call(f"git {name}", rest, call.shell)
    match name:
        case "checkout" if "--" in texts[1:2]:
            without(_GIT_OPTIONS, reads)(inner)
        case "branch" if all(re.fullmatch(r"--list|--show-current|-[avr]+", text) for text in texts[1:]):
            pass
        case _ if name in _GIT_READS:
            without(_GIT_OPTIONS, reads)(inner)
        case _ if name in _GIT_WRITES:
            without(_GIT_OPTIONS, BASIC_RULES["rm"])(inner)
        case _:
            raise inner.refuse(
                "not allowed. The engine commits and keeps the repository; "
                "use git status, diff, log, show, add, restore, mv or rm."
            )


def _python(call: Call) -> None:
    skip = False
    for index, argument in enumerate(call.arguments):
        text = literal([argument])[0]
        if skip:
            return _after_code(call, index + 1)
        if text == "-m":
            return _module(call, index + 1)
        skip = re.fullmatch(r"-[bBdEiIOsSuvx]*c", text) is not None
        if not skip:
            check_argument(argument, call)
            if not text.startswith("-"):
                return _after_code(call, index + 1)
    return None


def _after_code(call: Call, start: int) -> None:
    reads(Call(call.name, call.arguments[start:], call.shell))


def _module(call: Call, start: int) -> None:
    module, *rest = call.texts()[start:] or [""]
    if module in ("pip", "ensurepip"):
        _pip(Call("pip", [Word(text) for text in rest], call.shell))
    _after_code(call, start)


def _pip(call: Call) -> None:
    texts = call.texts()
    if not texts or texts[0] not in ("list", "show", "freeze", "check", "--version"):
        raise call.refuse("nothing can be installed. Use the standard library and what `pip list` shows.")


def _node(call: Call) -> None:
    texts = call.texts()
    for index, argument in enumerate(call.arguments):
        if index == 0 or texts[index - 1] not in ("-e", "-p", "--eval", "--print"):
            check_argument(argument, call)


def only(allowed: str, rule: Rule = reads) -> Rule:
    """The first argument must be one of `allowed`."""
    names = allowed.split()

    def checked(call: Call) -> None:
        texts = call.texts()
        if not texts or texts[0] not in names:
            raise call.refuse(f"only {', '.join(names)}.")
        rule(call)

    return checked


def _find(call: Call) -> None:
    arguments = list(call.arguments)
    while arguments:
        argument = arguments.pop(0)
        text = literal([argument])[0]
        if text in _FIND_NEVER:
            raise call.refuse(f"{text} is not allowed. List the files, then name those you mean.")
        if text in _FIND_RUNS:
            arguments = _run_for_found(call, arguments)
        elif text.startswith("-") or text in ("(", ")", "!", ","):
            continue
        else:
            check_argument(argument, call)


def _run_for_found(call: Call, arguments: Sequence[Word]) -> list[Word]:
    texts = [argument.text for argument in arguments]
    ends = [index for index, text in enumerate(texts) if text in (";", "+")]
    if not ends:
        raise call.refuse("-exec has no end. Close it with \\; or +.")
    command = [_found(word) for word in arguments[: ends[0]]]
    if command and command[0].text not in _SAFE_ON_FOUND:
        raise call.refuse(f"-exec may only run {', '.join(sorted(_SAFE_ON_FOUND))}.")
    call.shell.run(command)
    return list(arguments[ends[0] + 1 :])


def _found(word: Word) -> Word:
    return Word("./found") if word.text == "{}" else word


def _xargs(call: Call) -> None:
    raise call.refuse("its input must come from find or git ls-files, such as `git ls-files | xargs wc -l`.")


def xargs_command(call: Call) -> list[Word]:
    """What `xargs` runs, with a file of the project in place of what it reads."""
    arguments = list(call.arguments)
    while arguments and str(arguments[0]).startswith("-"):
        option = literal([arguments.pop(0)])[0]
        if option in ("-n", "-P", "-L", "-I", "-d") and arguments:
            arguments.pop(0)
        elif not re.fullmatch(r"-[0rt]+|-[nPL]\d+|-I\S+|-d.+|--null|--no-run-if-empty", option):
            raise call.refuse(f"{option} is not allowed. Use -0, -r, -n and -I.")
    if arguments and arguments[0].text not in _SAFE_ON_FOUND:
        raise call.refuse(f"it may only run {', '.join(sorted(_SAFE_ON_FOUND))}.")
    return [*(_found(word) for word in arguments), Word("./found")]


def _env(call: Call) -> None:
    arguments = list(call.arguments)
    while arguments:
        text = literal([arguments[0]])[0]
        if is_assignment(text):
            check_name(text.partition("=")[0].rstrip("+"))
        elif text == "-u" and len(arguments) > 1:
            arguments.pop(0)
        elif text not in ("-i", "-", "--"):
            break
        arguments.pop(0)
    if not arguments or str(arguments[0]).startswith("-"):
        raise call.refuse("use it only to set variables for a command, as in `env MODE=test python3 -m pytest`.")
    call.shell.run(arguments)


def _runs_rest(options: str, values: int = 0) -> Rule:
    """The command stands after options that match `options`, and `values` more arguments."""

    def rule(call: Call) -> None:
        arguments = list(call.arguments)
        while arguments and re.fullmatch(options, str(arguments[0])):
            arguments.pop(0)
        literal(arguments[:values])
        if not arguments[values:] or str(arguments[0]).startswith("-"):
            raise call.refuse("give the command to run, without further options.")
        call.shell.run(arguments[values:])

    return rule


def _command(call: Call) -> None:
    if call.arguments and call.arguments[0].text in ("-v", "-V"):
        return
    _runs_rest(r"--")(call)


def _shell(call: Call) -> None:
    texts = call.texts()
    options = [text for text in texts if text.startswith("-")]
    if texts and re.fullmatch(r"-[lex]*c", texts[0]) and len(texts) > 1:
        call.shell.script(texts[1])
        return
    if not texts or any(not re.fullmatch(r"-[eux]+", option) for option in options):
        raise call.refuse("give a script file of the project, or one command line after -c.")
    call.shell.script_file(call.positional()[0])
    reads(call)


class _Nowhere:
    """A shell that is never asked."""

    def _refuse(self, *_: object) -> None:
        raise Refused("not allowed")

    read = write = run = script = script_file = _refuse


_NOWHERE = _Nowhere()
_SAFE_ON_FOUND = frozenset({
    "cat", "head", "tail", "wc", "grep", "egrep", "ls", "stat", "file", "echo", "md5sum", "sha256sum",
    "basename", "dirname", "nl",
})  # fmt: skip
_PROJECT_TOOLS = frozenset({
    "pytest", "ruff", "mypy", "black", "isort", "flake8", "coverage", "tsc", "eslint", "make", "cmake",
    "ninja", "gcc", "g++", "cc", "clang", "rustc", "javac", "java",
})  # fmt: skip
_PROGRAM_RULES: Mapping[str, Rule] = {
    "git": _git,
    "sed": text_rules.sed,
    "awk": text_rules.awk,
    "gawk": text_rules.awk,
    "find": _find,
    "xargs": _xargs,
    "env": _env,
    "nohup": _runs_rest(r"--"),
    "nice": _runs_rest(r"-n|\d+|-n\d+|-\d+"),
    "time": _runs_rest(r"-p|--"),
    "!": _runs_rest(r"--"),
    "timeout": _runs_rest(r"-k\d+\w?|--foreground|-v|--preserve-status|--kill-after=\w+|-s\w+|--signal=\w+", values=1),
    "command": _command,
    "sh": _shell,
    "bash": _shell,
    "node": _node,
    "npm": only("test t run run-script ci start ls --version -v"),
    "cargo": only("build test check fmt clippy run --version"),
    "go": only("build test vet fmt run list version"),
    "jq": never("use python3 -c with the json module."),
    **dict.fromkeys(_PROJECT_TOOLS, reads),
}
