"""Short forms of what agents say and do, for what is stored of it."""

from collections.abc import Mapping
from typing import Any

from orchestrator_tui.domain.text import one_line

SHOWN_ARGUMENT = 4_000
"""Characters of a tool's argument that are stored."""


def shorten(text: str, limit: int) -> str:
    """`text` with its middle left out when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = (limit - 40) // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def shorten_value(value: Any) -> Any:
    """A tool's argument, short enough to be stored with the event."""
    if isinstance(value, str):
        return shorten(value, SHOWN_ARGUMENT)
    if isinstance(value, dict | list):
        return value if len(str(value)) <= SHOWN_ARGUMENT else shorten(str(value), SHOWN_ARGUMENT)
    return value


def summarize_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """A tool call in one line: its file, command or pattern."""
    for key in ("file_path", "command", "pattern", "path", "summary"):
        value = arguments.get(key)
        if isinstance(value, str):
            return one_line(value, 400)
    return ""
