"""Rules for commands that run others on files that they find: `find`, `xargs`, and what may feed them."""

import itertools
import re
from collections.abc import Sequence

from orchestrator_tui.agents.command_rules import Call, check_argument
from orchestrator_tui.agents.shell_words import Refused, Word

FOUND = Word("./found")
"""Stands for the name of any file of the project."""
_FIND_NEVER = frozenset({"-execdir", "-ok", "-okdir", "-fls", "-fprint", "-fprint0", "-fprintf", "-files0-from"})
_FILTERS = frozenset({"sort", "uniq", "grep", "egrep", "head", "tail"})
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


def find(call: Call) -> None:
    arguments = list(call.arguments)
    follows = any(str(argument) in ("-L", "-H", "-follow") for argument in arguments)
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
        elif text == "-exec":
            arguments = _run_for_found(call, arguments)
        elif text.startswith("-") or text in ("(", ")", "!", ","):
            continue
        elif follows:
            call.shell.read_through(argument)
        else:
            check_argument(argument, call)


def check_links_found(call: Call) -> None:
    """Refuse when `find` may find a link out of the project, for a command that would follow it.

    Raises:
        Refused: there is such a link, and nothing says that only plain files or folders are looked for.
    """
    texts = [str(argument) for argument in call.arguments]
    tests = re.sub(r" (?:!|-not) -(?:i?name|i?path|wholename) \S+", "", f" {' '.join(texts)} ")
    is_sure = not re.search(r" (?:-or?|,|!|-not) ", tests)
    if is_sure and re.search(r" -type [fd] ", tests):
        return
    names = (re.findall(r"(?<= -name )\S+", tests) if is_sure else []) or ["*"]
    starts = list(itertools.takewhile(lambda argument: not str(argument).startswith(("-", "(", "!")), call.arguments))
    for start in starts or [Word(".")]:
        call.shell.found_below(start, names)


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
    if any("{}" in str(word) for word in command):
        raise call.refuse("{} must be a word of its own: what is found may lead anywhere.")
    check_links_found(call)
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


def xargs(call: Call) -> None:
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
    if any(place and place != word.text and place in str(word) for word in arguments):
        raise call.refuse("the place of a name must be a whole word, such as -I {}.")
    command = [FOUND if word.text == place else word for word in arguments] or [Word("echo")]
    command = command if place else [*command, FOUND]
    if checked:
        _check_on_found(call, command)
    return command


class _Nowhere:
    """A shell that is never asked."""

    def _refuse(self, *_: object) -> None:
        raise Refused("not allowed")

    read = read_through = write = make = changes = found_below = run = script = script_file = ask = _refuse

    def exists(self, path: str) -> bool:
        return False

    def moved(self, path: Word) -> "_Nowhere":
        raise Refused("not allowed")


_NOWHERE = _Nowhere()
