"""Writes the commented `orchestrator.toml` with every setting at its default, from the settings' models."""

import sys
import textwrap
from collections.abc import Iterator

import tomli_w
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator_tui.config.keys import expectation, group_of
from orchestrator_tui.config.settings import KEYS, TYPING_KEYS, SettingsModel
from orchestrator_tui.domain.codec import to_plain

OBVIOUS = ("true or false", "text in quotes", "a path in quotes", KEYS, TYPING_KEYS)

_HEADER = """\
Settings of orchestrator-tui, all at their defaults.
What is written here goes over the user's own file and under ORCHESTRATOR_… variables and the command line:
agent.model is also ORCHESTRATOR_AGENT__MODEL and --set agent.model=…
Credentials never belong here. They are read from the environment only:
CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY, LINEAR_API_KEY, DATABASE_URL."""


def render_template() -> str:
    """The text of `orchestrator.toml`."""
    lines = [*_comment(_HEADER), *_group(SettingsModel(), ())]
    return "\n".join(lines) + "\n"


def _group(values: BaseModel, key: tuple[str, ...]) -> Iterator[str]:
    fields = type(values).model_fields
    for name, field in fields.items():
        if group_of(field) is None:
            yield from _setting(name, field, getattr(values, name), type(values))
    for name, field in fields.items():
        inner = getattr(values, name)
        if isinstance(inner, BaseModel):
            yield from _heading(inner, (*key, name), field)
            yield from _group(inner, (*key, name))


def _heading(group: BaseModel, key: tuple[str, ...], field: FieldInfo) -> Iterator[str]:
    yield ""
    yield from _comment(field.description or type(group).__doc__ or "")
    yield f"[{'.'.join(key)}]"


def _setting(name: str, field: FieldInfo, value: object, group: type[BaseModel]) -> Iterator[str]:
    yield from _comment(_docstring(name, group))
    if (expected := expectation(field)) not in OBVIOUS:
        yield from _comment(f"Allowed: {expected}.")
    yield f'# {name} = "…"' if value is None else tomli_w.dumps({name: to_plain(value)}).rstrip()


def _docstring(name: str, group: type[BaseModel]) -> str:
    """What a field's docstring says; one that only has another default keeps that of the class above."""
    above = [
        kind.model_fields[name] for kind in group.__mro__ if issubclass(kind, BaseModel) and name in kind.model_fields
    ]
    return next((field.description for field in above if field.description), "")


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (f"# {part}" for part in textwrap.wrap(line, 110))


if __name__ == "__main__":
    sys.stdout.write(render_template())
