"""The GraphQL documents: read from the files beside this module, mutations put together into one request."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

FRAGMENT_FILES = {"IssueFields": "issue_fields"}
_MUTATION = re.compile(r"mutation \w+\((?P<variables>[^)]*)\) \{\n(?P<field>.*)\}\n", re.DOTALL)
_VARIABLE = re.compile(r"\$(\w+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutation:
    """One change to be asked for: which document, by file name without its ending, and its variables."""

    document: str
    variables: Mapping[str, Any]


@cache
def load(name: str) -> str:
    """A document with the fragments that it uses."""
    text = _read(name)
    used = [file for fragment, file in FRAGMENT_FILES.items() if f"...{fragment}" in text]
    return "\n".join([text, *map(_read, used)])


def combine(mutations: Sequence[Mutation]) -> tuple[str, dict[str, Any]]:
    """One document that carries out mutations in order, and its variables.

    The fields of a mutation are executed one after another (GraphQL specification, 6.2.2); the answer to the n-th is
    under the alias `m<n>`, from 0.
    """
    declared, fields, fragments = [], [], set[str]()
    variables: dict[str, Any] = {}
    for number, mutation in enumerate(mutations):
        parts = _MUTATION.fullmatch(_read(mutation.document))
        assert parts is not None, f"{mutation.document}.graphql is no mutation in the expected form"
        numbered = rf"$\1_{number}"
        declared.append(_VARIABLE.sub(numbered, parts["variables"]))
        fields.append(f"  m{number}: {_VARIABLE.sub(numbered, parts['field']).lstrip()}")
        variables.update({f"{name}_{number}": value for name, value in mutation.variables.items()})
        fragments.update(file for name, file in FRAGMENT_FILES.items() if f"...{name}" in parts["field"])
    head = f"mutation Changes({', '.join(declared)}) {{\n{''.join(fields)}}}\n"
    return "\n".join([head, *map(_read, sorted(fragments))]), variables


@cache
def _read(name: str) -> str:
    return (resources.files(__package__) / "documents" / f"{name}.graphql").read_text(encoding="utf-8")
