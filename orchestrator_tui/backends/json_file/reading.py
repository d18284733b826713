"""Reads the file as a person left it: what is wrong is told with its line, and nothing of a wrong file is used."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestrator_tui.backends.json_file.entries import VERSION
from orchestrator_tui.config.secrets import mask_data, mask_tokens
from orchestrator_tui.domain.text import one_line

T = TypeVar("T")

_STATUSES = "todo, done or blocked"
_EXPECTED: Mapping[str, str] = {
    "title": "a text that is not empty",
    "status": _STATUSES,
    "priority": "a number from 1 (urgent) to 4 (low)",
    "labels": "a list of texts that are not empty",
    "depends_on": "a list of keys, such as TASK-3",
    "parent": "a key, such as TASK-3, or null",
    "description": "a text, or a list of its lines",
    "acceptance": "a list of texts",
    "comments": "a list of texts, or of objects with a text",
    "key": "a text such as TASK-3",
    "id": "the id that was there; leave it out for a new item",
}
_SPACE = re.compile(r"[ \t\n\r]*")


class BadEdit(Exception):
    """What a person wrote into the file cannot be used."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def _joined(value: Any) -> Any:
    is_lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    return "\n".join(value) if is_lines else value


def _storable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # A lone surrogate, which JSON can write and UTF-8 cannot.
        raise ValueError("holds half a character") from None
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Prose = Annotated[Text, BeforeValidator(_joined)]
Title = Annotated[Text, Field(min_length=1, max_length=1000, pattern=r"\S")]


class _Hand(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class HandComment(_Hand):
    """A comment; one without an id is new."""

    author: Text | None = None
    at: Text | None = None
    text: Prose
    id: Text | None = None


def _as_comment(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class HandItem(_Hand):
    """An item as it stands in the file; only the fields in `model_fields_set` were written there."""

    key: Text | None = None
    title: Title = ""
    status: Literal["todo", "in_progress", "done", "blocked"] = "todo"
    priority: Annotated[int, Field(ge=1, le=4)] = 3
    labels: list[Annotated[Text, Field(pattern=r"\S")]] = []
    depends_on: list[Text] = []
    parent: Text | None = None
    description: Prose = ""
    acceptance: list[Text] = []
    comments: list[Annotated[HandComment, BeforeValidator(_as_comment)]] = []
    id: Text | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """An item with the part of the text that it was read from."""

    item: HandItem
    text: str
    start: int
    end: int

    def line(self, field: str = "") -> int:
        """The line of a field of the item, or of the item itself when it has no such field."""
        found = list(re.finditer(rf'"{re.escape(field)}"\s*:', self.text[self.start : self.end])) if field else []
        return line_at(self.text, self.start + (found[-1].start() if found else 0))


@dataclass(frozen=True, slots=True)
class HandFile:
    """The whole file. `raw` is its content as plain data."""

    revision: int | None
    items: tuple[Placed, ...]
    raw: dict[str, Any]
    text: str

    def line(self, field: str) -> int:
        """The line of a field of the file itself."""
        found = re.search(rf'^\s*"{field}"\s*:', self.text, re.MULTILINE)
        return line_at(self.text, found.end() if found else 0)


def read_hand_file(content: bytes, hide: Callable[[str], str] = mask_tokens) -> HandFile:
    """What a person wrote, its items without credentials, as `hide` takes them out.

    Raises:
        BadEdit: it is no JSON, or something in it is not what is expected there.
    """
    text = _decoded(content)
    raw = _parsed(text)
    if not isinstance(raw, dict):
        raise BadEdit(1, 'an object with "items" was expected')
    for name in raw.keys() - {"about", "version", "revision", "items"}:
        raise BadEdit(_line_of(text, name), f"{one_line(name, 40)} is not known here")
    if raw.get("version", VERSION) != VERSION:
        raise BadEdit(_line_of(text, "version"), f"version {raw['version']!r} is not {VERSION}; leave it as it was")
    if not isinstance(raw.get("items"), list):
        raise BadEdit(_line_of(text, "items"), "items is missing, or is no list")
    revision = raw.get("revision")
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int)):
        raise BadEdit(_line_of(text, "revision"), "revision is no number; leave it as it was")
    return HandFile(revision, tuple(_items(text, hide)), raw, text)


def line_at(text: str, offset: int) -> int:
    """The line, counted from 1, of an offset."""
    return text.count("\n", 0, offset) + 1


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadEdit(content.count(b"\n", 0, error.start) + 1, "it is not text in UTF-8") from None


def _parsed(text: str) -> Any:
    if not text.strip():
        raise BadEdit(1, "the file is empty")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadEdit(error.lineno, f"{error.msg}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise BadEdit(1, f"it cannot be read: {error}") from None


def _line_of(text: str, name: str) -> int:
    found = re.search(rf"{re.escape(json.dumps(name, ensure_ascii=False))}\s*:", text)
    return line_at(text, found.start() if found else 0)


def _items(text: str, hide: Callable[[str], str]) -> Iterator[Placed]:
    decoder = json.JSONDecoder(object_pairs_hook=_without_doubles)
    for start in _item_starts(text):
        try:
            raw, end = decoder.raw_decode(text, start)
        except _Double as double:
            end = json.JSONDecoder().raw_decode(text, start)[1]
            line = Placed(HandItem(), text, start, end).line(double.name)
            raise BadEdit(line, f"{double.name} is there twice; leave one of them") from None
        raw = mask_data(raw, hide)
        place = Placed(HandItem(), text, start, end)
        try:
            yield Placed(HandItem.model_validate(raw), text, start, end)
        except ValidationError as error:
            raise _explained(error, raw, place) from None


def _explained(error: ValidationError, raw: Any, place: Placed) -> BadEdit:
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    if not field:
        return BadEdit(place.line(), "an item, which is an object with a title, was expected")
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return BadEdit(place.line(name), f"{one_line(name, 40)} is not known here; known are {', '.join(_EXPECTED)}")
    match first:
        case {"type": "too_long", "ctx": {"max_length": most}}:
            return BadEdit(place.line(field), f"{field} is too long; it may have {most:,} characters")
        case {"type": "value_error", "ctx": {"error": ValueError() as unusable}}:
            return BadEdit(place.line(field), f"{field} {unusable}; take it out")
    given = one_line(json.dumps(raw.get(field), ensure_ascii=False), 60)
    return BadEdit(place.line(field), f"{field} is {given}; expected {_EXPECTED[field]}")


def _item_starts(text: str) -> Iterator[int]:
    """Where in a text that is known to be JSON each element of the list called `items` begins.

    Raises:
        BadEdit: there are two such lists.
    """
    decoder = json.JSONDecoder()
    starts: list[int] | None = None
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] == '"':
        begin = at
        name, at = decoder.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if name == "items":
            if starts is not None:
                raise BadEdit(line_at(text, begin), "items is there twice; leave one of them")
            starts = list(_element_starts(text, at))
        at = _skip(text, decoder.raw_decode(text, at)[1])
        if text[at] != ",":
            break
        at = _skip(text, at + 1)
    yield from starts or ()


def _element_starts(text: str, at: int) -> Iterator[int]:
    decoder = json.JSONDecoder()
    at = _skip(text, at + 1)
    while text[at] != "]":
        yield at
        at = _skip(text, decoder.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class _Double(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _without_doubles(pairs: list[tuple[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise _Double(name)
        found[name] = value
    return found
