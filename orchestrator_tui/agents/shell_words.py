"""Reads a Bash command with tree-sitter: its syntax tree, and what a word says when nothing has to be expanded."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import tree_sitter
import tree_sitter_bash
from tree_sitter import Node

MOST_CHARACTERS = 20_000
_JOINED_LINE = re.compile(r"[^\s]\\\n")
_BRACES = re.compile(r"\{[^}]*(?:,|\.\.)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\\n])')
_EXPANDS_IN_QUOTES = re.compile(r"(?<!\\)(?:\\\\)*[$`]")
_WORDS = frozenset({
    "word", "number", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation",
    "simple_expansion", "expansion", "command_substitution", "process_substitution", "arithmetic_expansion",
    "brace_expression", "extglob_pattern", "regex", "test_operator",
})  # fmt: skip


class Refused(Exception):
    """A command that must not run; the text says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Word:
    """One argument: `text` is None when only the shell will know it; `glob` says that it is a pattern of names."""

    text: str | None
    glob: bool = False

    def __str__(self) -> str:
        return "…" if self.text is None else self.text


def parse(command: str) -> Node:
    """The syntax tree of `command`.

    Raises:
        Refused: it is too long, or not understood to the last character.
    """
    if len(command) > MOST_CHARACTERS:
        raise Refused(f"The command is longer than {MOST_CHARACTERS} characters. Write a script with Write and run it.")
    if any(not character.isprintable() and character not in "\n\t" for character in command):
        raise Refused("The command holds an invisible character. Write it with plain spaces and line ends.")
    if _JOINED_LINE.search(command):
        raise Refused("A backslash joins a word with the next line. Put a space before it, or use one line.")
    root = _parser().parse(command.encode("utf-8", "surrogatepass")).root_node
    if root.has_error:
        raise Refused("The command could not be understood as Bash. Write it more simply, one step at a time.")
    return root


def is_word(node: Node) -> bool:
    return node.type in _WORDS


def words(nodes: Sequence[Node]) -> list[Word]:
    """What each node says.

    Raises:
        Refused: two of them touch, so that Bash would read them as one.
    """
    for left, right in pairwise(nodes):
        if left.end_byte == right.start_byte:
            raise Refused(f"{source(left)}{source(right)} could not be understood. Put quotes around it.")
    return [word(node) for node in nodes]


def word(node: Node) -> Word:
    """What one argument says."""
    match node.type:
        case "number":
            return Word(source(node)) if not node.children else Word(None)
        case "word":
            return _bare(source(node))
        case "raw_string":
            return Word(source(node)[1:-1])
        case "string":
            return _quoted(node)
        case "concatenation":
            return _joined(node)
        case "process_substitution":
            return Word("/dev/null")
    return Word(None)


def simple_command(node: Node) -> list[Word]:
    """The words of a plain command, redirected or not; nothing for anything else."""
    if node.type == "redirected_statement" and node.children:
        return simple_command(node.children[0])
    if node.type != "command" or any(child.type == "variable_assignment" for child in node.children):
        return []
    names = [part for child in node.children for part in (child.children if child.type == "command_name" else [child])]
    return [word(part) for part in names if is_word(part)]


def source(node: Node) -> str:
    """The text of a node, as it was written."""
    return (node.text or b"").decode("utf-8", "surrogatepass")


def literal(parts: Iterable[Word]) -> list[str]:
    """The texts of `parts`.

    Raises:
        Refused: one of them is not known before the shell runs.
    """
    found = list(parts)
    texts = [part.text for part in found if part.text is not None]
    if len(texts) != len(found):
        raise Refused("An argument is only known when the shell runs it. Write the value out instead of expanding it.")
    return texts


def _bare(text: str) -> Word:
    if text.startswith("~") or "`" in text or "$" in text:
        return Word(None)
    plain = _ESCAPED.sub(lambda match: "" if match[1] == "\n" else match[1], text)
    return Word(plain, glob=bool(re.search(r"[*?\[]", text)))


def _quoted(node: Node) -> Word:
    inner = source(node)[1:-1]
    if any(child.is_named and child.type != "string_content" for child in node.children):
        return Word(None)
    if _EXPANDS_IN_QUOTES.search(inner):
        return Word(None)
    return Word(_ESCAPED_IN_QUOTES.sub(lambda match: "" if match[1] == "\n" else match[1], inner))


def _joined(node: Node) -> Word:
    written = source(node)
    bare = "".join(source(child) for child in node.children if child.type not in ("string", "raw_string"))
    if written.startswith("~") or ("{" in bare and _BRACES.search(written)):
        return Word(None)
    parts = [word(child) for child in node.children]
    text = None if any(part.text is None for part in parts) else "".join(str(part) for part in parts)
    return Word(text, glob=any(part.glob for part in parts))


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
