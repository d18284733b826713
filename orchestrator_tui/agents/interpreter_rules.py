"""Rules for interpreters: a script of the project runs, code written into the command is shown to a person first."""

import re
from collections.abc import Callable, Sequence

from orchestrator_tui.agents.command_rules import Call, Rule, check_argument, works
from orchestrator_tui.agents.shell_words import Word

INLINE = "code in the command itself. Write it into a file of the project with the Write tool, then run that."
_STDIN = "it reads its code from its input. Write it into a file of the project, then run that."
_PLAIN_IMPORT = re.compile(r"[\w:.-]*(=[\w,:]+)?")
_MODULES = frozenset({
    "unittest", "venv", "json.tool", "http.server", "compileall", "py_compile", "ast", "dis", "tokenize", "tabnanny",
    "doctest", "zipfile", "tarfile", "gzip", "base64", "calendar", "platform", "site", "sysconfig", "pickletools",
    "symtable", "inspect", "pyclbr", "textwrap", "this", "zipapp", "build", "pydoc",
})  # fmt: skip
"""Those of the standard library, and the like, that run no code which their arguments hold."""
_RUNNING_MODULES = frozenset({"cProfile", "profile", "trace", "pdb", "coverage"})
"""Modules that run a script, or another module after -m."""
_PROGRAM_OF = {"django": "django-admin", "sphinx": "sphinx-build", "pre_commit": "pre-commit"}
"""Modules that are called otherwise than the program they are."""
_LAYOUTS = ("", "src/", "lib/")
"""Where the project's own modules lie."""


def interpreter(
    *, inline: str, valued: str, long: Sequence[str] = (), imports: str = "", harmless: Sequence[str] = ()
) -> Rule:
    """An interpreter that takes its code from a file, unless an option says otherwise.

    Args:
        inline: letters of options that code follows. valued: letters that a value follows, in the same word or as the
            next one. long: long options that code follows. imports: letters among `valued` that name a module, which
            may be code, too.
        harmless: options after which nothing is run.
    """

    def rule(call: Call) -> None:
        arguments = list(call.arguments)
        while arguments:
            argument = arguments.pop(0)
            text = str(argument)
            if text in harmless:
                return
            if argument.text is None:
                call.ask("an argument is only known when the shell runs it.")
                return
            if text == "-" or not text.startswith("-"):
                if _is_input(argument):
                    call.ask(_STDIN)
                else:
                    check_argument(argument, call)
                works(call.rest(arguments))
                return
            if text.startswith("--"):
                if text.partition("=")[0] in long or "data:" in text:
                    call.ask(INLINE)
                check_argument(argument, call)
                continue
            ended = _cluster(call, text[1:], arguments, inline, valued, imports)
            if ended:
                works(call.rest(arguments))
                return
        call.ask(_STDIN)

    return rule


def _is_input(script: Word) -> bool:
    """Whether what stands in a script's place is no file, but something that is read or only known at run time."""
    return script.text is None or script.text == "-" or script.text.startswith("/dev/")


def _cluster(call: Call, letters: str, arguments: list[Word], inline: str, valued: str, imports: str) -> bool:
    """Check options in one word; True when code was among them, which ends the options that are the interpreter's."""
    for number, letter in enumerate(letters):
        attached = letters[number + 1 :]
        if letter in inline:
            call.ask(INLINE)
            if not attached and arguments:
                del arguments[0]
            return True
        if letter in valued:
            if not attached and letter not in "i" and arguments:
                attached = str(arguments.pop(0))
            if letter in imports and _PLAIN_IMPORT.fullmatch(attached) is None:
                call.ask(INLINE)
            for value in (attached, attached.partition("=")[2]):
                check_argument(Word(value), call)
            return False
    return False


def python(rule_of: Callable[[str], Rule | None]) -> Rule:
    """`python`; a module that is a program goes by the rule of that program, which `rule_of` knows."""

    def rule(call: Call) -> None:
        arguments = list(call.arguments)
        while arguments and str(arguments[0]).startswith("-") and arguments[0].text != "-":
            letters = str(arguments.pop(0))[1:]
            if letters in ("-version", "-help", "V", "VV", "h"):
                return
            if letters == "-check-hash-based-pycs":
                del arguments[:1]
            if letters.startswith("-"):
                continue
            at = next((number for number, letter in enumerate(letters) if letter in "cmWX"), None)
            if "i" in letters[:at]:
                call.ask(_STDIN)
            if at is None:
                continue
            attached = letters[at + 1 :]
            value = Word(attached) if attached else (arguments.pop(0) if arguments else Word(""))
            if letters[at] == "c":
                call.ask(INLINE)
                works(call.rest(arguments))
                return
            if letters[at] == "m":
                _module(call, value, arguments, rule_of)
                return
        if not arguments or _is_input(arguments[0]):
            call.ask(_STDIN)
            arguments = arguments[1:]
        elif str(arguments[0]).endswith("manage.py") and str(arguments[1:2] and arguments[1]) in _MANAGERS_OF_CODE:
            call.ask(INLINE)
        works(call.rest(arguments))

    return rule


_MANAGERS_OF_CODE = frozenset({"shell", "shell_plus", "dbshell"})


def _module(call: Call, module: Word, arguments: Sequence[Word], rule_of: Callable[[str], Rule | None]) -> None:
    """`python -m`: one of the project's modules, one that is known to be harmless, or a program by its own rule."""
    name = str(module)
    if module.text is None:
        call.ask("the module is only known when the shell runs it.")
    elif name in _RUNNING_MODULES:
        _running_module(call, name, arguments, rule_of)
        return
    elif name == "venv":
        for argument in arguments:
            if not str(argument).startswith("-"):
                call.shell.make(argument)
    elif (known := rule_of(_PROGRAM_OF.get(name, name))) is not None and not _is_own(call, name):
        known(call.rest(arguments, name))
        return
    elif name not in _MODULES and not _is_own(call, name):
        call.ask(f"the module {name} is none of the project, and not among those that are known.")
    works(call.rest(arguments))


def _is_own(call: Call, module: str) -> bool:
    """Whether a module is one of the project's."""
    first = module.partition(".")[0]
    return first.isidentifier() and any(
        call.shell.exists(f"{layout}{first}{end}") for layout in _LAYOUTS for end in ("", ".py")
    )


def _running_module(call: Call, name: str, arguments: Sequence[Word], rule_of: Callable[[str], Rule | None]) -> None:
    works(call.rest(arguments))
    if name == "coverage" and str(arguments[0] if arguments else "") != "run":
        return
    for number, argument in enumerate(arguments):
        text = str(argument)
        if text.startswith("-c") and name in ("pdb", "cProfile", "profile", "trace"):
            call.ask(INLINE)
        if text in ("-m", "--module") or re.fullmatch(r"-m\w.*", text):
            module = Word(text[2:]) if len(text) > 2 and not text.startswith("--") else None
            rest = arguments[number + 1 :]
            _module(call, module or (rest[0] if rest else Word("")), rest if module else rest[1:], rule_of)
            return
        if not text.startswith("-") and text != "run":
            return


def coverage(rule_of: Callable[[str], Rule | None]) -> Rule:
    """`coverage`, which runs modules and scripts as `python` does."""
    return lambda call: _running_module(call, "coverage", call.arguments, rule_of)


def node(call: Call) -> None:
    arguments = list(call.arguments)
    while arguments:
        argument = arguments.pop(0)
        text = str(argument)
        option, equals, value = text.partition("=")
        if text in ("-v", "--version", "-h", "--help"):
            return
        if option in ("-e", "-p", "-pe", "--eval", "--print", "-i", "--interactive"):
            call.ask(INLINE)
            if not equals:
                del arguments[:1]
        elif option in ("-r", "--require", "--import", "--loader", "--experimental-loader", "--env-file", "-C"):
            loaded = Word(value) if equals else (arguments.pop(0) if arguments else Word(""))
            if str(loaded).startswith("data:"):
                call.ask(INLINE)
            check_argument(loaded, call)
        elif text == "--test":
            works(call.rest(arguments))
            return
        elif _is_input(argument):
            call.ask(_STDIN)
            return
        elif not text.startswith("-"):
            works(call.rest([argument, *arguments]))
            return
        else:
            check_argument(argument, call)
    if not any(re.match(r"--?(e|p|pe|eval|print)\b", str(word)) for word in call.arguments):
        call.ask(_STDIN)


def deno(call: Call) -> None:
    texts = call.texts()
    name = texts[0] if texts else ""
    if name in (
        "test",
        "fmt",
        "lint",
        "check",
        "run",
        "task",
        "bench",
        "doc",
        "info",
        "coverage",
        "compile",
        "--version",
    ):
        works(call)
        if any("://" in text or text.startswith(("npm:", "jsr:")) or text in ("-", "-c") for text in texts):
            call.ask("it runs code from another machine, or from its input.")
        return
    works(call)
    call.ask(INLINE if name in ("eval", "repl", "") else "it reaches the network, or changes the system.")


INTERPRETERS: dict[str, Rule] = {
    "perl": interpreter(inline="eE", valued="IMmCDFixV", imports="Mm", harmless=("-v", "--version")),
    "ruby": interpreter(inline="e", valued="ICEFWKTrix", imports="r", harmless=("-v", "--version")),
    "php": interpreter(
        inline="rBREa", valued="cdftSzg", long=("--run", "--process-begin", "--process-code", "--process-end"),
        harmless=("-v", "--version", "-m", "-i", "-S"),
    ),
    "lua": interpreter(inline="e", valued="l", harmless=("-v",)),
    "Rscript": interpreter(inline="e", valued="", harmless=("--version",)),
    "julia": interpreter(inline="eE", valued="JCptL", long=("--eval", "--print"), harmless=("--version", "-v")),
    "elixir": interpreter(inline="e", valued="rS", long=("--eval", "--rpc-eval"), harmless=("--version", "-v")),
    "tclsh": interpreter(inline="", valued=""),
    "groovy": interpreter(inline="e", valued="c", harmless=("--version", "-v")),
    "ghc": interpreter(inline="e", valued="oiILlDOWXfpc", harmless=("--version",)),
    "ocaml": interpreter(inline="e", valued="Iw", harmless=("-version",)),
    "tsx": interpreter(inline="ep", valued="r", long=("--eval", "--print"), harmless=("--version",)),
    "ts-node": interpreter(inline="ep", valued="rPCO", long=("--eval", "--print"), harmless=("--version", "-v")),
    "node": node,
    "nodejs": node,
    "deno": deno,
}  # fmt: skip
