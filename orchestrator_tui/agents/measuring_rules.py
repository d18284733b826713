"""Rules for programs that measure or watch what they run: `hyperfine`, `valgrind`."""

import re

from orchestrator_tui.agents.command_rules import Call
from orchestrator_tui.agents.shell_words import Word

_RUN_BESIDE = frozenset({"--prepare", "--setup", "--cleanup", "--conclude", "-p", "-s", "-c"})
_NUMBERS = re.compile(r"-[wmMr]\d*|--(warmup|runs|min-runs|max-runs)")
_ALONE = re.compile(r"-[Niu]|--(ignore-failure|show-output|style|time-unit)(=\w+)?")
_WRITTEN = re.compile(r"--(log-file|xml-file|\w+-out-file)")


def hyperfine(call: Call) -> None:
    """Each argument is a command line, and so is what it is told to run before and after."""
    arguments = list(call.arguments)
    while arguments:
        word = arguments.pop(0)
        if word.text is None:
            raise call.refuse("a command line is only known when the shell runs it.")
        name, has_value, value = word.text.partition("=") if word.text.startswith("--") else (word.text, "", "")
        if not name.startswith("-"):
            call.shell.script(name)
        elif _NUMBERS.fullmatch(name):
            if name[-1].isalpha() and not has_value:
                del arguments[:1]
        elif name in _RUN_BESIDE or name.startswith("--export-"):
            given = Word(value) if has_value else (arguments.pop(0) if arguments else Word(""))
            if name.startswith("--export-"):
                call.shell.write(given)
            elif given.text is None:
                raise call.refuse("a command line is only known when the shell runs it.")
            else:
                call.shell.script(given.text)
        elif not _ALONE.fullmatch(word.text):
            raise call.refuse(f"{name} is not allowed. Use --warmup, --runs, --prepare and --export-json.")


def valgrind(call: Call) -> None:
    """The command stands after its options; what it writes lies in the project."""
    arguments = list(call.arguments)
    while arguments and str(arguments[0]).startswith("-"):
        name, has_value, value = str(arguments.pop(0)).partition("=")
        if not re.fullmatch(r"-q|--[\w-]+", name):
            raise call.refuse(f"{name} is not allowed. Use options such as --leak-check=full.")
        if _WRITTEN.fullmatch(name):
            call.shell.write(Word(value))
        elif has_value and "/" in value:
            call.shell.read(Word(value))
    if not arguments:
        raise call.refuse("give the command to run.")
    call.shell.run(arguments)
