"""What is known about a session's turn so far, and how it ends: text, usage, and the kind of error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator_tui.agents.base import TurnEnded
from orchestrator_tui.agents.prices import least_cost
from orchestrator_tui.domain.records import Usage

_LONGEST_OUTPUT = 20_000
_BY_SUBTYPE = {"error_max_turns": "max_turns", "error_max_budget_usd": "max_budget"}
_BY_STATUS = {400: "invalid_request", 401: "authentication_failed", 402: "billing_error", 403: "authentication_failed",
              404: "invalid_request", 413: "invalid_request", 429: "rate_limit"}  # fmt: skip
_KINDS = frozenset({"rate_limit", "server_error", "authentication_failed", "billing_error", "invalid_request"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How the CLI says that a turn ended; the fields of its `result` message."""

    subtype: str
    is_error: bool
    status: int | None
    terminal_reason: str | None
    text: str | None
    errors: Sequence[str]
    structured: Any
    usage: Usage
    cli_session_id: str


@dataclass(slots=True)
class TurnLog:
    """Collects a session's turns. Usage is the whole session's; what a lost turn used is counted from its stream, its
    money as the least that these tokens cost."""

    interrupted: bool = False
    usage: Usage = field(default_factory=Usage)
    cli_session_id: str | None = None
    _said: list[str] = field(default_factory=list)
    _in_stream: Usage = field(default_factory=Usage)
    _model: str = ""
    _api_error: str | None = None

    def begin(self) -> None:
        """A new turn starts."""
        self.interrupted = False
        self._said.clear()
        self._in_stream = Usage()
        self._api_error = None

    def said(self, text: str) -> None:
        self._said.append(text)

    def streamed(self, event: Mapping[str, Any]) -> None:
        """Count what one event of the API's stream says was used, if it says anything."""
        match event:
            case {"type": "message_start", "message": {"model": str(model)}}:
                self._model = model
        if used := usage_in_stream(event):
            self._in_stream += replace(used, cost_usd=least_cost(used, self._model))

    def api_error(self, kind: str) -> None:
        self._api_error = kind

    def ended(self, result: Result) -> TurnEnded:
        """The end of the turn as the CLI tells it."""
        self.usage, self.cli_session_id = result.usage, result.cli_session_id
        self._in_stream = Usage()
        kind = self._kind(result)
        text = result.text or (self._said[-1] if self._said else "")
        error = None if kind is None else "; ".join(result.errors) or text or result.subtype
        return TurnEnded(
            text=text,
            structured=None if kind else result.structured,
            usage=self.usage,
            error_kind=kind,
            error=error,
            status=result.status,
            cli_session_id=self.cli_session_id,
        )

    @property
    def used(self) -> Usage:
        """What the session has used so far, the turn under way included."""
        return self.usage + self._in_stream

    def lost(self, error: str) -> TurnEnded:
        """The end of a turn whose process is gone."""
        return TurnEnded(
            text=self._said[-1] if self._said else "",
            structured=None,
            usage=self.used,
            error_kind="interrupted" if self.interrupted else "process",
            error=error,
            cli_session_id=self.cli_session_id,
        )

    def _kind(self, result: Result) -> str | None:
        aborted = (result.terminal_reason or "").startswith("aborted") or result.subtype == "error_during_execution"
        if self.interrupted and aborted:
            return "interrupted"
        if result.subtype in _BY_SUBTYPE:
            return _BY_SUBTYPE[result.subtype]
        if not (result.is_error or self._api_error or result.subtype != "success"):
            return None
        if self._api_error in _KINDS:
            return self._api_error
        return kind_of_status(result.status)


def kind_of_status(status: int | None) -> str:
    """The kind of error an HTTP status of the API stands for."""
    if status is not None and status >= 500:
        return "server_error"
    return _BY_STATUS.get(status or 0, "unknown")


def usage_of_models(models: Mapping[str, Mapping[str, Any]], cost_usd: float | None) -> Usage:
    """The usage of a whole session from the CLI's table of models."""
    total = Usage()
    for one in models.values():
        total += Usage(
            input_tokens=int(one.get("inputTokens", 0)),
            output_tokens=int(one.get("outputTokens", 0)),
            cache_read_tokens=int(one.get("cacheReadInputTokens", 0)),
            cache_write_tokens=int(one.get("cacheCreationInputTokens", 0)),
            cost_usd=float(one.get("costUSD", 0.0)),
        )
    return total if cost_usd is None else total + Usage(cost_usd=cost_usd - total.cost_usd)


def usage_in_stream(event: Mapping[str, Any]) -> Usage | None:
    """What one event of the API's stream says was used; None when it says nothing."""
    match event:
        case {"type": "message_start", "message": {"usage": dict(usage)}}:
            return Usage(
                input_tokens=int(usage.get("input_tokens") or 0),
                cache_read_tokens=int(usage.get("cache_read_input_tokens") or 0),
                cache_write_tokens=int(usage.get("cache_creation_input_tokens") or 0),
            )
        case {"type": "message_delta", "usage": dict(usage)}:
            return Usage(output_tokens=int(usage.get("output_tokens") or 0))
    return None


def shown_output(content: str | Sequence[Mapping[str, Any]] | None) -> str:
    """What a tool returned, as text of a bounded length."""
    if content is None or isinstance(content, str):
        text = content or ""
    else:
        text = "\n".join(str(part.get("text", f"[{part.get('type')}]")) for part in content)
    left_out = len(text) - _LONGEST_OUTPUT
    return text if left_out <= 0 else f"{text[:_LONGEST_OUTPUT]}\n… ({left_out} characters more)"
