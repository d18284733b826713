"""Tells what is wrong with a scenario's tables, in words of the file and not of the checker."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator_tui.agents.rehearsal.schema import ANY

_PLAIN = {
    "missing": "missing key",
    "extra_forbidden": "unknown key",
    "too_short": "needs at least one entry",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "string_pattern_mismatch": "must fit the pattern {pattern}",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be one of {expected}",
    "literal_error": "must be {expected}",
}
"""Words for what is wrong, by the checker's type of error; its context is filled in."""


def explain(error: ValidationError, source: str, data: Mapping[str, Any]) -> str:
    """The first problem found in `data`, which came from `source`, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    more = {str(problem["loc"]) for problem in problems[1:]}
    count = f" (and {len(more)} more {'problem' if len(more) == 1 else 'problems'})" if more else ""
    return f"{source}: {_where(first['loc'], data)}: {_plain(first)}{count}."


def _plain(problem: ErrorDetails) -> str:
    """What is wrong, without the checker's own words where there are better ones."""
    words = _PLAIN.get(problem["type"])
    return words.format(**problem.get("ctx", {})) if words else problem["msg"].removeprefix("Value error, ")


def _where(loc: tuple[int | str, ...], data: Mapping[str, Any]) -> str:
    if len(loc) < 2 or loc[0] != "answers" or not isinstance(loc[1], int):
        return ".".join(map(str, loc)) or "the file"
    parts = [entry_name(loc[1] + 1, data["answers"][loc[1]])]
    rest = list(loc[2:])
    if len(rest) > 1 and rest[0] == "turns" and isinstance(rest[1], int):
        parts.append(f"turn {rest[1] + 1}")
        rest = rest[2:]
    if rest:
        parts.append(".".join(map(str, rest)))
    return ", ".join(parts)


def entry_name(index: int, answer: Any) -> str:
    """How messages name an `[[answers]]` table: its number from 1, and whom it is for as far as that is known."""
    if not isinstance(answer, Mapping):
        return f"answer {index}"
    marks = [str(answer.get(key, default)) for key, default in (("phase", "?"), ("role", "?"), ("subject", ANY))]
    return f"answer {index} ({'/'.join(marks)} attempt {answer.get('attempt', ANY)})"
