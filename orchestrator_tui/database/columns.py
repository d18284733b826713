"""Column types that behave the same on SQLite and PostgreSQL."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import JSON, DateTime, Dialect, String, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Whether `text` has the form of the ids made by `clock.new_id`."""
    return _ID.fullmatch(text) is not None


def storable(text: str) -> str:
    """`text` with what PostgreSQL cannot hold (NUL, lone surrogates) replaced by U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def dump_json(value: Any) -> str:
    """Compact JSON that both databases take: see `storable`; numbers that are not finite become null."""
    try:
        text = to_json(value, inf_nan_mode="null").decode()
    except PydanticSerializationError:
        return to_json(_cleaned(value), inf_nan_mode="null").decode()
    if "\\u0000" in text:
        return to_json(_cleaned(value), inf_nan_mode="null").decode()
    return text


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value


class Identity(TypeDecorator[str]):
    """A UUID as lower-case text with dashes: native on PostgreSQL, text on SQLite.

    Text of another form cannot name a row anywhere, so binding it raises KeyError on both.
    """

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native: TypeEngine[Any] = Uuid(as_uuid=False) if dialect.name == "postgresql" else String(36)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None and not is_id(value):
            raise KeyError(value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return value  # type: ignore[no-any-return]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware and UTC on the way in and out; SQLite keeps it as text without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StorableText(TypeDecorator[str]):
    """Text from anywhere, made storable on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


JsonValue = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class IdentityList(TypeDecorator[list[str]]):
    """A JSON list of ids; anything else in it raises KeyError when it is bound."""

    impl = JsonValue
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> list[str] | None:
        for identity in value or ():
            if not is_id(identity):
                raise KeyError(identity)
        return value


def binder(column_type: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """What turns a value into the form the driver takes, for statements handed to it as they are."""
    processor = column_type.dialect_impl(dialect).bind_processor(dialect)
    return processor or (lambda value: value)
