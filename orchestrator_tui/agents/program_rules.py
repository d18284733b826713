"""The rule of every program: a table from names to rules, those for commands that run others, and for unknown ones."""

import re
from collections.abc import Mapping, Sequence

from orchestrator_tui.agents import text_rules
from orchestrator_tui.agents.basic_rules import BASIC_RULES
from orchestrator_tui.agents.command_rules import (
    Call,
    Rule,
    check_argument,
    check_name,
    is_assignment,
    reads,
    reads_then_writes,
    works,
)
from orchestrator_tui.agents.forbidden import FORBIDDEN_RULES
from orchestrator_tui.agents.git_rules import git
from orchestrator_tui.agents.interpreter_rules import INTERPRETERS, python
from orchestrator_tui.agents.network_rules import curl, wget
from orchestrator_tui.agents.shell_words import Refused, Values, Word
from orchestrator_tui.agents.tool_rules import pip
from orchestrator_tui.agents.toolbox import TOOLS

FOUND = Word("./found")
"""Stands for the name of any file of the project."""
_NO_VALUES: Values = {}
_FIND_RUNS = frozenset({"-exec", "-execdir"})
_FIND_NEVER = frozenset({"-ok", "-okdir", "-fls", "-fprint", "-fprint0", "-fprintf", "-files0-from"})
_FILTERS = frozenset({"sort", "uniq", "grep", "egrep", "head", "tail"})


def find_rule(name: str) -> Rule | None:
    """The rule for a program of that name; None when it is not known."""
    if name in _RULES:
        return _RULES[name]
    versioned = re.fullmatch(r"(python|pypy|pip|ruby|node|php|perl|lua|gcc|g\+\+|clang|clang\+\+|go)[-\d.]+\w?", name)
    return _RULES.get(versioned[1]) if versioned else None


def is_interpreter(name: str) -> bool:
    """Whether a program of that name runs what it is given as code."""
    base = re.sub(r"[-\d.]+$", "", name.rpartition("/")[2])
    return base in INTERPRETERS or base in ("python", "pypy", "sh", "bash", "dash")


def rule_for(name: str) -> Rule:
    """The rule for a program of that name; a person is asked about one that is not known."""
    return find_rule(name) or _unknown


def _unknown(call: Call) -> None:
    if re.fullmatch(r"[\w.+@-]+", call.name) is None:
        raise call.refuse("no name of a program.")
    works(call)
    for argument in call.arguments:
        text = str(argument)
        if (rule := FORBIDDEN_RULES.get(text)) is not None:
            rule(call.rest([], text))
        if "$(" in text or "`" in text:
            raise call.refuse("an argument holds commands for another shell. Write them as a command of their own.")
    call.ask("not among the known programs. The project's own build and test tools need no question.")


def is_lister(command: Sequence[Word]) -> bool:
    """Whether a command prints nothing but names of files of the project."""
    names = [word.text for word in command[:2]]
    if not names or _prints_more(command):
        return False
    options = [str(word) for word in command[1:]]
    if names[0] == "git":
        return names[1:] == ["ls-files"] or (names[1:] in (["diff"], ["show"]) and "--name-only" in options)
    lists = any(re.fullmatch(r"-[rniwE]*l[rniwE]*|--files-with-matches", option) for option in options)
    return names[0] == "find" or (names[0] in ("grep", "rg") and lists)


def is_filter(command: Sequence[Word]) -> bool:
    """Whether a command only lets some lines of its input through."""
    if not command or command[0].text not in _FILTERS:
        return False
    positional = Call(command[0].text, command[1:], _NOWHERE).positional()
    return len(positional) <= (1 if command[0].text in ("grep", "egrep") else 0)


def _prints_more(command: Sequence[Word]) -> bool:
    return any(word.text in ("-printf", "-exec", "-execdir", "--format") or word.text is None for word in command)


def _find(call: Call) -> None:
    arguments = list(call.arguments)
    while arguments:
        argument = arguments.pop(0)
        text = str(argument)
        if argument.text is None:
            call.ask("an argument is only known when the shell runs it.")
        elif text == "-delete":
            _delete_found(call)
        elif text in ("-newer", "-samefile") and arguments:
            check_argument(arguments.pop(0), call)
        elif text in _FIND_TESTS and arguments:
            arguments.pop(0)
        elif text in _FIND_NEVER:
            raise call.refuse(f"{text} is not allowed. List the files, then name those you mean.")
        elif text in _FIND_RUNS:
            arguments = _run_for_found(call, arguments)
        elif text.startswith("-") or text in ("(", ")", "!", ","):
            continue
        else:
            check_argument(argument, call)


def _delete_found(call: Call) -> None:
    """Only what tools leave behind goes unasked; everything at once would take the repository with it."""
    texts = call.texts()
    names = {texts[number + 1] for number, text in enumerate(texts[:-1]) if text == "-name"}
    if not names or re.search(r" (!|-not|-or?|,) ", f" {' '.join(texts)} "):
        raise call.refuse("-delete needs one -name that says what, and no alternative to it.")
    _check_starts(call)
    if not names <= _LEFT_BEHIND:
        call.ask("removes files that only the pattern names.")


def _check_starts(call: Call) -> None:
    """Nothing is removed below a folder of the engine."""
    for argument in call.arguments:
        if str(argument).startswith("-"):
            break
        if str(argument).strip("./"):
            call.shell.make(argument)


def _run_for_found(call: Call, arguments: Sequence[Word]) -> list[Word]:
    texts = [argument.text for argument in arguments]
    ends = [index for index, text in enumerate(texts) if text in (";", "+")]
    if not ends:
        raise call.refuse("-exec has no end. Close it with \\; or +.")
    command = [_found(word) for word in arguments[: ends[0]]]
    names = {texts[0] for texts in _name_patterns(call)}
    if command and command[0].text == "rm" and names and names <= _LEFT_BEHIND and _only_flags(command[1:]):
        _check_starts(call)
        return list(arguments[ends[0] + 1 :])
    _check_on_found(call, command)
    return list(arguments[ends[0] + 1 :])


def _name_patterns(call: Call) -> list[list[str]]:
    texts = call.texts()
    if re.search(r" (!|-not|-or?|,) ", f" {' '.join(texts)} "):
        return []
    return [[texts[number + 1]] for number, text in enumerate(texts[:-1]) if text == "-name"]


def _only_flags(arguments: Sequence[Word]) -> bool:
    return all(argument == FOUND or re.fullmatch(r"-[rfv]+|--", str(argument)) for argument in arguments)


def _check_on_found(call: Call, command: Sequence[Word]) -> None:
    """Check a command on files whose names only show when they are found."""
    if not command:
        raise call.refuse("name the command to run.")
    name = str(command[0]).rpartition("/")[2]
    call.shell.run(command)
    if name not in _SAFE_ON_FOUND:
        if name in _WRITES_FOUND:
            raise call.refuse(f"{name} would change files that only show when they are found. Name the files.")
        if not _reads_only(name, command):
            call.ask(f"{name} runs on files that only show when they are found.")


def _reads_only(name: str, command: Sequence[Word]) -> bool:
    """Whether a known tool only reads, or changes nothing but the project's sources."""
    if name == "sed":
        return not any(re.match(r"-[nErsuz]*i", str(word)) for word in command[1:])
    return name in _CHECKS_FOUND or (name == "git" and str(command[1:2]).find("add") > 0)


def _found(word: Word) -> Word:
    return FOUND if word.text == "{}" else word


def _xargs(call: Call) -> None:
    """`xargs` on names that only show at run time: checked as far as it can be, never free."""
    command = xargs_command(call)
    name = str(command[0])
    if name in _WRITES_FOUND or name in ("sh", "bash", "env", "eval", "xargs"):
        raise call.refuse("its input must come from find or git ls-files, such as `git ls-files | xargs wc -l`.")
    if name not in ("echo", "printf", "true"):
        call.shell.run(command)
        call.ask("its input is only known when it runs.")


def xargs_command(call: Call, *, checked: bool = False) -> list[Word]:
    """What `xargs` runs, with a file of the project in place of what it reads.

    `checked` names of files of the project go in: the command must be one that may be run on any of them.
    """
    arguments = list(call.arguments)
    place = None
    while arguments and str(arguments[0]).startswith("-"):
        option = str(arguments.pop(0))
        if option in ("-n", "-P", "-L", "-I", "-d", "-s") and arguments:
            value = str(arguments.pop(0))
            place = value if option == "-I" else place
        elif option.startswith("-I"):
            place = option[2:]
        elif not re.fullmatch(r"-[0rt]+|-[nPLs]\d+|-d.+|--null|--no-run-if-empty", option):
            raise call.refuse(f"{option} is not allowed. Use -0, -r, -n and -I.")
    if any(place and place != word.text and place in str(word) and place != "{}" for word in arguments):
        raise call.refuse("the place of a name must be a whole word, such as -I {}.")
    command = [FOUND if word.text == place else word for word in arguments] or [Word("echo")]
    command = command if place else [*command, FOUND]
    if checked:
        _check_on_found(call, command)
    return command


def _env(call: Call) -> None:
    arguments = list(call.arguments)
    while arguments:
        text = str(arguments[0])
        if is_assignment(text):
            check_name(text.partition("=")[0].rstrip("+"), text.partition("=")[2])
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
        if not arguments[values:] or str(arguments[0]).startswith("-"):
            raise call.refuse("give the command to run, without further options.")
        if values and not all(word.text and re.fullmatch(r"[\w.,-]+", word.text) for word in arguments[:values]):
            raise call.refuse("its own arguments must be plain numbers or words.")
        call.shell.run(arguments[values:])

    return rule


def _command(call: Call) -> None:
    if call.arguments and call.arguments[0].text in ("-v", "-V"):
        return
    _runs_rest(r"--|-p")(call)


def _exec(call: Call) -> None:
    """`exec`: with a command it becomes that, without one it only redirects."""
    if call.arguments:
        _runs_rest(r"--")(call)


def _trap(call: Call) -> None:
    """`trap`: something that is cleaned up at the end."""
    texts = call.texts()
    if len(texts) < 2 or not set(texts[1:]) <= {"EXIT", "0"} or call.arguments[0].text is None:
        raise call.refuse("only for EXIT, with commands that are written out.")
    if texts[0] not in ("", "-"):
        call.shell.script(texts[0])


def _flock(call: Call) -> None:
    arguments = [word for word in call.arguments if not re.fullmatch(r"-[nxsueo]+|--nonblock|--exclusive", str(word))]
    if len(arguments) < 2:
        raise call.refuse("give a file to lock and a command.")
    call.shell.write(arguments[0])
    if arguments[1].text in ("-c", "--command"):
        _shell(call.rest(arguments[1:]))
    else:
        call.shell.run(arguments[1:])


def _shell(call: Call) -> None:
    arguments = list(call.arguments)
    while arguments and re.fullmatch(r"-[eluxn]+|-o|pipefail|--noprofile|--norc|--login", str(arguments[0])):
        arguments.pop(0)
    first = arguments[0] if arguments else Word("")
    if re.fullmatch(r"-[eluxn]*c", str(first)) and len(arguments) > 1:
        if arguments[1].text is None:
            raise call.refuse("its command line is only known when the shell runs it. Write it out.")
        call.shell.script(arguments[1].text)
        return
    if not first.text or first.text.startswith("-"):
        raise call.refuse("give a script file of the project, or one command line after -c.")
    call.shell.script_file(first)
    reads(call.rest(arguments))


def _copies_over(call: Call) -> None:
    """`rsync` between folders of the project."""
    if any(re.match(r"-[a-zA-Z]*e|--(rsh|rsync-path|daemon|password-file)|[^/]*:", text) for text in call.texts()):
        raise call.refuse("no connections to other machines.")
    reads_then_writes(call)
    call.ask("it may remove and replace many files at once.")


def _debugs(call: Call) -> None:
    if any(re.match(r"--?p(id)?\b|-attach", str(word)) for word in call.arguments):
        raise call.refuse("other processes are left alone.")
    works(call)
    call.ask("it waits for a terminal, and its language runs commands.")


def _timed(call: Call) -> None:
    """`hyperfine`: each argument is a command line."""
    for word in call.arguments:
        if word.text is None:
            raise call.refuse("a command line is only known when the shell runs it.")
        if not word.text.startswith("-") and not word.text.isdecimal():
            call.shell.script(word.text)


class _Nowhere:
    """A shell that is never asked."""

    def _refuse(self, *_: object) -> None:
        raise Refused("not allowed")

    read = write = make = run = script = script_file = ask = _refuse

    def exists(self, path: str) -> bool:
        return False

    def moved(self, path: Word) -> "_Nowhere":
        raise Refused("not allowed")


_NOWHERE = _Nowhere()
_SAFE_ON_FOUND = frozenset({
    "cat", "head", "tail", "wc", "grep", "egrep", "fgrep", "rg", "ls", "stat", "file", "echo", "md5sum", "sha1sum",
    "sha256sum", "basename", "dirname", "nl", "du", "diff", "cut", "sort", "uniq", "tac", "realpath", "readlink",
    "test",
    "printf", "cksum", "awk", "tr", "cmp", "strings", "od", "xxd", "hexdump", "true",
})  # fmt: skip
_CHECKS_FOUND = frozenset({
    "ruff", "mypy", "black", "isort", "flake8", "pylint", "eslint", "prettier", "gofmt", "rustfmt", "clang-format",
    "shellcheck", "pytest", "tsc", "jest", "gcc", "clang", "javac", "rubocop", "phpcs", "yamllint", "jq", "gzip",
    "touch",
})  # fmt: skip
_WRITES_FOUND = frozenset({
    "rm", "rmdir", "mv", "cp", "ln", "tee", "truncate", "dd", "unlink", "install", "kill", "chmod", "split",
})  # fmt: skip
_LEFT_BEHIND = frozenset({
    "*.pyc", "*.pyo", "__pycache__", "*.o", "*.obj", "*.orig", "*.rej", "*.bak", "*.swp", "*.tmp", "*~", ".DS_Store",
    "*.class", ".pytest_cache", ".mypy_cache", ".ruff_cache", "*.egg-info", "node_modules", "*.gcda", "*.gcno", "*.log",
})  # fmt: skip
_FIND_TESTS = frozenset({
    "-name", "-iname", "-path", "-ipath", "-wholename", "-regex", "-iregex", "-type", "-size", "-mtime", "-mmin",
    "-perm",
    "-maxdepth", "-mindepth", "-user", "-group", "-printf", "-newermt", "-lname", "-regextype", "-links",
})  # fmt: skip
_RULES: Mapping[str, Rule] = {
    **FORBIDDEN_RULES,
    **BASIC_RULES,
    **INTERPRETERS,
    **TOOLS,
    **dict.fromkeys(("python", "python3", "pypy", "pypy3", "py"), python(pip)),
    "git": git,
    "sed": text_rules.sed,
    "gsed": text_rules.sed,
    "jq": text_rules.jq,
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), text_rules.awk),
    "curl": curl,
    "wget": wget,
    "find": _find,
    "xargs": _xargs,
    "env": _env,
    "nohup": _runs_rest(r"--"),
    "nice": _runs_rest(r"-n|\d+|-n\d+|-\d+"),
    "ionice": _runs_rest(r"-c ?\d?|\d|-n ?\d?|-t"),
    "stdbuf": _runs_rest(r"-[ioe][L0]|-[ioe]\d+"),
    "time": _runs_rest(r"-p|-v|--"),
    "!": _runs_rest(r"--"),
    "timeout": _runs_rest(r"-k\d+\w?|--foreground|-v|--preserve-status|--kill-after=\w+|-s\w+|--signal=\w+", values=1),
    "gtimeout": _runs_rest(r"-k\d+\w?", values=1),
    "taskset": _runs_rest(r"-c", values=1),
    "chronic": _runs_rest(r"--"),
    "unbuffer": _runs_rest(r"-p"),
    "xvfb-run": _runs_rest(r"-a|--auto-servernum"),
    "valgrind": _runs_rest(r"-q|--[\w-]+(=[\w./%-]+)?"),
    "busybox": _runs_rest(r"--"),
    "exec": _exec,
    "trap": _trap,
    "builtin": _runs_rest(r"--"),
    "catchsegv": _runs_rest(r"--"),
    "command": _command,
    "flock": _flock,
    "hyperfine": _timed,
    "rsync": _copies_over,
    **dict.fromkeys(("gdb", "lldb", "rr", "dlv", "jdb", "pdb"), _debugs),
    **dict.fromkeys(("sh", "bash", "dash"), _shell),
}
