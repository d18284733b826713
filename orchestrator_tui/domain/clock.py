"""Time and identity, in one place so that every record agrees on them."""

import uuid
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh random identity (UUID 4, lower-case text with dashes)."""
    return str(uuid.uuid4())
