"""Which values the variables of one command are known to have, where it says them itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from orchestrator_tui.agents.shell_words import Word, source

_FILLS = re.compile(r"\b(?:read|mapfile|readarray|getopts|let|unset)\b")
_RUNS_TEXT = re.compile(r"\b(?:source|eval|trap)\b|(?:^|[\s;&|({])\.\s")
_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"\d+|\$\(\(.*\)\)")
_LOOP_NUMBERS = re.compile(r"\d+|\{\d+\.\.\d+\}|\$\(seq [\d ]+\)")
_ARITHMETIC = re.compile(r"[\w\s$+\-*/%()<>=!&|?:,]*")
_NO_ARITHMETIC = re.compile(r"\$(?![A-Za-z_])|\w\s+\w|\)\s*\(|\s/\w")
"""What a command in two pairs of parentheses has, and no calculation."""


@dataclass(slots=True)
class Variables:
    """What is known at the present point of a walk, in the order of the walk.

    A variable is known from a plain assignment at the top of the command on, if nothing sets it anywhere else: in a
    branch, a function, a subshell. A loop sets its own variable for each of its words.

    Attributes:
        known: values by how they are written, `$name`.
        unsure: names that something sets at another place; None means any.
        counters: names that only ever hold whole numbers. touched: names that the command sets at all.
    """

    known: dict[str, Word] = field(default_factory=dict)
    unsure: frozenset[str] | None = frozenset()
    counters: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()

    @classmethod
    def of(cls, root: Node) -> "Variables":
        """The variables of a command; none is known yet."""
        children = {"$!": Word(None, child=True), "$(jobs -p)": Word(None, child=True)}
        # Quotes say nothing about which command it is: what may set variables is found however it is written.
        text = re.sub(r"[\\'\"]", "", source(root))
        if _RUNS_TEXT.search(text):
            return cls(children, None)
        filled = _FILLS.search(text)
        if "=" not in text and "for" not in text and filled is None:
            return cls(children)
        by_commands = set(_NAME.findall(text[filled.start() :])) if filled else set()
        elsewhere = set(by_commands)
        plain: set[str] = set()
        loops: set[str] = set()
        counted: dict[str, bool] = {}
        for node in _all(root):
            if node.type == "variable_assignment":
                written, _, value = source(node).partition("=")
                name = "".join(_NAME.findall(written)[:1])
                (plain if _is_plain(node) else elsewhere).add(name)
                counted[name] = counted.get(name, True) and _NUMBER.fullmatch(value) is not None
            elif node.type == "for_statement":
                name = loop_variable(node)
                (elsewhere if any(loop_variable(above) == name for above in _above(node)) else loops).add(name)
                counted[name] = all(
                    _LOOP_NUMBERS.fullmatch(source(value)) for value in node.children_by_field_name("value")
                )
        numbers = frozenset(name for name, only in counted.items() if only and name not in by_commands)
        return cls(children, frozenset(elsewhere | (plain & loops)), numbers, frozenset(plain | elsewhere | loops))

    def set(self, name: str, value: Word) -> None:
        if self.unsure is None or name in self.unsure:
            self.forget(name)
        else:
            self.known[f"${name}"] = value

    def forget(self, name: str) -> None:
        self.known.pop(f"${name}", None)

    def counts(self, expression: str) -> bool:
        """Whether an arithmetic expression holds nothing but numbers; the text of any other variable would be run."""
        names = set(_NAME.findall(expression))
        # What is not set here is empty; written small it would rather be a command in parentheses.
        unset = {name for name in names - self.touched if name.isupper()}
        known = not names if self.unsure is None else names - unset <= self.counters
        inner = re.sub(r"^\s*\$?\(\(", "", expression)
        return known and _ARITHMETIC.fullmatch(inner) is not None and _NO_ARITHMETIC.search(inner) is None


def loop_variable(node: Node) -> str:
    """The variable of a `for` loop; "" of anything else."""
    names = [source(child) for child in node.children if child.type == "variable_name"]
    return names[0] if node.type == "for_statement" and names else ""


def _all(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children)


def _above(node: Node) -> Iterator[Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _is_plain(node: Node) -> bool:
    """Whether an assignment is always carried out, in the shell itself, before what stands behind it."""
    if _NAME.fullmatch(source(node).partition("=")[0]) is None:
        return False
    above = node.parent
    if above is not None and above.type == "declaration_command":
        node, above = above, above.parent
    while above is not None and above.type == "list" and above.children and above.children[0].id == node.id:
        node, above = above, above.parent
    after = node.next_sibling
    return above is not None and above.type == "program" and (after is None or after.type != "&")
