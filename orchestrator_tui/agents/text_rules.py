"""Rules for `sed` and `awk`, whose programs could write files and start others."""

import re

from orchestrator_tui.agents.command_rules import Call, check_argument, is_assignment
from orchestrator_tui.agents.shell_words import Word, literal

_SED_SUBSTITUTE = r"s([^\w\s\\])(?:\\.|(?!\1)[^\\])*\1(?:\\.|(?!\1)[^\\])*\1[gIip\d]*"
_SED_ADDRESS = r"(?:(?:\d+|\$|/(?:\\.|[^/\\])*/)(?:,(?:\d+|\$|/(?:\\.|[^/\\])*/))?)?"
_SED_STEP = re.compile(rf"\s*{_SED_ADDRESS}\s*(?:[pdq=]|{_SED_SUBSTITUTE})\s*(?:[;\n]|$)", re.DOTALL)
_AWK_ESCAPES = re.compile(r"system|getline|ENVIRON|[|>@]")


def sed(call: Call) -> None:
    """`sed`: print, delete, quit and substitute, in files of the project."""
    script: str | None = None
    take_next = False
    for argument in call.arguments:
        text = literal([argument])[0]
        if take_next or (script is None and not text.startswith("-")):
            script, take_next = text, False
            _check_sed(call, text)
        elif text in ("-e", "--expression"):
            take_next = True
        elif text.startswith("-") and not re.fullmatch(r"-[nErsuz]+|-n?i|-i\.\w+|-[nEr]*i|--", text):
            raise call.refuse(f"{text} is not allowed. Use -n, -E, -i and -e.")
        elif not text.startswith("-"):
            (call.shell.write if _in_place(call) else call.shell.read)(argument)


def _in_place(call: Call) -> bool:
    return any(re.match(r"-[nEr]*i", text) for text in call.texts())


def _check_sed(call: Call, script: str) -> None:
    rest = script
    while rest.strip():
        step = _SED_STEP.match(rest)
        if step is None or not step.end():
            raise call.refuse("only p, d, q, = and s are allowed. Use the Edit tool for more.")
        rest = rest[step.end() :]


def awk(call: Call) -> None:
    """`awk`: a program that starts nothing and writes no file."""
    script_seen, value_next = False, False
    for argument in call.arguments:
        text = literal([argument])[0]
        if value_next:
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
    if _AWK_ESCAPES.search(script.replace("||", " ")):
        raise call.refuse("a program with system, getline, ENVIRON, |, > or @ is not allowed. Use python3 for more.")
