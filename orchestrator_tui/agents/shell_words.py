"""Reads a Bash command with tree-sitter: its syntax tree, and what a word says, as far as it is known beforehand."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import tree_sitter
import tree_sitter_bash
from tree_sitter import Node

from orchestrator_tui.agents.braces import expand_braces

MOST_CHARACTERS = 20_000
_JOINED_LINE = re.compile(r"[^\s]\\\n")
_BRACES = re.compile(r"\{[^}]*(?:,|\.\.)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\\n])')
_EXPANDS = re.compile(r"(?<!\\)(?:\\\\)*(?:`|\$[A-Za-z0-9_@*#?$!{(\[-])")
_ANSI_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL)
_ANSI_LETTERS = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_WORDS = frozenset({
    "word", "number", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation",
    "simple_expansion", "expansion", "command_substitution", "process_substitution", "arithmetic_expansion",
    "brace_expression", "extglob_pattern", "regex", "test_operator",
})  # fmt: skip


class Refused(Exception):
    """A command that must not run; the text says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Word:
    """One argument.

    Attributes:
        text: None when only the shell will know it.
        glob: it is a pattern of names.
        child: it is the id of a process that the command started itself.
    """

    text: str | None
    glob: bool = False
    child: bool = False

    def __str__(self) -> str:
        return "…" if self.text is None else self.text


UNKNOWN = Word(None)
SUBSTITUTED = "/dev/fd/63"
"""What stands in the place of a process substitution."""
Values = Mapping[str, Word]
"""What variables and substitutions are known to say, by how they are written without quotes: `$name`, `$(pwd)`."""


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


def words(nodes: Sequence[Node], values: Values) -> list[Word]:
    """What the nodes say; braces make several words of one.

    Raises:
        Refused: two of them touch, so that Bash would read them as one.
    """
    for left, right in pairwise(nodes):
        if left.end_byte == right.start_byte:
            raise Refused(f"{source(left)}{source(right)} could not be understood. Put quotes around it.")
    return [word for node in nodes for word in _expanded(node, values)]


def word(node: Node, values: Values) -> Word:
    """What one argument says."""
    match node.type:
        case "number":
            return Word(source(node)) if not node.children else UNKNOWN
        case "word":
            return _bare(source(node))
        case "raw_string":
            return Word(source(node)[1:-1])
        case "ansi_c_string":
            return Word(_ansi(source(node)[2:-1]))
        case "string":
            return _quoted(node, values)
        case "concatenation":
            return _joined(node, values)
        case "process_substitution":
            return Word(SUBSTITUTED)
        case "simple_expansion" | "expansion" | "command_substitution":
            return _split(_value(node, values))
    return UNKNOWN


def simple_command(node: Node, values: Values) -> list[Word]:
    """The words of a plain command, redirected or not; nothing for anything else."""
    if node.type == "redirected_statement" and node.children:
        return simple_command(node.children[0], values)
    if node.type != "command" or any(child.type == "variable_assignment" for child in node.children):
        return []
    names = [part for child in node.children for part in (child.children if child.type == "command_name" else [child])]
    return [word(part, values) for part in names if is_word(part)]


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


def _expanded(node: Node, values: Values) -> list[Word]:
    text = source(node)
    if "{" not in text or node.type not in ("word", "concatenation") or not _BRACES.search(text):
        return [word(node, values)]
    if re.search(r"""["'$`\\]""", text):
        return [word(node, values)] if node.type == "concatenation" else [UNKNOWN]
    return [_bare(written) for written in expand_braces(text)] or [UNKNOWN]


def _bare(text: str) -> Word:
    if _EXPANDS.search(text):
        return UNKNOWN
    plain = _ESCAPED.sub(lambda match: "" if match[1] == "\n" else match[1], text)
    return Word(plain, glob=bool(re.search(r"[*?\[]", text)))


def _ansi(text: str) -> str:
    def said(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(min(int(code[1:], 16), 0x10FFFF))
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        if code[0] == "c":
            return chr(ord(code[1]) & 0x1F)
        return _ANSI_LETTERS.get(code, code if code in "\\'\"?" else f"\\{code}")

    # What stands behind a null character is cut off by Bash.
    return _ANSI_ESCAPE.sub(said, text).partition("\0")[0]


def _quoted(node: Node, values: Values) -> Word:
    """Text in double quotes: what lies between expansions as it is written, and what these are known to say."""
    whole, said = node.text or b"", ""
    at = 1
    for child in node.children:
        if not child.is_named or child.type == "string_content":
            continue
        value = _value(child, values)
        between = _in_quotes(whole[at : child.start_byte - node.start_byte])
        if value.child and between == said == "" and child.end_byte + 1 == node.end_byte:
            return value
        if value.text is None or between is None:
            return UNKNOWN
        said += between + value.text
        at = child.end_byte - node.start_byte
    rest = _in_quotes(whole[at:-1])
    return UNKNOWN if rest is None else Word(said + rest)


def _in_quotes(written: bytes) -> str | None:
    text = written.decode("utf-8", "surrogatepass")
    if _EXPANDS.search(text):
        return None
    return _ESCAPED_IN_QUOTES.sub(lambda match: "" if match[1] == "\n" else match[1], text)


def _value(node: Node, values: Values) -> Word:
    written = source(node)
    if re.fullmatch(r"\$\{\w+\}", written):
        written = f"${written[2:-1]}"
    return values.get(written, UNKNOWN)


def _split(value: Word) -> Word:
    """A value outside of quotes, which Bash splits at spaces and takes as a pattern."""
    if value.text is None or re.fullmatch(r"\S+", value.text) is None:
        return value if value.child else UNKNOWN
    return replace(value, glob=value.glob or bool(re.search(r"[*?\[\\]", value.text)))


def _joined(node: Node, values: Values) -> Word:
    written = source(node)
    bare = "".join(source(child) for child in node.children if child.type not in ("string", "raw_string"))
    if written.startswith("~") or ("{" in bare and _BRACES.search(written)):
        return UNKNOWN
    parts = [word(child, values) for child in node.children]
    text = None if any(part.text is None for part in parts) else "".join(str(part) for part in parts)
    return Word(text, glob=any(part.glob for part in parts))


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
