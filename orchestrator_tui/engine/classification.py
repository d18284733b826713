"""Says what class of trouble a failure is: by its fields first, by its text where they say nothing."""

import re
from datetime import UTC, datetime, timedelta

from orchestrator_tui.agents.base import LimitChanged
from orchestrator_tui.domain.troubles import Trouble

REJECTED = "rejected"
"""The status of a usage limit that is used up; warnings about one that is not have others."""
LONGEST_LIMIT = timedelta(days=8)
"""No limit of an account lasts longer than a week: what says so cannot be believed."""

_BY_KIND = {
    "authentication_failed": Trouble.AUTHENTICATION,
    "billing_error": Trouble.AUTHENTICATION,
    "rate_limit": Trouble.RATE_LIMIT,
    "stalled": Trouble.STALLED,
    "looping": Trouble.LOOPING,
    "blocked_command": Trouble.BLOCKED_COMMAND,
    "max_turns": Trouble.OUT_OF_TURNS,
    "invalid_answer": Trouble.INVALID_ANSWER,
}
_BY_STATUS = {
    401: Trouble.AUTHENTICATION,
    402: Trouble.AUTHENTICATION,
    403: Trouble.AUTHENTICATION,
    413: Trouble.CONTEXT_OVERFLOW,
    429: Trouble.RATE_LIMIT,
    529: Trouble.OVERLOAD,
}
_OVERFLOW = re.compile(
    r"prompt is too long|context (?:window|length|limit)|exceeds? (?:the )?(?:maximum|context)|too many tokens"
    r"|input is too long",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"connection (?:error|refused|reset|closed|timed out)|econn\w+|enotfound|eai_again|etimedout|epipe|fetch failed"
    r"|socket hang up|network|dns|unable to connect|request timed out|stream (?:ended|closed)",
    re.IGNORECASE,
)
_OVERLOADED = re.compile(r"overloaded|\b5(?:0[0234]|29)\b|internal server error|service unavailable", re.IGNORECASE)
_USAGE_LIMIT = re.compile(r"usage limit reached\|(\d{9,11})\b")
_CONFLICT = re.compile(r"^CONFLICT \(|merge conflict|^<{7} |unmerged (?:paths|files)|fix conflicts", re.I | re.M)
_TOOL_MISSING = re.compile(
    r"command not found|: not found$|No module named ['\"]?[\w.]+|ModuleNotFoundError|is not recognized as an"
    r"|executable file not found|Cannot find module|env: .{1,80}: No such file",
    re.MULTILINE,
)
_NOT_FOUND = 127


def of_session(kind: str, status: int | None, text: str, limit: LimitChanged | None) -> Trouble:
    """The class of a session's failure. `kind` and `status` are those of its `TurnEnded`; `limit` is the last that
    was told of the account's usage limit."""
    if kind == "rate_limit" or status == 429:
        is_told = limit is not None and limit.status == REJECTED and limit.resets_at is not None
        return Trouble.USAGE_LIMIT if is_told or _USAGE_LIMIT.search(text) else Trouble.RATE_LIMIT
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if kind in ("interrupted", "store", "resume"):
        return Trouble.UNKNOWN
    if kind == "server_error" or (status or 0) >= 500:
        return Trouble.NETWORK if status is None and _NETWORK.search(text) else Trouble.OVERLOAD
    return _by_text(text)


def _by_text(text: str) -> Trouble:
    for pattern, trouble in (
        (_USAGE_LIMIT, Trouble.USAGE_LIMIT),
        (_OVERFLOW, Trouble.CONTEXT_OVERFLOW),
        (_OVERLOADED, Trouble.OVERLOAD),
        (_NETWORK, Trouble.NETWORK),
    ):
        if pattern.search(text):
            return trouble
    return Trouble.UNKNOWN


def of_check(exit_code: int, output: str) -> Trouble:
    """The class of a red check of the project."""
    if _CONFLICT.search(output):
        return Trouble.MERGE_CONFLICT
    if exit_code == _NOT_FOUND or _TOOL_MISSING.search(output):
        return Trouble.TOOL_MISSING
    return Trouble.FAILING_CHECK


def resets_at(limit: LimitChanged | None, text: str, now: datetime) -> datetime | None:
    """When a used-up limit is over; None when nobody says so, or nothing that can be believed."""
    told = limit.resets_at if limit is not None and limit.status == REJECTED else None
    if told is None and (found := _USAGE_LIMIT.search(text)) is not None:
        told = float(found[1])
    if told is None:
        return None
    try:
        moment = datetime.fromtimestamp(told, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return moment if now < moment <= now + LONGEST_LIMIT else None
