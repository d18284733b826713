"""What a person types into the input bar: a sentence, `/command arguments` or `@agent text`; parsed, completed."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from types import MappingProxyType

from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.commands import COMMANDS, Argument, Command, Kind, find_command

MOST_TOLD = 8
"""Values an error lists; of thousands of projects nobody reads more."""

MOST_COMPLETIONS = 50

_CALLED = (Kind.PROJECT, Kind.AGENT, Kind.ITEM)
"""Kinds whose values people know by their label as well; other labels are descriptions."""

_WORD = re.compile(r'"([^"]*)"|(\S+)')


class CommandProblem(UsageError):
    """The command cannot be understood."""

    title = "Command"


@dataclass(frozen=True, slots=True)
class Nothing:
    """Blanks only."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Starts a project. `meant` is the command's name when the whole text is one without its slash."""

    text: str
    meant: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its arguments; one that was left out is not in `values`."""

    command: Command
    values: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """The value of an argument, or None when it was left out."""
        return dict(self.values).get(name)


@dataclass(frozen=True, slots=True)
class Steer:
    """Words for one running agent."""

    agent: str
    text: str


Input = Nothing | Sentence | Call | Steer


@dataclass(frozen=True, slots=True)
class Value:
    """One value that an argument can have, such as a project's id, with what a person calls it."""

    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """`text` is the whole input with the completion in it, `shown` the part that is new, `detail` what it is."""

    text: str
    shown: str
    detail: str = ""


Values = Callable[[Kind], Iterable[Value]]
"""Says which values of a kind exist; kinds it knows nothing about are empty."""

Totals = Mapping[Kind, int]
"""How many values of a kind there are where `Values` knows only some."""

NO_TOTALS: Totals = MappingProxyType({})


def parse(text: str) -> Input:
    """What a text means. Pure: whether a project or an agent exists is for `resolve` to say.

    Raises:
        CommandProblem: there is no such command, or its arguments do not fit it.
    """
    stripped = text.strip()
    if stripped.startswith("/"):
        return _call(stripped[1:])
    if stripped.startswith("@"):
        return _steer(stripped[1:])
    if not stripped:
        return Nothing()
    found = find_command(stripped)
    return Sentence(stripped, found.name if found else None)


def resolve(given: Input, values: Values, totals: Totals = NO_TOTALS) -> Input:
    """The same with each argument as the value that exists: `/resume Portfolio` becomes `/resume 3`.

    Raises:
        CommandProblem: there is no such project, agent, item …; the message says which exist.
    """
    match given:
        case Call(command, pairs):
            kinds = {argument.name: argument.kind for argument in command.arguments}
            return replace(
                given, values=tuple((name, _known(text, kinds[name], values, totals)) for name, text in pairs)
            )
        case Steer(agent, _):
            return replace(given, agent=_known(agent, Kind.AGENT, values, totals))
        case _:
            return given


def complete(text: str, values: Values) -> tuple[Completion, ...]:
    """What the text can go on with, the likeliest first; empty for a sentence and for free text."""
    before = text.lstrip()
    if before.startswith("@"):
        return _complete_agent(before[1:], values)
    if not before.startswith("/"):
        return ()
    name, blank, rest = before[1:].partition(" ")
    if not blank:
        return _complete_command(name)
    command = find_command(name)
    return _complete_argument(command, f"/{name} ", rest.lstrip(), values) if command else ()


def usage_hint(text: str) -> str:
    """What can still be typed after the text, such as ` <id>`; empty for a sentence and when nothing is left."""
    if text.startswith("@"):
        agent, blank, words = text[1:].partition(" ")
        return "" if not agent or words else ("text" if blank else " text")
    name, blank, rest = text[1:].partition(" ")
    command = find_command(name) if text.startswith("/") and "\n" not in text else None
    if command is None:
        return ""
    left = " ".join(argument.usage for argument in _untyped(command, rest))
    separated = bool(blank) and text.endswith(" ")
    return left if separated or not left else f" {left}"


def _untyped(command: Command, rest: str) -> tuple[Argument, ...]:
    """The arguments that nothing has been typed for."""
    for index, argument in enumerate(command.arguments):
        if not rest.strip():
            return command.arguments[index:]
        _, rest = _take(argument, rest.lstrip())
    return ()


def _call(text: str) -> Call:
    name, rest = (*text.split(maxsplit=1), "", "")[:2]
    command = find_command(name)
    if command is None:
        raise _unknown_command(name)
    return Call(command, tuple(_arguments(command, rest.strip())))


def _arguments(command: Command, rest: str) -> Iterator[tuple[str, str]]:
    for argument in command.arguments:
        value, rest = _take(argument, rest)
        if value:
            yield argument.name, value
        elif argument.required:
            raise CommandProblem(f"/{command.name} needs <{argument.name}>.", hint=f"Usage: {command.usage}")
    if rest:
        raise CommandProblem(
            f"/{command.name} does not take {one_line(rest, 40)!r} as well.", hint=f"Usage: {command.usage}"
        )


def _take(argument: Argument, rest: str) -> tuple[str, str]:
    """The argument's text and what follows it."""
    if argument.kind is Kind.TEXT:
        return rest, ""
    found = _WORD.match(rest)
    if found is None:
        return "", rest
    return found[1] if found[1] is not None else found[2], rest[found.end() :].lstrip()


def _steer(text: str) -> Steer:
    agent, *words = text.split(maxsplit=1) if text[:1].strip() else ["", text]
    if not agent or not words:
        raise CommandProblem(
            f"@{one_line(agent, 40)} says nothing to an agent.", hint="Usage: @agent text, such as @agent-1 use SQLite"
        )
    return Steer(agent, words[0].strip())


def _unknown_command(name: str) -> CommandProblem:
    known = [*(command.name for command in COMMANDS), *(alias for command in COMMANDS for alias in command.aliases)]
    close = difflib.get_close_matches(name.lower()[:40], known, n=1)
    meant = find_command(close[0]) if close else None
    if not name:
        return CommandProblem("A command is expected after the slash.", hint="Type /help to see all of them.")
    advice = f"Did you mean {meant.usage}?" if meant else "Type /help to see all commands."
    return CommandProblem(f"There is no command /{one_line(name, 40)}.", hint=advice)


_NUMBERED = {Kind.ITEM: "TASK-", Kind.AGENT: "agent-"}
"""What stands before a number that is typed alone."""


def _known(text: str, kind: Kind, values: Values, totals: Totals) -> str:
    """The value that was meant: the very one, else the only one that is called so or begins so."""
    if kind is Kind.TEXT:
        return text
    if kind is Kind.COMMAND:
        command = find_command(text.removeprefix("/"))
        if command is None:
            raise _unknown_command(text.removeprefix("/"))
        return command.name
    existing = [value if kind in _CALLED else Value(value.text) for value in values(kind)]
    wanted = f"{_NUMBERED[kind]}{text}" if kind in _NUMBERED and text.isdigit() else text
    for fits in (_is, _is_called, _begins):
        found = dict.fromkeys(value.text for value in existing if fits(value, wanted))
        if len(found) == 1:
            return next(iter(found))
        if found:
            raise _ambiguous(text, kind, [value for value in existing if value.text in found])
    raise _missing(text, kind, existing, totals.get(kind, 0))


def _is(value: Value, text: str) -> bool:
    return value.text == text


def _is_called(value: Value, text: str) -> bool:
    return text.casefold() in (value.text.casefold(), value.label.casefold())


def _begins(value: Value, text: str) -> bool:
    """A number is never the beginning of another one: `/stop 1` does not stop project 12."""
    names = (value.text, value.label)
    return not text.isdigit() and any(name.casefold().startswith(text.casefold()) for name in names)


def _ambiguous(text: str, kind: Kind, found: list[Value]) -> CommandProblem:
    return CommandProblem(f"{one_line(text, 40)!r} fits {_listed(found)}.", hint=f"Say which {kind} you mean.")


def _missing(text: str, kind: Kind, existing: list[Value], total: int) -> CommandProblem:
    message = f"There is no {kind} {one_line(text, 40)!r}."
    names = {name.casefold(): value for value in existing for name in (value.text, value.label) if name}
    close = difflib.get_close_matches(text.casefold()[:60], names, n=1)
    if close and not text.isdigit():
        return CommandProblem(message, hint=f"Did you mean {_shown(names[close[0]])}?")
    hint = f"There are: {_listed(existing, total)}." if existing else f"There is no {kind} yet."
    if kind is Kind.AGENT and existing:
        hint = f"{hint} Older ones are among the sessions of their phase: Enter on it."
    return CommandProblem(message, hint=hint)


def _listed(values: list[Value], total: int = 0) -> str:
    """The first of them; `total` counts also those that are not among `values`."""
    left = max(total, len(values)) - len(values[:MOST_TOLD])
    more = f" and {left:,} more" if left else ""
    return ", ".join(_shown(value) for value in values[:MOST_TOLD]) + more


def _shown(value: Value) -> str:
    return one_line(f"{value.text} ({value.label})" if value.label and value.label != value.text else value.text, 60)


def _complete_command(start: str) -> tuple[Completion, ...]:
    ranked = sorted((_rank((command.name, *command.aliases), start), index) for index, command in enumerate(COMMANDS))
    chosen = [COMMANDS[index] for rank, index in ranked if rank < _NO_MATCH]
    return tuple(
        Completion(f"/{command.name}{' ' if command.arguments else ''}", f"/{command.name}", command.summary)
        for command in chosen
    )


def _complete_argument(command: Command, before: str, rest: str, values: Values) -> tuple[Completion, ...]:
    for argument in command.arguments:
        if argument.kind is Kind.TEXT:
            return ()
        found = _WORD.match(rest)
        if found is None or found.end() == len(rest):
            start = rest.strip('"')
            return tuple(
                Completion(before + _quoted(value.text), value.text, value.label)
                for value in _matching(argument.kind, values, start)
            )
        before, rest = f"{before}{found[0]} ", rest[found.end() :].lstrip()
    return ()


def _complete_agent(start: str, values: Values) -> tuple[Completion, ...]:
    if " " in start:
        return ()
    matching = _matching(Kind.AGENT, values, start)
    return tuple(Completion(f"@{value.text} ", f"@{value.text}", value.label) for value in matching)


def _values_of(kind: Kind, values: Values) -> Iterable[Value]:
    if kind is Kind.COMMAND:
        return [Value(command.name, command.summary) for command in COMMANDS]
    return values(kind)


def _matching(kind: Kind, values: Values, start: str) -> list[Value]:
    ranked = [
        (_rank((value.text, value.label) if kind in _CALLED else (value.text,), start), value)
        for value in _values_of(kind, values)
    ]
    fitting = sorted((pair for pair in ranked if pair[0] < _NO_MATCH), key=itemgetter(0))
    return [value for _, value in fitting[:MOST_COMPLETIONS]]


_NO_MATCH = 3


def _rank(names: tuple[str, ...], start: str) -> int:
    """0 when the first name begins so, 1 when another does, 2 when one holds it, and `_NO_MATCH`."""
    wanted = start.casefold()
    folded = [name.casefold() for name in names]
    if folded[0].startswith(wanted):
        return 0
    if any(name.startswith(wanted) for name in folded):
        return 1
    return 2 if any(wanted in name for name in folded) else _NO_MATCH


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
