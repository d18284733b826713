"""Questions about single nodes of a Bash command's syntax tree."""

import re
from collections.abc import Sequence
from pathlib import Path

from tree_sitter import Node

from orchestrator_tui.agents import program_rules
from orchestrator_tui.agents.found_rules import is_filter, is_lister
from orchestrator_tui.agents.shell_words import Refused, Word, source

SUBSHELLS = frozenset({"subshell", "command_substitution", "process_substitution"})
_SYSTEM_PROGRAM = re.compile(r"^(?:/usr)?(?:/local)?/s?bin/(?=[^/]+$)")
FOLDER_OF_SHELL = frozenset({"$(pwd)", "$PWD"})
_REVISION = re.compile(r"\$\(git (rev-parse( --short)?|merge-base)( (HEAD|main|master|@)[~^\d]*)+\)")
"""What prints the name of a commit and nothing else."""
_SHORT_NAME = re.compile(
    r"""\$\((nproc|whoami|hostname|uname -[smr]|id -[un]+|date( -u)?( ["']?\+[\w%:.-]+["']?)?)\)"""
)
"""What prints a number or a name without a slash."""
FETCHES = re.compile(r"\b(curl|wget|fetch|aria2c|lynx|https?ie|xh)\b")
PLAIN_EXPANSION = re.compile(
    r"\$\{#?[A-Za-z_0-9@*#?]\w*(?:\[(?:[@*]|\d+)\])?(?:(?::?-|%%?|##?|//?|\^\^?|,,?)[^`$\\\"'{}()\[\]<>]*)?\}"
)


def program_name(written: str) -> str:
    """A program's name, without the system's folder that it may be written with.

    Raises:
        Refused: it only looks like a program's name.
    """
    name = _SYSTEM_PROGRAM.sub("", written)
    if "/" not in name and not name.isascii():
        raise Refused(f"{name} is no plain name of a program. Write it in ASCII.")
    lower = name.casefold()
    if "/" not in name and lower != name and program_rules.find_rule(lower) is not None:
        raise Refused(f"{name} is not written as the program is. Write {lower}.")
    return name


def fetched(node: Node) -> bool:
    """Whether a word holds what a command in it fetches."""
    inner = node.type in SUBSHELLS and FETCHES.search(source(node)) is not None
    return inner or any(fetched(child) for child in node.children)


def reader(node: Node) -> str | None:
    """The variable that a loop over the lines of its input reads them into."""
    if node.type != "while_statement":
        return None
    condition = next(iter(named(node)), None)
    written = re.fullmatch(r"(?:IFS= )?read(?: -r)? ([A-Za-z_]\w*)", source(condition) if condition else "")
    return written[1] if written else None


def named(node: Node) -> list[Node]:
    return [child for child in node.children if child.is_named and child.type != "comment"]


def feeds_names(before: Sequence[Sequence[Word]]) -> bool:
    """Whether a pipeline so far can only print names of files in the project."""
    return bool(before) and is_lister(before[0]) and all(is_filter(command) for command in before[1:])


def shown(node: Node) -> str:
    text = source(node)
    return text if len(text) <= 80 else text[:80] + "…"


def known_value(written: str, here: frozenset[Path], root: Path) -> Word | None:
    """What an expansion says, where that is known: the shell's folder, the project's root, a commit, a plain name."""
    if written in FOLDER_OF_SHELL:
        return Word(str(next(iter(here)))) if len(here) == 1 else None
    if written == "$(git rev-parse --show-toplevel)":
        return Word(str(root))
    if _REVISION.fullmatch(written):
        return Word("HEAD")
    return Word("1") if _SHORT_NAME.fullmatch(written) else None
