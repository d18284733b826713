from datetime import UTC, datetime, timedelta

import pytest

from orchestrator_tui.agents.base import LimitChanged
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine.classification import of_check, of_session, resets_at

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LIMIT = LimitChanged(status="rejected", resets_at=(NOW + timedelta(hours=1)).timestamp(), kind="five_hour")
WARNED = LimitChanged(status="allowed_warning", resets_at=LIMIT.resets_at, kind="five_hour")


@pytest.mark.parametrize(
    ("kind", "status", "text", "trouble"),
    [
        ("rate_limit", 429, "slow down", Trouble.RATE_LIMIT),
        ("unknown", 429, "", Trouble.RATE_LIMIT),
        ("rate_limit", None, "Claude AI usage limit reached|1795000000", Trouble.USAGE_LIMIT),
        ("server_error", 529, "Overloaded", Trouble.OVERLOAD),
        ("server_error", 500, "Internal server error", Trouble.OVERLOAD),
        ("server_error", None, "API Error: Connection error.", Trouble.NETWORK),
        ("unknown", None, "connect ECONNREFUSED 127.0.0.1:1", Trouble.NETWORK),
        ("unknown", None, "Unable to connect to API", Trouble.NETWORK),
        ("authentication_failed", 401, "invalid x-api-key", Trouble.AUTHENTICATION),
        ("billing_error", 402, "no credit", Trouble.AUTHENTICATION),
        ("unknown", 403, "", Trouble.AUTHENTICATION),
        ("invalid_request", 400, "prompt is too long: 210000 tokens > 200000 maximum", Trouble.CONTEXT_OVERFLOW),
        ("invalid_request", 413, "request too large", Trouble.CONTEXT_OVERFLOW),
        ("invalid_request", 400, "messages: at least one is required", Trouble.UNKNOWN),
        ("stalled", None, "no sign of life for 30 minutes", Trouble.STALLED),
        ("looping", None, "the same call", Trouble.LOOPING),
        ("blocked_command", None, "refused", Trouble.BLOCKED_COMMAND),
        ("invalid_answer", None, "no valid answer in 3 tries", Trouble.INVALID_ANSWER),
        ("max_turns", None, "", Trouble.OUT_OF_TURNS),
        ("process", None, "The Claude process was lost: it exited with code 1", Trouble.UNKNOWN),
        ("interrupted", None, "network", Trouble.UNKNOWN),
    ],
)
def test_a_session_s_failure_has_a_class_by_its_fields_then_its_text(
    kind: str, status: int | None, text: str, trouble: Trouble
) -> None:
    assert of_session(kind, status, text, None) is trouble


def test_fields_count_before_text() -> None:
    assert of_session("authentication_failed", 401, "overloaded, prompt is too long", None) is Trouble.AUTHENTICATION
    assert of_session("rate_limit", 429, "connection error", LIMIT) is Trouble.USAGE_LIMIT
    assert of_session("rate_limit", 429, "", WARNED) is Trouble.RATE_LIMIT


def test_a_used_up_limit_says_until_when() -> None:
    assert resets_at(LIMIT, "", NOW) == NOW + timedelta(hours=1)
    assert resets_at(None, f"usage limit reached|{NOW.timestamp() + 60:.0f}", NOW) == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("told", [0.0, -1.0, NOW.timestamp() - 1, NOW.timestamp() + 30 * 86_400, 1e30, float("inf")])
def test_a_time_that_cannot_be_is_no_time(told: float) -> None:
    assert resets_at(LimitChanged(status="rejected", resets_at=told, kind=None), "", NOW) is None


def test_nobody_says_when_a_rate_limit_is_over() -> None:
    assert resets_at(None, "slow down", NOW) is None
    assert resets_at(WARNED, "slow down", NOW) is None


@pytest.mark.parametrize(
    ("exit_code", "output", "trouble"),
    [
        (1, "1 failed, 3 passed", Trouble.FAILING_CHECK),
        (127, "", Trouble.TOOL_MISSING),
        (1, "/bin/sh: 1: pytest: not found", Trouble.TOOL_MISSING),
        (1, "ModuleNotFoundError: No module named 'requests'", Trouble.TOOL_MISSING),
        (1, "Error: Cannot find module 'left-pad'", Trouble.TOOL_MISSING),
        (1, "CONFLICT (content): Merge conflict in a.py", Trouble.MERGE_CONFLICT),
        (1, "  File a.py, line 3\n<<<<<<< HEAD\nSyntaxError", Trouble.MERGE_CONFLICT),
        (1, "the page was not found: 404", Trouble.FAILING_CHECK),
    ],
)
def test_a_red_check_has_a_class_by_its_exit_code_and_output(exit_code: int, output: str, trouble: Trouble) -> None:
    assert of_check(exit_code, output) is trouble
