"""Rules for `sed`, `awk` and `jq`, whose programs could write files, start others and show the environment."""

import re

from orchestrator_tui.agents.command_rules import Call, check_argument, is_assignment
from orchestrator_tui.agents.shell_words import Word

_SED_SUBSTITUTE = (
    r"s(?P<sign>[^\w\s\\])(?:\\.|(?!(?P=sign))[^\\])*(?P=sign)(?:\\.|(?!(?P=sign))[^\\])*(?P=sign)[gIipmM\d]*"
)
_SED_TRANSLATE = r"y/(?:\\.|[^/\\])*/(?:\\.|[^/\\])*/"
_SED_LINE = r"(?:\d+(?:~\d+)?|\$|/(?:\\.|[^/\\])*/I?|\+\d+)"
_SED_ADDRESS = rf"(?:{_SED_LINE}(?:\s*,\s*{_SED_LINE})?\s*!?\s*)?"
_SED_STEP = re.compile(
    rf"[\s;}}]*{_SED_ADDRESS}(?:\{{|[aic](?:\\\n|\\|(?=\s))[^\n]*(?:\n|$)|[aic][^\n\\]*(?:\n|$)"
    rf"|(?:[pdqQ=nNgGhHxDPl](?:\s*\d+)?|{_SED_TRANSLATE}|{_SED_SUBSTITUTE})\s*(?:[;\n}}]|$))",
    re.DOTALL,
)
_AWK_ESCAPES = re.compile(r"system|getline|ENVIRON|ARGV|ARGC|PROCINFO|SYMTAB|FUNCTAB|[|>@]")
_AWK_COMPARES = re.compile(r"\|\||>=?(?=\s*(?:[\d.]+|NF|NR)\s*(?:[)&{};]|\|\||$))")
_JQ_ESCAPES = re.compile(r"\$ENV|\benv\b|\bimport\b|\binclude\b|\$__loc__|input_filename|\bget_search_list\b")


def sed(call: Call) -> None:
    """`sed`: edit and print, in files of the project; not its commands that run programs or write other files."""
    script: str | None = None
    take_next = False
    for argument in call.arguments:
        text = str(argument)
        if take_next or (script is None and not text.startswith("-")):
            script, take_next = text, False
            if argument.text is None:
                call.ask("what it does is only known when the shell runs it.")
            else:
                _check_sed(call, text)
        elif text in ("-e", "--expression"):
            take_next = True
        elif text.startswith("--expression="):
            script = text.partition("=")[2]
            _check_sed(call, script)
        elif text.startswith("-") and not _SED_OPTIONS.fullmatch(text):
            raise call.refuse(f"{text} is not allowed. Use -n, -E, -i and -e.")
        elif re.fullmatch(r"-[nEruz]+e", text):
            take_next = True
        elif not text.startswith("-"):
            (call.shell.write if _in_place(call) else call.shell.read)(argument)


_SED_OPTIONS = re.compile(
    r"-[nErsuz]+|-[nErsuz]+e|-[nErsuz]*i|-i\.\w+|--|--quiet|--silent|--regexp-extended|--in-place|--posix"
)


def _in_place(call: Call) -> bool:
    return any(re.match(r"-[nErsuz]*i|--in-place", str(word)) for word in call.arguments)


def _check_sed(call: Call, script: str) -> None:
    rest = script
    while rest.strip(" \t\n;}"):
        step = _SED_STEP.match(rest)
        if step is None or not step.end():
            raise call.refuse("only editing and printing commands are understood. Use the Edit tool for more.")
        rest = rest[step.end() :]


def awk(call: Call) -> None:
    """`awk`: a program that starts nothing and writes no file."""
    script_seen, value_next = False, False
    for argument in call.arguments:
        text = str(argument)
        if argument.text is None:
            call.ask("an argument is only known when the shell runs it.")
            script_seen = script_seen or not value_next
            value_next = False
        elif value_next:
            value_next = False
        elif script_seen:
            check_argument(Word(text.partition("=")[2] if is_assignment(text) else text, argument.glob), call)
        elif text in ("-F", "-v"):
            value_next = True
        elif re.match(r"-[Fv].", text):
            continue
        elif text.startswith("-"):
            raise call.refuse(f"{text} is not allowed. Use -F and -v.")
        else:
            script_seen = True
            _check_awk(call, text)


def _check_awk(call: Call, script: str) -> None:
    if _AWK_ESCAPES.search(_AWK_COMPARES.sub(" ", script)):
        raise call.refuse(
            "a program with system, getline, ENVIRON, ARGV, |, > or @ is not allowed. Use a Python script for more."
        )


def jq(call: Call) -> None:
    """`jq`: a program that shows no environment and loads no other."""
    for text in call.texts():
        if re.match(r"-[a-zA-Z]*[fL]|--from-file|--library-path", text):
            raise call.refuse(f"{text} is not allowed. Write the program as an argument.")
        if not text.startswith("-") and _JQ_ESCAPES.search(text):
            raise call.refuse("a program with env, $ENV, import or include is not allowed.")
    arguments = list(call.arguments)
    program_seen = False
    while arguments:
        argument = arguments.pop(0)
        text = str(argument)
        if text in ("--arg", "--argjson"):
            del arguments[:2]
        elif text in ("--slurpfile", "--rawfile"):
            for file in arguments[1:2]:
                call.shell.read(file)
            del arguments[:2]
        elif text in ("--args", "--jsonargs"):
            return
        elif text.startswith("-") and len(text) > 1:
            continue
        elif program_seen:
            check_argument(argument, call)
        else:
            program_seen = True
