"""Walks over a whole Bash command: refuses its first part that must not run, and collects what a person is asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tree_sitter import Node

from orchestrator_tui.agents import program_rules
from orchestrator_tui.agents.command_rules import CODE_FOLDERS, Call, check_name, check_shown, is_assignment
from orchestrator_tui.agents.folder_view import Folders, FolderView, Traces
from orchestrator_tui.agents.found_rules import FOUND, check_links_found, xargs_command
from orchestrator_tui.agents.rules import Rules
from orchestrator_tui.agents.sandbox import Boundary
from orchestrator_tui.agents.shell_nodes import (
    FETCHES,
    FOLDER_OF_SHELL,
    PLAIN_EXPANSION,
    SUBSHELLS,
    feeds_names,
    fetched,
    known_value,
    named,
    program_name,
    reader,
    shown,
)
from orchestrator_tui.agents.shell_words import (
    UNKNOWN,
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
from orchestrator_tui.agents.variables import Variables, loop_variable

_DEEPEST_SCRIPT = 4
_DEEPEST_LOOP = 3
_MOST_TURNS = 16
_CHARACTERS_A_STEP = 20
_READING = frozenset({"<", "<&"})
_WRITING = frozenset({">", ">>", ">|", ">&", "&>", "&>>"})
_SEQUENCES = frozenset({"program", "compound_statement", "do_group", "negated_command"})
_BRANCHES = frozenset({"if_statement", "elif_clause", "else_clause", "case_statement", "case_item"})
_ASSIGNMENTS = frozenset({"variable_assignment", "variable_assignments", "declaration_command"})
_SEPARATOR = re.compile(r"IFS=(?:|[^\s$`\\]|'[^']*'|\$'\\[tn]'|\"[^\"$`\\]*\")")
"""How lines are split that are read."""
_TESTS = frozenset({"binary_expression", "unary_expression", "parenthesized_expression"})
_COUNTING_TESTS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


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
class Line:
    """A walk over one syntax tree; `visit` raises `Refused` at the first part that is denied.

    Attributes:
        rules: what the user allows, has asked and denies.
        variables: what is known of them at this point.
        called: functions that were looked at already, as they are, with what was known then.
        in_file: the text comes from a file, so a person who sees the command does not see it.
    """

    boundary: Boundary
    rules: Rules = field(default_factory=Rules)
    traces: Traces = field(default_factory=Traces)
    functions: dict[str, list[Node]] = field(default_factory=dict)
    called: set[tuple[str, Folders, frozenset[tuple[str, Word]]]] = field(default_factory=set)
    variables: Variables = field(default_factory=Variables)
    depth: int = 0
    in_file: bool = False

    def visit(self, node: Node, here: Folders) -> _After:
        """Check one node, for a shell that may stand in any folder of `here`."""
        self.traces.count()
        match node.type:
            case "command":
                return self._command(node, here)
            case "list":
                return self._list(node, here)
            case "pipeline":
                return self._pipeline(node, here)
            case "redirected_statement":
                return self._redirected(node, here)
            case "for_statement":
                return self._for(node, here)
            case "while_statement":
                return self._unmoved(node, here, "a loop")
            case "c_style_for_statement":
                return self._counting(node, here)
            case "file_redirect":
                self._redirect(node, here)
                return _stays(here)
            case "unset_command":
                return self._unset(node, here)
            case "function_definition":
                return self._function(node, here)
            case "test_command":
                return self._test(node, here)
            case kind if kind in SUBSHELLS:
                self._sequence(node, here)
                return _stays(here)
            case kind if kind in _SEQUENCES:
                return self._sequence(node, here)
            case kind if kind in _BRANCHES:
                return self._branches(node, here)
            case kind if kind in _ASSIGNMENTS:
                return self._assignments(node, here)
        return self._leaf(node, here)

    def script(self, text: str, here: Folders, *, in_file: bool = False) -> None:
        """Check the text of another shell, which starts in the same folder."""
        if self.depth >= _DEEPEST_SCRIPT:
            raise Refused("Shells in shells are nested too deeply. Write the inner command itself.")
        self.traces.count(len(text) // _CHARACTERS_A_STEP)
        root = parse(text)
        inner = replace(
            self,
            functions={},
            called=set(),
            variables=Variables.of(root),
            depth=self.depth + 1,
            in_file=self.in_file or in_file,
        )
        inner.visit(root, here)

    def run(self, command: Sequence[Word], here: Folders) -> None:
        """Check one simple command: its name, then its arguments by the rule of that name, then the user's rules."""
        first, *arguments = command
        while arguments and first.text is not None and is_assignment(first.text):
            name, _, value = first.text.partition("=")
            check_name(name.rstrip("+"), value)
            first, *arguments = arguments
            if name in CODE_FOLDERS:
                self._code_folders(Word(value), here)
        if first.text is None or is_assignment(first.text) or first.glob or not first.text:
            raise Refused("The name of a command is only known when the shell runs it. Write the name out.")
        name = program_name(first.text)
        command = [first, *arguments]
        self.rules.check_denied(command, name)
        questions: list[str] = []
        view = FolderView(self, here, questions)
        _check_patterns(arguments, view)
        if "/" in name:
            view.program(Word(name), arguments)
        else:
            program_rules.rule_for(name)(Call(name, arguments, view))
        if not self.rules.allows(command):
            self.traces.ask(*questions, in_file=self.in_file)
        if self.rules.asks(command, name):
            self.traces.ask(f"{name}: the settings say to ask.", in_file=self.in_file)

    def _leaf(self, node: Node, here: Folders) -> _After:
        if is_word(node):
            self._word(node, here)
        elif node.type == "variable_name":
            check_name(source(node))
        elif node.is_named and node.type != "comment":
            raise Refused(f"{shown(node)} is not allowed in a command. Write it more simply, or as a Python script.")
        return _stays(here)

    def _sequence(self, node: Node, here: Folders) -> _After:
        if source(node).startswith("(("):
            self._arithmetic(source(node))
            return _stays(here)
        after = _stays(here)
        for child in named(node):
            after = self.visit(child, after.either)
        return after if node.type != "negated_command" else _stays(after.either)

    def _branches(self, node: Node, here: Folders) -> _After:
        for child in named(node):
            here |= self.visit(child, here).either
        return _stays(here)

    def _unmoved(self, node: Node, here: Folders, what: str) -> _After:
        if not self._branches(node, here).either <= here:
            raise Refused(f"cd inside {what} is not allowed. Use paths from the project directory instead.")
        return _stays(here)

    def _list(self, node: Node, here: Folders) -> _After:
        parts = [child for child in node.children if child.type != "comment"]
        if len(parts) != 3 or parts[1].type not in ("&&", "||"):
            raise Refused(f"{shown(node)} could not be understood. Use one step a line.")
        first = self.visit(parts[0], here)
        if parts[1].type == "&&":
            second = self.visit(parts[2], first.success)
            return _After(second.success, first.failure | second.failure)
        second = self.visit(parts[2], first.failure)
        return _After(first.success | second.success, second.failure)

    def _for(self, node: Node, here: Folders) -> _After:
        """A loop over words, once for each that is known."""
        name = loop_variable(node)
        check_name(name)
        parts = [child for child in named(node) if is_word(child)]
        for part in parts:
            self._word(part, here)
        [body] = [child for child in node.children if child.type in ("do_group", "compound_statement")]
        said = words(parts, self.variables.known)
        _check_patterns(said, FolderView(self, here, []))
        values = said if said and len(said) <= _MOST_TURNS and self.depth < _DEEPEST_LOOP else [UNKNOWN]
        inner = replace(self, depth=self.depth + 1)
        for value in dict.fromkeys(values):
            self.variables.set(name, value)
            inner._unmoved(body, here, "a loop")
        self.variables.forget(name)
        return _stays(here)

    def _counting(self, node: Node, here: Folders) -> _After:
        [body] = [child for child in node.children if child.type in ("do_group", "compound_statement")]
        head = source(node)[: body.start_byte - node.start_byte]
        inner = re.sub(r"^\s*for\s*\(\(|\)\)[\s;]*(\bdo)?\s*$", "", head)
        for part in inner.split(";"):
            self._arithmetic(part)
        return self._unmoved(body, here, "a loop")

    def _unset(self, node: Node, here: Folders) -> _After:
        for child in named(node):
            if child.type != "variable_name":
                raise Refused(f"{shown(node)} is not allowed. Give plain names of variables.")
            check_name(source(child))
        return _stays(here)

    def _arithmetic(self, expression: str) -> None:
        if not self.variables.counts(expression):
            raise Refused(
                "Arithmetic over unknown values could run commands. Use plain numbers and counters of this command."
            )

    def _pipeline(self, node: Node, here: Folders) -> _After:
        before: list[list[Word]] = []
        fetched = False
        for child in named(node):
            command = simple_command(child, self.variables.known)
            if fetched and command and program_rules.is_interpreter(str(command[0])):
                raise Refused("What was fetched is not run. Keep it in a file and look at it first.")
            fetched = fetched or FETCHES.search(source(child)) is not None
            variable = reader(child)
            if not feeds_names(before):
                self.visit(child, here)
            elif command and command[0].text == "xargs":
                self._check_found(before[0], here)
                self._command(child, here, fed=True)
            elif variable and f"${variable}" not in self.variables.known:
                self._check_found(before[0], here)
                self.variables.known[f"${variable}"] = FOUND
                self.visit(child, here)
                self.variables.forget(variable)
            else:
                self.visit(child, here)
            before.append(command)
        return _stays(here)

    def _check_found(self, lister: Sequence[Word], here: Folders) -> None:
        if lister[0].text == "find":
            check_links_found(Call("find", lister[1:], FolderView(self, here, [])))

    def _command(self, node: Node, here: Folders, *, fed: bool = False) -> _After:
        parts: list[Node] = []
        for child in node.children:
            match child.type:
                case "variable_assignment":
                    if not _SEPARATOR.fullmatch(source(child)) or not _reads(node):
                        self._assignments(child, here)
                case "command_name":
                    if "$'" in source(child):
                        raise Refused("The name of a command is written in a roundabout way. Write the name out.")
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
        if parts and program_rules.is_interpreter(source(parts[0])) and any(fetched(part) for part in parts[1:]):
            raise Refused("What was fetched is not run. Keep it in a file and look at it first.")
        return self._simple(words(parts, self.variables.known), here, fed=fed)

    def _unknown(self, node: Node) -> None:
        if source(node) != "$":
            raise Refused(f"{shown(node)} is not allowed in a command. Put quotes around text.")

    def _simple(self, command: list[Word], here: Folders, *, fed: bool) -> _After:
        name = command[0].text if command else None
        if name == "cd":
            return _After(self._moved(command[1:], here), here)
        if name in self.functions:
            return self._called(str(name), here)
        if fed:
            self.rules.check_denied(command, "xargs")
            questions: list[str] = []
            xargs_command(Call("xargs", command[1:], FolderView(self, here, questions)), checked=True)
            self.traces.ask(*questions, in_file=self.in_file)
            return _stays(here)
        if command:
            self.run(command, here)
        return _stays(here)

    def _moved(self, arguments: Sequence[Word], here: Folders) -> Folders:
        targets = literal(arguments)
        if targets[:1] == ["--"]:
            targets, arguments = targets[1:], arguments[1:]
        if len(targets) != 1 or targets[0].startswith("-") or not targets[0] or arguments[0].glob:
            raise Refused("cd: name one folder inside the project.")
        return FolderView(self, here, []).moved(arguments[0]).here

    def _function(self, node: Node, here: Folders) -> _After:
        name, *body = named(node)
        known = program_rules.find_rule(program_name(source(name))) is not None or source(name) == "cd"
        if known or node.parent is None or node.parent.type != "program" or len(body) != 1:
            raise Refused(f"The function {source(name)} is not allowed. Write its commands out.")
        self._unmoved(body[0], here, "a function")
        self.functions.setdefault(source(name), []).append(body[0])
        self.called.clear()
        return _stays(here)

    def _called(self, name: str, here: Folders) -> _After:
        key = (name, here, frozenset(self.variables.known.items()))
        if key in self.called:
            return _stays(here)
        bodies = self.functions.pop(name)
        for body in bodies:
            self._unmoved(body, here, "a function")
        self.functions[name] = bodies
        self.called.add(key)
        return _stays(here)

    def _assignments(self, node: Node, here: Folders) -> _After:
        children = named(node)
        if node.type == "declaration_command" and not children:
            raise Refused(f"{shown(node)}: the environment is not shown. The work does not need it.")
        value = Word("")
        for child in children:
            match child.type:
                case "variable_name" if node.type == "variable_assignment":
                    pass
                case "variable_assignment" | "variable_name":
                    self.visit(child, here)
                case "array" if node.type == "variable_assignment":
                    for item in named(child):
                        self._word(item, here)
                case _ if is_word(child) and node.type == "variable_assignment":
                    self._word(child, here)
                    value = word(child, self.variables.known)
                case _:
                    raise Refused(f"{shown(node)} is not allowed. Set one plain variable at a time: name=value.")
        if node.type == "variable_assignment":
            name = source(node).partition("=")[0].rstrip("+")
            check_name(name, value.text)
            if name in CODE_FOLDERS:
                self._code_folders(value, here)
            self.variables.set(name, value)
        return _stays(here)

    def _code_folders(self, value: Word, here: Folders) -> None:
        """Folders whose code is run must lie in the project; those that were set before do."""
        for folder in (value.text or "").split(":"):
            if folder:
                FolderView(self, here, []).read(Word(folder))

    def _test(self, node: Node, here: Folders) -> _After:
        double = source(node).startswith("[[")
        waiting = named(node)
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
        for child in named(node):
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
            raise Refused(f"{shown(node)} could not be understood. Put the redirection last, with one file.")
        if parts[0].type == "process_substitution" or (operators[0].endswith("&") and source(parts[0]).isdigit()):
            return
        questions: list[str] = []
        view = FolderView(self, here, questions)
        (view.read if operators[0] in _READING else view.write)(word(parts[0], self.variables.known))
        self.traces.ask(*questions, in_file=self.in_file)

    def _heredoc(self, node: Node, here: Folders) -> None:
        quoted = any(child.type == "heredoc_start" and source(child)[:1] in "'\"\\" for child in node.children)
        for child in named(node):
            match child.type:
                case "heredoc_start" | "heredoc_end":
                    pass
                case "heredoc_body":
                    if not quoted and any(sign in source(child) for sign in ("`", "$(", "${", "$[")):
                        raise Refused("The text after << holds $( or `. Put quotes around its mark, as in <<'EOF'.")
                case "file_redirect":
                    self._redirect(child, here)
                case _ if is_word(child):
                    raise Refused(f"{shown(child)} stands after <<. Put the arguments before it.")
                case _:
                    self.visit(child, here)

    def _word(self, node: Node, here: Folders) -> None:
        """Check what the shell expands in a word."""
        match node.type:
            case "simple_expansion" | "expansion":
                if node.type == "expansion" and not PLAIN_EXPANSION.fullmatch(source(node)):
                    raise Refused(f"{shown(node)} is not allowed. Only $name, ${{name}} and ${{name:-text}} are.")
                check_shown(source(node))
                if source(node).strip("${}") == "PWD":
                    self._learn("$PWD", here)
            case kind if kind in SUBSHELLS:
                self._learn(source(node), here)
                self.visit(node, here)
            case "arithmetic_expansion":
                self._arithmetic(source(node))
            case "translated_string":
                raise Refused(f"{shown(node)} is not allowed. Use plain quotes.")
            case _:
                for child in node.children:
                    self._word(child, here)

    def _learn(self, written: str, here: Folders) -> None:
        """Make known what an expansion says, as far as it can be known."""
        value = known_value(written, here, self.boundary.root)
        if value is not None:
            self.variables.known[written] = value
        elif written in FOLDER_OF_SHELL:
            self.variables.known.pop(written, None)


def _reads(node: Node) -> bool:
    """Whether a command is `read`, which splits a line at what stands in IFS and starts nothing."""
    return any(child.type == "command_name" and source(child) == "read" for child in node.children)


def _check_patterns(parts: Sequence[Word], view: FolderView) -> None:
    """Check patterns of names, which the shell itself looks up, whatever they are given to."""
    for part in parts:
        if part.glob and str(part).startswith(("*", "?", "[")) and (option := view.option_like(str(part))):
            raise Refused(f"{part} also means {option}, which would be taken for an option. Write ./{part} instead.")
        if part.glob and (str(part).startswith(("/", "~")) or ".." in str(part)):
            view.read(part)
