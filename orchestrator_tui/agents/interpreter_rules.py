"""Rules for interpreters: a script of the project runs, code written into the command is shown to a person first."""

import re
from collections.abc import Callable, Sequence

from orchestrator_tui.agents.command_rules import Call, Rule, check_argument, works
from orchestrator_tui.agents.shell_words import Word

INLINE = "code in the command itself. Write it into a file of the project with the Write tool, then run that."
_STDIN = "it reads its code from its input. Write it into a file of the project, then run that."
_PLAIN_IMPORT = re.compile(r"[\w:.-]*(=[\w,:]+)?")
_MODULES_OF_CODE = frozenset(
    {
        "timeit",
        "code",
        "asyncio",
        "webbrowser",
        "ftplib",
        "telnetlib",
        "smtplib",
        "idlelib",
        "runpy",
        "IPython",
        "bpython",
    }
)


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


def python(pip: Callable[[Call], None]) -> Rule:
    """`python`; `-m pip` goes by the rule of pip."""

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
            if at is None:
                continue
            attached = letters[at + 1 :]
            value = Word(attached) if attached else (arguments.pop(0) if arguments else Word(""))
            if letters[at] == "c":
                call.ask(INLINE)
                works(call.rest(arguments))
                return
            if letters[at] == "m":
                _module(call, value, arguments, pip)
                return
        if not arguments or _is_input(arguments[0]):
            call.ask(_STDIN)
            arguments = arguments[1:]
        elif str(arguments[0]).endswith("manage.py") and "shell" in [str(word) for word in arguments[1:2]]:
            call.ask(INLINE)
        works(call.rest(arguments))

    return rule


def _module(call: Call, module: Word, arguments: Sequence[Word], pip: Callable[[Call], None]) -> None:
    name = str(module)
    if name == "ensurepip":
        call.ask("it installs pip.")
        return
    if name == "pip":
        pip(call.rest(arguments, "pip"))
        return
    if module.text is None or name in _MODULES_OF_CODE:
        call.ask(f"the module {name} runs code in the command itself, or reaches the network.")
    if name in ("pdb", "trace", "cProfile", "profile") and any(str(word).startswith("-c") for word in arguments):
        call.ask(INLINE)
    if name == "venv":
        for argument in arguments:
            if not str(argument).startswith("-"):
                call.shell.make(argument)
    if name == "twine":
        call.ask("it publishes what it is given.")
    works(call.rest(arguments))


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
