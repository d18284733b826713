"""The rule of every program: a table from names to rules, those for commands that run others, and for unknown ones."""

import re
from collections.abc import Mapping

from orchestrator_tui.agents import text_rules
from orchestrator_tui.agents.basic_rules import BASIC_RULES
from orchestrator_tui.agents.command_rules import (
    Call,
    Rule,
    is_assignment,
    reads,
    reads_then_writes,
    works,
)
from orchestrator_tui.agents.forbidden import FORBIDDEN_RULES
from orchestrator_tui.agents.found_rules import find, xargs
from orchestrator_tui.agents.git_rules import git
from orchestrator_tui.agents.interpreter_rules import INTERPRETERS, coverage, python
from orchestrator_tui.agents.measuring_rules import hyperfine, valgrind
from orchestrator_tui.agents.network_rules import curl, wget
from orchestrator_tui.agents.shell_words import Word
from orchestrator_tui.agents.toolbox import TOOLS


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


def _env(call: Call) -> None:
    arguments, assignments = list(call.arguments), list[Word]()
    while arguments:
        text = str(arguments[0])
        if is_assignment(text):
            assignments.append(arguments[0])
        elif text == "-u" and len(arguments) > 1:
            arguments.pop(0)
        elif text not in ("-i", "-", "--"):
            break
        arguments.pop(0)
    if not arguments or str(arguments[0]).startswith("-"):
        raise call.refuse("use it only to set variables for a command, as in `env MODE=test python3 -m pytest`.")
    call.shell.run([*assignments, *arguments])


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


def _at_once(call: Call) -> None:
    """`concurrently`: each argument is a command line."""
    arguments = list(call.arguments)
    while arguments:
        word = arguments.pop(0)
        if word.text is None:
            raise call.refuse("a command line is only known when the shell runs it.")
        if word.text in ("-n", "--names", "-c", "--prefix-colors"):
            del arguments[:1]
        elif word.text.startswith("-"):
            if not re.fullmatch(r"-[kr]+|--(kill-others(-on-fail)?|raw|success=\w+)", word.text):
                call.ask(f"{word.text} is not known.")
        else:
            call.shell.script(word.text)


_RULES: Mapping[str, Rule] = {
    **FORBIDDEN_RULES,
    **BASIC_RULES,
    **INTERPRETERS,
    **TOOLS,
    **dict.fromkeys(("python", "python3", "pypy", "pypy3", "py"), python(find_rule)),
    "coverage": coverage(find_rule),
    "git": git,
    "sed": text_rules.sed,
    "gsed": text_rules.sed,
    "jq": text_rules.jq,
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), text_rules.awk),
    "curl": curl,
    "wget": wget,
    "find": find,
    "xargs": xargs,
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
    "valgrind": valgrind,
    "busybox": _runs_rest(r"--"),
    "exec": _exec,
    "trap": _trap,
    "builtin": _runs_rest(r"--"),
    "catchsegv": _runs_rest(r"--"),
    "command": _command,
    "flock": _flock,
    "hyperfine": hyperfine,
    "cross-env": _env,
    "concurrently": _at_once,
    "rsync": _copies_over,
    **dict.fromkeys(("gdb", "lldb", "rr", "dlv", "jdb", "pdb"), _debugs),
    **dict.fromkeys(("sh", "bash", "dash"), _shell),
}
