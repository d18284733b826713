"""Makes errors of how a session's turn ended, each with its class of trouble and what to do about it."""

from datetime import datetime

from orchestrator_tui.agents.base import ApiRetried, LimitChanged, TurnEnded
from orchestrator_tui.domain.errors import AgentFailed, MustWait
from orchestrator_tui.domain.troubles import OF_THE_SERVICE, Trouble
from orchestrator_tui.engine import classification

SERVICE_WORDS = {
    Trouble.USAGE_LIMIT: "The account's usage limit is reached",
    Trouble.RATE_LIMIT: "The API takes no more requests for now",
    Trouble.OVERLOAD: "The API cannot answer",
    Trouble.NETWORK: "The API cannot be reached",
}
REFUSED_CREDENTIALS = "authentication_failed"
HINTS = {
    REFUSED_CREDENTIALS: "Correct CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY in the environment, then resume.",
    "billing_error": "Look at the account's plan and balance, then resume.",
    "store": "The database did not take the conversation; it is tried again once it can be written.",
    "max_turns": "Raise agent.max_turns, or make the work items smaller.",
}


_REFUSING = (401, 403)
REFUSALS = 3
"""How often the API may refuse the credentials before nobody waits any longer for it to think better of it."""


def of_retry(retried: ApiRetried, *, summary: str) -> AgentFailed | None:
    """The error of a turn that asks the API again and again in vain; None while it may still help."""
    if retried.status not in _REFUSING or retried.attempt < REFUSALS:
        return None
    return AgentFailed(
        f"Claude refused the credentials: HTTP {retried.status}.",
        kind=REFUSED_CREDENTIALS,
        status=retried.status,
        hint=HINTS[REFUSED_CREDENTIALS],
        trouble=Trouble.AUTHENTICATION,
        summary=summary,
    )


def of_turn(ended: TurnEnded, limit: LimitChanged | None, *, now: datetime, summary: str) -> AgentFailed | MustWait:
    """The error of a turn that ended with one; `limit` is what was told of the account's usage limit."""
    assert ended.error_kind is not None
    text = ended.error or ended.text or ended.error_kind
    trouble = classification.of_session(ended.error_kind, ended.status, text, limit)
    if trouble in OF_THE_SERVICE:
        resets_at = classification.resets_at(limit, text, now)
        kind = limit.kind if limit is not None else None
        told = f"{SERVICE_WORDS[trouble]}: {text.rstrip('.')}."
        return MustWait(told, trouble=trouble, resets_at=resets_at, kind=kind)
    if ended.error_kind == REFUSED_CREDENTIALS:
        text = f"Claude refused the credentials: {text}."
    hint = HINTS.get(ended.error_kind, "")
    return AgentFailed(text, kind=ended.error_kind, status=ended.status, hint=hint, trouble=trouble, summary=summary)
