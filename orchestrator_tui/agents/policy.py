"""Decides whether an agent may run a Bash command: the whole of it must be understood, and each part allowed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tree_sitter import Node

from orchestrator_tui.agents import program_rules
from orchestrator_tui.agents.command_rules import Call, check_name, check_shown
from orchestrator_tui.agents.decision import Decision, allow, deny
from orchestrator_tui.agents.folder_view import Folders, FolderView, Traces
from orchestrator_tui.agents.sandbox import Boundary
from orchestrator_tui.agents.shell_words import (
    Refused,
    Word,
    is_word,
    literal,
    parse,
    simple_command,
    source,
    word,
    words,
)

_DEEPEST_SCRIPT = 4
_MOST_FOLDERS = 16
_READING = frozenset({"<", "<&"})
_WRITING = frozenset({">", ">>", ">|", ">&", "&>", "&>>"})
_SEQUENCES = frozenset({"program", "compound_statement", "do_group", "negated_command"})
_BRANCHES = frozenset({"if_statement", "elif_clause", "else_clause", "case_statement", "case_item"})
_SUBSHELLS = frozenset({"subshell", "command_substitution", "process_substitution"})
_ASSIGNMENTS = frozenset({"variable_assignment", "variable_assignments", "declaration_command"})
_TESTS = frozenset({"binary_expression", "unary_expression", "parenthesized_expression"})
_COUNTING_TESTS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


def decide(command: str, *, directory: Path, here: Path | None = None) -> Decision:
    """Whether `command` may run in the project `directory`, by a shell that stands in `here` (the same by default).

    Reads the file system, so it belongs in a thread.
    """
    boundary = Boundary.around(directory)
    line = _Line(boundary)
    try:
        start = Path(os.path.realpath(here or boundary.root))
        if not start.is_relative_to(boundary.root):
            raise Refused(f"The shell stands outside the project. Go back with `cd {boundary.root}`.")
        line.visit(parse(command), frozenset({start}))
        line.traces.check()
    except Refused as refusal:
        return deny(str(refusal))
    except RecursionError:
        return deny("The command is nested too deeply. Write it in several steps.")
    return allow("every part of the command is allowed")


@dataclass(frozen=True, slots=True)
class _After:
    """Where the shell may stand when a command succeeded, and when it failed."""

    success: Folders
    failure: Folders

    @property
    def either(self) -> Folders:
        return self.success | self.failure


def _stays(here: Folders) -> _After:
    return _After(here, here)


@dataclass(frozen=True, slots=True)
class _Line:
    """A walk over one syntax tree; `visit` raises `Refused` at the first part that is not allowed."""

    boundary: Boundary
    traces: Traces = field(default_factory=Traces)
    functions: dict[str, list[Node]] = field(default_factory=dict)
    depth: int = 0

    def visit(self, node: Node, here: Folders) -> _After:
        """Check one node, for a shell that may stand in any folder of `here`."""
        match node.type:
            case "command":
                return self._command(node, here)
            case "list":
                return self._list(node, here)
            case "pipeline":
                return self._pipeline(node, here)
            case "redirected_statement":
                return self._redirected(node, here)
            case "for_statement" | "while_statement":
                return self._unmoved(node, here, "a loop")
            case "function_definition":
                return self._function(node, here)
            case "test_command":
                return self._test(node, here)
            case kind if kind in _SUBSHELLS:
                self._sequence(node, here)
                return _stays(here)
            case kind if kind in _SEQUENCES:
                return self._sequence(node, here)
            case kind if kind in _BRANCHES:
                return self._branches(node, here)
            case kind if kind in _ASSIGNMENTS:
                return self._assignments(node, here)
        return self._leaf(node, here)

    def script(self, text: str, here: Folders) -> None:
        """Check the text of another shell, which starts in the same folder."""
        if self.depth >= _DEEPEST_SCRIPT:
            raise Refused("Shells in shells are nested too deeply. Write the inner command itself.")
        replace(self, functions={}, depth=self.depth + 1).visit(parse(text), here)

    def run(self, command: Sequence[Word], here: Folders) -> None:
        """Check one simple command: its name, then its arguments by the rule of that name."""
        first, *arguments = command
        if first.text is None or first.glob or not first.text:
            raise Refused("The name of a command is only known when the shell runs it. Write the name out.")
        view = FolderView(self, here)
        if "/" in first.text:
            view.program(first, arguments)
            return
        rule = program_rules.find_rule(first.text)
        if rule is None:
            raise Refused(
                f"{first.text} is not among the allowed commands. Use the project's own build and test tools, "
                "git status, diff, add and restore, python3, or the Read, Write, Edit, Glob and Grep tools."
            )
        rule(Call(first.text, arguments, view))

    def _leaf(self, node: Node, here: Folders) -> _After:
        if is_word(node):
            self._word(node, here)
        elif node.type == "variable_name":
            check_name(source(node))
        elif node.is_named and node.type != "comment":
            raise Refused(f"{_shown(node)} is not allowed in a command. Write it more simply, or use python3.")
        return _stays(here)

    def _sequence(self, node: Node, here: Folders) -> _After:
        if source(node).startswith("(("):
            raise Refused("Arithmetic is not allowed in the shell. Use python3 -c.")
        after = _stays(here)
        for child in _named(node):
            after = self.visit(child, after.either)
        return after if node.type != "negated_command" else _stays(after.either)

    def _branches(self, node: Node, here: Folders) -> _After:
        for child in _named(node):
            here |= self.visit(child, here).either
        return _stays(here)

    def _unmoved(self, node: Node, here: Folders, what: str) -> _After:
        if not self._branches(node, here).either <= here:
            raise Refused(f"cd inside {what} is not allowed. Use paths from the project directory instead.")
        return _stays(here)

    def _list(self, node: Node, here: Folders) -> _After:
        parts = [child for child in node.children if child.type != "comment"]
        if len(parts) != 3 or parts[1].type not in ("&&", "||"):
            raise Refused(f"{_shown(node)} could not be understood. Use one step a line.")
        first = self.visit(parts[0], here)
        if parts[1].type == "&&":
            second = self.visit(parts[2], first.success)
            return _After(second.success, first.failure | second.failure)
        second = self.visit(parts[2], first.failure)
        return _After(first.success | second.success, second.failure)

    def _pipeline(self, node: Node, here: Folders) -> _After:
        before: list[list[Word]] = []
        for child in _named(node):
            command = simple_command(child)
            if command and command[0].text == "xargs" and _feeds_names(before):
                self._command(child, here, fed=True)
            else:
                self.visit(child, here)
            before.append(command)
        return _stays(here)

    def _command(self, node: Node, here: Folders, *, fed: bool = False) -> _After:
        parts: list[Node] = []
        for child in node.children:
            match child.type:
                case "variable_assignment":
                    self._assignments(child, here)
                case "command_name":
                    parts.extend(child.children)
                case "file_redirect" | "herestring_redirect":
                    self._redirect(child, here)
                case kind if is_word(child) and kind != "process_substitution":
                    parts.append(child)
                case "comment":
                    pass
                case _:
                    self._leaf(child, here) if is_word(child) else self._unknown(child)
                    parts.append(child)
        for part in parts:
            self._word(part, here)
        return self._simple(words(parts), here, fed=fed)

    def _unknown(self, node: Node) -> None:
        if source(node) != "$":
            raise Refused(f"{_shown(node)} is not allowed in a command. Put quotes around text.")

    def _simple(self, command: list[Word], here: Folders, *, fed: bool) -> _After:
        name = command[0].text if command else None
        if name == "cd":
            return _After(self._moved(command[1:], here), here)
        if name in self.functions:
            return self._called(str(name), here)
        if fed:
            command = program_rules.xargs_command(Call("xargs", command[1:], FolderView(self, here)))
        if command:
            self.run(command, here)
        return _stays(here)

    def _moved(self, arguments: Sequence[Word], here: Folders) -> Folders:
        targets = literal(arguments)
        if len(targets) != 1 or targets[0].startswith("-") or not targets[0] or arguments[0].glob:
            raise Refused("cd: name one folder inside the project.")
        FolderView(self, here).read(arguments[0])
        there = frozenset(Path(os.path.realpath(folder / targets[0])) for folder in here)
        if len(there) > _MOST_FOLDERS:
            raise Refused("The command changes folders too often. Use paths from the project directory.")
        return there

    def _function(self, node: Node, here: Folders) -> _After:
        name, *body = _named(node)
        known = program_rules.find_rule(source(name)) is not None or source(name) == "cd"
        if known or node.parent is None or node.parent.type != "program" or len(body) != 1:
            raise Refused(f"The function {source(name)} is not allowed. Write its commands out.")
        self._unmoved(body[0], here, "a function")
        self.functions.setdefault(source(name), []).append(body[0])
        return _stays(here)

    def _called(self, name: str, here: Folders) -> _After:
        bodies = self.functions.pop(name)
        for body in bodies:
            self._unmoved(body, here, "a function")
        self.functions[name] = bodies
        return _stays(here)

    def _assignments(self, node: Node, here: Folders) -> _After:
        children = _named(node)
        if node.type == "declaration_command" and not children:
            raise Refused(f"{_shown(node)}: the environment is not shown. The work does not need it.")
        for child in children:
            match child.type:
                case "variable_assignment" | "variable_name":
                    self.visit(child, here)
                case "array" if node.type == "variable_assignment":
                    for item in _named(child):
                        self._word(item, here)
                case _ if is_word(child) and node.type == "variable_assignment":
                    self._word(child, here)
                case _:
                    raise Refused(f"{_shown(node)} is not allowed. Set one plain variable at a time: name=value.")
        return _stays(here)

    def _test(self, node: Node, here: Folders) -> _After:
        double = source(node).startswith("[[")
        waiting = _named(node)
        while waiting:
            part = waiting.pop()
            operator = source(part)
            if operator in ("-v", "-R") or (double and operator in _COUNTING_TESTS):
                raise Refused(f"{operator} is not allowed in this test. Compare with [ … ] and plain words.")
            if part.type in _TESTS:
                waiting.extend(child for child in part.children if child.is_named)
            else:
                self._word(part, here)
        return _stays(here)

    def _redirected(self, node: Node, here: Folders) -> _After:
        after = _stays(here)
        for child in _named(node):
            if child.type.endswith("_redirect"):
                self._redirect(child, here | after.either)
            else:
                after = self.visit(child, here)
        return after

    def _redirect(self, node: Node, here: Folders) -> None:
        if node.type == "heredoc_redirect":
            self._heredoc(node, here)
            return
        parts = [child for child in node.children if is_word(child)]
        operators = [child.type for child in node.children if not child.is_named]
        for part in parts:
            self._word(part, here)
        if node.type == "herestring_redirect":
            return
        if len(parts) != 1 or len(operators) != 1 or operators[0] not in _READING | _WRITING:
            raise Refused(f"{_shown(node)} could not be understood. Put the redirection last, with one file.")
        if parts[0].type == "process_substitution" or (operators[0].endswith("&") and source(parts[0]).isdigit()):
            return
        view = FolderView(self, here)
        (view.read if operators[0] in _READING else view.write)(word(parts[0]))

    def _heredoc(self, node: Node, here: Folders) -> None:
        quoted = any(child.type == "heredoc_start" and source(child)[:1] in "'\"\\" for child in node.children)
        for child in _named(node):
            match child.type:
                case "heredoc_start" | "heredoc_end":
                    pass
                case "heredoc_body":
                    if not quoted and any(sign in source(child) for sign in ("`", "$(", "${", "$[")):
                        raise Refused("The text after << holds $( or `. Put quotes around its mark, as in <<'EOF'.")
                case "file_redirect":
                    self._redirect(child, here)
                case _ if is_word(child):
                    raise Refused(f"{_shown(child)} stands after <<. Put the arguments before it.")
                case _:
                    self.visit(child, here)

    def _word(self, node: Node, here: Folders) -> None:
        """Check what the shell expands in a word."""
        match node.type:
            case "simple_expansion" | "expansion":
                if node.type == "expansion" and [child.type for child in node.children] != ["${", "variable_name", "}"]:
                    raise Refused(f"{_shown(node)} is not allowed. Only $name and ${{name}} are.")
                check_shown(source(node))
            case kind if kind in _SUBSHELLS:
                self.visit(node, here)
            case "arithmetic_expansion" | "translated_string":
                raise Refused(f"{_shown(node)} is not allowed. Use python3 -c.")
            case _:
                for child in node.children:
                    self._word(child, here)


def _named(node: Node) -> list[Node]:
    return [child for child in node.children if child.is_named and child.type != "comment"]


def _feeds_names(before: Sequence[Sequence[Word]]) -> bool:
    """Whether a pipeline so far can only print names of files in the project."""
    return (
        bool(before)
        and program_rules.is_lister(before[0])
        and all(program_rules.is_filter(command) for command in before[1:])
    )


def _shown(node: Node) -> str:
    text = source(node)
    return text if len(text) <= 80 else text[:80] + "…"
